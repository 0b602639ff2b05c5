package owlat_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
)

func TestForward(t *testing.T) {
	t.Parallel()
	client, server := owlattest.Start(t)
	do := func(method, path, body string) *owlat.Answer {
		t.Helper()
		r := owlat.Forwarded{Method: method, Path: path, Header: http.Header{"Authorization": {"Bearer nonsense"}, "Content-Type": {"application/json"}}}
		if body != "" {
			r.Body = []byte(body)
		}
		got, err := client.Forward(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	made := do(http.MethodPost, "/contacts", `{"email":"ada@example.com","firstName":"Ada"}`)
	var contact struct{ Data owlat.Contact }
	if err := json.Unmarshal(made.Body, &contact); err != nil || made.Status != http.StatusCreated || contact.Data.FirstName != "Ada" {
		t.Errorf("create: %d %s", made.Status, made.Body)
	}
	if got := do(http.MethodPost, "/contacts", `{"email":"ada@example.com"}`); got.Status != http.StatusConflict {
		t.Errorf("created twice: %d %s", got.Status, got.Body)
	}
	if got := do(http.MethodGet, "/contacts/ada%40example.com", ""); got.Status != http.StatusOK || got.Header.Get("X-RateLimit-Limit") == "" {
		t.Errorf("read: %d %v", got.Status, got.Header)
	}
	if got := do(http.MethodGet, "/contacts?limit=1", ""); got.Status != http.StatusOK {
		t.Errorf("list: %d %s", got.Status, got.Body)
	}
	sent := server.Stats().Total
	for _, r := range []owlat.Forwarded{
		{Method: "TRACE", Path: "/contacts"}, {Method: http.MethodGet, Path: "contacts"}, {Method: http.MethodGet, Path: ""},
		{Method: http.MethodGet, Path: "/contacts/../health"}, {Method: http.MethodGet, Path: "/contacts/%2e%2E/x"}, {Method: http.MethodGet, Path: "//evil.example/x"},
		{Method: http.MethodGet, Path: "/contacts/%zz"}, {Method: http.MethodGet, Path: "/contacts/a b"}, {Method: http.MethodGet, Path: "/contacts?a=%zz"},
		{Method: http.MethodGet, Path: "/contacts#x"}, {Method: http.MethodGet, Path: "/contacts\r\nX: y"},
	} {
		if got, err := client.Forward(t.Context(), r); !errors.Is(err, owlat.ErrInvalidInput) {
			t.Errorf("%s %q: %v, %v", r.Method, r.Path, got, err)
		}
	}
	if now := server.Stats().Total; now != sent {
		t.Errorf("%d bad requests were sent", now-sent)
	}
}

// TestForwardedRequestsTellTheLimiter has every second request refused: the client slows down although it repeats nothing.
func TestForwardedRequestsTellTheLimiter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &owlattest.Server{Rate: 2, Burst: 3}
		client, err := owlat.NewClient("https://owlat.example", server.AddKey(), owlat.WithTransport(server.Transport()), owlat.WithRate(10, 8))
		if err != nil {
			t.Fatal(err)
		}
		refused := 0
		for range 100 {
			got, err := client.Forward(t.Context(), owlat.Forwarded{Method: http.MethodGet, Path: "/contacts"})
			if err != nil {
				t.Fatal(err)
			}
			if got.Status == http.StatusTooManyRequests {
				refused++
			}
		}
		if refused == 0 || refused > 20 {
			t.Errorf("%d of 100 were refused", refused)
		}
		if rate, _ := client.Rate(); rate > 2 {
			t.Errorf("the pace is %v a second", rate)
		}
	})
}

func TestForwardTellsWhatWasSent(t *testing.T) {
	t.Parallel()
	server := &owlattest.Server{}
	var fail error
	client, err := owlat.NewClient("https://owlat.example", server.AddKey(), owlat.WithTransport(server.Transport()),
		owlat.WithBeforeSend(func(context.Context, owlat.Attempt) error { return fail }))
	if err != nil {
		t.Fatal(err)
	}
	ask := owlat.Forwarded{Method: http.MethodGet, Path: "/contacts"}
	fail = errors.New("no")
	if _, err := client.Forward(t.Context(), ask); !errors.Is(err, fail) || owlat.OutcomeUnknown(err) || server.Stats().Total != 0 {
		t.Errorf("held back: %v, %d sent", err, server.Stats().Total)
	}
	fail = nil
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := client.Forward(ctx, ask); !errors.Is(err, context.Canceled) || owlat.OutcomeUnknown(err) {
		t.Errorf("cancelled before: %v", err)
	}
	if err := server.InjectFaults(owlattest.Fault{Kind: owlattest.ResetAfter}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Forward(t.Context(), ask); !owlat.OutcomeUnknown(err) {
		t.Errorf("a lost answer: %v", err)
	}
}

// TestPartOfTheBudget has one client take 97 % of what the server allows and another one the rest, both without a pause.
func TestPartOfTheBudget(t *testing.T) {
	t.Parallel()
	for limit, long := range map[float64]time.Duration{10: 10 * time.Minute, 50: 2 * time.Minute} { // as many requests of each
		synctest.Test(t, func(t *testing.T) {
			server := &owlattest.Server{BasePath: basePath, Rate: limit, Burst: int(limit * 1.5)}
			d := &deployment{Server: server}
			d.inject(t, owlattest.Fault{Kind: owlattest.Latency, Delay: 20 * ms, Jitter: 20 * ms})
			key := server.AddKey()
			done := make(chan struct{})
			for _, part := range []float64{0.97, 0.03} {
				go func() {
					client := connect(t, key, server.Transport(), owlat.WithLimiter(owlat.NewPartLimiter(part)))
					client.Drain()
					busy(t, client, long)
					done <- struct{}{}
				}()
			}
			<-done
			<-done
			stats := server.Stats()
			if passed, most := stats.Count("", "", http.StatusOK), limit*long.Seconds(); stats.RateLimited > 0 || float64(passed) < 0.99*most {
				t.Errorf("of %v requests %d passed and %d were refused", most, passed, stats.RateLimited)
			}
		})
	}
	for _, bad := range []float64{0, -1, 1.01} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("a limiter takes the part %v", bad)
				}
			}()
			owlat.NewPartLimiter(bad)
		}()
	}
}

// TestTheBudgetChangesHands gives the use of a key to another client every five seconds. Each has rested before.
func TestTheBudgetChangesHands(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &owlattest.Server{BasePath: basePath}
		key := server.AddKey()
		clients := make([]*owlat.Client, 10)
		for i := range clients {
			clients[i] = connect(t, key, server.Transport())
			busy(t, clients[i], 3*time.Second) // each knows the server
			time.Sleep(10 * time.Second)
		}
		before, began := server.Stats(), time.Now()
		for i := range 60 {
			client := clients[i%len(clients)]
			client.Drain()
			busy(t, client, 5*time.Second)
		}
		after := server.Stats()
		passed, most := after.Total-before.Total, 10*time.Since(began).Seconds()
		if after.RateLimited > 0 || float64(passed) < 0.97*most {
			t.Errorf("of %v requests %d passed and %d were refused", most, passed, after.RateLimited)
		}
	})
}
