package owlat_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
)

func TestNewClientRefuses(t *testing.T) {
	t.Parallel()
	const url = "https://owlat.example"
	for _, c := range []struct {
		name, base, key string
		opts            []owlat.Option
		want            string
	}{
		{"empty key", url, "", nil, "the API key is empty"},
		{"blank key", url, "   ", nil, "the API key is malformed"},
		{"padded key", url, " " + anyKey, nil, "the API key is malformed"},
		{"key and newline", url, anyKey + "\n", nil, "the API key is malformed"},
		{"short key", url, "lm_live_0123456789", nil, "the API key is malformed"},
		{"39 characters", url, "lm_live_" + strings.Repeat("a", 31), nil, "at least 40 characters"},
		{"other prefix", url, "lm_test_" + strings.Repeat("a", 40), nil, "the API key is malformed"},
		{"odd character", url, "lm_live_" + strings.Repeat("a", 40) + "-", nil, "the API key is malformed"},
		{"Bearer", url, "Bearer " + anyKey, nil, "the API key is malformed"},
		{"user", "https://secretuser@owlat.example", anyKey, nil, "must not contain credentials"},
		{"password", "https://u:secretpw@owlat.example", anyKey, nil, "must not contain credentials"},
		{"malformed with password", "https://u:secretpw@owlat.example:port", anyKey, nil, "the base URL is malformed"},
		{"no scheme", "owlat.example", anyKey, nil, "must start with https://"},
		{"host and port", "owlat.example:443", anyKey, nil, "must start with https://"},
		{"other scheme", "ftp://owlat.example", anyKey, nil, "must start with https://"},
		{"no host", "https:///path", anyKey, nil, "names no host"},
		{"port only", "https://:443", anyKey, nil, "names no host"},
		{"opaque", "https:owlat.example", anyKey, nil, "names no host"},
		{"query", url + "?a=b", anyKey, nil, "must not have a query"},
		{"empty query", url + "?", anyKey, nil, "must not have a query"},
		{"fragment", url + "#a", anyKey, nil, "must not have a fragment"},
		{"empty fragment", url + "#", anyKey, nil, "must not have a fragment"},
		{"control character", url + "/\x00", anyKey, nil, "the base URL is malformed"},
		{"bad escape", url + "/%zz", anyKey, nil, "the base URL is malformed"},
		{"with /api/v1", url + "/api/v1/", anyKey, nil, "must end before /api/v1"},
		{"nil HTTP client", url, anyKey, []owlat.Option{owlat.WithHTTPClient(nil)}, "the HTTP client is nil"},
		{"nil transport", url, anyKey, []owlat.Option{owlat.WithTransport(nil)}, "the transport is nil"},
		{"nil limiter", url, anyKey, []owlat.Option{owlat.WithLimiter(nil)}, "the limiter is nil"},
		{"transport that points to nothing", url, anyKey, []owlat.Option{owlat.WithTransport((*http.Transport)(nil))}, "the transport is nil"},
		{"limiter made by hand", url, anyKey, []owlat.Option{owlat.WithLimiter(new(owlat.Limiter))}, "NewLimiter"},
		{"nil observer", url, anyKey, []owlat.Option{owlat.WithObserver(nil)}, "the observer is nil"},
		{"nil look", url, anyKey, []owlat.Option{owlat.WithBeforeSend(nil)}, "before sending is nil"},
		{"nil logger", url, anyKey, []owlat.Option{owlat.WithLogger(nil)}, "the logger is nil"},
		{"nil source of random numbers", url, anyKey, []owlat.Option{owlat.WithRandom(nil)}, "random numbers is nil"},
		{"nil option", url, anyKey, []owlat.Option{owlat.WithRetries(1), nil}, "option 2 is nil"},
		{"negative timeout", url, anyKey, []owlat.Option{owlat.WithTimeout(-1)}, "is negative"},
		{"negative retries", url, anyKey, []owlat.Option{owlat.WithRetries(-1)}, "is negative"},
		{"no rate", url, anyKey, []owlat.Option{owlat.WithRate(0, 1)}, "the rate 0 is not"},
		{"rate not a number", url, anyKey, []owlat.Option{owlat.WithRate(nan(), 1)}, "the rate NaN is not"},
		{"no burst", url, anyKey, []owlat.Option{owlat.WithRate(1, 0)}, "the burst 0"},
		{"empty user agent", url, anyKey, []owlat.Option{owlat.WithUserAgent("")}, "the user agent"},
		{"user agent with newline", url, anyKey, []owlat.Option{owlat.WithUserAgent("a\nX-Evil: 1")}, "the user agent"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			client, err := owlat.NewClient(c.base, c.key, c.opts...)
			if err == nil || client != nil {
				t.Fatalf("got %v, %v", client, err)
			}
			if !strings.HasPrefix(err.Error(), "owlat: ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %q, want %q in it", err, c.want)
			}
			for _, secret := range []string{"secretpw", "secretuser", strings.TrimSpace(c.key)} {
				if secret != "" && strings.Contains(err.Error(), secret) {
					t.Errorf("%q tells a secret", err)
				}
			}
		})
	}
}

