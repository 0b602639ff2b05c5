package owlat_test

import (
	"context"
	"errors"
	"fmt"
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

// withKeys returns an emulator, the values of so many keys of it, and a client with all of them.
func withKeys(t *testing.T, keys int, opts ...owlat.Option) (*deployment, []string) {
	t.Helper()
	d := &deployment{Server: &owlattest.Server{BasePath: basePath, RandomSeed: 1}}
	var values []string
	for range keys {
		values = append(values, d.AddKey())
	}
	d.client = connect(t, values[0], d.Transport(), append([]owlat.Option{owlat.WithMoreKeys(values[1:]...)}, opts...)...)
	return d, values
}

// TestEachKeyHasItsBucket sends with three keys what three budgets allow, alike with each, and nobody is refused.
func TestEachKeyHasItsBucket(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, keys := withKeys(t, 3)
		d.inject(t, owlattest.Fault{Kind: owlattest.Latency, Delay: 20 * ms, Jitter: 100 * ms})
		if rate, burst := d.client.Rate(); rate != 30 || burst != 24 {
			t.Errorf("%v a second, %d at once", rate, burst)
		}
		if got := d.client.Estimate(324); got != 10*time.Second { // 8 at once with each, and 100 one after the other
			t.Errorf("324 requests are to take %v", got)
		}
		busy(t, d.client, 60*time.Second)
		stats := d.Stats()
		if stats.RateLimited > 0 || len(stats.Keys) != 3 {
			t.Fatalf("%d refused, keys %+v", stats.RateLimited, stats.Keys)
		}
		for _, k := range stats.Keys {
			if !slices.Contains(keys, k.Key) || k.Total < 600 || k.Total > 610 {
				t.Errorf("%d requests with one key", k.Total)
			}
		}
	})
}

// TestARefusalSlowsOneKey lets somebody else use up one of three keys: the others keep their pace.
func TestARefusalSlowsOneKey(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, keys := withKeys(t, 3)
		d.inject(t, owlattest.Fault{Kind: owlattest.Latency, Delay: 20 * ms})
		rival := connect(t, keys[1], d.Transport(), owlat.WithoutLimiter(), owlat.WithRetries(0))
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			for ctx.Err() == nil {
				_, _ = rival.Contacts.List(ctx, owlat.ListContactsRequest{})
			}
		}()
		var mu sync.Mutex
		passed := make([]int, 4)
		client, err := d.client.With(owlat.WithObserver(func(a owlat.Attempt) {
			mu.Lock()
			defer mu.Unlock()
			if a.Status == http.StatusOK {
				passed[a.Key]++
			}
		}))
		if err != nil {
			t.Fatal(err)
		}
		var first time.Duration
		begin := time.Now()
		pool := client.NewPool(0)
		for range 600 {
			pool.Go(t.Context(), func(ctx context.Context, c *owlat.Client) {
				if _, err := c.Contacts.List(ctx, owlat.ListContactsRequest{}); err != nil {
					t.Error(err)
				}
			})
		}
		pool.Wait()
		first = time.Since(begin)
		stop()
		<-done
		states := client.Keys()
		if passed[1] < 250 || passed[3] < 250 || passed[2] > 60 || first > 32*time.Second {
			t.Errorf("passed by key %v in %v", passed[1:], first)
		}
		if states[0].Rate != 10 || states[2].Rate != 10 || states[1].Rate >= 5 || states[1].RateLimit.Limit != 10 || len(states[1].Refused) > 0 {
			t.Errorf("%+v", states)
		}
	})
}

