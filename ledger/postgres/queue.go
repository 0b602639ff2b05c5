package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"owlatsync/ledger"
	"owlatsync/ledger/internal/runform"
	"owlatsync/ledger/postgres/internal/pgrow"
	"owlatsync/ledger/postgres/internal/runrow"
	"owlatsync/ledger/postgres/internal/server"
)

// runQueue implements ledger.Queue.
type runQueue struct{ *base }

const (
	sameQueued = `SELECT id FROM @runs WHERE deployment = $1 AND status = 'queued' AND sync = $2 AND part IS NOT DISTINCT FROM $3 AND full_scan = $4 AND approves = $5 AND mode = $6
		ORDER BY id LIMIT 1`
	dequeue = "UPDATE @runs SET status = $3, message = $4, finished = $5 WHERE deployment = $1 AND id = $2 AND status = 'queued'"
)

// Enqueue implements ledger.Queue.
func (q runQueue) Enqueue(ctx context.Context, run ledger.Run) (id int64, isNew bool, err error) {
	const doing = "queue a run in ledger"
	run.Status, run.PlanForm = ledger.StatusQueued, 0
	args, err := runform.Encode(&run, time.Time{})
	if err != nil {
		return 0, false, fmt.Errorf("%s: %w", doing, err)
	}
	err = q.update(ctx, doing, server.Durable, func(t *tx) error {
		sync, err := t.syncID(run.Sync)
		if err != nil {
			return err
		}
		if _, err := t.numbers(pgrow.Runs, 0); err != nil { // so that nobody queues the same meanwhile
			return err
		}
		err = t.Row(sameQueued, []any{t.deployment, sync, args[runform.PartColumn], run.Full, run.Approves, string(run.Mode)}, &id)
		if !errors.Is(err, pgx.ErrNoRows) {
			isNew = false
			return err
		}
		isNew = true
		if id, err = t.numbers(pgrow.Runs, 1); err != nil {
			return err
		}
		return t.Exec(runrow.Insert, append([]any{t.deployment, id, sync, 0, run.Full, run.Approves}, args...)...)
	})
	if err != nil {
		return 0, false, err
	}
	return id, isNew, nil
}

// Queued implements ledger.Queue.
func (q runQueue) Queued(ctx context.Context) ([]ledger.Run, error) {
	return journal(q).runs(ctx, queuedRuns)
}

// Dequeue implements ledger.Queue.
func (q runQueue) Dequeue(ctx context.Context, id int64, status ledger.Status, message string) (was bool, err error) {
	const doing = "take a queued run of the ledger back"
	if !status.Ended() {
		return false, fmt.Errorf("%s: run %d is to end as %q", doing, id, status)
	}
	err = q.update(ctx, doing, server.Durable, func(t *tx) error {
		n, err := t.Change(dequeue, id, string(status), message, q.Now().UnixMicro())
		if was = n > 0; err == nil && !was {
			_, err = t.statusOf(id)
		}
		return err
	})
	return was && err == nil, err
}

// Dismiss implements ledger.Queue.
func (q runQueue) Dismiss(ctx context.Context, id int64) (was bool, err error) {
	err = q.update(ctx, "dismiss a held run of the ledger", server.Durable, func(t *tx) error {
		n, err := t.Change("UPDATE @runs SET status = $3, plan_form = 0 WHERE deployment = $1 AND id = $2 AND status = 'held'", id, string(ledger.StatusDismissed))
		if was = n > 0; err == nil && !was {
			_, err = t.statusOf(id)
		}
		return err
	})
	return was && err == nil, err
}
