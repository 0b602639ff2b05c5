package owlat_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"owlatsync/owlat"
)

var sentinels = []error{
	owlat.ErrInvalidInput, owlat.ErrUnauthenticated, owlat.ErrLimitReached, owlat.ErrForbidden, owlat.ErrNotFound,
	owlat.ErrConflict, owlat.ErrInvalidState, owlat.ErrRateLimited, owlat.ErrInternal, owlat.ErrNoRoute,
	owlat.ErrParse, owlat.ErrTimeout, owlat.ErrRedirect, owlat.ErrAddressDrift,
}

func TestAnswersBecomeTypedErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status   int
		body     string
		category owlat.Category
		matches  []error
	}{
		{400, refusal("invalid_input", "m"), owlat.CategoryInvalidInput, []error{owlat.ErrInvalidInput}},
		{401, refusal("unauthenticated", "m"), owlat.CategoryUnauthenticated, []error{owlat.ErrUnauthenticated}},
		{402, refusal("limit_reached", "m"), owlat.CategoryLimitReached, []error{owlat.ErrLimitReached}},
		{403, refusal("forbidden", "m"), owlat.CategoryForbidden, []error{owlat.ErrForbidden}},
		{404, refusal("not_found", "m"), owlat.CategoryNotFound, []error{owlat.ErrNotFound}},
		{409, refusal("already_exists", "m"), owlat.CategoryAlreadyExists, []error{owlat.ErrConflict}},
		{409, refusal("conflict", "m"), owlat.CategoryConflict, []error{owlat.ErrConflict}},
		{422, refusal("invalid_state", "m"), owlat.CategoryInvalidState, []error{owlat.ErrInvalidState}},
		{429, refusal("rate_limited", "m"), owlat.CategoryRateLimited, []error{owlat.ErrRateLimited}},
		{500, refusal("internal", "m"), owlat.CategoryInternal, []error{owlat.ErrInternal}},

		{400, "", owlat.CategoryInvalidInput, []error{owlat.ErrInvalidInput}},
		{401, "<html>", owlat.CategoryUnauthenticated, []error{owlat.ErrUnauthenticated}},
		{402, "null", owlat.CategoryLimitReached, []error{owlat.ErrLimitReached}},
		{403, "[]", owlat.CategoryForbidden, []error{owlat.ErrForbidden}},
		{404, "No HttpAction routed for /x", owlat.CategoryNotFound, []error{owlat.ErrNotFound, owlat.ErrNoRoute}},
		{404, "", owlat.CategoryNotFound, []error{owlat.ErrNotFound, owlat.ErrNoRoute}},
		{404, refusal("teapot", "m"), owlat.CategoryNotFound, []error{owlat.ErrNotFound, owlat.ErrNoRoute}},
		{409, `{"error":"text"}`, owlat.CategoryConflict, []error{owlat.ErrConflict}},
		{422, `{"error":{"category":5}}`, owlat.CategoryInvalidState, []error{owlat.ErrInvalidState}},
		{429, "slow", owlat.CategoryRateLimited, []error{owlat.ErrRateLimited}},
		{500, "", owlat.CategoryInternal, []error{owlat.ErrInternal}},
		{502, "<html><h1>Bad gateway</h1>", owlat.CategoryInternal, []error{owlat.ErrInternal}},
		{599, "", owlat.CategoryInternal, []error{owlat.ErrInternal}},
		{400, `{"error":{"category":"invalid_input","message":"` + strings.Repeat("x", 70000) + `"}}`, owlat.CategoryInvalidInput, []error{owlat.ErrInvalidInput}},
		{405, "", "", nil},
		{413, "", "", nil},
		{303, "", "", nil},
		{304, "", "", nil},
	} {
		name := fmt.Sprintf("%d %.20s", c.status, c.body)
		client := connect(t, anyKey, always(c.status, c.body, "X-RateLimit-Limit", "10"), owlat.WithRetries(0), owlat.WithoutLimiter())
		_, err := client.Contacts.Update(t.Context(), "k570000000", owlat.UpdateContactRequest{})
		var e *owlat.Error
		if !errors.As(err, &e) {
			t.Errorf("%s: got %T %v", name, err, err)
			continue
		}
		if e.Category != c.category || e.StatusCode != c.status || e.Method != "PUT" || e.Route != "/contacts/{contact}" || e.RateLimit.Limit != 10 {
			t.Errorf("%s: got %#v", name, e)
		}
		if owlat.OutcomeUnknown(err) != (c.status >= 500 || c.status == 303) {
			t.Errorf("%s: OutcomeUnknown = %v", name, owlat.OutcomeUnknown(err))
		}
		for _, sentinel := range sentinels {
			want := false
			for _, m := range c.matches {
				want = want || m == sentinel
			}
			if errors.Is(err, sentinel) != want {
				t.Errorf("%s: matches %v: %v, want %v", name, sentinel, !want, want)
			}
		}
		if !strings.HasPrefix(err.Error(), fmt.Sprintf("owlat: PUT /contacts/{contact}: %d ", c.status)) || len(err.Error()) > 70 && strings.HasSuffix(err.Error(), "x") {
			t.Errorf("%s: message %.200q", name, err)
		}
	}
}

func TestErrorKeepsData(t *testing.T) {
	t.Parallel()
	client := connect(t, anyKey, always(402, `{"error":{"category":"limit_reached","message":"full","data":{"limit":5}}}`))
	_, err := client.Contacts.Create(t.Context(), owlat.CreateContactRequest{Email: "ada@example.com"})
	var e *owlat.Error
	var data struct{ Limit int }
	if !errors.As(err, &e) || json.Unmarshal(e.Data, &data) != nil || data.Limit != 5 || e.Message != "full" {
		t.Errorf("got %#v", err)
	}
}

