package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/ledger/memory"
	"owlatsync/reconcile"
	"owlatsync/reconcile/progress"
)

// turn is a turn that others want from a time on, and what they do with it.
type turn struct {
	wanted func() bool
	yield  func(context.Context) error
	times  []time.Time
}

func (t *turn) Wanted() bool { return t.wanted() }

func (t *turn) Yield(ctx context.Context) error {
	t.times = append(t.times, time.Now())
	return t.yield(ctx)
}

// once is wanted until it was yielded so many times.
func (t *turn) once(times int) *turn {
	t.wanted = func() bool { return len(t.times) < times }
	return t
}

// takesTurns has a slow world with a ledger that its engine shares with those who want the turn, of each kind.
func takesTurns(t *testing.T, story func(t *testing.T, w *world, e *reconcile.Engine, other reconcile.Sync)) {
	t.Helper()
	t.Parallel()
	for _, in := range []string{"memory", "a file"} {
		t.Run(in, func(t *testing.T) {
			inSlowWorld(t, func(t *testing.T, w *world, _ *slow) {
				if w.through = w.ledger; in == "memory" {
					w.through = memory.New()
				}
				w.sync.Fresh = time.Hour
				e, client := w.engine()
				defer client.CloseIdleConnections()
				other := w.sync
				other.Name = "members"
				story(t, w, e, other)
			})
		})
	}
}

// runSlow runs the sync with the turn.
func (w *world) runSlow(ctx context.Context, e *reconcile.Engine, s *table, o reconcile.RunOptions) (*owlatsync.Report, error) {
	sync := w.sync
	sync.Source = s
	o.Observers = []progress.Observer{{Each: w.note, Complete: true}}
	return e.Run(ctx, sync, o)
}

// TestALongRunGivesItsTurn lets two short runs of another sync go between the stretches of a long one.
func TestALongRunGivesItsTurn(t *testing.T) {
	takesTurns(t, func(t *testing.T, w *world, e *reconcile.Engine, other reconcile.Sync) {
		ctx := t.Context()
		s, theirs := folk(20), &table{list: []owlatsync.Row{user("a", "a@example.net", "Eve", true)}}
		s.before = func(scan int) {
			if scan == 2 { // who withdraws while the run waits is not added any more
				s.row("19").Consents = []owlatsync.Consent{owlatsync.No}
			}
		}
		gives := new(turn).once(2)
		gives.yield = func(ctx context.Context) error {
			state, ok := e.State("users")
			runs, err := w.through.Runs(ctx, "users", 1)
			if !ok || !state.Waiting || err != nil || runs[0].Status != ledger.StatusWaiting {
				t.Errorf("while it waits, the state is %+v (%v), the run %+v: %v", state, ok, runs, err)
			}
			other.Source = theirs
			report, err := e.Run(ctx, other, reconcile.RunOptions{})
			if err != nil || report.Rows != 1 {
				t.Errorf("the other run: %+v, %v", report, err)
			}
			return nil
		}
		report, err := w.runSlow(ctx, e, s, reconcile.RunOptions{Turn: gives})
		if err != nil {
			t.Fatal(err)
		}
		expect(t, report, "created 20")
		if report.Memberships.Added != 19 || !report.Balanced() {
			t.Errorf("the report %+v", report)
		}
		if len(s.scans) != 3 || len(theirs.scans) != 2 || len(gives.times) != 2 {
			t.Errorf("%d and %d scans, %d turns", len(s.scans), len(theirs.scans), len(gives.times))
		}
		for i, at := range gives.times {
			if applied := at.Sub(s.scans[i]); applied < 10*time.Second || applied > 10*time.Second+3*perRequest {
				t.Errorf("turn %d is given %s after the source was read", i+1, applied)
			}
		}
		if waits, afresh := values[progress.Waiting](w), values[progress.Afresh](w); len(waits) != 2 || len(afresh) != 2 {
			t.Errorf("told %v and %v", waits, afresh)
		}
		runs, err := w.through.Runs(ctx, "", 0)
		if err != nil || len(runs) != 3 || slices.ContainsFunc(runs, func(r ledger.Run) bool { return r.Status != ledger.StatusOK }) {
			t.Errorf("the runs %+v: %v", runs, err)
		}
		if last := runs[len(runs)-1]; last.Epoch <= runs[0].Epoch || last.Report.Outcomes[owlatsync.Created] != 20 {
			t.Errorf("the long run's record is %+v", last)
		}
		if state, goesOn := e.State("users"); goesOn {
			t.Errorf("the run still goes on: %+v", state)
		}
		again, err := w.runSlow(ctx, e, s, reconcile.RunOptions{})
		if err != nil {
			t.Fatal(err)
		}
		expect(t, again, "unchanged 20")
	})
}

