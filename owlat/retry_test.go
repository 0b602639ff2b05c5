package owlat_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync/owlat"
)

// script answers with each of its steps in turn and notes when each request came.
type script struct {
	mu     sync.Mutex
	begin  time.Time
	steps  []roundTripper
	at     []time.Duration
	bodies []string
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Body != nil {
		b, _ := io.ReadAll(r.Body)
		s.bodies = append(s.bodies, string(b))
	}
	step := s.steps[min(len(s.at), len(s.steps)-1)]
	s.at = append(s.at, time.Since(s.begin))
	return step(r)
}

var errBroken = errors.New("connection reset by peer")

func broken(*http.Request) (*http.Response, error) { return nil, errBroken }

func TestRetryTimes(t *testing.T) {
	t.Parallel()
	type calls = func(context.Context, *owlat.Client) error
	get := func(ctx context.Context, c *owlat.Client) error {
		_, err := c.Contacts.Get(ctx, "k570000000")
		return err
	}
	post := func(ctx context.Context, c *owlat.Client) error {
		_, err := c.Contacts.Create(ctx, owlat.CreateContactRequest{Email: "ada@example.com"})
		return err
	}
	good := always(200, oneContact)
	busy := always(429, refusal("rate_limited", "slow down"), "Retry-After", "1")
	for _, c := range []struct {
		name   string
		call   calls
		steps  []roundTripper
		opts   []owlat.Option
		jitter float64
		within time.Duration // of the context, 0 for none
		at     []time.Duration
		ended  time.Duration // after the last answer
		want   error
	}{
		{name: "5xx", call: get, steps: []roundTripper{always(500, ""), always(502, "<html>"), good}, at: []time.Duration{0, 500 * ms, 1500 * ms}},
		{name: "broken", call: get, steps: []roundTripper{broken, broken, good}, at: []time.Duration{0, 500 * ms, 1500 * ms}},
		{name: "given up", call: get, steps: []roundTripper{always(503, "")}, at: []time.Duration{0, 500 * ms, 1500 * ms}, want: owlat.ErrInternal},
		{name: "broken for good", call: get, steps: []roundTripper{broken}, at: []time.Duration{0, 500 * ms, 1500 * ms}, want: errBroken},
		{name: "no retries", call: get, steps: []roundTripper{always(503, "")}, opts: []owlat.Option{owlat.WithRetries(0)}, at: []time.Duration{0}, want: owlat.ErrInternal},
		{name: "many retries", call: get, steps: []roundTripper{always(503, "")}, opts: []owlat.Option{owlat.WithRetries(8)}, want: owlat.ErrInternal,
			at: []time.Duration{0, 500 * ms, 1500 * ms, 3500 * ms, 7500 * ms, 15500 * ms, 31500 * ms, 61500 * ms, 91500 * ms}},
		{name: "least jitter", call: get, steps: []roundTripper{always(503, "")}, jitter: -0.5, at: []time.Duration{0, 375 * ms, 1125 * ms}, want: owlat.ErrInternal},
		{name: "most jitter", call: get, steps: []roundTripper{always(503, "")}, jitter: 0.5, at: []time.Duration{0, 625 * ms, 1875 * ms}, want: owlat.ErrInternal},
		{name: "5xx asks for time", call: get, steps: []roundTripper{always(503, "", "Retry-After", "7"), good}, at: []time.Duration{0, 7 * time.Second}},
		{name: "it asks for too much", call: get, steps: []roundTripper{always(503, "", "Retry-After", "86400"), good}, at: []time.Duration{0, 30 * time.Second}},
		{name: "it asks for less", call: get, steps: []roundTripper{always(503, "", "Retry-After", "0"), good}, at: []time.Duration{0, 500 * ms}},
		{name: "it asks by date", call: get, steps: []roundTripper{always(503, "", "Retry-After", "Sat, 01 Jan 2000 00:00:09 GMT"), good}, at: []time.Duration{0, 9 * time.Second}},
		{name: "it asks for nonsense", call: get, steps: []roundTripper{always(503, "", "Retry-After", "soon"), always(503, "", "Retry-After", "-4"), good}, at: []time.Duration{0, 500 * ms, 1500 * ms}},
		{name: "POST and 5xx", call: post, steps: []roundTripper{always(503, ""), good}, at: []time.Duration{0}, want: owlat.ErrInternal},
		{name: "POST and broken", call: post, steps: []roundTripper{broken, good}, at: []time.Duration{0}, want: errBroken},
		{name: "POST and 429", call: post, steps: []roundTripper{busy, busy, good}, at: []time.Duration{0, time.Second, 2 * time.Second}},
		{name: "POST, 429, then 5xx", call: post, steps: []roundTripper{busy, always(500, ""), good}, at: []time.Duration{0, time.Second}, want: owlat.ErrInternal},
		{name: "429 for good", call: post, steps: []roundTripper{busy}, at: []time.Duration{0, time.Second, 2 * time.Second}, want: owlat.ErrRateLimited},
		{name: "429s and 5xx together", call: get, steps: []roundTripper{busy, always(503, ""), busy, good}, at: []time.Duration{0, time.Second, 2 * time.Second}, want: owlat.ErrRateLimited},
		{name: "429 without Retry-After", call: post, steps: []roundTripper{always(429, ""), good}, at: []time.Duration{0, 500 * ms}},
		{name: "deadline before the retry", call: get, steps: []roundTripper{always(503, "", "Retry-After", "5"), good}, within: 4 * time.Second, at: []time.Duration{0}, want: owlat.ErrInternal},
		{name: "deadline before the backoff", call: get, steps: []roundTripper{always(503, ""), good}, within: 499 * ms, at: []time.Duration{0}, want: owlat.ErrInternal},
		{name: "deadline before the token", call: get, steps: []roundTripper{always(503, ""), good}, within: 5 * time.Second,
			opts: []owlat.Option{owlat.WithRate(0.1, 1)}, at: []time.Duration{0}, ended: 500 * ms, want: owlat.ErrInternal},
		{name: "a token per attempt", call: get, steps: []roundTripper{always(503, "")}, opts: []owlat.Option{owlat.WithRate(0.5, 1)},
			at: []time.Duration{0, 2 * time.Second, 4 * time.Second}, want: owlat.ErrInternal},
		{name: "400", call: get, steps: []roundTripper{always(400, "")}, at: []time.Duration{0}, want: owlat.ErrInvalidInput},
		{name: "401", call: get, steps: []roundTripper{always(401, "")}, at: []time.Duration{0}, want: owlat.ErrUnauthenticated},
		{name: "402", call: get, steps: []roundTripper{always(402, "")}, at: []time.Duration{0}, want: owlat.ErrLimitReached},
		{name: "403", call: get, steps: []roundTripper{always(403, "")}, at: []time.Duration{0}, want: owlat.ErrForbidden},
		{name: "404", call: get, steps: []roundTripper{always(404, "")}, at: []time.Duration{0}, want: owlat.ErrNotFound},
		{name: "409", call: get, steps: []roundTripper{always(409, "")}, at: []time.Duration{0}, want: owlat.ErrConflict},
		{name: "422", call: get, steps: []roundTripper{always(422, "")}, at: []time.Duration{0}, want: owlat.ErrInvalidState},
		{name: "unreadable", call: get, steps: []roundTripper{always(200, "[]"), good}, at: []time.Duration{0}, want: owlat.ErrParse},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &script{begin: time.Now(), steps: c.steps}
				client := connect(t, anyKey, s, c.opts...)
				owlat.SetJitter(client, 0.5+c.jitter)
				ctx, cancel := context.WithCancel(t.Context())
				if c.within > 0 {
					ctx, cancel = context.WithTimeout(t.Context(), c.within)
				}
				defer cancel()
				err := c.call(ctx, client)
				if !errors.Is(err, c.want) {
					t.Errorf("got %v, want %v", err, c.want)
				}
				if !slices.Equal(s.at, c.at) {
					t.Errorf("sent at %v, want %v", s.at, c.at)
				}
				if ended := time.Since(s.begin); ended != c.at[len(c.at)-1]+c.ended {
					t.Errorf("returned at %v, with the last answer at %v", ended, c.at[len(c.at)-1])
				}
				for _, b := range s.bodies {
					if b != "{\"email\":\"ada@example.com\"}\n" {
						t.Errorf("an attempt sent the body %q", b)
					}
				}
			})
		})
	}
}

