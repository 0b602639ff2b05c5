package owlat_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
)

// peak is the most of something at once.
type peak struct{ now, most atomic.Int32 }

func (p *peak) enter() {
	n := p.now.Add(1)
	for {
		most := p.most.Load()
		if n <= most || p.most.CompareAndSwap(most, n) {
			return
		}
	}
}

func (p *peak) leave() { p.now.Add(-1) }

func TestPoolFollowsTheLatency(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		latency     time.Duration
		least, most int32 // pieces of work begun at once: eight after a rest and three ahead, or what the latency asks for
		sent        int   // of a minute, at least
	}{
		{ms, 2, 11, 605}, {50 * ms, 2, 11, 605}, {300 * ms, 5, 14, 604}, {2 * time.Second, 22, 32, 570}, {10 * time.Second, 100, 128, 370},
		{time.Minute, 3, 8, 3},
	} {
		t.Run(c.latency.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := limited(t, owlat.WithTimeout(0))
				d.inject(t, owlattest.Fault{Kind: owlattest.Latency, Delay: c.latency})
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(time.Minute, cancel)
				var begun peak
				pool := d.client.NewPool(0)
				for ctx.Err() == nil {
					pool.Go(ctx, func(ctx context.Context, client *owlat.Client) {
						begun.enter()
						defer begun.leave()
						_, _ = client.Contacts.List(ctx, owlat.ListContactsRequest{})
					})
				}
				pool.Wait()
				if got := begun.most.Load(); got < c.least || got > c.most {
					t.Errorf("%d begun at once, want %d to %d", got, c.least, c.most)
				}
				if stats := d.Stats(); stats.Total < c.sent || stats.RateLimited > 0 {
					t.Errorf("%d sent, %d of them refused; want at least %d and 0", stats.Total, stats.RateLimited, c.sent)
				}
			})
		})
	}
}

func TestPoolIsBoundedWithoutALimiter(t *testing.T) {
	t.Parallel()
	for most, want := range map[int]int32{0: 128, 3: 3, 400: 200} {
		synctest.Test(t, func(t *testing.T) {
			d := deploy(t)
			d.inject(t, owlattest.Fault{Kind: owlattest.Latency, Delay: time.Second})
			var begun peak
			pool := d.client.NewPool(most)
			for range 200 {
				pool.Go(t.Context(), func(ctx context.Context, client *owlat.Client) {
					begun.enter()
					defer begun.leave()
					if _, err := client.Contacts.List(ctx, owlat.ListContactsRequest{}); err != nil {
						t.Error(err)
					}
				})
			}
			pool.Wait()
			if got := begun.most.Load(); got != want {
				t.Errorf("%d at once, want %d", got, want)
			}
		})
	}
}

func TestPoolSendsNothingOnceClosed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := limited(t)
		d.inject(t, owlattest.Fault{Kind: owlattest.Latency, Delay: 50 * ms})
		why := errors.New("enough")
		pool := d.client.NewPool(0)
		var mu sync.Mutex
		unsent := 0
		begin := time.Now()
		for i := range 40 {
			pool.Go(t.Context(), func(ctx context.Context, client *owlat.Client) {
				if i == 20 {
					pool.Close(why)
				}
				_, err := client.Contacts.List(ctx, owlat.ListContactsRequest{})
				switch {
				case err == nil:
				case !errors.Is(err, owlat.ErrPoolClosed) || !errors.Is(err, why) || owlat.OutcomeUnknown(err):
					t.Errorf("work %d: %v", i, err)
				default:
					mu.Lock()
					defer mu.Unlock()
					unsent++
				}
			})
		}
		pool.Wait()
		took := time.Since(begin)
		if sent := d.Stats().Total; sent > 20 || sent+unsent != 40 {
			t.Errorf("%d sent and %d not, of 40", sent, unsent)
		}
		if took > 2*time.Second {
			t.Errorf("what waited was kept for %v", took)
		}
		if _, err := d.client.Contacts.List(t.Context(), owlat.ListContactsRequest{}); err != nil {
			t.Errorf("the client outlives its pools: %v", err)
		}
	})
}

func TestPoolClosedDuringRetries(t *testing.T) {
	t.Parallel()
	for name, opt := range map[string]owlat.Option{"limited": owlat.WithRate(10, 10), "unlimited": owlat.WithoutLimiter()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &script{begin: time.Now(), steps: []roundTripper{always(503, "")}}
				client := connect(t, anyKey, s, opt)
				pool := client.NewPool(0)
				time.AfterFunc(200*ms, func() { pool.Close(errors.New("enough")) })
				pool.Go(t.Context(), func(ctx context.Context, client *owlat.Client) {
					_, err := client.Contacts.Update(ctx, "k570000000", owlat.UpdateContactRequest{FirstName: new("A")})
					if !errors.Is(err, owlat.ErrInternal) || !owlat.OutcomeUnknown(err) {
						t.Errorf("got %v, unknown %v; want the answer there was", err, owlat.OutcomeUnknown(err))
					}
				})
				pool.Wait()
				if got := time.Since(s.begin); got != 200*ms || len(s.at) != 1 {
					t.Errorf("ended after %v and %d requests", got, len(s.at))
				}
			})
		})
	}
}
