package owlat_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
)

// eachMethod runs check for every method of the SDK, in fake time, on a deployment that holds ada@example.com.
func eachMethod(t *testing.T, check func(*testing.T, method, *deployment)) {
	t.Helper()
	for _, m := range methods() {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := deploy(t)
				d.create(t, "ada@example.com", "Ada")
				check(t, m, d)
			})
		})
	}
}

func (d *deployment) sent(m method) int { return d.Stats().Count(m.verb, m.route, 0) }

func TestMethodSucceeds(t *testing.T) {
	t.Parallel()
	eachMethod(t, func(t *testing.T, m method, d *deployment) {
		before := d.sent(m)
		if err := m.call(t.Context(), d.client, d); err != nil {
			t.Fatal(err)
		}
		if got := d.sent(m) - before; got != 1 {
			t.Errorf("%d requests to %s %s, want 1", got, m.verb, m.route)
		}
	})
}

func TestMethodRefusesBadInputBeforeSending(t *testing.T) {
	t.Parallel()
	eachMethod(t, func(t *testing.T, m method, d *deployment) {
		before := d.Stats().Total
		for i, call := range m.refused {
			err := call(t.Context(), d.client)
			var refusal *owlat.Error
			if !errors.As(err, &refusal) || !errors.Is(err, owlat.ErrInvalidInput) {
				t.Errorf("bad input %d: got %v, want ErrInvalidInput", i, err)
				continue
			}
			if refusal.StatusCode != 0 || refusal.Method != m.verb || refusal.Route != m.route || owlat.OutcomeUnknown(err) {
				t.Errorf("bad input %d: got %+v", i, refusal)
			}
			if !strings.Contains(err.Error(), "refused before sending") {
				t.Errorf("bad input %d: %q does not say that nothing was sent", i, err)
			}
		}
		if got := d.Stats().Total - before; got != 0 {
			t.Errorf("%d requests were sent", got)
		}
	})
}

func TestMethodWithoutScopeOrKey(t *testing.T) {
	t.Parallel()
	eachMethod(t, func(t *testing.T, m method, d *deployment) {
		if m.scope == "" {
			return
		}
		var others []string
		for _, scope := range owlattest.AllScopes() {
			if scope != m.scope {
				others = append(others, scope)
			}
		}
		for _, c := range []struct {
			key  string
			want error
		}{{d.AddKey(others...), owlat.ErrForbidden}, {anyKey, owlat.ErrUnauthenticated}} {
			before := d.sent(m)
			err := m.call(t.Context(), d.connect(t, c.key), d)
			if !errors.Is(err, c.want) || owlat.OutcomeUnknown(err) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if got := d.sent(m) - before; got != 1 {
				t.Errorf("%d requests, want 1", got)
			}
		}
	})
}

func TestMethodAgainstFailingServer(t *testing.T) {
	t.Parallel()
	for _, fault := range []struct {
		name  string
		fault owlattest.Fault
		want  error
	}{
		{"empty 503", owlattest.Fault{Kind: owlattest.StatusError}, owlat.ErrInternal},
		{"HTML 502", owlattest.Fault{Kind: owlattest.StatusError, Status: 502, HTML: true}, owlat.ErrInternal},
		{"reset before", owlattest.Fault{Kind: owlattest.ResetBefore}, nil},
		{"reset after", owlattest.Fault{Kind: owlattest.ResetAfter}, nil},
		{"truncated body", owlattest.Fault{Kind: owlattest.TruncatedBody}, nil},
		{"no answer in time", owlattest.Fault{Kind: owlattest.Latency, Delay: time.Hour}, owlat.ErrTimeout},
		{"slow body", owlattest.Fault{Kind: owlattest.SlowBody, Delay: time.Minute}, owlat.ErrTimeout},
	} {
		t.Run(fault.name, func(t *testing.T) {
			t.Parallel()
			eachMethod(t, func(t *testing.T, m method, d *deployment) {
				if m.name == "Contacts.Delete" && fault.fault.Kind != owlattest.StatusError &&
					fault.fault.Kind != owlattest.ResetBefore && fault.want == nil {
					return // a second attempt finds the contact gone: TestDeleteSurvivesLostAnswer
				}
				d.inject(t, fault.fault)
				before := d.sent(m)
				err := m.call(t.Context(), d.client, d)
				if err == nil {
					t.Fatal("no error")
				}
				if fault.want != nil && !errors.Is(err, fault.want) {
					t.Errorf("got %v, want %v", err, fault.want)
				}
				var broken *owlat.TransportError
				if fault.want == nil && !errors.As(err, &broken) {
					t.Errorf("got %T, want a TransportError", err)
				}
				if !owlat.OutcomeUnknown(err) {
					t.Errorf("OutcomeUnknown(%v) = false", err)
				}
				if errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%v looks as if the caller's context had ended", err)
				}
				want := 1
				if m.idempotent {
					want = 3
				}
				if got := d.sent(m) - before; got != want {
					t.Errorf("%d requests, want %d", got, want)
				}
			})
		})
	}
}