// TestATurnIsFair has somebody who wants the turn always: the run still comes to its end, in stretches as long as its reading.
func TestATurnIsFair(t *testing.T) {
	takesTurns(t, func(t *testing.T, w *world, e *reconcile.Engine, _ reconcile.Sync) {
		s := folk(20)
		s.before = func(int) { time.Sleep(30 * time.Second) } // reading takes so long
		gives := &turn{wanted: func() bool { return true }, yield: func(context.Context) error { return nil }}
		report, err := w.runSlow(t.Context(), e, s, reconcile.RunOptions{Turn: gives})
		if err != nil {
			t.Fatal(err)
		}
		expect(t, report, "created 20")
		for i, at := range gives.times {
			if applied := at.Sub(s.scans[i]); applied < 60*time.Second {
				t.Errorf("turn %d is given %s after the reading began, which took 30 s", i+1, applied)
			}
		}
		if len(gives.times) < 4 {
			t.Errorf("%d turns were given", len(gives.times))
		}
	})
}

// TestASourceThatIsReadOnceGivesNoTurn has a sync that must not read its source again.
func TestASourceThatIsReadOnceGivesNoTurn(t *testing.T) {
	takesTurns(t, func(t *testing.T, w *world, e *reconcile.Engine, _ reconcile.Sync) {
		w.sync.Fresh = -1
		gives := &turn{wanted: func() bool { return true }, yield: func(context.Context) error { return errors.New("given") }}
		report, err := w.runSlow(t.Context(), e, folk(20), reconcile.RunOptions{Turn: gives})
		if err != nil {
			t.Fatal(err)
		}
		expect(t, report, "created 20")
	})
}

// TestARunEndsWhileItWaits ends a run that waits in every way, and looks at what is recorded.
func TestARunEndsWhileItWaits(t *testing.T) {
	t.Parallel()
	ours := errors.New("there is no turn any more")
	for name, tt := range map[string]struct {
		yield  func(ctx context.Context, w *world, e *reconcile.Engine, stop func(), cancel func()) error
		want   error
		status ledger.Status
	}{
		"stopped": {func(ctx context.Context, _ *world, _ *reconcile.Engine, stop, _ func()) error {
			stop()
			<-ctx.Done()
			return nil
		}, reconcile.ErrInterrupted, ledger.StatusInterrupted},
		"cancelled": {func(ctx context.Context, _ *world, _ *reconcile.Engine, _, cancel func()) error {
			cancel()
			return ctx.Err()
		}, context.Canceled, ledger.StatusInterrupted},
		"refused": {func(context.Context, *world, *reconcile.Engine, func(), func()) error { return ours }, ours, ledger.StatusError},
		"overtaken": {func(ctx context.Context, w *world, e *reconcile.Engine, _, _ func()) error {
			sync := w.sync
			sync.Source = folk(1)
			_, err := e.Run(ctx, sync, reconcile.RunOptions{})
			return err
		}, ledger.ErrRunEnded, ledger.StatusDied},
		"stopped while another holds the lock": {func(ctx context.Context, w *world, _ *reconcile.Engine, stop, _ func()) error {
			lock, err := w.through.Acquire(context.WithoutCancel(ctx), ledger.Claim{})
			if err != nil {
				return err
			}
			time.AfterFunc(8*time.Second, func() { _ = lock.Release() })
			time.AfterFunc(5*time.Second, stop)
			return nil
		}, reconcile.ErrInterrupted, ledger.StatusInterrupted},
	} {
		t.Run(name, func(t *testing.T) {
			takesTurns(t, func(t *testing.T, w *world, e *reconcile.Engine, _ reconcile.Sync) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				stop := make(chan struct{})
				gives := new(turn).once(1)
				gives.yield = func(ctx context.Context) error { return tt.yield(ctx, w, e, func() { close(stop) }, cancel) }
				report, err := w.runSlow(ctx, e, folk(20), reconcile.RunOptions{Turn: gives, Stop: stop})
				if !errors.Is(err, tt.want) {
					t.Fatalf("the run ended with %v, want %v", err, tt.want)
				}
				if !report.Balanced() || report.Rows != 20 || report.Outcomes[owlatsync.Skipped] == 0 {
					t.Errorf("the report %+v", report)
				}
				run, err := w.through.Run(t.Context(), 1)
				if err != nil || run.Status != tt.status {
					t.Errorf("the run is recorded as %+v: %v", run, err)
				}
				if ended := values[progress.Ended](w); len(ended) != 1 {
					t.Errorf("told %d ends", len(ended))
				}
				if lock, err := w.through.Acquire(t.Context(), ledger.Claim{}); err != nil {
					t.Errorf("the ledger stays locked: %v", err)
				} else {
					_ = lock.Release()
				}
				again, err := w.runSlow(t.Context(), e, folk(20), reconcile.RunOptions{})
				if err != nil || again.Rows != 20 || !again.Balanced() {
					t.Errorf("the next run: %+v, %v", again, err)
				}
			})
		})
	}
}

