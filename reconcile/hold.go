package reconcile

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"owlatsync"
	"owlatsync/ledger"
)

// compared passes the steps that a plan sends, with what it is compared by: the hash of the step's name, and that of its outcome
// and changes. Times do not count. Only the rows with the given keys do, if there are any.
func compared(steps func(phase int) iter.Seq2[step, error], only []string, each func(st step, name, does uint64)) error {
	for phase := phaseSettle; phase <= lastPhase; phase++ {
		for st, err := range steps(phase) {
			if err != nil {
				return err
			}
			if len(st.Changes) == 0 && st.pending() == 0 {
				continue // the ledger alone
			}
			if len(only) > 0 && !slices.Contains(only, st.Row.Key) {
				continue
			}
			var b strings.Builder
			fmt.Fprintf(&b, "%d\x00%d\x00%s\x00%d", phase, st.order, st.Outcome, st.pending())
			for _, c := range st.Changes {
				fmt.Fprintf(&b, "\x00%q", c)
			}
			each(st, ledger.HashText(fmt.Sprintf("%s\x00%v", st.Row.Key, st.Partial)), ledger.HashText(b.String()))
		}
	}
	return nil
}

// unmoved checks that the plan is that of the held run, as far as it was asked for, and returns a *MovedError if not.
func (e *Engine) unmoved(ctx context.Context, held int64, plan *spool, part owlatsync.Part) error {
	kept := func(phase int) iter.Seq2[step, error] { return storedSteps(ctx, e.ledger, held, phase) }
	before := make(map[uint64]uint64)
	err := compared(kept, part.Only, func(_ step, name, does uint64) { before[name] = does })
	if err != nil {
		return fmt.Errorf("read the plan of run %d: %w", held, err)
	}
	moved := &MovedError{Run: held}
	differs := func(st step) {
		moved.Rows++
		if len(moved.Keys) < 5 {
			moved.Keys = append(moved.Keys, rowName(st.Row.Key))
		}
	}
	err = compared(func(phase int) iter.Seq2[step, error] { return plan.allSteps(ctx, phase) }, part.Only, func(st step, name, does uint64) {
		if was, planned := before[name]; !planned || was != does {
			differs(st)
		}
		delete(before, name)
	})
	if err != nil {
		return fmt.Errorf("read the plan: %w", err)
	}
	if len(before) > 0 {
		err := compared(kept, part.Only, func(st step, name, _ uint64) {
			if _, dropped := before[name]; dropped {
				differs(st)
			}
		})
		if err != nil {
			return fmt.Errorf("read the plan of run %d: %w", held, err)
		}
	}
	if moved.Rows > 0 {
		return moved
	}
	return nil
}

// held returns the run if it is held.
func (e *Engine) held(ctx context.Context, s *Sync, id int64) (*ledger.Run, error) {
	runs, err := e.ledger.Runs(ctx, s.Name, 0)
	if err != nil {
		return nil, fmt.Errorf("read the runs: %w", err)
	}
	for i := range runs {
		if runs[i].ID != id {
			continue
		}
		if runs[i].Status != ledger.StatusHeld {
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
		run.Status = ledger.StatusSuperseded
		if run.ID == approved {
			run.Status = ledger.StatusApproved
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