func TestOutcomeUnknown(t *testing.T) {
	t.Parallel()
	sent := &owlat.TransportError{Sent: true, Err: io.EOF}
	unsent := &owlat.TransportError{Err: io.EOF}
	for _, c := range []struct {
		err  error
		want bool
	}{
		{nil, false},
		{io.EOF, false},
		{context.Canceled, false},
		{sent, true},
		{unsent, false},
		{&owlat.ParseError{Err: io.EOF}, true},
		{&owlat.Error{StatusCode: 500}, true},
		{&owlat.Error{StatusCode: 503}, true},
		{&owlat.Error{StatusCode: 303}, true},
		{&owlat.Error{StatusCode: 429}, false},
		{&owlat.Error{StatusCode: 400}, false},
		{&owlat.Error{}, false},
		{fmt.Errorf("send: %w", sent), true},
		{fmt.Errorf("send: %w", unsent), false},
		{errors.Join(unsent, sent), true},
		{fmt.Errorf("a: %w, b: %w", unsent, &owlat.Error{StatusCode: 404}), false},
		{&owlat.AddressDriftError{Err: &owlat.Error{StatusCode: 409}}, false},
	} {
		if got := owlat.OutcomeUnknown(c.err); got != c.want {
			t.Errorf("OutcomeUnknown(%v) = %v", c.err, got)
		}
	}
}

func TestRedact(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`Contact with email "ghost@example.com" not found.`:     `Contact with email "[address]" not found.`,
		`o'hara+x@example.com, b%40example.org`:                 `[address] [address]`,
		`GET https://owlat.example/contacts/a%40example.com?x`:  `GET [address]`,
		`proxy http://user:password@proxy.example:3128 refused`: `proxy [address] refused`,
		`<josé@exämple.example>`:                                `<[address]>`,
		`the key lm_live_abc123 is odd`:                         `the key [key] is odd`,
		`dial tcp 127.0.0.1:4010: connect: connection refused`:  `dial tcp 127.0.0.1:4010: connect: connection refused`,
	} {
		if got := owlat.Redact(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

// brokenBody is an answer whose body breaks off after what it holds.
func brokenBody(status int, body string, then error) roundTripper {
	return func(*http.Request) (*http.Response, error) {
		resp := reply(status, "")
		resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(body), failing{then}))
		return resp, nil
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestErrorBodyThatBreaksOff(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		body   string
		want   error
		not    error
	}{
		{409, `{"error":{"cat`, owlat.ErrConflict, owlat.ErrNoRoute},
		{404, refusal("not_found", "m"), owlat.ErrNotFound, owlat.ErrNoRoute},
		// It may be Owlat's: neither a missing contact nor a wrong base URL is certain.
		{404, `{"error":{"cat`, io.ErrUnexpectedEOF, owlat.ErrNotFound},
	} {
		client := connect(t, anyKey, brokenBody(c.status, c.body, io.ErrUnexpectedEOF), owlat.WithRetries(0), owlat.WithoutLimiter())
		_, err := client.Contacts.Get(t.Context(), "k570000000")
		if !errors.Is(err, c.want) || errors.Is(err, c.not) {
			t.Errorf("%d %q: got %v", c.status, c.body, err)
		}
	}
}

func TestErrorBodyThatNeverEndsIsBounded(t *testing.T) {
	t.Parallel()
	endless := &counting{}
	client := connect(t, anyKey, roundTripper(func(*http.Request) (*http.Response, error) {
		resp := reply(400, "")
		resp.Body = endless
		return resp, nil
	}))
	if _, err := client.Contacts.Get(t.Context(), "k570000000"); !errors.Is(err, owlat.ErrInvalidInput) {
		t.Errorf("got %v", err)
	}
	if !endless.closed || endless.read > 64<<10+4<<10 {
		t.Errorf("read %d bytes, closed: %v", endless.read, endless.closed)
	}
}

// A 404 too long to be read is a wrong base URL if it is a page, and says nothing if it is of Owlat's type.
func TestNotFoundThatNeverEnds(t *testing.T) {
	t.Parallel()
	for contentType, want := range map[string]bool{"text/html": true, "application/json": false, "application/json; charset=utf-8": false} {
		client := connect(t, anyKey, roundTripper(func(*http.Request) (*http.Response, error) {
			resp := reply(404, "", "Content-Type", contentType)
			resp.Body = &counting{}
			return resp, nil
		}), owlat.WithRetries(0), owlat.WithoutLimiter())
		err := client.Contacts.Delete(t.Context(), "k570000000")
		if errors.Is(err, owlat.ErrNoRoute) != want || errors.Is(err, owlat.ErrNotFound) != want || owlat.OutcomeUnknown(err) == want {
			t.Errorf("%s: got %v", contentType, err)
		}
	}
}

type counting struct {
	read   int
	closed bool
}

func (c *counting) Read(p []byte) (int, error) { c.read += len(p); return len(p), nil }
func (c *counting) Close() error               { c.closed = true; return nil }

func TestErrorTextsSayWhatToDo(t *testing.T) {
	t.Parallel()
	for want, answer := range map[string]roundTripper{
		"check the base URL":     always(404, "nothing here"),
		"make it the base URL":   always(308, "", "Location", "https://elsewhere.example/"),
		"no answer in time":      func(*http.Request) (*http.Response, error) { return nil, context.DeadlineExceeded },
		"a gateway before it":    always(504, ""),
		"it is no JSON object":   always(200, "<html>"),
		"the contact has no id":  always(200, `{"data":{}}`),
		"connection reset by pe": broken,
	} {
		client := connect(t, anyKey, answer, owlat.WithRetries(0), owlat.WithTimeout(time.Second))
		if _, err := client.Contacts.Get(t.Context(), "k570000000"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
}
