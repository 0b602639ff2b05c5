package reconcile_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync/ledger"
	"owlatsync/reconcile"
)

// chair is a seat. Wait, if it is set, is called before it is taken for the nth time, and may fail.
type chair struct {
	wait func(ctx context.Context, n int) error

	mu    sync.Mutex
	taken bool
	takes int
}

func (c *chair) Take(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.taken {
		return nil
	}
	if c.takes++; c.wait != nil {
		if err := c.wait(ctx, c.takes); err != nil {
			return err
		}
	}
	c.taken = true
	return nil
}

func (c *chair) Leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.taken = false
}

func (c *chair) has() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.taken
}

// waitFor waits until the nth time is over, for ever.
func waitFor(nth int) func(context.Context, int) error {
	return func(ctx context.Context, n int) error {
		if n != nth {
			return nil
		}
		<-ctx.Done()
		return context.Cause(ctx)
	}
}

// TestARunReadsWithASeatAndAsksWithoutIt has first runs, runs of several stretches, and runs that list what is in Owlat.
func TestARunReadsWithASeatAndAsksWithoutIt(t *testing.T) {
	for _, c := range []struct {
		name        string
		rows, again int // created by the run before; all rows
		full        bool
		takes       int
	}{
		{"nothing to do", 5, 5, false, 1},
		{"a first run", 0, 5, false, 1},
		{"several stretches", 0, 13, false, 3},
		{"a full run", 3, 5, true, 2}, // before it begins, and after it has listed
	} {
		t.Run(c.name, func(t *testing.T) {
			inSlowWorld(t, func(t *testing.T, w *world, transport *slow) {
				e, client := w.engine()
				defer client.CloseIdleConnections()
				if c.rows > 0 {
					if _, err := w.runSlow(t.Context(), e, folk(c.rows), reconcile.RunOptions{}); err != nil {
						t.Fatal(err)
					}
				}
				seat, asked := &chair{}, 0
				transport.before = func(*http.Request) {
					if asked++; seat.has() {
						t.Error("Owlat is asked with the seat")
					}
				}
				s := folk(c.again)
				s.before = func(int) {
					if !seat.has() {
						t.Error("the source is read without the seat")
					}
				}
				if _, err := w.runSlow(t.Context(), e, s, reconcile.RunOptions{Seat: seat, Full: c.full}); err != nil {
					t.Fatal(err)
				}
				if seat.takes != c.takes || seat.has() || (asked > 0) != (c.full || c.again > c.rows) {
					t.Errorf("the seat was taken %d times, want %d; it is left: %v; %d requests", seat.takes, c.takes, !seat.has(), asked)
				}
			})
		})
	}
}

// TestARunThatWaitsForItsFirstSeatHasNotBegun has a run that is asked to stop, and one that is aborted, before it had a seat.
func TestARunThatWaitsForItsFirstSeatHasNotBegun(t *testing.T) {
	inSlowWorld(t, func(t *testing.T, w *world, _ *slow) {
		e, client := w.engine()
		defer client.CloseIdleConnections()
		aborted := errors.New("aborted")
		ctx, abort := context.WithCancelCause(t.Context())
		stop := make(chan struct{})
		for _, c := range []struct {
			end  func()
			want error
		}{{func() { close(stop) }, reconcile.ErrInterrupted}, {func() { abort(aborted) }, aborted}} {
			ended := make(chan error)
			go func() {
				_, err := w.runSlow(ctx, e, folk(1), reconcile.RunOptions{Seat: &chair{wait: waitFor(1)}, Stop: stop})
				ended <- err
			}()
			synctest.Wait()
			lock, err := w.ledger.Acquire(t.Context(), ledger.Claim{})
			if err != nil {
				t.Fatalf("who waits for a seat keeps the lock: %v", err)
			}
			if err := lock.Release(); err != nil {
				t.Error(err)
			}
			c.end()
			if err := <-ended; !errors.Is(err, c.want) {
				t.Errorf("it ends with %v, not %v", err, c.want)
			}
			stop = nil
		}
		if runs, err := w.ledger.Runs(t.Context(), "", 0); err != nil || len(runs) != 0 {
			t.Errorf("it left %+v: %v", runs, err)
		}
	})
}

