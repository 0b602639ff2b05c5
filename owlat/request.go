package owlat

import (
	"context"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
)

// Request is a request of the API that this package has no method for; [Client.Do] makes it.
type Request struct {
	// Method is GET, HEAD, POST, PUT, PATCH or DELETE.
	Method string
	// Route is the pattern of the path below /api/v1, such as "/contacts/{contact}/notes". Errors, logs and observers show
	// it: put what identifies a person in Values.
	Route string
	// Values fill the parts of Route in braces, in their order. Do percent-encodes them. None may be empty.
	Values []string
	// Query is what follows the path, nil for nothing.
	Query url.Values
	// Header holds headers beside the client's own, of which it may replace Accept, Content-Type and User-Agent.
	Header http.Header
	// Body is sent as JSON, nil for none.
	Body any
}

// Response is an answer of success to a [Request].
type Response struct {
	StatusCode int
	Header     http.Header
	RateLimit  RateLimit
	Body       []byte // all of it, at most 16 MiB
}

// RequestID is what the answer's headers call the request; "" if they do not. Name it to whoever runs the server. Owlat itself
// sends none, its hosting or a gateway may.
func (r *Response) RequestID() string { return requestID(r.Header) }

// Do makes a request for which this package has no method. It waits for the limiter, retries and maps errors as the methods
// do; a POST or PATCH is never sent again but after a 429. out is a pointer to what the answer is read into: the whole JSON
// object, "data" and what is beside it. With a nil out the body may be anything.
//
// It fails with [ErrInvalidInput] before sending for a method, route, value, header or body that cannot be sent and for an
// out that is no pointer; else with an [*Error], a [*TransportError] or a [*ParseError].
func (c *Client) Do(ctx context.Context, in Request, out any) (*Response, error) {
	cl := call{method: in.Method, route: in.Route}
	if why := in.refusal(out); why != "" {
		return nil, cl.refuse("%s", why)
	}
	cl, err := newCall(in.Method, in.Route, in.Values...)
	if err != nil {
		return nil, err
	}
	cl.query, cl.header, cl.body = in.Query, in.Header, in.Body
	ans, err := c.core.do(ctx, cl)
	if err != nil {
		return nil, err
	}
	if out != nil {
		if err := ans.unmarshal(out); err != nil {
			return nil, err
		}
	}
	return &Response{StatusCode: ans.status, Header: ans.header, RateLimit: ans.limit, Body: ans.body}, nil
}

var requestMethods = []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}

// ownHeaders are the client's and the transport's alone.
var ownHeaders = []string{"Accept-Encoding", "Authorization", "Connection", "Content-Length", "Host", "Te", "Trailer", "Transfer-Encoding", "Upgrade"}

// refusal is why the request cannot be sent, or its answer not be read into out; "" if nothing is wrong.
func (r *Request) refusal(out any) string {
	parts, ok := routeParts(r.Route)
	switch {
	case !slices.Contains(requestMethods, r.Method):
		return "the method must be one of " + strings.Join(requestMethods, ", ")
	case !ok:
		return `the route must be such as "/contacts/{contact}": a slash before every part, each of letters, digits, "-", "_" and "." or a name in braces`
	case parts != len(r.Values):
		return "the route has more or fewer parts in braces than there are values"
	}
	if v := reflect.ValueOf(out); out != nil && (v.Kind() != reflect.Pointer || v.IsNil()) {
		return "what the answer is read into must be a pointer that is not nil"
	}
	for name, values := range r.Header {
		if !isToken(name) || slices.ContainsFunc(values, func(v string) bool { return strings.ContainsFunc(v, isControl) }) {
			return "a header has a malformed name, or a control character in its value"
		}
		if slices.Contains(ownHeaders, http.CanonicalHeaderKey(name)) {
			return "the header " + http.CanonicalHeaderKey(name) + " cannot be set"
		}
	}
	return ""
}

// routeParts counts the parts of a route in braces. It reports whether the route has the form of one.
func routeParts(route string) (parts int, ok bool) {
	rest, ok := strings.CutPrefix(route, "/")
	if !ok {
		return 0, false
	}
	for part := range strings.SplitSeq(rest, "/") {
		name, open := strings.CutPrefix(part, "{")
		name, closed := strings.CutSuffix(name, "}")
		if open {
			parts++
		}
		if open != closed || name == "" || name == "." || name == ".." || strings.ContainsFunc(name, func(r rune) bool { return r >= 0x80 || !unreserved(byte(r)) }) {
			return 0, false
		}
	}
	return parts, true
}

// isToken reports whether s can be the name of a header.
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r >= 0x80 || !unreserved(byte(r)) && !strings.ContainsRune("!#$%&'*+^`|", r)
	})
}

func isControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }

// requestID is what an answer calls its request.
func requestID(h http.Header) string {
	for _, name := range []string{"X-Request-Id", "Convex-Request-Id"} {
		if id := h.Get(name); id != "" {
			return id
		}
	}
	return ""
}
