package gentle

import (
	"context"
	"errors"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync/owlat/internal/pace"
	"owlatsync/owlat/internal/wait"
)

// server answers what a limiter lets go.
type server struct {
	*Limiter
	takes   time.Duration
	verdict pace.Verdict
	got     int
	most    int
	now     int
	mu      sync.Mutex
}

// run sends as fast as the limiter allows for so long, and returns how many requests went.
func (s *server) run(t *testing.T, long time.Duration) int {
	t.Helper()
	s.got, s.most = 0, 0
	ctx, cancel := context.WithTimeout(t.Context(), long)
	defer cancel()
	var group sync.WaitGroup
	for {
		at, err := s.Enter(ctx, nil)
		if err != nil {
			break
		}
		s.mu.Lock()
		s.got++
		s.now++
		s.most = max(s.most, s.now)
		s.mu.Unlock()
		group.Go(func() {
			time.Sleep(s.takes)
			s.mu.Lock()
			s.now--
			s.mu.Unlock()
			s.Leave(at, s.verdict)
		})
	}
	group.Wait()
	return s.got
}

func TestTheRateIsKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := server{Limiter: New(20), takes: 100 * time.Millisecond, verdict: pace.Passed}
		if got := s.run(t, time.Minute); got != 1200 && got != 1201 {
			t.Errorf("%d in a minute, want 1200", got)
		}
		time.Sleep(time.Hour)
		if got := s.run(t, time.Second); got > 21 {
			t.Errorf("%d in a second after a rest: nothing is saved up", got)
		}
	})
}

func TestSlowAnswersSlowItDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := server{Limiter: New(20), takes: 100 * time.Millisecond, verdict: pace.Passed}
		s.run(t, 10*time.Second)
		s.takes = 190 * time.Millisecond // not twice as long
		if got := s.run(t, 10*time.Second); got < 199 {
			t.Errorf("a little slower: %d in 10 s", got)
		}
		s.takes = 800 * time.Millisecond
		s.run(t, 10*time.Second)
		if got := s.run(t, 20*time.Second); got < 95 || got > 105 {
			t.Errorf("eight times as slow: %d in 20 s, want 5 a second", got)
		}
		s.takes = time.Minute
		s.run(t, 10*time.Minute)
		if rate := s.Rate(); rate != 1 {
			t.Errorf("the rate does not stay above a twentieth: %v", rate)
		}
		s.takes = 100 * time.Millisecond
		s.run(t, 30*time.Second)
		if got := s.run(t, 10*time.Second); got < 199 {
			t.Errorf("fast again: %d in 10 s", got)
		}
	})
}

func TestQuickAnswersAreNeverSlow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := server{Limiter: New(20), takes: time.Millisecond, verdict: pace.Passed}
		s.run(t, time.Second)
		s.takes = 90 * time.Millisecond
		if got := s.run(t, 10*time.Second); got < 199 {
			t.Errorf("%d in 10 s", got)
		}
	})
}

func TestFailuresSlowItDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := server{Limiter: New(20), takes: 50 * time.Millisecond, verdict: pace.Failed}
		s.run(t, 20*time.Second)
		if rate := s.Rate(); rate != 1 {
			t.Errorf("while all fails: %v", rate)
		}
		s.verdict = pace.Silent
		s.run(t, 5*time.Second)
		if rate := s.Rate(); rate != 1 {
			t.Errorf("who gave up says nothing of the server: %v", rate)
		}
		s.verdict = pace.Passed
		s.run(t, 20*time.Second)
		if rate := s.Rate(); rate != 20 {
			t.Errorf("it works again: %v", rate)
		}
	})
}

func TestFewAreInFlight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := server{Limiter: New(20), takes: time.Hour, verdict: pace.Failed}
		if got := s.run(t, time.Minute); got != 20 || s.most != 20 {
			t.Errorf("%d sent and %d in flight at once while nothing is answered", got, s.most)
		}
		s = server{Limiter: New(0.5), takes: time.Hour, verdict: pace.Failed}
		if got := s.run(t, time.Minute); got != 4 {
			t.Errorf("%d at half a request a second", got)
		}
	})
}

func TestPauseAndEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := New(math.Inf(1))
		begin := time.Now()
		for range 1000 {
			if _, err := l.Enter(t.Context(), nil); err != nil || time.Since(begin) != 0 {
				t.Fatalf("without a limit: %v after %v", err, time.Since(begin))
			}
		}
		l.Pause(begin.Add(30 * time.Second))
		l.Pause(begin.Add(10 * time.Second))
		if at, err := l.Enter(t.Context(), nil); err != nil || at.Sub(begin) != 30*time.Second {
			t.Errorf("after a pause: %v at %v", err, at.Sub(begin))
		}
		l = New(1)
		held, err := l.Enter(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := l.Enter(ctx, nil); !errors.Is(err, context.DeadlineExceeded) || time.Since(held) != 0 {
			t.Errorf("it does not fail at once where the deadline would pass: %v", err)
		}
		shut := make(chan struct{})
		close(shut)
		if _, err := l.Enter(t.Context(), shut); !errors.Is(err, wait.ErrShut) {
			t.Errorf("with a closed pool: %v", err)
		}
		for range 3 {
			if _, err := l.Enter(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
		}
		open := make(chan struct{})
		time.AfterFunc(time.Second, func() { close(open) })
		if _, err := l.Enter(t.Context(), open); !errors.Is(err, wait.ErrShut) { // four are in flight
			t.Errorf("closed while it waits for room: %v", err)
		}
	})
}