// TestARunThatWaitsForALaterSeat stops one between two stretches, aborts one, and takes the lock from one: each ends at once, and tells the rows that it did not reach.
func TestARunThatWaitsForALaterSeat(t *testing.T) {
	aborted := errors.New("aborted")
	for name, c := range map[string]struct {
		want   error
		status ledger.Status // of its record; empty: it has lost the right to say
	}{
		"stopped": {reconcile.ErrInterrupted, ledger.StatusInterrupted}, "aborted": {aborted, ledger.StatusInterrupted}, "without its lock": {ledger.ErrLockLost, ""},
	} {
		t.Run(name, func(t *testing.T) {
			inSlowWorld(t, func(t *testing.T, w *world, _ *slow) {
				taken := &takenLock{Store: w.ledger}
				w.through = taken
				e, client := w.engine()
				defer client.CloseIdleConnections()
				ctx, abort := context.WithCancelCause(t.Context())
				defer abort(nil)
				stop, waits := make(chan struct{}), make(chan struct{})
				seat := &chair{wait: func(ctx context.Context, n int) error {
					if n == 2 {
						close(waits)
					}
					return waitFor(2)(ctx, n)
				}}
				ended := make(chan error)
				go func() {
					report, err := w.runSlow(ctx, e, folk(13), reconcile.RunOptions{Seat: seat, Stop: stop})
					if report == nil || !report.Balanced() || report.Rows != 13 {
						t.Errorf("the report %+v", report)
					}
					ended <- err
				}()
				<-waits
				began := time.Now()
				switch c.want {
				case aborted:
					abort(aborted)
				case ledger.ErrLockLost:
					taken.lose(ledger.ErrLockLost)
				default:
					close(stop)
				}
				if err := <-ended; !errors.Is(err, c.want) {
					t.Errorf("it ends with %v", err)
				}
				if waited := time.Since(began); waited > time.Second {
					t.Errorf("it ends after %s", waited)
				}
				runs, err := w.ledger.Runs(t.Context(), "", 0)
				if err != nil || len(runs) != 1 || c.status != "" && runs[0].Status != c.status {
					t.Errorf("its record is %+v: %v", runs, err)
				}
			})
		})
	}
}

// takenLock is a ledger whose lock may be lost.
type takenLock struct {
	ledger.Store
	lose context.CancelCauseFunc
}

type lostLock struct {
	ledger.Lock
	ctx context.Context
}

func (k *lostLock) Context() context.Context { return k.ctx }

func (k *lostLock) Check() error { return context.Cause(k.ctx) }

func (l *takenLock) Acquire(ctx context.Context, claim ledger.Claim) (ledger.Lock, error) {
	lock, err := l.Store.Acquire(ctx, claim)
	if err != nil {
		return nil, err
	}
	k := &lostLock{Lock: lock}
	k.ctx, l.lose = context.WithCancelCause(lock.Context())
	return k, nil
}

// TestASlowSourceKeepsNoSeat has a source that lets the run wait: others have the seat meanwhile.
func TestASlowSourceKeepsNoSeat(t *testing.T) {
	inSlowWorld(t, func(t *testing.T, w *world, _ *slow) {
		e, client := w.engine()
		defer client.CloseIdleConnections()
		seat, s := &chair{}, folk(1)
		s.before = func(int) {
			for range 3 {
				if time.Sleep(time.Second); time.Since(s.scans[0]) < time.Second && !seat.has() {
					t.Error("the seat is left at once")
				}
			}
			if seat.has() {
				t.Error("the seat is kept for a source that is slow")
			}
		}
		if _, err := w.runSlow(t.Context(), e, s, reconcile.RunOptions{Seat: seat}); err != nil {
			t.Fatal(err)
		}
	})
}
