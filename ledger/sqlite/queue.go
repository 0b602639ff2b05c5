package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"owlatsync/ledger"
	"owlatsync/ledger/internal/runform"
	"owlatsync/ledger/sqlite/internal/dbfile"
)

// runQueue implements ledger.Queue.
type runQueue struct{ *base }

const (
	// sameQueued and waitingRuns, like queuedRuns, repeat the conditions of their indexes word for word, so that SQLite uses them.
	sameQueued = "SELECT id FROM runs INDEXED BY runs_queued WHERE sync = ?1 AND status = 'queued' AND part IS ?2 AND full = ?3 AND approves = ?4 AND mode = ?5 ORDER BY id LIMIT 1"
	queuedRuns = "SELECT " + runColumns + fromRuns + "WHERE r.status = 'queued' ORDER BY r.id"
	diedRuns   = "UPDATE runs SET status = ?1, message = ?2 WHERE "
)

// Enqueue implements ledger.Queue.
func (q runQueue) Enqueue(ctx context.Context, run ledger.Run) (id int64, isNew bool, err error) {
	const doing = "queue a run in ledger"
	run.Status, run.PlanForm = ledger.StatusQueued, 0
	args, err := runform.Encode(&run, time.Time{})
	if err != nil {
		return 0, false, fmt.Errorf("%s: %w", doing, err)
	}
	err = q.update(ctx, doing, dbfile.Durable, func(t *tx) error {
		sync, err := t.syncID(run.Sync)
		if err != nil {
			return err
		}
		err = t.Row(sameQueued, []any{sync, args[runform.PartColumn], run.Full, run.Approves, string(run.Mode)}, &id)
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		isNew = true
		return t.Row(insertRun+returningID, append(args, 0, run.Full, run.Approves, sync, nil), &id)
	})
	if err != nil {
		return 0, false, err
	}
	return id, isNew, nil
}

// Queued implements ledger.Queue.
func (q runQueue) Queued(ctx context.Context) ([]ledger.Run, error) {
	return journal(q).runs(ctx, queuedRuns, nil)
}

// Dequeue implements ledger.Queue.
func (q runQueue) Dequeue(ctx context.Context, id int64, status ledger.Status, message string) (was bool, err error) {
	const doing = "take a queued run of the ledger back"
	if !status.Ended() {
		return false, fmt.Errorf("%s: run %d is to end as %q", doing, id, status)
	}
	err = q.update(ctx, doing, dbfile.Durable, func(t *tx) error {
		n, err := t.Affect("UPDATE runs SET status = ?2, message = ?3, finished = ?4 WHERE id = ?1 AND status = 'queued'",
			id, string(status), message, time.Now().UnixMicro())
		if was = n > 0; err == nil && !was {
			_, err = t.statusOf(id)
		}
		return err
	})
	return was && err == nil, err
}

// Dismiss implements ledger.Queue.
func (q runQueue) Dismiss(ctx context.Context, id int64) (was bool, err error) {
	err = q.update(ctx, "dismiss a held run of the ledger", dbfile.Durable, func(t *tx) error {
		status, err := t.statusOf(id)
		if was = err == nil && status == ledger.StatusHeld; !was {
			return err
		}
		return t.settle(id, ledger.StatusDismissed)
	})
	return was && err == nil, err
}

// bury gives runs their end that are recorded as running, and those of the sync that wait; 0: of none.
func (t *tx) bury(sync int64) error {
	if err := t.Exec(diedRuns+"status = 'running'", string(ledger.StatusDied), ledger.MessageDied); err != nil || sync == 0 {
		return err
	}
	return t.Exec(diedRuns+"sync = ?3 AND status = 'waiting'", string(ledger.StatusDied), ledger.MessageDied, sync)
}

// beginQueued gives a queued run of the sync its beginning.
func (t *tx) beginQueued(run *ledger.Run, sync, epoch int64, args []any) error {
	n, err := t.Affect(`UPDATE runs SET mode = ?2, started = ?3, heartbeat = ?4, finished = ?5, stage = ?6, status = ?7, message = ?8, owner = ?9,
		part = ?10, report = ?11, summary = ?12, guards = ?13, plan_form = ?14, epoch = ?15 WHERE id = ?1 AND sync = ?16 AND status = 'queued'`,
		append(append([]any{run.ID}, args...), epoch, sync)...)
	if err == nil && n == 0 {
		err = &ledger.NoRunError{Sync: run.Sync, Run: run.ID}
	}
	return err
}

// PauseRun implements ledger.Turns.
func (k *lock) PauseRun(ctx context.Context, id int64) error {
	return k.update(ctx, "let a run of the ledger wait", dbfile.Lazy, func(t *tx) error {
		n, err := t.Affect("UPDATE runs SET status = 'waiting', heartbeat = ?2 WHERE id = ?1 AND status IN ('running', 'waiting')", id, time.Now().UnixMicro())
		return t.orEnded(n, id, err)
	})
}

// ResumeRun implements ledger.Turns.
func (k *lock) ResumeRun(ctx context.Context, id int64) error {
	return k.update(ctx, "let a run of the ledger go on", dbfile.Lazy, func(t *tx) error {
		if status, err := t.statusOf(id); err != nil {
			return err
		} else if status != ledger.StatusWaiting {
			return &ledger.RunEndedError{Run: id, Status: status}
		}
		if err := t.bury(0); err != nil {
			return err
		}
		return t.Exec("UPDATE runs SET status = 'running', epoch = ?2, heartbeat = ?3 WHERE id = ?1", id, k.epoch, time.Now().UnixMicro())
	})
}

// orEnded returns the error, or, if no run was changed, why not.
func (t *tx) orEnded(n, id int64, err error) error {
	if err != nil || n > 0 {
		return err
	}
	status, err := t.statusOf(id)
	if err != nil {
		return err
	}
	return &ledger.RunEndedError{Run: id, Status: status}
}