func TestRetryAfterIsTold(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]time.Duration{
		"1": time.Second, "120": 2 * time.Minute, "0.5": 500 * ms, "": 0, "-1": 0, "x": 0, "1e99": 24 * time.Hour, "NaN": 0,
	} {
		client := connect(t, anyKey, always(429, "", "Retry-After", header), owlat.WithRetries(0))
		_, err := client.Contacts.Get(t.Context(), "k570000000")
		var refusal *owlat.Error
		if !errors.As(err, &refusal) || refusal.RetryAfter != want {
			t.Errorf("Retry-After: %q: got %+v, want %v", header, err, want)
		}
	}
}

func TestCancelDuringRetryPause(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		step    roundTripper
		unknown bool
	}{
		{"after a 5xx", always(503, ""), true},
		{"after a 429", always(429, "", "Retry-After", "5"), false},
		{"after a broken connection", broken, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &script{begin: time.Now(), steps: []roundTripper{c.step}}
				client := connect(t, anyKey, s)
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(200*ms, cancel)
				_, err := client.Contacts.Update(ctx, "k570000000", owlat.UpdateContactRequest{FirstName: new("A")})
				if !errors.Is(err, context.Canceled) || owlat.OutcomeUnknown(err) != c.unknown {
					t.Errorf("got %v, unknown %v", err, owlat.OutcomeUnknown(err))
				}
				if got := time.Since(s.begin); got != 200*ms || len(s.at) != 1 {
					t.Errorf("returned after %v and %d requests", got, len(s.at))
				}
			})
		})
	}
}

