package owlat_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
)

const unsubscribed = `{"event":"topic.unsubscribed","timestamp":"2026-11-23T07:43:07.041Z","data":{"contactId":"c1","email":"p@example.com","listsRemoved":"[]","unsubscribedAt":1795419787041}}`

// deliver is the request of a delivery.
func deliver(secret, body string, change func(*http.Request)) *http.Request {
	r := httptest.NewRequest("POST", "/in", strings.NewReader(body))
	r.Header = owlat.SignWebhook(secret, "wh_1", time.Now(), []byte(body))
	if change != nil {
		change(r)
	}
	return r
}

// endless is a body that never ends and counts what was read of it.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) { e.read += len(p); return len(p), nil }
func (*endless) Close() error                 { return nil }

func TestWebhookHandler(t *testing.T) {
	t.Parallel()
	long := `{"event":"test","pad":"` + strings.Repeat("x", owlat.MaxWebhookBytes) + `"}`
	full := `{"event":"test","timestamp":"2026-11-23T07:43:07.041Z","data":{},"pad":"`
	full += strings.Repeat("x", owlat.MaxWebhookBytes-len(full)-2) + `"}`
	for _, c := range []struct {
		name    string
		request func() *http.Request
		fails   error
		status  int
		want    error // of VerifyWebhookRequest
		handled bool
	}{
		{"the new secret", func() *http.Request { return deliver("whsec_new", unsubscribed, nil) }, nil, 204, nil, true},
		{"the old secret", func() *http.Request { return deliver("whsec_old", unsubscribed, nil) }, nil, 204, nil, true},
		{"an event that nobody knows", func() *http.Request {
			return deliver("whsec_new", `{"event":"email.teleported","timestamp":"2026-11-23T07:43:07.041Z","data":{}}`, nil)
		}, nil, 204, nil, true},
		{"as long as may be", func() *http.Request { return deliver("whsec_new", full, nil) }, nil, 204, nil, true},
		{"it cannot be handled now", func() *http.Request { return deliver("whsec_new", unsubscribed, nil) }, errors.New("disk full"), 500, nil, true},
		{"another secret", func() *http.Request { return deliver("whsec_other", unsubscribed, nil) }, nil, 401, owlat.ErrWebhookSignature, false},
		{"no secret", func() *http.Request { return deliver("", unsubscribed, nil) }, nil, 401, owlat.ErrWebhookSignature, false},
		{"no signature", func() *http.Request {
			return deliver("whsec_new", unsubscribed, func(r *http.Request) { r.Header.Del("X-Signature") })
		}, nil, 401, owlat.ErrWebhookSignature, false},
		{"another body", func() *http.Request {
			return deliver("whsec_new", unsubscribed, func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader(unsubscribed + " ")) })
		}, nil, 401, owlat.ErrWebhookSignature, false},
		{"no body", func() *http.Request {
			return deliver("whsec_new", unsubscribed, func(r *http.Request) { r.Body = nil })
		}, nil, 401, owlat.ErrWebhookSignature, false},
		{"late", func() *http.Request {
			return deliver("whsec_new", unsubscribed, func(*http.Request) { time.Sleep(6 * time.Minute) })
		}, nil, 401, owlat.ErrWebhookTime, false},
		{"too long", func() *http.Request { return deliver("whsec_new", long, nil) }, nil, 413, owlat.ErrWebhookSize, false},
		{"too long without a length", func() *http.Request {
			return deliver("whsec_new", long, func(r *http.Request) { r.ContentLength = -1 })
		}, nil, 413, owlat.ErrWebhookSize, false},
		{"no event", func() *http.Request { return deliver("whsec_new", "{}", nil) }, nil, 400, owlat.ErrWebhookPayload, false},
		{"a body that breaks off", func() *http.Request {
			return deliver("whsec_new", unsubscribed, func(r *http.Request) { r.Body = io.NopCloser(failing{errBroken}) })
		}, nil, 400, errBroken, false},
		{"GET", func() *http.Request {
			return deliver("whsec_new", unsubscribed, func(r *http.Request) { r.Method = "GET" })
		}, nil, 405, nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				secrets := []string{"whsec_new", "whsec_old"}
				var log bytes.Buffer
				var got *owlat.WebhookEvent
				handler, err := owlat.WebhookHandler(secrets, func(_ context.Context, e *owlat.WebhookEvent) error {
					got = e
					return c.fails
				}, owlat.WithWebhookLogger(slog.New(slog.NewTextHandler(&log, nil))))
				if err != nil {
					t.Fatal(err)
				}
				answer := httptest.NewRecorder()
				handler.ServeHTTP(answer, c.request())
				if answer.Code != c.status || answer.Body.Len() != 0 || (got != nil) != c.handled {
					t.Errorf("answered %d %s, handled %v", answer.Code, answer.Body, got != nil)
				}
				if (log.Len() > 0) != (c.status >= 400) || strings.Contains(log.String(), "p@example.com") || strings.Contains(log.String(), "whsec") {
					t.Errorf("logged %q", log.String())
				}
				if c.status == 405 {
					if answer.Header().Get("Allow") != "POST" {
						t.Errorf("allows %q", answer.Header().Get("Allow"))
					}
					return
				}
				event, err := owlat.VerifyWebhookRequest(secrets, c.request())
				if !errors.Is(err, c.want) || (event == nil) == (c.want == nil) {
					t.Errorf("verified: %+v, %v; want %v", event, err, c.want)
				}
			})
		})
	}
}

