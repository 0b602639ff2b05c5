package postgres

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/jackc/pgx/v5"

	"owlatsync/ledger"
	"owlatsync/ledger/internal/entry"
	"owlatsync/ledger/postgres/internal/pgrow"
	"owlatsync/ledger/postgres/internal/runrow"
	"owlatsync/ledger/postgres/internal/server"
)

// journal implements ledger.Journal.
type journal struct{ *base }

const (
	fromRuns   = " FROM @runs r JOIN @syncs s ON s.id = r.sync WHERE r.deployment = $1 "
	runOf      = "SELECT " + runrow.Columns + fromRuns + "AND r.id = $2"
	allRuns    = "SELECT " + runrow.Columns + fromRuns + "AND r.mode <> 'plan' ORDER BY r.id DESC LIMIT $2"
	latestRuns = "SELECT " + runrow.Columns + fromRuns + "AND r.sync = " + ofSync + " AND r.mode <> 'plan' ORDER BY r.id DESC LIMIT $3"
	heldRuns   = "SELECT " + runrow.Columns + fromRuns + "AND r.sync = " + ofSync + " AND r.status = 'held' ORDER BY r.id DESC"
	queuedRuns = "SELECT " + runrow.Columns + fromRuns + "AND r.status = 'queued' ORDER BY r.id"
)

// Run returns the run with the number.
func (j journal) Run(ctx context.Context, id int64) (*ledger.Run, error) {
	runs, err := j.runs(ctx, runOf, id)
	if err == nil && len(runs) == 0 {
		err = fmt.Errorf("read runs of the ledger: %w", &ledger.NoRunError{Run: id})
	}
	if err != nil {
		return nil, err
	}
	return &runs[0], nil
}

// Runs returns the latest runs of the sync, newest first. An empty sync means all syncs, a limit below 1 all runs.
func (j journal) Runs(ctx context.Context, sync string, limit int) ([]ledger.Run, error) {
	if sync == "" {
		return j.runs(ctx, allRuns, pgrow.Limit(limit))
	}
	return j.runs(ctx, latestRuns, sync, pgrow.Limit(limit))
}

// Briefs implements ledger.Journal.
func (j journal) Briefs(ctx context.Context, sync string, since time.Time, limit int) ([]ledger.Brief, error) {
	found, err := runrow.Briefs(ctx, j.query, sync, since, limit)
	return reading(ctx, "runs", found, err)
}

// HeldRuns returns the sync's held runs, newest first.
func (j journal) HeldRuns(ctx context.Context, sync string) ([]ledger.Run, error) {
	return j.runs(ctx, heldRuns, sync)
}

func (j journal) runs(ctx context.Context, query string, args ...any) (runs []ledger.Run, err error) {
	err = j.query(ctx, query, args, func(rows pgx.Rows) error {
		r, err := runrow.Scan(rows)
		runs = append(runs, r)
		return err
	})
	return reading(ctx, "runs", runs, err)
}

// planPage is how many items Plan reads at once.
const planPage = 512

// firstPlanPage and nextPlanPage find items of a run whose plan is kept: nobody sees what is left of any other.
const (
	planColumns = `SELECT phase, ord, seq, key, body, addresses FROM @plan WHERE deployment = $1 AND run = $2
		AND EXISTS (SELECT 1 FROM @runs WHERE deployment = $1 AND id = $2 AND status IN ('running', 'waiting', 'held'))`
	planOrder     = " ORDER BY phase, ord, seq LIMIT $3"
	firstPlanPage = planColumns + planOrder
	nextPlanPage  = planColumns + " AND (phase, ord, seq) > ($4, $5, $6)" + planOrder
)

// Plan streams the kept items of a held run by ascending Phase and Order, then in the order in which they were kept. All methods
// may be called while it streams; an item kept meanwhile appears if its place is still to come.
func (j journal) Plan(ctx context.Context, run int64) iter.Seq2[ledger.PlanItem, error] {
	return func(yield func(ledger.PlanItem, error) bool) {
		query, args := firstPlanPage, []any{run, planPage}
		for {
			items, last, err := j.planPage(ctx, query, args)
			if err != nil {
				yield(ledger.PlanItem{}, fmt.Errorf("read plan of the ledger: %w", server.Explain(ctx, err)))
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
			query, args = nextPlanPage, []any{run, planPage, last.phase, last.order, last.seq}
		}
	}
}

// planPlace is the place of an item in its plan.
type planPlace struct{ phase, order, seq int64 }

func (j journal) planPage(ctx context.Context, query string, args []any) (items []ledger.PlanItem, last planPlace, err error) {
	err = j.query(ctx, query, args, func(rows pgx.Rows) error {
		var item ledger.PlanItem
		var addresses []byte
		if err := rows.Scan(&last.phase, &last.order, &last.seq, &item.Key, &item.Body, &addresses); err != nil {
			return err
		}
		item.Addresses = entry.DecodeHashes(addresses)
		item.Phase, item.Order = int(last.phase), last.order
		items = append(items, item)
		return nil
	})
	return items, last, err
}
