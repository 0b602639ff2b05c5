package owlat_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync/owlat"
)

const ms = time.Millisecond

func TestLimiterPacesExactly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, begin := owlat.NewLimiter(10, 3), time.Now()
		pass := func(want time.Duration) {
			t.Helper()
			if err := l.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := time.Since(begin); got != want {
				t.Errorf("passed at %v, want %v", got, want)
			}
		}
		for _, at := range []time.Duration{0, 0, 0, 100 * ms, 200 * ms, 300 * ms} {
			pass(at)
		}
		time.Sleep(150 * ms)
		pass(450 * ms)
		pass(500 * ms)
		time.Sleep(time.Minute)
		for _, more := range []time.Duration{0, 0, 0, 100 * ms} {
			pass(60*time.Second + 500*ms + more)
		}
	})
}

func TestLimiterServesInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := owlat.NewLimiter(1, 1)
		var mu sync.Mutex
		var order []int
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				if err := l.Wait(t.Context()); err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				order = append(order, i)
			})
			synctest.Wait()
		}
		wg.Wait()
		if !slices.IsSorted(order) || len(order) != 20 {
			t.Errorf("served in the order %v", order)
		}
	})
}

func TestLimiterPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, begin := owlat.NewLimiter(10, 10), time.Now()
		l.Pause(begin.Add(2 * time.Second))
		l.Pause(begin.Add(time.Second)) // never backward
		l.Pause(begin.Add(-time.Second))
		var mu sync.Mutex
		var passed []time.Duration
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				if err := l.Wait(t.Context()); err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				passed = append(passed, time.Since(begin))
			})
		}
		time.Sleep(1900 * ms)
		l.Pause(begin.Add(3 * time.Second)) // also for those that wait
		time.Sleep(1150 * ms)
		l.Pause(begin.Add(5 * time.Second)) // and for one that waits for its token
		wg.Wait()
		want := []time.Duration{3000 * ms, 5000 * ms, 5100 * ms, 5200 * ms}
		if !slices.Equal(passed, want) {
			t.Errorf("passed at %v, want %v", passed, want)
		}
	})
}

func TestLimiterContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, begin := owlat.NewLimiter(1, 1), time.Now()
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if err := l.Wait(ended); !errors.Is(err, context.Canceled) {
			t.Errorf("ended context: %v", err)
		}
		if err := l.Wait(t.Context()); err != nil || time.Since(begin) != 0 {
			t.Errorf("the ended context used the token: %v after %v", err, time.Since(begin))
		}

		soon, cancel := context.WithTimeout(t.Context(), 999*ms)
		defer cancel()
		if err := l.Wait(soon); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != 0 {
			t.Errorf("a deadline before the token: %v after %v", err, time.Since(begin))
		}

		halfway, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := l.Wait(halfway); !errors.Is(err, context.Canceled) || time.Since(begin) != 500*ms {
				t.Errorf("cancelled while waiting: %v after %v", err, time.Since(begin))
			}
		})
		synctest.Wait()
		wg.Go(func() {
			if err := l.Wait(halfway); !errors.Is(err, context.Canceled) || time.Since(begin) != 500*ms {
				t.Errorf("cancelled in the queue: %v after %v", err, time.Since(begin))
			}
		})
		time.Sleep(500 * ms)
		cancel()
		wg.Wait()
		if err := l.Wait(t.Context()); err != nil || time.Since(begin) != time.Second {
			t.Errorf("the cancelled ones used a token: %v after %v", err, time.Since(begin))
		}

		l.Pause(begin.Add(time.Hour))
		paused, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := l.Wait(paused); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != time.Second {
			t.Errorf("a deadline before the end of a pause: %v after %v", err, time.Since(begin))
		}
	})
}

func TestNewLimiterPanicsOnNonsense(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rate  float64
		burst int
	}{{0, 1}, {-1, 1}, {nan(), 1}, {1, 0}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("NewLimiter(%v, %d) did not panic", c.rate, c.burst)
				}
			}()
			owlat.NewLimiter(c.rate, c.burst)
		}()
	}
}
