package reconcile

import (
	"context"
	"fmt"
	"time"

	"owlatsync"
	"owlatsync/ledger"
)

// categoryExchange is the category of rows that exchange addresses.
const categoryExchange = "exchange"

// refuse ends a rename that cannot be sent as failed. The failure stands in the ledger until it passes; every run looks at it
// anew, as that costs nothing and other rows decide when it passes.
func (p *planner) refuse(ctx context.Context, it *item) error {
	re := &rowError{class: ledger.RetryLater, category: categoryExchange, reason: it.Reason}
	f := fail(nil, it.Row.Fingerprint, re, 0, p.now)
	known := it.Entry.Failure
	told := known != nil && known.Category == f.Category && known.Reason == f.Reason && known.Fingerprint == f.Fingerprint
	if !told {
		failing(it.Entry, f)
	}
	if len(it.Changes) > 0 { // applying those records it
		return nil
	}
	p.endAs(it.decision(), categoryExchange)
	if told {
		return nil
	}
	return p.spool.addRefused(ctx, it)
}

// keepRefused records the failures of renames for whose rows the plan has no step. Nothing else of their entries changes.
func (e *Engine) keepRefused(ctx context.Context, p *planner) error {
	ctx = context.WithoutCancel(ctx)
	batch := make([]*item, 0, spoolBatch)
	for st, err := range p.spool.allRefused(ctx) {
		if err != nil {
			return fmt.Errorf("read the plan: %w", err)
		}
		if batch = append(batch, st.item); len(batch) == spoolBatch {
			if err := e.recordRefused(ctx, p, batch); err != nil {
				return err
			}
			batch = batch[:0]
		}
	}
	return e.recordRefused(ctx, p, batch)
}

func (e *Engine) recordRefused(ctx context.Context, p *planner, batch []*item) error {
	if len(batch) == 0 {
		return nil
	}
	keys := make([]string, len(batch))
	for i, it := range batch {
		keys[i] = it.Row.Key
	}
	entries, err := e.ledger.Entries(ctx, p.sync.Name, keys)
	if err != nil {
		return fmt.Errorf("read the ledger: %w", err)
	}
	var records []ledger.Record
	for _, it := range batch {
		if entry := entries[it.Row.Key]; entry != nil {
			failing(entry, it.Entry.Failure)
			entry.ChangedAt = time.Now()
			records = append(records, ledger.Record{Sync: p.sync.Name, Run: p.spool.run, Entry: entry, Event: string(owlatsync.Failed), Note: it.Reason})
		}
	}
	if err := e.ledger.Record(ctx, records...); err != nil {
		return fmt.Errorf("record the rows that exchange addresses: %w", err)
	}
	return nil
}

// failing notes the failure, and that the row is not applied, be it that it changes back.
func failing(e *ledger.Entry, f *ledger.Failure) {
	e.Failure = f
	if !e.Fingerprint.IsZero() { // which may also tell of a doubt
		e.Fingerprint = ledger.Fingerprint{}
	}
}
