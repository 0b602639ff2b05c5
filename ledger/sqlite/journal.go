package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"owlatsync"
	"owlatsync/ledger"
)

// Statuses that the ledger itself knows.
const (
	statusRunning = "running"
	// statusHeld keeps a run's plan until somebody approves or drops it.
	statusHeld = "held"
)

// Bind ties the ledger to the deployment on first use and fails with a *ledger.DeploymentError if it is tied to another.
func (l *Ledger) Bind(ctx context.Context, deployment string) error {
	if deployment == "" {
		return errors.New("bind ledger: the deployment has no name")
	}
	return l.update(ctx, "bind ledger", durable, func(t *tx) error {
		err := t.exec("INSERT INTO meta (name, value) VALUES ('deployment', ?1) ON CONFLICT DO NOTHING", deployment)
		if err != nil {
			return err
		}
		var bound string
		if err := t.row("SELECT value FROM meta WHERE name = 'deployment'", nil, &bound); err != nil {
			return err
		}
		if bound != deployment {
			return &ledger.DeploymentError{Bound: bound, Configured: deployment}
		}
		return nil
	})
}

// BeginRun records a run and returns its number, which no other run of the ledger ever gets; run.ID is not read and an empty
// status becomes "running". The record is durable after the next durable write: a power failure before that takes with it a
// run that has done nothing, and its number. Plans that earlier runs of the same sync left are dropped, but for those whose
// status is "held".
func (l *Ledger) BeginRun(ctx context.Context, run ledger.Run) (id int64, err error) {
	if run.Status == "" {
		run.Status = statusRunning
	}
	report, err := encodeReport(run.Report)
	if err != nil {
		return 0, fmt.Errorf("begin run in ledger: %w", err)
	}
	err = l.update(ctx, "begin run in ledger", lazy, func(t *tx) error {
		sync, err := t.syncID(run.Sync)
		if err != nil {
			return err
		}
		err = t.exec("DELETE FROM plan WHERE run IN (SELECT id FROM runs WHERE sync = ?1 AND status <> ?2)", sync, statusHeld)
		if err != nil {
			return err
		}
		return t.row(`INSERT INTO runs (sync, mode, started, finished, status, message, report)
			VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) RETURNING id`,
			[]any{sync, run.Mode, timeOrNull(run.Started), timeOrNull(run.Finished), run.Status, run.Message, report}, &id)
	})
	return id, err
}

// EndRun durably stores the run's mode, times, status, message and report under run.ID, and with it all that was spooled.
func (l *Ledger) EndRun(ctx context.Context, run ledger.Run) error {
	report, err := encodeReport(run.Report)
	if err != nil {
		return fmt.Errorf("end run in ledger: %w", err)
	}
	return l.update(ctx, "end run in ledger", durable, func(t *tx) error {
		err := t.row(`UPDATE runs SET mode = ?2, started = ?3, finished = ?4, status = ?5, message = ?6, report = ?7
			WHERE id = ?1 RETURNING id`,
			[]any{run.ID, run.Mode, timeOrNull(run.Started), timeOrNull(run.Finished), run.Status, run.Message, report}, &run.ID)
		return unknownRun(err, run.ID)
	})
}

func unknownRun(err error, id int64) error {
	if errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("the ledger knows no run %d", id)
	}
	return err
}

// Runs returns the latest runs of the sync, or of all if it is empty, newest first; a limit below 1 means all of them.
func (l *Ledger) Runs(ctx context.Context, sync string, limit int) ([]ledger.Run, error) {
	if limit < 1 {
		limit = -1
	}
	query, args := "SELECT "+runColumns+" FROM runs r JOIN syncs s ON s.id = r.sync ", []any{limit}
	if sync != "" {
		query, args = query+"WHERE r.sync = (SELECT id FROM syncs WHERE name = ?2) ", append(args, sync)
	}
	return l.runs(ctx, query+"ORDER BY r.id DESC LIMIT ?1", args)
}

