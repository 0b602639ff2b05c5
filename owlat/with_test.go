package owlat_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync/owlat"
)

func TestWithCountsTheRequestsOfOnePartOnly(t *testing.T) {
	t.Parallel()
	var all atomic.Int32
	d := deploy(t, owlat.WithObserver(func(owlat.Attempt) { all.Add(1) }))
	counts := make([]atomic.Int32, 8)
	var wg sync.WaitGroup
	for i := range counts {
		wg.Go(func() {
			part, err := d.client.With(owlat.WithObserver(func(owlat.Attempt) { counts[i].Add(1) }))
			if err != nil {
				t.Error(err)
				return
			}
			pool := part.NewPool(0)
			for n := range i + 1 {
				pool.Go(t.Context(), func(ctx context.Context, c *owlat.Client) {
					_, err := c.Contacts.Create(ctx, owlat.CreateContactRequest{Email: fmt.Sprintf("user%d-%d@example.com", i, n)})
					if err != nil {
						t.Error(err)
					}
				})
			}
			pool.Wait()
		})
	}
	wg.Wait()
	for i := range counts {
		if got := int(counts[i].Load()); got != i+1 {
			t.Errorf("part %d counted %d requests, want %d", i, got, i+1)
		}
	}
	if got := int(all.Load()); got != 36 || d.Len() != 36 {
		t.Errorf("%d requests in all and %d contacts, want 36", got, d.Len())
	}
}

func TestWithKeepsObserversInOrderAndApart(t *testing.T) {
	t.Parallel()
	var seen []string
	note := func(name string) owlat.Option {
		return owlat.WithObserver(func(owlat.Attempt) { seen = append(seen, name) })
	}
	d := deploy(t, note("a"), note("b"), note("c"))
	with := func(c *owlat.Client, opts ...owlat.Option) *owlat.Client {
		c, err := c.With(opts...)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	one := with(d.client, note("one"))
	two := with(d.client, note("two"), note("three"))
	for _, c := range []struct {
		client *owlat.Client
		want   string
	}{{one, "a b c one"}, {two, "a b c two three"}, {with(one, note("four")), "a b c one four"}, {d.client, "a b c"}, {with(two), "a b c two three"}} {
		seen = nil
		if _, err := c.client.Health(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(seen, " "); got != c.want {
			t.Errorf("observed by %q, want %q", got, c.want)
		}
	}
}

func TestWithSharesTheLimiter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := deploy(t, owlat.WithRate(1, 1))
		part, err := d.client.With(owlat.WithRetries(0))
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		for _, c := range []*owlat.Client{d.client, part, d.client} {
			if _, err := c.Contacts.List(t.Context(), owlat.ListContactsRequest{}); err != nil {
				t.Fatal(err)
			}
		}
		if got := time.Since(begin); got != 2*time.Second {
			t.Errorf("three requests took %v, want 2 s", got)
		}
		if got := part.RateLimit(); got != d.client.RateLimit() || got.Limit != 10 {
			t.Errorf("the part knows %+v of the budget, the client %+v", got, d.client.RateLimit())
		}
	})
}

func TestWithChangesOnlyWhatItIsTold(t *testing.T) {
	t.Parallel()
	var sent []*http.Request
	record := func(r *http.Request) (*http.Response, error) { sent = append(sent, r); return reply(503, ""), nil }
	first := connect(t, anyKey, roundTripper(record), owlat.WithRetries(0), owlat.WithoutLimiter(), owlat.WithUserAgent("first"))
	second, err := first.With(owlat.WithUserAgent("second"), owlat.WithTransport(always(200, oneContact)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := second.Contacts.Get(t.Context(), "ada@example.com"); err != nil || len(sent) != 0 {
		t.Errorf("the other transport was not used: %v", err)
	}
	if _, err := first.Contacts.Get(t.Context(), "ada@example.com"); !errors.Is(err, owlat.ErrInternal) || len(sent) != 1 {
		t.Fatalf("got %v after %d requests", err, len(sent))
	}
	if got := sent[0].Header.Get("User-Agent"); got != "first" {
		t.Errorf("the first client calls itself %q", got)
	}
	if got := second.String(); got != first.String() {
		t.Errorf("%s and %s differ", got, first)
	}
	for name, opt := range map[string]owlat.Option{"nil": nil, "bad": owlat.WithRetries(-1)} {
		if c, err := first.With(opt); err == nil || c != nil {
			t.Errorf("%s option: got %v, %v", name, c, err)
		}
	}
}
