package home

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"

	"owlatsync/owlat"
)

// Call is one request to Owlat for somebody who has not the budget of the key: it is made with that of the home.
type Call struct {
	Method string          `json:"method"`
	Route  string          `json:"route"` // below /api/v1, as of owlat.Request
	Values []string        `json:"values,omitempty"`
	Query  url.Values      `json:"query,omitempty"`
	Header http.Header     `json:"header,omitempty"`
	Body   json.RawMessage `json:"body,omitempty"` // absent: none
}

// Result is what Owlat answered, also if it refused.
type Result struct {
	Status int         `json:"status"`
	Header http.Header `json:"header"`
	Body   []byte      `json:"body"`
}

// heardKey is the key of a context for the answer to a call.
type heardKey struct{}

// Call makes a request with the home's budget, and returns what Owlat answered last. It fails without an answer, and with an error that
// matches owlat.ErrInvalidInput if the request cannot be sent.
func (h *Home) Call(ctx context.Context, c Call) (Result, error) {
	h.calls.Add(1)
	defer h.calls.Add(-1)
	client, err := h.session.Client.With(owlat.WithTransport(listening{http.DefaultTransport}))
	if err != nil {
		return Result{}, err
	}
	var heard Result
	in := owlat.Request{Method: c.Method, Route: c.Route, Values: c.Values, Query: c.Query, Header: c.Header}
	if len(c.Body) > 0 {
		in.Body = c.Body
	}
	if _, err = client.Do(context.WithValue(ctx, heardKey{}, &heard), in, nil); heard.Status != 0 {
		return heard, nil
	}
	return Result{}, err
}

// listening is a transport that keeps the latest answer of a call.
type listening struct{ http.RoundTripper }

// maxAnswer is the most of an answer that is kept, in bytes.
const maxAnswer = 1 << 20

// RoundTrip implements http.RoundTripper.
func (l listening) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := l.RoundTripper.RoundTrip(r)
	heard, ok := r.Context().Value(heardKey{}).(*Result)
	if err != nil || !ok {
		return res, err
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	_ = res.Body.Close()
	if err != nil {
		return nil, err
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	*heard = Result{Status: res.StatusCode, Header: res.Header, Body: body}
	return res, nil
}