func nan() float64 { zero := 0.0; return zero / zero }

func TestBaseURL(t *testing.T) {
	t.Parallel()
	for base, want := range map[string]string{
		"":                                 "https://api.owlat.app/api/v1/health",
		"https://owlat.example":            "https://owlat.example/api/v1/health",
		"https://owlat.example/":           "https://owlat.example/api/v1/health",
		"http://127.0.0.1:4010/a/b//":      "http://127.0.0.1:4010/a/b/api/v1/health",
		"https://owlat.example/a%2Fb/c%20": "https://owlat.example/a%2Fb/c%20/api/v1/health",
		"HTTPS://[::1]:8443":               "https://[::1]:8443/api/v1/health",
	} {
		var got string
		client, err := owlat.NewClient(base, anyKey, owlat.WithTransport(roundTripper(func(r *http.Request) (*http.Response, error) {
			got = r.URL.String()
			if r.Host != r.URL.Host || r.Header.Get("Authorization") != "" {
				t.Errorf("host %q, authorization %q", r.Host, r.Header.Get("Authorization"))
			}
			return reply(200, `{"status":"ok","timestamp":"2026-01-02T03:04:05.678Z"}`), nil
		})))
		if err != nil {
			t.Errorf("%q: %v", base, err)
			continue
		}
		health, err := client.Health(t.Context())
		if err != nil || health.Status != "ok" || health.Timestamp.UnixMilli() != 1767323045678 {
			t.Errorf("%q: %+v, %v", base, health, err)
		}
		if got != want {
			t.Errorf("%q: asked %q, want %q", base, got, want)
		}
		if shown := client.BaseURL(); shown+"/api/v1/health" != want {
			t.Errorf("BaseURL() = %q", shown)
		}
	}
}

func TestRequestHeaders(t *testing.T) {
	t.Parallel()
	var got http.Header
	client := connect(t, anyKey, roundTripper(func(r *http.Request) (*http.Response, error) {
		got = r.Header.Clone()
		return reply(201, oneContact), nil
	}), owlat.WithUserAgent("tester/1.0"))
	if _, err := client.Contacts.Create(t.Context(), owlat.CreateContactRequest{Email: "ada@example.com"}); err != nil {
		t.Fatal(err)
	}
	want := http.Header{
		"Accept": {"application/json"}, "Authorization": {"Bearer " + anyKey},
		"Content-Type": {"application/json"}, "User-Agent": {"tester/1.0"},
	}
	for name := range want {
		if !slices.Equal(got[name], want[name]) {
			t.Errorf("%s: got %q, want %q", name, got[name], want[name])
		}
	}
}

func TestOptionalFieldsAreLeftSetOrEmptied(t *testing.T) {
	t.Parallel()
	var body string
	client := connect(t, anyKey, roundTripper(func(r *http.Request) (*http.Response, error) {
		var b bytes.Buffer
		_, _ = b.ReadFrom(r.Body)
		body = strings.TrimSpace(b.String())
		return reply(200, oneContact), nil
	}))
	for want, in := range map[string]owlat.UpdateContactRequest{
		`{}`:                              {},
		`{"firstName":"","lastName":"L"}`: {FirstName: new(""), LastName: new("L")},
		`{"email":"<a&b>@example.com"}`:   {Email: new("<a&b>@example.com")},
		"{\"firstName\":\"\ufffd \\\\ufffd \\\"\"}": {FirstName: new("\ufffd \\ufffd \"")},
	} {
		if _, err := client.Contacts.Update(t.Context(), "k570000000", in); err != nil {
			t.Errorf("%s: %v", want, err)
		}
		if body != want {
			t.Errorf("sent %s, want %s", body, want)
		}
	}
}

