package queue

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync/owlat/internal/pace"
)

// TestEnterEachTakesFromEachBucket once, whoever else waits in the queue: what others get in ten seconds lacks one token of each bucket.
func TestEnterEachTakesFromEachBucket(t *testing.T) {
	t.Parallel()
	for keys := 1; keys <= 4; keys++ {
		for others := range 4 {
			synctest.Test(t, func(t *testing.T) {
				var q Queue
				q.Make(pace.NewPacer(1, 1, 1, 1), keys)
				q.Drain()
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second+time.Millisecond)
				defer cancel()
				var mu sync.Mutex
				taken := make([]int, keys)
				var all sync.WaitGroup
				for range others {
					all.Go(func() {
						for {
							i, _, err := q.Enter(ctx, nil, false, 0, nil)
							if err != nil {
								return
							}
							mu.Lock()
							taken[i]++
							mu.Unlock()
						}
					})
				}
				time.Sleep(1500 * time.Millisecond)
				if err := q.EnterEach(ctx); err != nil {
					t.Fatal(err)
				}
				all.Wait()
				for i, n := range taken {
					if others > 0 && n != 9 {
						t.Errorf("%d keys, %d others: bucket %d let %d others go, want 9", keys, others, i, n)
					}
				}
			})
		}
	}
}

// TestEnterEachEndsWithItsContext and leaves the turn to others.
func TestEnterEachEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var q Queue
		q.Make(pace.NewPacer(1, 1, 1, 1), 2)
		q.Drain()
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(100*time.Millisecond, cancel)
		if err := q.EnterEach(ctx); err == nil {
			t.Error("it did not end")
		}
		if _, _, err := q.Enter(t.Context(), nil, false, 0, nil); err != nil {
			t.Error(err)
		}
	})
}
