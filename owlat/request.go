package owlat

import (
	"context"
	"net/http"
	"net/url"
	"reflect"

	"owlatsync/owlat/internal/wire"
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
func (r *Response) RequestID() string { return wire.RequestID(r.Header) }

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

// refusal is why the request cannot be sent, or its answer not be read into out; "" if nothing is wrong.
func (r *Request) refusal(out any) string {
	if why := wire.Refusal(r.Method, r.Route, len(r.Values), r.Header); why != "" {
		return why
	}
	if v := reflect.ValueOf(out); out != nil && (v.Kind() != reflect.Pointer || v.IsNil()) {
		return "what the answer is read into must be a pointer that is not nil"
	}
	return ""
}

// newCall is a call of the route with the values of its parts in braces, which must be ids.
func newCall(method, route string, values ...string) (call, error) {
	path, err := wire.Fill(route, values...)
	cl := call{method: method, route: route, path: path}
	if err != nil {
		err = cl.refuse("%v", err)
	}
	return cl, err
}

// blank reports whether Owlat would take s for empty.
func blank(s string) bool { return wire.Blank(s) }