func TestKeyAndAddressesAreNeverShown(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	var mu sync.Mutex
	var attempts []owlat.Attempt
	answers := []roundTripper{
		always(404, refusal("not_found", `Contact with email \"ghost@example.com\" not found`)),
		always(400, refusal("invalid_input", "the key "+anyKey+" for ghost%40example.com")),
		always(200, `{"data":{"createdAt":"ghost@example.com"}}`),
		always(200, `ghost@example.com`),
		always(307, "", "Location", "https://elsewhere.example/ghost@example.com?key="+anyKey),
		always(302, "", "Location", "http://%zz/ghost@example.com"),
		func(r *http.Request) (*http.Response, error) {
			return nil, errors.New("GET " + r.URL.String() + ": broken")
		},
		func(r *http.Request) (*http.Response, error) { panic("not reached") },
	}
	next := 0
	hc := &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) { return answers[next](r) })}
	client, err := owlat.NewClient(baseURL, anyKey, owlat.WithHTTPClient(hc), owlat.WithRetries(0), owlat.WithoutLimiter(),
		owlat.WithLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))),
		owlat.WithObserver(func(a owlat.Attempt) { mu.Lock(); defer mu.Unlock(); attempts = append(attempts, a) }))
	if err != nil {
		t.Fatal(err)
	}
	var shown []string
	for ; next < len(answers)-1; next++ {
		_, err := client.Contacts.Get(t.Context(), "ghost@example.com")
		if err == nil {
			t.Fatalf("answer %d: no error", next)
		}
		shown = append(shown, err.Error(), fmt.Sprintf("%v %+v %s", err, err, err))
	}
	_, err = client.Contacts.Get(t.Context(), "ghost@example.com\xff")
	shown = append(shown, err.Error())
	for _, a := range attempts {
		shown = append(shown, fmt.Sprintf("%v %+v", a, a))
	}
	options := []owlat.Option{owlat.WithHTTPClient(hc), owlat.WithUserAgent("x")}
	for _, v := range []any{client, *client, client.Contacts, *client.Contacts, client.Topics, *client.Events, options} {
		shown = append(shown, fmt.Sprintf("%v %+v %#v %s %q", v, v, v, v, v))
		asJSON, err := json.Marshal(v)
		if err == nil {
			shown = append(shown, string(asJSON))
		}
	}
	shown = append(shown, log.String())
	if !strings.Contains(log.String(), "route=/contacts/{contact}") || len(attempts) != len(answers)-1 {
		t.Errorf("%d attempts, logged:\n%s", len(attempts), log.String())
	}
	for _, s := range shown {
		if strings.Contains(s, anyKey) || strings.Contains(s, anyKey[8:]) || strings.Contains(s, "ghost") {
			t.Errorf("it shows the key or an address: %s", s)
		}
	}
}

func TestMessageKeepsWhatErrorHides(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	_, err := d.client.Events.Send(t.Context(), owlat.SendEventRequest{Email: "ghost@example.com", Name: "x"})
	var refusal *owlat.Error
	if !errors.As(err, &refusal) || !strings.Contains(refusal.Message, "ghost@example.com") {
		t.Fatalf("got %#v", err)
	}
	const want = `owlat: POST /events: 404 not_found: Contact with email "[address]" not found.`
	if !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got  %s\nwant %s", err, want)
	}
}

func TestObserverSeesEveryAttempt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var seen []owlat.Attempt
		d := deploy(t, owlat.WithRate(1, 1), owlat.WithObserver(func(a owlat.Attempt) { seen = append(seen, a) }))
		d.inject(t,
			owlattest.Fault{Kind: owlattest.Latency, Delay: 100 * time.Millisecond},
			owlattest.Fault{Kind: owlattest.StatusError, Count: 1})
		begin := time.Now()
		_, err := d.client.Contacts.Get(t.Context(), "ghost@example.com")
		if !errors.Is(err, owlat.ErrNotFound) || len(seen) != 2 {
			t.Fatalf("got %v and %d attempts", err, len(seen))
		}
		want := []owlat.Attempt{
			{Status: 503, Start: begin, Duration: 100 * time.Millisecond, Try: 1},
			{Status: 404, Start: begin.Add(time.Second), Duration: 100 * time.Millisecond, Waited: 900 * time.Millisecond, Try: 2},
		}
		for i, w := range want {
			w.Method, w.Route, w.Key, w.Err = "GET", "/contacts/{contact}", 1, seen[i].Err
			if seen[i] != w || w.Err == nil {
				t.Errorf("attempt %d: got %+v, want %+v", i+1, seen[i], w)
			}
		}
	})
}

func TestRateLimitIsRemembered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := deploy(t)
		if got := d.client.RateLimit(); got != (owlat.RateLimit{}) {
			t.Errorf("before the first answer: %+v", got)
		}
		d.create(t, "ada@example.com", "Ada")
		want := owlat.RateLimit{Limit: 10, Remaining: 9, Reset: time.Now().Add(time.Second)}
		if got := d.client.RateLimit(); got.Limit != 10 || got.Remaining != 9 || !got.Reset.Equal(want.Reset) {
			t.Errorf("got %+v, want %+v", got, want)
		}
		if _, err := d.client.Health(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := d.client.RateLimit(); got.Limit != 10 {
			t.Errorf("an answer without the headers forgot the limit: %+v", got)
		}
	})
}