func TestContextErrorWinsOverTransport(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	client := connect(t, anyKey, roundTripper(func(*http.Request) (*http.Response, error) {
		cancel()
		return nil, errBroken
	}))
	_, err := client.Contacts.Get(ctx, "k570000000")
	if !errors.Is(err, context.Canceled) || errors.Is(err, errBroken) {
		t.Errorf("got %v", err)
	}
}

func TestRefusalAfterLostAttemptIsUnknown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		steps := []roundTripper{broken, always(400, refusal("invalid_input", "bad"))}
		client := connect(t, anyKey, &script{begin: time.Now(), steps: steps})
		_, err := client.Contacts.Update(t.Context(), "k570000000", owlat.UpdateContactRequest{FirstName: new("A")})
		if !errors.Is(err, owlat.ErrInvalidInput) || !owlat.OutcomeUnknown(err) {
			t.Errorf("got %v, unknown %v", err, owlat.OutcomeUnknown(err))
		}
	})
}

func Test429PausesEverybody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		busy := always(429, "", "Retry-After", "3")
		s := &script{begin: time.Now(), steps: []roundTripper{busy, always(200, oneContact)}}
		limiter := owlat.NewLimiter(10, 10)
		one := connect(t, anyKey, s, owlat.WithLimiter(limiter), owlat.WithRetries(0))
		other := connect(t, anyKey, s, owlat.WithLimiter(limiter))
		if _, err := one.Contacts.Get(t.Context(), "k570000000"); !errors.Is(err, owlat.ErrRateLimited) {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		var wg sync.WaitGroup
		for _, c := range []*owlat.Client{one, other, other} {
			wg.Go(func() {
				if _, err := c.Contacts.Get(t.Context(), "k570000000"); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		want := []time.Duration{0, 3000 * ms, 3100 * ms, 3200 * ms}
		if !slices.Equal(s.at, want) {
			t.Errorf("sent at %v, want %v", s.at, want)
		}
	})
}

func TestHealthDoesNotWaitForTheLimiter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limiter := owlat.NewLimiter(1, 1)
		limiter.Pause(time.Now().Add(time.Hour))
		begin := time.Now()
		client := connect(t, anyKey, always(200, `{"status":"ok"}`), owlat.WithLimiter(limiter))
		if _, err := client.Health(t.Context()); err != nil || time.Since(begin) != 0 {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
	})
}

func TestTimeoutIsPerAttempt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hang := func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}
		s := &script{begin: time.Now(), steps: []roundTripper{hang, hang, always(200, oneContact)}}
		client := connect(t, anyKey, s, owlat.WithTimeout(2*time.Second))
		if _, err := client.Contacts.Get(t.Context(), "k570000000"); err != nil {
			t.Error(err)
		}
		if want := []time.Duration{0, 2500 * ms, 5500 * ms}; !slices.Equal(s.at, want) {
			t.Errorf("sent at %v, want %v", s.at, want)
		}
	})
}
