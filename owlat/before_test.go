package owlat_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
)

// TestWhatEndsBeforeSendingIsNotSent ends the context, or closes the pool, while a function looks at a request.
func TestWhatEndsBeforeSendingIsNotSent(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"context", "pool"} {
		client, server := owlattest.Start(t)
		ctx, cancel := context.WithCancel(t.Context())
		var pool *owlat.Pool
		looking, err := client.With(owlat.WithBeforeSend(func(context.Context, owlat.Attempt) error {
			if how == "context" {
				cancel()
			} else {
				pool.Close(nil)
			}
			return nil
		}))
		if err != nil {
			t.Fatal(err)
		}
		pool = looking.NewPool(1)
		var result error
		pool.Go(ctx, func(ctx context.Context, c *owlat.Client) {
			_, result = c.Contacts.Create(ctx, owlat.CreateContactRequest{Email: "ada@example.com"})
		})
		pool.Wait()
		cancel()
		want := map[string]error{"context": context.Canceled, "pool": owlat.ErrPoolClosed}[how]
		if !errors.Is(result, want) || owlat.OutcomeUnknown(result) || server.Len() != 0 {
			t.Errorf("%s: %v, outcome unknown %v, %d contacts", how, result, owlat.OutcomeUnknown(result), server.Len())
		}
	}
}

// TestSlowLooksWasteNoBudget has every request recorded on a disk that takes half a second, eight at once.
func TestSlowLooksWasteNoBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &owlattest.Server{}
		var mu sync.Mutex
		together, most := 0, 0
		client, err := owlat.NewClient("https://owlat.example", server.AddKey(), owlat.WithTransport(server.Transport()),
			owlat.WithBeforeSend(func(context.Context, owlat.Attempt) error {
				mu.Lock()
				together++
				most = max(most, together)
				mu.Unlock()
				time.Sleep(500 * time.Millisecond)
				mu.Lock()
				together--
				mu.Unlock()
				return nil
			}))
		if err != nil {
			t.Fatal(err)
		}
		pool := client.NewPool(0)
		start := time.Now()
		const requests = 300
		for range requests {
			pool.Go(t.Context(), func(ctx context.Context, c *owlat.Client) {
				if _, err := c.Contacts.Get(ctx, "nobody@example.com"); !errors.Is(err, owlat.ErrNotFound) {
					t.Error(err)
				}
			})
		}
		pool.Wait()
		took := time.Since(start)
		// The bucket allows 10 a second, and what a rest has saved.
		if limit := 30500 * time.Millisecond; took > limit || most < 5 {
			t.Errorf("%d requests took %v, want at most %v; at most %d were looked at together", requests, took, limit, most)
		}
	})
}