// heldRuns is spelt as the condition of the index that serves it.
const heldRuns = "SELECT " + runColumns + ` FROM runs r JOIN syncs s ON s.id = r.sync
	WHERE r.sync = (SELECT id FROM syncs WHERE name = ?1) AND r.status = 'held' ORDER BY r.id DESC`

// HeldRuns returns the sync's runs that are held, newest first, in a time that does not grow with the others.
func (l *Ledger) HeldRuns(ctx context.Context, sync string) ([]ledger.Run, error) {
	return l.runs(ctx, heldRuns, []any{sync})
}

func (l *Ledger) runs(ctx context.Context, query string, args []any) ([]ledger.Run, error) {
	var runs []ledger.Run
	err := l.query(ctx, query, args, func(rows *sql.Rows) error {
		r, err := scanRun(rows)
		runs = append(runs, r)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read runs of the ledger: %w", explain(ctx, err))
	}
	return runs, nil
}

// runColumns are what scanRun reads, of runs r and syncs s.
const runColumns = "r.id, s.name, r.mode, r.started, r.finished, r.status, r.message, r.report"

func scanRun(rows *sql.Rows) (r ledger.Run, err error) {
	var started, finished sql.NullInt64
	var report sql.NullString
	if err := rows.Scan(&r.ID, &r.Sync, &r.Mode, &started, &finished, &r.Status, &r.Message, &report); err != nil {
		return r, err
	}
	r.Started, r.Finished = timeOf(started), timeOf(finished)
	if report.Valid {
		if err := json.Unmarshal([]byte(report.String), &r.Report); err != nil {
			return r, fmt.Errorf("%w (the report of run %d cannot be read)", ErrCorrupt, r.ID)
		}
	}
	return r, nil
}

func encodeReport(r *owlatsync.Report) (any, error) {
	if r == nil {
		return nil, nil
	}
	text, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode report: %w", err)
	}
	return string(text), nil
}

// Standing counts the sync's entries as of one instant. It is zero for a sync that the ledger does not know.
func (l *Ledger) Standing(ctx context.Context, sync string) (ledger.Standing, error) {
	var s ledger.Standing
	var open int
	err := l.readers.QueryRowContext(ctx, `SELECT s.adopted,
			(SELECT count(*) FROM entries WHERE sync = s.id),
			(SELECT count(*) FROM entries WHERE sync = s.id AND state <> 0),
			(SELECT count(*) FROM entries WHERE sync = s.id AND state <> 0 AND state >= ?2),
			(SELECT count(*) FROM entries WHERE sync = s.id AND state <> 0 AND state = ?3)
		FROM syncs s WHERE s.name = ?1`, sync, stateFailing, stateParked).
		Scan(&s.Adopted, &s.Entries, &open, &s.Failing, &s.Parked)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return ledger.Standing{}, fmt.Errorf("count entries of the ledger: %w", explain(ctx, err))
	}
	s.Applied = s.Entries - open
	return s, nil
}

// SyncState tells what a run must know of the sync before it reads the index, in a time that does not grow with the entries.
func (l *Ledger) SyncState(ctx context.Context, sync string) (s ledger.SyncState, err error) {
	err = l.readers.QueryRowContext(ctx, `SELECT s.adopted, EXISTS (SELECT 1 FROM entries WHERE sync = s.id AND state <> 0)
		FROM syncs s WHERE s.name = ?1`, sync).Scan(&s.Adopted, &s.Open)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return ledger.SyncState{}, fmt.Errorf("read the ledger's syncs: %w", explain(ctx, err))
	}
	return s, nil
}

// SetAdopted durably records that the sync has compared its rows with the contacts that Owlat already had.
func (l *Ledger) SetAdopted(ctx context.Context, sync string) error {
	return l.update(ctx, "record adoption in ledger", durable, func(t *tx) error {
		id, err := t.syncID(sync)
		if err != nil {
			return err
		}
		return t.exec("UPDATE syncs SET adopted = 1 WHERE id = ?1", id)
	})
}