// TestAnApprovalLastsWhileTheRunWaits approves a held run that gives its turn: the approval covers what is left.
func TestAnApprovalLastsWhileTheRunWaits(t *testing.T) {
	takesTurns(t, func(t *testing.T, w *world, e *reconcile.Engine, _ reconcile.Sync) {
		w.sync.Guards = reconcile.Guards{}
		s := folk(30)
		_, err := w.runSlow(t.Context(), e, s, reconcile.RunOptions{})
		held, ok := errors.AsType[*reconcile.HeldError](err)
		if !ok {
			t.Fatal(err)
		}
		sync := w.sync
		sync.Source = s
		gives := new(turn).once(2)
		gives.yield = func(context.Context) error { return nil }
		report, err := e.Approve(t.Context(), sync, held.Run, reconcile.RunOptions{Turn: gives})
		if err != nil {
			t.Fatal(err)
		}
		expect(t, report, "created 30")
		if run, err := w.through.Run(t.Context(), held.Run); err != nil || run.Status != ledger.StatusApproved || len(gives.times) != 2 {
			t.Errorf("the held run is %+v: %v", run, err)
		}
	})
}

// TestALimitCountsOnceWhileTheRunWaits asks for a few rows of many.
func TestALimitCountsOnceWhileTheRunWaits(t *testing.T) {
	takesTurns(t, func(t *testing.T, w *world, e *reconcile.Engine, _ reconcile.Sync) {
		gives := new(turn).once(3)
		gives.yield = func(context.Context) error { return nil }
		report, err := w.runSlow(t.Context(), e, folk(30), reconcile.RunOptions{Turn: gives, Part: owlatsync.Part{Limit: 12}})
		if err != nil {
			t.Fatal(err)
		}
		expect(t, report, "created 12, skipped 18")
	})
}

// TestAQueuedRunBeginsUnderItsNumber begins a queued run, and one that is not queued any more.
func TestAQueuedRunBeginsUnderItsNumber(t *testing.T) {
	takesTurns(t, func(t *testing.T, w *world, e *reconcile.Engine, other reconcile.Sync) {
		id, _, err := w.through.Enqueue(t.Context(), ledger.Run{Sync: "users", Mode: ledger.ModeRun, Started: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		other.Source = folk(1)
		if _, err := e.Run(t.Context(), other, reconcile.RunOptions{Run: id}); !errors.Is(err, ledger.ErrNoRun) {
			t.Errorf("a run of another sync took the number: %v", err)
		}
		report, err := w.runSlow(t.Context(), e, folk(1), reconcile.RunOptions{Run: id})
		if err != nil || report.Run != fmt.Sprint(id) {
			t.Fatalf("the report is of run %q: %v", report.Run, err)
		}
		if run, err := w.through.Run(t.Context(), id); err != nil || run.Status != ledger.StatusOK {
			t.Errorf("the run is %+v: %v", run, err)
		}
		if _, err := w.runSlow(t.Context(), e, folk(1), reconcile.RunOptions{Run: id}); !errors.Is(err, ledger.ErrNoRun) {
			t.Errorf("it began twice: %v", err)
		}
	})
}
