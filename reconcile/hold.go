package reconcile

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/zeebo/xxh3"

	"owlatsync"
)

// Statuses of a run in the ledger.
const (
	StatusRunning     = "running"
	StatusOK          = "ok"
	StatusFailedRows  = "failed rows"
	StatusStopped     = "stopped"
	StatusInterrupted = "interrupted"
	StatusHeld        = "held"       // by a guard; the plan is kept
	StatusApproved    = "approved"   // was held, and its plan applied by another run
	StatusSuperseded  = "superseded" // was held, and a later run made its plan moot
	StatusDied        = "died"       // its process was killed, or its machine stopped
	StatusError       = "error"
)

// digest is what a held plan is compared by: for every step its row, outcome and changes. Times do not count. Only the rows
// with the given keys do, if there are any.
func digest(steps func(phase int) iter.Seq2[step, error], only []string) (map[string]uint64, error) {
	found := make(map[string]uint64)
	for phase := phaseSettle; phase <= lastPhase; phase++ {
		for it, err := range steps(phase) {
			if err != nil {
				return nil, err
			}
			if len(it.Changes) == 0 && it.pending() == 0 {
				continue // the ledger alone
			}
			if len(only) > 0 && !slices.Contains(only, it.Row.Key) {
				continue
			}
			var b strings.Builder
			fmt.Fprintf(&b, "%d\x00%d\x00%s\x00%d", phase, it.order, it.Outcome, it.pending())
			for _, c := range it.Changes {
				fmt.Fprintf(&b, "\x00%q", c)
			}
			found[fmt.Sprintf("%s\x00%v", it.Row.Key, it.Partial)] = xxh3.HashString(b.String())
		}
	}
	return found, nil
}

// unmoved checks that the plan is that of the held run, as far as it was asked for, and returns a *MovedError if not.
func (e *Engine) unmoved(ctx context.Context, held int64, plan *spool, part Part) error {
	before, err := digest(func(phase int) iter.Seq2[step, error] { return storedSteps(ctx, e.ledger, held, phase) }, part.Only)
	if err != nil {
		return fmt.Errorf("read the plan of run %d: %w", held, err)
	}
	now, err := digest(func(phase int) iter.Seq2[step, error] { return plan.allSteps(ctx, phase) }, part.Only)
	if err != nil {
		return fmt.Errorf("read the plan: %w", err)
	}
	moved := &MovedError{Run: held}
	differs := func(step string) {
		moved.Rows++
		if len(moved.Keys) < 5 {
			key, _, _ := strings.Cut(step, "\x00")
			moved.Keys = append(moved.Keys, rowName(key))
		}
	}
	for _, step := range slices.Sorted(maps.Keys(now)) {
		if was, planned := before[step]; !planned || was != now[step] {
			differs(step)
		}
		delete(before, step)
	}
	for _, step := range slices.Sorted(maps.Keys(before)) {
		differs(step)
	}
	if moved.Rows > 0 {
		return moved
	}
	return nil
}

// held returns the run if it is held.
func (e *Engine) held(ctx context.Context, s *Sync, id int64) (*Run, error) {
	runs, err := e.ledger.Runs(ctx, s.Name, 0)
	if err != nil {
		return nil, fmt.Errorf("read the runs: %w", err)
	}
	for i := range runs {
		if runs[i].ID != id {
			continue
		}
		if runs[i].Status != StatusHeld {
			return nil, fmt.Errorf("run %d of sync %q is not held: it ended as %q", id, s.Name, runs[i].Status)
		}
		return &runs[i], nil
	}
	return nil, fmt.Errorf("sync %q has no run %d", s.Name, id)
}

// settleHeld ends what is held of the sync, because a run has done what there was to do, or is held itself. One that reads
// only changes does not do what a run that read everything was held for, nor one that applies a part what a whole one was.
func (e *Engine) settleHeld(ctx context.Context, s *Sync, approved int64, changes, partial bool) error {
	runs, err := e.ledger.HeldRuns(ctx, s.Name)
	if err != nil {
		return fmt.Errorf("read the runs: %w", err)
	}
	for _, run := range runs {
		if changes && run.ID != approved && run.Report != nil && run.Report.Reading != nil && run.Report.Reading.Mode == owlatsync.ReadAll {
			continue
		}
		if partial && run.ID != approved {
			if part, err := PartOf(ctx, e.ledger, run.ID); err == nil && part.Whole() {
				continue
			}
		}
		run.Status = StatusSuperseded
		if run.ID == approved {
			run.Status = StatusApproved
		}
		if err := e.ledger.EndRun(ctx, run); err != nil {
			return fmt.Errorf("record the run: %w", err)
		}
		if err := e.ledger.Unspool(ctx, run.ID); err != nil {
			return fmt.Errorf("drop the held plan: %w", err)
		}
	}
	return nil
}
