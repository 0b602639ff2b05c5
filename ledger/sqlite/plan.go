package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"iter"

	"owlatsync/ledger"
)

// planPage is how many items Spooled reads at a time, so that no read transaction keeps the log from being recycled while
// a long run applies its plan.
const planPage = 512

// Spool appends items to the plan of a run that BeginRun has numbered, all or none. They are visible at once and durable
// after the next durable write.
func (l *Ledger) Spool(ctx context.Context, run int64, items []ledger.PlanItem) error {
	if len(items) == 0 {
		return nil
	}
	return l.update(ctx, "spool plan in ledger", lazy, func(t *tx) error {
		var next int64
		err := t.row("UPDATE runs SET spooled = spooled + ?2 WHERE id = ?1 RETURNING spooled", []any{run, len(items)}, &next)
		if err != nil {
			return unknownRun(err, run)
		}
		seq := next - int64(len(items))
		for i := range items {
			body := items[i].Body
			if body == nil {
				body = []byte{}
			}
			err := t.exec("INSERT INTO plan (run, phase, ord, seq, key, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
				run, items[i].Phase, items[i].Order, seq+int64(i), items[i].Key, body)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Spooled streams the run's items of one phase by ascending Order, then in the sequence of their spooling. All methods may
// be called while it streams; an item spooled meanwhile appears if its place is still to come.
func (l *Ledger) Spooled(ctx context.Context, run int64, phase int) iter.Seq2[ledger.PlanItem, error] {
	return func(yield func(ledger.PlanItem, error) bool) {
		var after *place
		for {
			items, last, err := l.planPage(ctx, run, phase, after)
			if err != nil {
				yield(ledger.PlanItem{}, fmt.Errorf("read plan of the ledger: %w", explain(ctx, err)))
				return
			}
			for _, item := range items {
				if !yield(item, nil) {
					return
				}
			}
			if len(items) < planPage {
				return
			}
			after = last
		}
	}
}

// place is where an item stands within its phase.
type place struct{ order, seq int64 }

func (l *Ledger) planPage(ctx context.Context, run int64, phase int, after *place) ([]ledger.PlanItem, *place, error) {
	query, args := "SELECT ord, seq, key, body FROM plan WHERE run = ?1 AND phase = ?2 ", []any{run, phase, planPage}
	if after != nil {
		query, args = query+"AND (ord, seq) > (?4, ?5) ", append(args, after.order, after.seq)
	}
	items, last := make([]ledger.PlanItem, 0, planPage), new(place)
	err := l.query(ctx, query+"ORDER BY ord, seq LIMIT ?3", args, func(rows *sql.Rows) error {
		item := ledger.PlanItem{Phase: phase}
		if err := rows.Scan(&last.order, &last.seq, &item.Key, &item.Body); err != nil {
			return err
		}
		item.Order = last.order
		items = append(items, item)
		return nil
	})
	return items, last, err
}

// Unspool drops the run's plan; a run without one is passed over.
func (l *Ledger) Unspool(ctx context.Context, run int64) error {
	return l.update(ctx, "drop plan in ledger", lazy, func(t *tx) error {
		return t.exec("DELETE FROM plan WHERE run = ?1", run)
	})
}
