package reconcile

import (
	"context"
	"errors"
	"fmt"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/apply"
	"owlatsync/reconcile/plan"
	"owlatsync/reconcile/step"
)

// unapplied is what becomes of the rows of a plan that are not applied.
type unapplied struct{ *work }

// leave tells every row without an outcome as skipped because of err. It leaves out rows that left the source. It returns err,
// joined with its own error.
func (w unapplied) leave(p *plan.Plan, err error) error {
	reason, category := apply.ReasonStopped, ledger.CategoryUnreached
	if _, ok := errors.AsType[*SourceError](err); ok {
		reason = "the source could not be read to its end, so that nothing was applied"
	} else if _, moved := errors.AsType[*MovedError](err); moved {
		reason, category = "the plan to be approved is not what would be done now, so that nothing was applied", ledger.CategoryHeld
	} else if errors.Is(err, ErrHeld) {
		reason, category = "a guard holds the run, so that nothing was applied", ledger.CategoryHeld
		if held, ok := errors.AsType[*HeldError](err); ok && held.Begun {
			reason = "a guard holds the rest of the run"
		}
	}
	for r, readErr := range p.Rest() {
		if readErr != nil {
			return also(err, readErr)
		}
		w.tell.Row(step.NewDecision(r.Key, r.Position, r.Email, owlatsync.Skipped, reason), category, false)
	}
	return err
}

// keepRefused records the failures of renames that have no step in the plan, and of rows that were not imported. Everything else of their entries stays.
func (w unapplied) keepRefused(ctx context.Context, p *plan.Plan) error {
	ctx = context.WithoutCancel(ctx)
	return inBatches(p.Refused(), func(batch []*step.Step) error {
		keys := make([]string, len(batch))
		for i, s := range batch {
			keys[i] = s.Row.Key
		}
		entries, err := w.reader.Entries(ctx, w.sync.Name, keys)
		if err != nil {
			return readLedger(err)
		}
		var records []ledger.Record
		for _, s := range batch {
			if entry := entries[s.Row.Key]; entry != nil {
				doubt := entry.Doubt
				plan.Failing(entry, s.Entry.Failure)
				entry.Doubt, entry.ChangedAt = doubt, w.reader.Now()
				records = append(records, ledger.Record{Sync: w.sync.Name, Run: w.run.ID, Entry: entry, Event: string(owlatsync.Failed), Note: s.Reason})
			}
		}
		if err := w.lock.Record(ctx, records...); err != nil {
			return fmt.Errorf("record the rows that exchange addresses or were not imported: %w", err)
		}
		return nil
	})
}