// TestAKeyThatIsRefused goes on with the others, says which one it is, and tries it again after a while.
func TestAKeyThatIsRefused(t *testing.T) {
	t.Parallel()
	others := []string{"contacts:read", "contacts:write"}
	create := func(ctx context.Context, c *owlat.Client, n int) error {
		_, err := c.Contacts.Create(ctx, owlat.CreateContactRequest{Email: fmt.Sprintf("user%d@example.com", n)})
		return err
	}
	for name, c := range map[string]struct {
		second owlattest.GivenKey
		scope  string
		want   int // requests with the second key in a minute, of 600
	}{
		"revoked":       {owlattest.GivenKey{Scopes: others, Active: new(bool)}, "", 0},
		"of another":    {owlattest.GivenKey{Value: "lm_live_" + strings.Repeat("b", 40)}, "", 0},
		"lacks a scope": {owlattest.GivenKey{Scopes: others[:1]}, "contacts:write", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d, keys := withKeys(t, 3)
				if keys[1] = "lm_live_" + strings.Repeat("a", 40); c.second.Value == "" {
					c.second.Value = keys[1]
				}
				given := func(second owlattest.GivenKey) {
					t.Helper()
					all := map[string]owlattest.GivenKey{"1": {Value: keys[0], Scopes: others}, "2": second, "3": {Value: keys[2], Scopes: others}}
					if _, err := d.Setup(owlattest.Given{Keys: all}); err != nil {
						t.Fatal(err)
					}
				}
				given(c.second)
				var told []owlat.KeyRefusal
				client := connect(t, keys[0], d.Transport(), owlat.WithMoreKeys(keys[1:]...), owlat.WithKeyRefused(func(r owlat.KeyRefusal) { told = append(told, r) }))
				for n := range 600 {
					if err := create(t.Context(), client, n); err != nil {
						t.Fatal(err)
					}
				}
				if len(told) != 1 || told[0].Key != 2 || told[0].Scope != c.scope || strings.Contains(told[0].Error(), keys[1]) || !strings.Contains(told[0].Error(), "API key 2") {
					t.Fatalf("told %v", told)
				}
				of := func(stats owlattest.Stats) (n int) {
					for _, k := range stats.Keys {
						if k.Key == keys[1] {
							n = k.Total
						}
					}
					return n
				}
				if n := of(d.Stats()); n != c.want || d.Len() != 600 || d.Stats().RateLimited > 0 {
					t.Errorf("%d requests with the second key, %d contacts", n, d.Len())
				}
				rate, _ := client.Rate()
				if refused := client.Keys()[1].Refused; len(refused) != 1 || refused[0].Scope != c.scope || (rate == 20) != (c.scope == "") {
					t.Errorf("%+v at %v a second", refused, rate)
				}
				if _, err := client.Contacts.List(t.Context(), owlat.ListContactsRequest{}); err != nil {
					t.Error(err)
				}
				if len(told) > 1 {
					t.Errorf("a reading is refused, too: %v", told[1:])
				}
				given(owlattest.GivenKey{Value: keys[1], Scopes: others})
				time.Sleep(6 * time.Minute)
				for n := range 300 {
					if err := create(t.Context(), client, 1000+n); err != nil {
						t.Fatal(err)
					}
				}
				if now := of(d.Stats()); now < 90 || len(client.Keys()[1].Refused) > 0 {
					t.Errorf("%d requests with a key that works again, %+v", now, client.Keys()[1].Refused)
				}
			})
		})
	}
}

// TestAllKeysAreRefused fails as one key does, and is not stuck when they work again.
func TestAllKeysAreRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &deployment{Server: &owlattest.Server{BasePath: basePath, RandomSeed: 1}}
		reads := []string{d.AddKey("contacts:read"), d.AddKey("contacts:read")}
		told := 0
		client := connect(t, reads[0], d.Transport(), owlat.WithMoreKeys(reads[1]), owlat.WithKeyRefused(func(owlat.KeyRefusal) { told++ }))
		for range 3 {
			if _, err := client.Contacts.Create(t.Context(), owlat.CreateContactRequest{Email: "ada@example.com"}); !errors.Is(err, owlat.ErrForbidden) {
				t.Errorf("got %v", err)
			}
		}
		if rate, _ := client.Rate(); rate != 20 || told != 1 {
			t.Errorf("%v a second, told %d times", rate, told)
		}
		answer, err := client.Forward(t.Context(), owlat.Forwarded{Method: "GET", Path: "/contacts"})
		if err != nil || answer.Status != http.StatusOK {
			t.Errorf("%+v, %v", answer, err)
		}
	})
}

