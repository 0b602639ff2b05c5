package turns

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile"
)

// asks does a request and keeps its outcome and when it came.
type asks struct {
	Outcome
	after  time.Duration
	cancel context.CancelFunc
	done   chan struct{}
}

func (s *stage) ask(r Request) *asks {
	ctx, cancel := context.WithCancel(context.Background())
	a, began := &asks{cancel: cancel, done: make(chan struct{})}, time.Now()
	go func() {
		defer close(a.done)
		defer cancel()
		a.Outcome = s.Desk().Do(ctx, r)
		a.after = time.Since(began)
	}()
	synctest.Wait()
	return a
}

func (a *asks) is(t *testing.T, after time.Duration, run int64, err error, ended bool) {
	t.Helper()
	<-a.done
	if a.after != after || a.Outcome.Run != run || !errors.Is(a.Err, err) || (a.Err == nil) != (err == nil) || a.Ended != ended {
		t.Errorf("after %s: %+v; want after %s: run %d, %v, %t", a.after, a.Outcome, after, run, err, ended)
	}
}

// TestWhoAsksHearsWhatBecameOfIt whichever request the run was made for.
func TestWhoAsksHearsWhatBecameOfIt(t *testing.T) {
	play(t, func(t *testing.T) {
		s := newStage(t, "a", "b")
		goes := s.ask(Request{Sync: "a"})
		keys, more := s.ask(Request{Sync: "b", Keys: []string{"1"}}), s.ask(Request{Sync: "b", Keys: []string{"2"}})
		number, _, _ := s.records.Enqueue(t.Context(), ledger.Run{Sync: "b"})
		numbered, twice := s.ask(Request{Sync: "b", Run: number}), s.ask(Request{Sync: "b", Run: number})
		covered := s.ask(Request{Sync: "b"})
		again := s.ask(Request{Sync: "a"})
		nobody := s.ask(Request{Sync: "nobody"})
		goes.is(t, time.Minute, 1, nil, true)
		for _, a := range []*asks{keys, more, numbered, twice, covered} {
			a.is(t, 2*time.Minute, number, nil, true)
		}
		again.is(t, 3*time.Minute, 3, nil, true)
		nobody.is(t, 0, 0, ErrUnknownSync, true)
		begun := s.ask(Request{Sync: "b", Run: number})
		s.set(number, ledger.StatusOK)
		begun.is(t, 0, number, ledger.ErrRunEnded, true)
		s.ask(Request{Sync: "b", Run: 99}).is(t, 0, 0, ledger.ErrNoRun, true)
		s.close()
		s.is(t, "0 a, 60 b#2, 120 a")
	})
}

// TestWhatGoesOnStaysAsItBegan: whoever makes a run reads what was asked for without a lock, so that nobody who asks later may change it.
func TestWhatGoesOnStaysAsItBegan(t *testing.T) {
	play(t, func(t *testing.T) {
		s := newStage(t, "a")
		s.does = func(ctx context.Context, j *Job) (bool, error) {
			since := j.Since
			err := work(ctx, j, time.Minute)
			if !j.Since.Equal(since) {
				t.Errorf("it was due at %s, and then at %s", since, j.Since)
			}
			return false, err
		}
		number, _, _ := s.records.Enqueue(t.Context(), ledger.Run{Sync: "a"})
		first := s.ask(Request{Sync: "a", Run: number})
		s.Submit(Request{Sync: "a", Run: number, Since: time.Now().Add(-time.Hour)})
		first.is(t, time.Minute, number, nil, true)
		s.close()
	})
}

// TestThePartIsTheLedgers whatever the request says: whoever passes a number on does not know the part. What is asked for without one waits
// for no run of a part.
func TestThePartIsTheLedgers(t *testing.T) {
	play(t, func(t *testing.T) {
		s := newStage(t, "a", "b")
		s.ask(Request{Sync: "b"})
		died, _, _ := s.records.Enqueue(t.Context(), ledger.Run{Sync: "a", Part: owlatsync.Part{Only: []string{"7"}}})
		s.set(died, ledger.StatusDied)
		queued, _, _ := s.records.Enqueue(t.Context(), ledger.Run{Sync: "a", Part: owlatsync.Part{Only: []string{"8"}}})
		like, alike := s.ask(Request{Sync: "a", Like: died}), s.ask(Request{Sync: "a", Like: died})
		numbered, all, more := s.ask(Request{Sync: "a", Run: queued}), s.ask(Request{Sync: "a"}), s.ask(Request{Sync: "a"})
		like.is(t, 2*time.Minute, 4, nil, true)
		alike.is(t, 2*time.Minute, 4, nil, true)
		numbered.is(t, 3*time.Minute, queued, nil, true)
		all.is(t, 4*time.Minute, 5, nil, true)
		more.is(t, 4*time.Minute, 5, nil, true)
		s.ask(Request{Sync: "a", Like: 99}).is(t, 0, 0, ledger.ErrNoRun, true)
		s.close()
		s.is(t, "0 b, 60 a=7, 120 a#3=8, 180 a")
	})
}

