package owlat

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"owlatsync/owlat/internal/wire"
)

const (
	maxBody      = 16 << 20
	maxErrorBody = 64 << 10
)

// answer is a 2xx.
type answer struct {
	call   call
	status int
	header http.Header
	limit  RateLimit
	body   []byte

	sent, received time.Time // the head of the answer
}

func (a *answer) unreadable(err error) *ParseError {
	return &ParseError{Method: a.call.method, Route: a.call.route, StatusCode: a.status, Header: a.header, Err: err}
}

// unmarshal reads the whole body, which must be a JSON object.
func (a *answer) unmarshal(into any) error {
	if trimmed := bytes.TrimSpace(a.body); len(trimmed) == 0 || trimmed[0] != '{' {
		return a.unreadable(errors.New("it is no JSON object"))
	}
	if err := json.Unmarshal(a.body, into); err != nil {
		return a.unreadable(err)
	}
	return nil
}

// fetch makes the call and returns the "data" of its answer. lacks says what is missing in it, "" if nothing is. It is the
// whole of most methods.
func fetch[T any](ctx context.Context, c *core, cl call, lacks func(*T) string) (*T, *answer, error) {
	ans, err := c.do(ctx, cl)
	if err != nil {
		return nil, nil, err
	}
	var envelope struct {
		Data *T `json:"data"`
	}
	if err := ans.unmarshal(&envelope); err != nil {
		return nil, nil, err
	}
	if envelope.Data == nil {
		return nil, nil, ans.unreadable(errors.New("it has no data"))
	}
	if missing := lacks(envelope.Data); missing != "" {
		return nil, nil, ans.unreadable(errors.New(missing))
	}
	return envelope.Data, ans, nil
}

// readError maps an answer that is no success to an error. It is the only place that does. Its second result tells that
// the body broke off, or that it is Owlat's by its type and does not end.
func readError(resp *http.Response, cl call, limit RateLimit) (*Error, error) {
	body, readErr := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	if len(body) == maxErrorBody && strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		readErr = fmt.Errorf("it is longer than %d bytes", maxErrorBody)
	}
	e := &Error{
		StatusCode: resp.StatusCode,
		Method:     cl.method,
		Route:      cl.route,
		RetryAfter: wire.RetryAfter(resp.Header),
		RateLimit:  limit,
		Header:     resp.Header,
	}
	var envelope struct {
		Error struct {
			Category Category        `json:"category"`
			Message  string          `json:"message"`
			Data     json.RawMessage `json:"data"`
		} `json:"error"`
	}
	if json.Unmarshal(body, &envelope) == nil && byCategory[envelope.Error.Category] != nil {
		e.Category, e.Message, e.Data = envelope.Error.Category, envelope.Error.Message, envelope.Error.Data
		if cl.link != nil { // whoever answers may quote the token
			e.Message, e.Data = wire.Redact(e.Message), json.RawMessage(wire.Redact(string(e.Data)))
		}
		return e, readErr
	}
	e.Category = categoryOf(resp.StatusCode)
	e.Message = "the answer is not Owlat's"
	switch {
	case resp.StatusCode == http.StatusNotFound:
		e.noRoute = true
		e.Message = "the server has no such route; check the base URL"
	case resp.StatusCode >= 500:
		e.Message = "the deployment, or a gateway before it, is not available"
	}
	e.foreign = true
	return e, readErr
}

func readRateLimit(h http.Header) (r RateLimit) {
	r.Limit, r.Remaining, r.Reset = wire.Limit(h)
	return r
}