func TestRedirects(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, location string
		status         int
		follow         bool
	}{
		{"same host", basePath + "/api/v1/moved", 307, true},
		{"same host, permanent", "https://owlat.example/moved", 308, true},
		{"other host", "https://elsewhere.example/", 307, false},
		{"other port", "https://owlat.example:444/", 308, false},
		{"other scheme", "http://owlat.example/", 307, false},
		{"subdomain", "https://a.owlat.example/", 307, false},
		{"POST to GET, 301", basePath + "/moved", 301, false},
		{"POST to GET, 302", basePath + "/moved", 302, false},
		{"POST to GET, 303", basePath + "/moved", 303, false},
		{"other host, 303", "https://elsewhere.example/", 303, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var asked []string
			client := connect(t, anyKey, roundTripper(func(r *http.Request) (*http.Response, error) {
				asked = append(asked, r.Method+" "+r.URL.Host)
				if len(asked) == 1 {
					return reply(c.status, "", "Location", c.location), nil
				}
				return reply(201, oneContact), nil
			}))
			_, err := client.Contacts.Create(t.Context(), owlat.CreateContactRequest{Email: "ada@example.com"})
			if c.follow {
				if err != nil || len(asked) != 2 || asked[1] != "POST owlat.example" {
					t.Errorf("asked %q, error %v", asked, err)
				}
				return
			}
			if !errors.Is(err, owlat.ErrRedirect) || owlat.OutcomeUnknown(err) != (c.status == 303) || len(asked) != 1 {
				t.Errorf("asked %q, error %v, unknown %v", asked, err, owlat.OutcomeUnknown(err))
			}
		})
	}
}

func TestPostThatIsAnsweredByA303MayHaveTakenEffect(t *testing.T) {
	t.Parallel()
	last := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for _, c := range []struct {
		name string
		rt   roundTripper
		opts []owlat.Option
	}{
		{"same host", always(303, "", "Location", basePath+"/moved"), nil},
		{"other host", always(303, "", "Location", "https://elsewhere.example/"), nil},
		{"no location", always(303, ""), nil},
		{"a location that is none", always(303, "", "Location", "https://%zz/"), nil},
		{"a rule that does not follow", always(303, "", "Location", basePath+"/moved"), []owlat.Option{owlat.WithHTTPClient(last)}},
		{"after another redirect", after(always(307, "", "Location", basePath+"/moved"), always(303, "", "Location", basePath+"/moved")), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			client := connect(t, anyKey, c.rt, c.opts...)
			_, err := client.Contacts.Create(t.Context(), owlat.CreateContactRequest{Email: "ada@example.com"})
			if err == nil || !owlat.OutcomeUnknown(err) {
				t.Errorf("got %v, unknown %v", err, owlat.OutcomeUnknown(err))
			}
		})
	}
}

// after answers the first request by one and all others by the other.
func after(first, others roundTripper) roundTripper {
	answer := first
	return func(r *http.Request) (*http.Response, error) {
		defer func() { answer = others }()
		return answer(r)
	}
}

func TestEndlessRedirectEnds(t *testing.T) {
	t.Parallel()
	requests := 0
	client := connect(t, anyKey, roundTripper(func(*http.Request) (*http.Response, error) {
		requests++
		return reply(307, "", "Location", basePath+"/moved"), nil
	}))
	_, err := client.Contacts.Get(t.Context(), "k570000000")
	if !errors.Is(err, owlat.ErrRedirect) || requests != 5 {
		t.Errorf("%d requests, %v", requests, err)
	}
}

func TestGivenClientIsNotChanged(t *testing.T) {
	t.Parallel()
	followed := errors.New("their rule")
	hc := &http.Client{
		Transport:     always(307, "", "Location", basePath+"/moved"),
		CheckRedirect: func(*http.Request, []*http.Request) error { return followed },
	}
	client, err := owlat.NewClient(baseURL, anyKey, owlat.WithHTTPClient(hc), owlat.WithTransport(hc.Transport), owlat.WithRetries(0))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Contacts.Get(t.Context(), "k570000000"); !errors.Is(err, followed) {
		t.Errorf("their redirect rule was not asked: %v", err)
	}
	if err := hc.CheckRedirect(nil, nil); err != followed {
		t.Error("their client was changed")
	}
}

func TestClientIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	d := deploy(t, owlat.WithRate(1e6, 1000))
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			email := fmt.Sprintf("user%d@example.com", i)
			if _, err := d.client.Contacts.Upsert(context.Background(), owlat.CreateContactRequest{Email: email}); err != nil {
				t.Error(err)
			}
			_ = d.client.RateLimit()
		})
	}
	wg.Wait()
	if d.Len() != 50 {
		t.Errorf("%d contacts, want 50", d.Len())
	}
}