// TestWhoeverAskedAsksAgain of a run that fails, or that finds the ledger locked: the queue does nothing by itself.
func TestWhoeverAskedAsksAgain(t *testing.T) {
	play(t, func(t *testing.T) {
		s := newStage(t, "a")
		fails := errors.New("the source is away")
		s.does = func(ctx context.Context, j *Job) (bool, error) { _ = work(ctx, j, time.Second); return true, fails }
		away := s.ask(Request{Sync: "a"})
		away.is(t, time.Second, 1, fails, true)
		if !away.Again {
			t.Error("it is not said that it may pass")
		}
		number, _, _ := s.records.Enqueue(t.Context(), ledger.Run{Sync: "a"})
		s.does = func(context.Context, *Job) (bool, error) {
			s.set(number, ledger.StatusQueued) // it did not begin
			return false, &ledger.LockedError{}
		}
		locked := s.ask(Request{Sync: "a", Run: number})
		locked.is(t, 0, number, ledger.ErrLocked, false)
		if r := s.recorded(t, number); r.Status != ledger.StatusQueued {
			t.Errorf("the run that found the ledger locked is %s", r.Status)
		}
		time.Sleep(time.Hour)
		s.is(t, "0 a, 1 a#2")

		var back atomic.Bool
		s.does = func(ctx context.Context, j *Job) (bool, error) {
			if err := work(ctx, j, time.Second); err != nil || back.Load() {
				return false, err
			}
			return true, fails
		}
		s.Submit(Request{Sync: "a"}) // is made again by itself, also after a run of whoever asks takes its place
		time.Sleep(2 * time.Second)
		s.ask(Request{Sync: "a"}).is(t, time.Second, 4, fails, true)
		back.Store(true)
		time.Sleep(time.Hour)
		s.close()
		s.is(t, "0 a, 1 a#2, 3601 a, 3603 a, 3634 a")
	})
}

// TestWhoeverLeavesTakesBackWhatNobodyElseWants
func TestWhoeverLeavesTakesBackWhatNobodyElseWants(t *testing.T) {
	play(t, func(t *testing.T) {
		s := newStage(t, "a", "b", "c")
		number, _, _ := s.records.Enqueue(t.Context(), ledger.Run{Sync: "b"})
		goes, waits, one, two := s.ask(Request{Sync: "a"}), s.ask(Request{Sync: "b", Run: number}), s.ask(Request{Sync: "c"}), s.ask(Request{Sync: "c"})
		time.Sleep(10 * time.Second)
		waits.cancel()
		one.cancel()
		waits.is(t, 10*time.Second, number, context.Canceled, true)
		one.is(t, 10*time.Second, 0, context.Canceled, true)
		if r := s.recorded(t, number); r.Status != ledger.StatusCancelled {
			t.Errorf("the run that was taken back is %s", r.Status)
		}
		time.Sleep(10 * time.Second)
		goes.cancel()
		goes.is(t, 20*time.Second, 2, reconcile.ErrInterrupted, true)
		two.is(t, 80*time.Second, 3, nil, true)
		s.Submit(Request{Sync: "a"})
		late := s.ask(Request{Sync: "a"}) // another run, which the first one's end begins
		mine := s.ask(Request{Sync: "b"})
		s.Submit(Request{Sync: "b"})
		mine.cancel() // somebody else wants it all the same
		mine.is(t, 0, 0, context.Canceled, true)
		late.is(t, 3*time.Minute, 6, nil, true)
		time.Sleep(time.Hour)
		s.close()
		s.is(t, "0 a, 20 c, 80 a, 140 b, 200 a")
	})
}

// TestTheEndOfTheQueueIsNoEndOfWhatWasAsked for: it is to be done elsewhere.
func TestTheEndOfTheQueueIsNoEndOfWhatWasAsked(t *testing.T) {
	play(t, func(t *testing.T) {
		s := newStage(t, "a", "b")
		number, _, _ := s.records.Enqueue(t.Context(), ledger.Run{Sync: "b"})
		goes, waits, numbered := s.ask(Request{Sync: "a"}), s.ask(Request{Sync: "a", Full: true}), s.ask(Request{Sync: "b", Run: number})
		time.Sleep(10 * time.Second)
		s.close()
		goes.is(t, 10*time.Second, 2, reconcile.ErrInterrupted, false)
		waits.is(t, 10*time.Second, 0, nil, false)
		numbered.is(t, 10*time.Second, number, nil, false)
		s.ask(Request{Sync: "b", Run: number}).is(t, 0, number, nil, false)
		if r := s.recorded(t, number); r.Status != ledger.StatusQueued {
			t.Errorf("the queued run is %s", r.Status)
		}
	})
}

// TestWhatAHeldRunDropsIsTold to whoever asked for it.
func TestWhatAHeldRunDropsIsTold(t *testing.T) {
	play(t, func(t *testing.T) {
		s := newStage(t, "a")
		s.does = func(ctx context.Context, j *Job) (bool, error) {
			_ = work(ctx, j, time.Minute)
			j.Held()
			return false, reconcile.ErrHeld
		}
		held, waits := s.ask(Request{Sync: "a"}), s.ask(Request{Sync: "a"})
		held.is(t, time.Minute, 1, reconcile.ErrHeld, true)
		waits.is(t, time.Minute, 0, ErrDropped, true)
		s.close()
	})
}

// TestWhoWaitsForARunThatIsMadeAnewWaitsForTheOther because its sync is configured otherwise, or is gone.
func TestWhoWaitsForARunThatIsMadeAnewWaitsForTheOther(t *testing.T) {
	play(t, func(t *testing.T) {
		s := newStage(t, "a", "b")
		anew := s.ask(Request{Sync: "a"})
		time.Sleep(10 * time.Second)
		s.Restart("a")
		anew.is(t, 70*time.Second, 2, nil, true)
		gone := s.ask(Request{Sync: "b"})
		if err := s.SetSyncs(t.Context(), []string{"a"}); err != nil {
			t.Fatal(err)
		}
		s.Restart("b")
		gone.is(t, 0, 0, ErrUnknownSync, true)
		s.close()
	})
}
