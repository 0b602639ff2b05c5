package owlat

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Forwarded is a request of somebody else, as it goes over the wire; see [Client.Forward].
type Forwarded struct {
	Method string
	Path   string // below /api/v1, percent-encoded, with the query if there is one: "/contacts/ada%40example.com"
	Header http.Header
	Body   []byte // nil: none
}

// Answer is what a server answered, as it came.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// routeForwarded is the route of forwarded requests in errors, logs and attempts: their paths may hold addresses.
const routeForwarded = "/{forwarded}"

// Forward sends a request of somebody else once, with the key of the client and within its budget, and returns whatever the server
// answers: an answer of failure is no error. It repeats nothing, because whoever asked decides about that. Of the header everything is
// sent but Authorization, and what belongs to a connection. Observers and functions of [WithBeforeSend] see the request with the route
// "/{forwarded}". It fails with [ErrInvalidInput] for a path that does not stay below /api/v1, and with a [*TransportError] without an
// answer or for one of more than 16 MiB.
func (c *Client) Forward(ctx context.Context, r Forwarded) (*Answer, error) {
	cl := call{method: r.Method, route: routeForwarded}
	if ctx == nil {
		return nil, cl.refuse("the context is nil")
	}
	if err := cl.forward(r); err != nil {
		return nil, err
	}
	s := sending{core: c.core, call: cl, encoded: r.Body, ready: time.Now(), tried: 1}
	start, err := s.admit(ctx)
	if err != nil {
		return nil, cl.transportError(false, err)
	}
	return s.forward(ctx, start)
}

// forward makes the call that of a request of somebody else.
func (cl *call) forward(r Forwarded) error {
	if !slices.Contains([]string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}, r.Method) {
		return cl.refuse("the method is none of the API's")
	}
	path, query, _ := strings.Cut(r.Path, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return cl.refuse("the query cannot be read")
	}
	if !strings.HasPrefix(path, "/") || strings.ContainsFunc(path, func(c rune) bool { return c <= ' ' || c > '~' || c == '#' || c == '\\' }) {
		return cl.refuse("the path does not begin with a slash, or is not percent-encoded")
	}
	for segment := range strings.SplitSeq(path[1:], "/") {
		plain, err := url.PathUnescape(segment)
		if err != nil || plain == "." || plain == ".." || plain == "" {
			return cl.refuse("the path has a segment that is empty, a step, or badly encoded")
		}
	}
	cl.path, cl.query, cl.header = path, values, r.Header.Clone()
	for _, name := range []string{"Authorization", "Connection", "Host", "Content-Length", "Transfer-Encoding", "Accept-Encoding", "Te", "Trailer", "Upgrade"} {
		cl.header.Del(name)
	}
	return nil
}

// forward sends a request that was admitted at the given time.
func (s *sending) forward(ctx context.Context, start time.Time) (_ *Answer, err error) {
	inFlight := true
	defer func() {
		if inFlight { // it was not sent, or something panicked
			s.left(start, silent, 0)
		}
	}()
	attempt := Attempt{Method: s.method, Route: s.route, Start: start, Waited: start.Sub(s.ready), Try: 1}
	for _, look := range s.looks {
		if err := look(ctx, attempt); err != nil {
			return nil, s.transportError(false, fmt.Errorf("not sent: %w", err))
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, s.transportError(false, err)
	}
	attempt.Start = time.Now()
	ans, limit, err := s.passOn(ctx)
	inFlight = false
	if ans != nil {
		attempt.Status = ans.Status
	}
	s.left(attempt.Start, s.judge(ctx, attempt.Status), limit.Limit)
	if asked := min(ans.retryAfter(), maxRetryAfter); attempt.Status == http.StatusTooManyRequests && asked > owlatAsks {
		s.pauseAll(asked)
	}
	attempt.Duration, attempt.Err = time.Since(attempt.Start), err
	s.report(ctx, attempt)
	return ans, err
}

func (a *Answer) retryAfter() time.Duration {
	if a == nil {
		return 0
	}
	return readRetryAfter(a.Header)
}

// passOn sends the request and reads its answer.
func (s *sending) passOn(ctx context.Context) (*Answer, RateLimit, error) {
	actx := ctx
	if s.timeout > 0 {
		limited, cancel := context.WithTimeout(ctx, s.timeout)
		defer cancel()
		actx = limited
	}
	resp, limit, _, err := s.exchange(ctx, actx)
	if err != nil {
		return nil, limit, err
	}
	defer drain(resp.Body)
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	switch {
	case err != nil:
		return nil, limit, s.transportError(true, fmt.Errorf("read the answer: %w", cause(ctx, err)))
	case len(body) > maxBody:
		return nil, limit, s.transportError(true, fmt.Errorf("the answer is longer than %d bytes", maxBody))
	}
	return &Answer{Status: resp.StatusCode, Header: resp.Header, Body: body}, limit, nil
}
