package errand

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"time"

	"owlatsync/owlat"
)

// Line has errands done, wherever the budget is.
type Line interface {
	// Call has the holder of a deployment's budget do an errand, and returns what became of it. Unless its error has a method
	// NotSent() bool that says true, the errand may have been done.
	Call(ctx context.Context, deployment string, errand json.RawMessage) (json.RawMessage, error)
}

// longest bounds how long an errand takes, with its wait for the budget. The line ends it before.
const longest = 90 * time.Second

// NewClient returns a client that differs from c, whose key is apiKey, in that its requests are sent by whoever has the budget of the
// deployment. Its limiter is that of c and only bounds how much it asks for. Requests that carry no key, and so cost nothing of the
// budget, go through direct.
func NewClient(c *owlat.Client, apiKey string, line Line, deployment string, direct http.RoundTripper) (*owlat.Client, error) {
	s, err := newSeal(apiKey)
	if err != nil {
		return nil, err
	}
	t := &transport{line: line, deployment: deployment, base: c.BaseURL() + "/api/v1", seal: s, direct: direct}
	return c.With(owlat.WithTransport(t), owlat.WithTimeout(longest))
}

// transport has requests sent by somebody else.
type transport struct {
	line       Line
	deployment string
	base       string // before the paths of the API
	seal       seal
	direct     http.RoundTripper
}

// carried are the headers of a request that go with it.
var carried = []string{"Accept", "Content-Type", "User-Agent", "Idempotency-Key"}

// RoundTrip has the request sent by whoever has the budget.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Header.Get("Authorization") == "" {
		return t.direct.RoundTrip(r)
	}
	sealed, err := t.wrap(r)
	if err != nil {
		return nil, fmt.Errorf("have the request sent: %w", err)
	}
	trace := httptrace.ContextClientTrace(r.Context())
	if trace != nil && trace.GetConn != nil {
		trace.GetConn(r.URL.Host)
	}
	may := func() { // it may have been sent: so the client reads that there was a connection
		if trace != nil && trace.GotConn != nil {
			trace.GotConn(httptrace.GotConnInfo{})
		}
	}
	got, err := t.line.Call(r.Context(), t.deployment, sealed)
	if err != nil {
		if not, ok := errors.AsType[interface {
			error
			NotSent() bool
		}](err); !ok || !not.NotSent() {
			may()
		}
		return nil, fmt.Errorf("have the request sent by the service: %w", err)
	}
	var done report
	if err := t.seal.open(kindReport, got, &done); err != nil {
		may()
		return nil, fmt.Errorf("read what became of the request: %w", err)
	}
	switch {
	case done.Failed != nil:
		if done.Failed.Sent {
			may()
		}
		if done.Failed.Timeout {
			return nil, owlat.ErrTimeout
		}
		return nil, errors.New(done.Failed.Message)
	case done.Answer == nil:
		may()
		return nil, errors.New("what became of the request was not told")
	}
	return response(r, done.Answer), nil
}

// CloseIdleConnections closes those of requests that go directly.
func (t *transport) CloseIdleConnections() {
	if direct, ok := t.direct.(interface{ CloseIdleConnections() }); ok {
		direct.CloseIdleConnections()
	}
}

// wrap makes an errand of a request, whose body it reads and closes.
func (t *transport) wrap(r *http.Request) (json.RawMessage, error) {
	f := owlat.Forwarded{Method: r.Method, Header: make(http.Header)}
	if r.Body != nil {
		defer func() { _ = r.Body.Close() }()
		var err error
		if f.Body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	whole := *r.URL
	whole.Fragment = ""
	path, ours := strings.CutPrefix(whole.String(), t.base)
	if !ours {
		return nil, errors.New("it is not one to the deployment's API")
	}
	f.Path = path
	for _, name := range carried {
		if values := r.Header.Values(name); len(values) > 0 {
			f.Header[name] = values
		}
	}
	return t.seal.close(kindErrand, f)
}

// response makes the answer one to the request.
func response(r *http.Request, a *owlat.Answer) *http.Response {
	h := a.Header
	if h == nil {
		h = make(http.Header)
	}
	return &http.Response{
		Status: fmt.Sprintf("%d %s", a.Status, http.StatusText(a.Status)), StatusCode: a.Status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h, Body: io.NopCloser(bytes.NewReader(a.Body)), ContentLength: int64(len(a.Body)), Request: r,
	}
}
