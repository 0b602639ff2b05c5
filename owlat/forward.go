package owlat

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"owlatsync/owlat/internal/pace"
	"owlatsync/owlat/internal/wire"
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
// answers: an answer of failure is no error. It repeats nothing, but for what another one of several keys may do, because whoever asked decides about that. Of the header everything is
// sent but Authorization, and what belongs to a connection. Observers and functions of [WithBeforeSend] see the request with the route
// "/{forwarded}". It fails with [ErrInvalidInput] for a path that does not stay below /api/v1, and with a [*TransportError] without an
// answer or for one of more than 16 MiB.
func (c *Client) Forward(ctx context.Context, r Forwarded) (*Answer, error) {
	cl := call{method: r.Method, route: routeForwarded, header: wire.Foreign(r.Header)}
	path, query, err := wire.SplitPath(r.Path)
	switch {
	case ctx == nil:
		return nil, cl.refuse("the context is nil")
	case !slices.Contains(wire.Methods, r.Method):
		return nil, cl.refuse("the method is none of the API's")
	case err != nil:
		return nil, cl.refuse("%v", err)
	}
	cl.path, cl.query = path, query
	f := forwarding{&sending{core: c.core, call: cl, encoded: r.Body, ready: time.Now(), tried: 1}}
	for {
		start, err := f.admit(ctx)
		if err != nil {
			return nil, cl.transportError(false, err)
		}
		ans, err := f.send(ctx, start)
		if err != nil || !f.keyRefused(f.key, cl, ans.Status, fmt.Errorf("owlat: %s %s: %d", cl.method, cl.route, ans.Status)) {
			return ans, err
		}
	}
}

// forwarding is a request of somebody else on its way.
type forwarding struct{ *sending }

// send sends a request that was admitted at the given time.
func (s forwarding) send(ctx context.Context, start time.Time) (_ *Answer, err error) {
	inFlight := true
	defer func() {
		if inFlight { // it was not sent, or something panicked
			s.left(start, pace.Silent, 0, false)
		}
	}()
	attempt := Attempt{Method: s.method, Route: s.route, Start: start, Waited: start.Sub(s.ready), Try: 1, Key: s.key + 1}
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
	s.left(attempt.Start, s.judge(ctx, attempt.Status), limit.Limit, attempt.Status > 0)
	if attempt.Status == http.StatusTooManyRequests {
		s.pauseAll(min(wire.RetryAfter(ans.Header), maxRetryAfter))
	}
	attempt.Duration, attempt.Err = time.Since(attempt.Start), err
	s.report(ctx, attempt)
	return ans, err
}

// passOn sends the request and reads its answer.
func (s forwarding) passOn(ctx context.Context) (*Answer, RateLimit, error) {
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
	defer wire.Drain(resp.Body)
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	switch {
	case err != nil:
		return nil, limit, s.transportError(true, fmt.Errorf("read the answer: %w", wire.Cause(ctx, err, ErrTimeout)))
	case len(body) > maxBody:
		return nil, limit, s.transportError(true, fmt.Errorf("the answer is longer than %d bytes", maxBody))
	}
	return &Answer{Status: resp.StatusCode, Header: resp.Header, Body: body}, limit, nil
}