func TestWebhookThatNeverEndsIsBounded(t *testing.T) {
	t.Parallel()
	body := new(endless)
	_, err := owlat.VerifyWebhookRequest([]string{secret}, deliver(secret, "", func(r *http.Request) { r.Body, r.ContentLength = body, -1 }))
	if !errors.Is(err, owlat.ErrWebhookSize) || body.read > owlat.MaxWebhookBytes+1 {
		t.Errorf("read %d bytes: %v", body.read, err)
	}
	unsigned := new(endless)
	_, err = owlat.VerifyWebhookRequest([]string{secret}, deliver(secret, "", func(r *http.Request) { r.Body = unsigned; r.Header.Del("X-Signature") }))
	if !errors.Is(err, owlat.ErrWebhookSignature) || unsigned.read > 0 {
		t.Errorf("read %d bytes of an unsigned body: %v", unsigned.read, err)
	}
}

func TestWebhookArgumentsThatAreNone(t *testing.T) {
	t.Parallel()
	handle := func(context.Context, *owlat.WebhookEvent) error { return nil }
	for name, c := range map[string]struct {
		secrets []string
		opts    []owlat.WebhookOption
	}{
		"no secrets":         {nil, nil},
		"an empty secret":    {[]string{secret, ""}, nil},
		"a nil option":       {[]string{secret}, []owlat.WebhookOption{nil}},
		"a nil logger":       {[]string{secret}, []owlat.WebhookOption{owlat.WithWebhookLogger(nil)}},
		"negative tolerance": {[]string{secret}, []owlat.WebhookOption{owlat.WithWebhookTolerance(-1)}},
	} {
		_, handlerErr := owlat.WebhookHandler(c.secrets, handle, c.opts...)
		_, requestErr := owlat.VerifyWebhookRequest(c.secrets, deliver(secret, unsubscribed, nil), c.opts...)
		_, err := owlat.VerifyWebhook(c.secrets, delivery(unsubscribed, time.Now()), []byte(unsubscribed), c.opts...)
		for _, err := range []error{handlerErr, requestErr, err} {
			if err == nil || !strings.HasPrefix(err.Error(), "owlat: ") || strings.Contains(err.Error(), secret) {
				t.Errorf("%s: got %v", name, err)
			}
		}
	}
	if _, err := owlat.WebhookHandler([]string{secret}, nil); err == nil {
		t.Error("a nil function was accepted")
	}
	if _, err := owlat.VerifyWebhookRequest([]string{secret}, nil); err == nil {
		t.Error("a nil request was accepted")
	}
}

// The whole way: a person follows the link of a mail, and Owlat's delivery reaches the handler.
func TestWebhookFromTheEmulator(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := deploy(t)
		defer d.Close()
		var got []owlat.WebhookTopicUnsubscribedPayload
		handler, err := owlat.WebhookHandler([]string{secret}, func(_ context.Context, e *owlat.WebhookEvent) error {
			got = append(got, e.Payload.(owlat.WebhookTopicUnsubscribedPayload))
			if len(got) == 1 {
				return errors.New("busy")
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		d.WebhookClient = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			answer := httptest.NewRecorder()
			handler.ServeHTTP(answer, r)
			return answer.Result(), nil
		})}
		if _, err := d.AddWebhook("https://receiver.example/in", secret, owlattest.WebhookTopicUnsubscribed); err != nil {
			t.Fatal(err)
		}
		d.create(t, "ada@example.com", "Ada")
		if _, err := d.client.Topics.Add(t.Context(), d.topic, owlat.AddMemberRequest{Email: "ada@example.com"}); err != nil {
			t.Fatal(err)
		}
		if err := d.Unsubscribe("ada@example.com", d.topic); err != nil {
			t.Fatal(err)
		}
		if err := d.WaitWebhooks(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(got) != 2 || got[1].Email != "ada@example.com" || len(got[1].Topics) != 1 || got[1].Topics[0].ID != d.topic {
			t.Errorf("handled %+v", got)
		}
	})
}
