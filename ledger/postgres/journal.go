package postgres

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/jackc/pgx/v5"

	"owlatsync/ledger"
	"owlatsync/ledger/internal/runform"
	"owlatsync/ledger/postgres/internal/pgrow"
	"owlatsync/ledger/postgres/internal/runrow"
)

// journal implements ledger.Journal.
type journal struct{ *base }

const (
	fromRuns   = " FROM @runs r JOIN @syncs s ON s.id = r.sync WHERE r.deployment = $1 "
	runOf      = "SELECT " + runrow.Columns + fromRuns + "AND r.id = $2"
	allRuns    = "SELECT " + runrow.Columns + fromRuns + "AND r.mode <> 'plan' ORDER BY r.id DESC LIMIT $2"
	latestRuns = "SELECT " + runrow.Columns + fromRuns + "AND r.sync = " + ofSync + " AND r.mode <> 'plan' ORDER BY r.id DESC LIMIT $3"
	runsBefore = "SELECT " + runrow.Columns + fromRuns + "AND r.sync = " + ofSync + " AND r.mode <> 'plan' AND r.id < $3 ORDER BY r.id DESC LIMIT $4"
	runsSince  = "SELECT " + runrow.Columns + fromRuns + "AND r.sync = " + ofSync + " AND r.mode <> 'plan' AND r.finished >= $3 ORDER BY r.finished, r.id LIMIT $4"
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

// RunsBefore implements ledger.Journal.
func (j journal) RunsBefore(ctx context.Context, sync string, number int64, limit int) ([]ledger.Run, error) {
	return j.runs(ctx, runsBefore, sync, number, pgrow.Limit(limit))
}

// RunsSince implements ledger.Journal.
func (j journal) RunsSince(ctx context.Context, sync string, ended time.Time, limit int) ([]ledger.Run, error) {
	return j.runs(ctx, runsSince, sync, ended.UnixMicro(), pgrow.Limit(limit))
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

// Plan implements ledger.Journal.
func (j journal) Plan(ctx context.Context, run int64) iter.Seq2[ledger.PlanItem, error] {
	return runform.Plan(ctx, run, j.PlanPart)
}

// PlanPart implements ledger.Journal.
func (j journal) PlanPart(ctx context.Context, want ledger.PlanPart) ([]ledger.PlacedItem, error) {
	items, err := runrow.PlanPart(ctx, j.query, want)
	return reading(ctx, "plan", items, err)
}