func TestMethodRecovers(t *testing.T) {
	t.Parallel()
	for _, fault := range []owlattest.Fault{
		{Kind: owlattest.RateLimited, Count: 2},
		{Kind: owlattest.StatusError, Count: 2},
		{Kind: owlattest.ResetBefore, Count: 2},
		{Kind: owlattest.SlowBody, Delay: time.Second},
	} {
		t.Run(string(fault.Kind), func(t *testing.T) {
			t.Parallel()
			eachMethod(t, func(t *testing.T, m method, d *deployment) {
				harmless := fault.Kind == owlattest.RateLimited || fault.Kind == owlattest.SlowBody
				if m.route == "/health" && fault.Kind == owlattest.RateLimited || !m.idempotent && !harmless {
					return
				}
				d.inject(t, fault)
				if err := m.call(t.Context(), d.client, d); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestMethodWithEndedContext(t *testing.T) {
	t.Parallel()
	eachMethod(t, func(t *testing.T, m method, d *deployment) {
		before := d.sent(m)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := m.call(ctx, d.client, d)
		if !errors.Is(err, context.Canceled) || owlat.OutcomeUnknown(err) {
			t.Errorf("before sending: got %v, unknown %v", err, owlat.OutcomeUnknown(err))
		}
		if got := d.sent(m) - before; got != 0 {
			t.Errorf("%d requests were sent", got)
		}

		d.inject(t, owlattest.Fault{Kind: owlattest.Latency, Delay: 20 * time.Second, After: true})
		ctx, cancel = context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		begin := time.Now()
		err = m.call(ctx, d.client, d)
		if !errors.Is(err, context.DeadlineExceeded) || !owlat.OutcomeUnknown(err) {
			t.Errorf("in flight: got %v, unknown %v", err, owlat.OutcomeUnknown(err))
		}
		if took := time.Since(begin); took != 5*time.Second {
			t.Errorf("returned after %v, want 5s", took)
		}
		if got := d.sent(m) - before; got != 1 {
			t.Errorf("%d requests, want 1", got)
		}
	})
}

func TestMethodWithUnreadableAnswer(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"empty":     "",
		"null":      "null",
		"array":     "[]",
		"text":      `"ok"`,
		"HTML":      "<html>ada@example.com</html>",
		"cut off":   `{"data":{"id":"k57`,
		"no data":   `{}`,
		"null data": `{"data":null}`,
		"bare data": `{"data":{}}`,
		"odd types": `{"data":{"id":1,"contactId":[],"eventId":{},"status":true,"removed":"yes","deleted":1},"status":5}`,
		"too long":  `{"data":"` + strings.Repeat("a", 16<<20) + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, m := range methods() {
				requests := 0
				client := connect(t, anyKey, roundTripper(func(*http.Request) (*http.Response, error) {
					requests++
					return reply(200, body), nil
				}), owlat.WithoutLimiter())
				err := m.call(t.Context(), client, deploy(t))
				var unreadable *owlat.ParseError
				if !errors.Is(err, owlat.ErrParse) || !errors.As(err, &unreadable) || !owlat.OutcomeUnknown(err) {
					t.Errorf("%s: got %v, want an unknown ParseError", m.name, err)
					continue
				}
				if unreadable.Method != m.verb || unreadable.Route != m.route || unreadable.StatusCode != 200 {
					t.Errorf("%s: got %+v", m.name, unreadable)
				}
				if strings.Contains(err.Error(), "ada@") || requests != 1 {
					t.Errorf("%s: %d requests, error %q", m.name, requests, err)
				}
			}
		})
	}
}