// TestOneContactStaysInOrder sends, with three keys and answers and requests that overtake each other, changes of each contact one after
// the other. The last one counts.
func TestOneContactStaysInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, _ := withKeys(t, 3)
		d.inject(t, owlattest.Fault{Kind: owlattest.Latency, Delay: ms, Jitter: 900 * ms}, owlattest.Fault{Kind: owlattest.Latency, After: true, Delay: ms, Jitter: 900 * ms},
			owlattest.Fault{Kind: owlattest.RateLimited, Rate: 0.05})
		const people, changes = 40, 5
		var in []owlat.CreateContactRequest
		for c := range changes {
			for p := range people {
				in = append(in, owlat.CreateContactRequest{Email: fmt.Sprintf("user%d@example.com", p), FirstName: new(fmt.Sprint(c))})
			}
		}
		for _, r := range d.client.Contacts.UpsertBatch(t.Context(), in) {
			if r.Err != nil {
				t.Fatal(r.Err)
			}
		}
		for _, c := range d.Contacts() {
			if c.FirstName != fmt.Sprint(changes-1) {
				t.Errorf("%s has the name of another change", c.Email)
			}
		}
		if used := d.Stats().Keys; len(used) != 3 {
			t.Errorf("used %+v", used)
		}
	})
}

// TestWaitEachWaitsForEveryKey at once, not for one after the other.
func TestWaitEachWaitsForEveryKey(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := owlat.NewLimiter(2, 1).ForKeys(3)
		l.Drain()
		for n := 1; n <= 2; n++ {
			began := time.Now()
			if err := l.WaitEach(t.Context()); err != nil || time.Since(began) != 500*ms {
				t.Errorf("wait %d took %v, %v", n, time.Since(began), err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := l.WaitEach(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("a context that is over: %v", err)
		}
		var none *owlat.Limiter = new(owlat.Limiter)
		if err := none.WaitEach(t.Context()); err == nil {
			t.Error("a limiter that was not made waits")
		}
	})
}

// TestKeysThatMakeNoClient refuses what is no set of keys. No error holds one.
func TestKeysThatMakeNoClient(t *testing.T) {
	t.Parallel()
	key := func(c string) string { return "lm_live_" + strings.Repeat(c, 40) }
	const own = "https://example.convex.site"
	for name, c := range map[string]struct {
		url  string
		opts []owlat.Option
		want string
	}{
		"the same twice":        {own, []owlat.Option{owlat.WithMoreKeys(key("b"), key("a"))}, "API keys 1 and 3 are the same"},
		"a malformed one":       {own, []owlat.Option{owlat.WithMoreKeys(key("b"), "lm_live_x")}, "API key 3 is malformed"},
		"an empty one":          {own, []owlat.Option{owlat.WithMoreKeys("")}, "API key 2 is empty"},
		"hosted":                {"", []owlat.Option{owlat.WithMoreKeys(key("b"))}, "Owlat's hosted service"},
		"hosted elsewhere":      {"https://EU.Owlat.app./x", []owlat.Option{owlat.WithMoreKeys(key("b"))}, "Owlat's hosted service"},
		"another one's limiter": {own, []owlat.Option{owlat.WithMoreKeys(key("b")), owlat.WithLimiter(owlat.NewAutoLimiter())}, "Limiter.ForKeys"},
		"nobody to be told":     {own, []owlat.Option{owlat.WithKeyRefused(nil)}, "refused keys is nil"},
	} {
		_, err := owlat.NewClient(c.url, key("a"), c.opts...)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "aaaa") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for url, opts := range map[string][]owlat.Option{
		"https://notowlat.app":           {owlat.WithMoreKeys(key("b")), owlat.WithRate(4, 3)},
		"https://owlat.app.example.com":  {owlat.WithRate(4, 3), owlat.WithMoreKeys(key("b"))},
		"https://example.convex.site/x/": {owlat.WithLimiter(owlat.NewLimiter(4, 3).ForKeys(2)), owlat.WithMoreKeys(key("b"))},
	} {
		client, err := owlat.NewClient(url, key("a"), opts...)
		if err != nil {
			t.Fatal(err)
		}
		if rate, burst := client.Rate(); rate != 8 || burst != 6 || len(client.Keys()) != 2 {
			t.Errorf("%s: %v a second, %d at once", url, rate, burst)
		}
		if _, err := client.With(owlat.WithMoreKeys(key("c"))); err == nil {
			t.Errorf("%s: a client gets another key", url)
		}
		if client, err = client.With(owlat.WithRate(1, 1)); err != nil {
			t.Fatal(err)
		}
		if rate, _ := client.Rate(); rate != 2 {
			t.Errorf("%s: %v a second", url, rate)
		}
	}
}
