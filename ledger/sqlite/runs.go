package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"owlatsync/ledger"
	"owlatsync/ledger/internal/entry"
	"owlatsync/ledger/internal/runform"
	"owlatsync/ledger/sqlite/internal/dbfile"
)

const insertRun = `INSERT INTO runs (mode, started, heartbeat, finished, stage, status, message, owner, part, report, summary, guards,
	plan_form, epoch, full, approves, sync, id) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)`

// BeginRun implements ledger.Writer.
func (k *lock) BeginRun(ctx context.Context, run ledger.Run) (id int64, err error) {
	const doing = "begin run in ledger"
	args, err := runform.Encode(&run, time.Now())
	if err != nil {
		return 0, fmt.Errorf("%s: %w", doing, err)
	}
	err = k.update(ctx, doing, dbfile.Lazy, func(t *tx) error {
		sync, err := t.syncID(run.Sync)
		if err != nil {
			return err
		}
		if err := t.bury(sync); err != nil {
			return err
		}
		if run.ID != 0 {
			id = run.ID
			return t.beginQueued(&run, sync, k.epoch, args)
		}
		return t.Row(insertRun+returningID, append(args, k.epoch, run.Full, run.Approves, sync, nil), &id)
	})
	if err != nil {
		return 0, err
	}
	sweep(ctx, k)
	return id, nil
}

// Beat implements ledger.Writer.
func (k *lock) Beat(ctx context.Context, beat ledger.Beat) error {
	const doing = "note in ledger how far a run is"
	report, err := runform.JSONOrNull(beat.Report, beat.Report == nil)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	summary, err := runform.JSONOrNull(beat.Summary, beat.Summary == nil)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return k.update(ctx, doing, dbfile.Lazy, func(t *tx) error {
		n, err := t.Affect(`UPDATE runs SET heartbeat = ?2, stage = ?3, report = coalesce(?4, report), summary = coalesce(?5, summary)
			WHERE id = ?1 AND status = 'running'`, beat.Run, time.Now().UnixMicro(), string(beat.Stage), report, summary)
		if err == nil && n == 0 {
			_, err = t.statusOf(beat.Run)
		}
		return err
	})
}

// statusOf returns the status of a run, or a *ledger.NoRunError.
func (t *tx) statusOf(run int64) (status ledger.Status, err error) {
	err = t.Row("SELECT status FROM runs WHERE id = ?1", []any{run}, &status)
	return status, unknownRun(err, run)
}

func unknownRun(err error, id int64) error {
	if errors.Is(err, sql.ErrNoRows) {
		return &ledger.NoRunError{Run: id}
	}
	return err
}

// KeepPlan implements ledger.Writer.
func (k *lock) KeepPlan(ctx context.Context, run int64, items []ledger.PlanItem) error {
	return k.update(ctx, "keep plan in ledger", dbfile.Lazy, func(t *tx) error {
		status, err := t.statusOf(run)
		if err != nil || len(items) == 0 {
			return err
		}
		if status != ledger.StatusRunning && status != ledger.StatusHeld {
			return fmt.Errorf("run %d has ended as %q and keeps no plan", run, status)
		}
		var next int64
		err = t.Row("UPDATE runs SET spooled = spooled + ?2 WHERE id = ?1 RETURNING spooled", []any{run, len(items)}, &next)
		if err != nil {
			return err
		}
		seq := next - int64(len(items))
		for i := range items {
			body := items[i].Body
			if body == nil {
				body = []byte{}
			}
			err := t.Exec("INSERT INTO plan (run, phase, ord, seq, key, body, addresses) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
				run, items[i].Phase, items[i].Order, seq+int64(i), items[i].Key, body, entry.EncodeHashes(items[i].Addresses))
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// EndRun implements ledger.Writer.
func (k *lock) EndRun(ctx context.Context, ending ledger.Ending) error {
	const doing = "end run in ledger"
	args, mark, err := encodeEnding(&ending)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	err = k.update(ctx, doing, dbfile.Durable, func(t *tx) error {
		t.closes = true
		sync, err := t.endRun(&ending.Run, args)
		if err != nil {
			return err
		}
		if ending.Adopted {
			if err := t.Exec("UPDATE syncs SET adopted = 1, set_back = NULL WHERE id = ?1", sync); err != nil {
				return err
			}
		}
		if mark != nil {
			if err := t.Exec(upsertBookmark, append([]any{sync}, mark...)...); err != nil {
				return err
			}
		}
		for _, id := range slices.Sorted(maps.Keys(ending.Settled)) {
			if err := t.settle(id, ending.Settled[id]); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		sweep(ctx, k)
	}
	return err
}

// encodeEnding returns the columns of the run and of the bookmark, nil if there is none.
func encodeEnding(ending *ledger.Ending) (run, mark []any, err error) {
	for id, status := range ending.Settled {
		if status == ledger.StatusHeld || status == "" {
			return nil, nil, fmt.Errorf("run %d is to be settled as %q", id, status)
		}
	}
	if run, err = runform.Encode(&ending.Run, time.Now()); err == nil && ending.Bookmark != nil {
		mark, err = encodeBookmark(*ending.Bookmark)
	}
	return run, mark, err
}

// endRun stores a run under its number and returns its sync.
func (t *tx) endRun(run *ledger.Run, args []any) (sync int64, err error) {
	err = t.Row(`UPDATE runs SET mode = ?2, started = ?3, heartbeat = ?4, finished = ?5, stage = ?6, status = ?7, message = ?8, owner = ?9,
		part = ?10, report = ?11, summary = ?12, guards = ?13, plan_form = ?14 WHERE id = ?1 RETURNING sync`,
		append([]any{run.ID}, args...), &sync)
	return sync, unknownRun(err, run.ID)
}

// settle gives a held run its new status, and with it drops its plan.
func (t *tx) settle(id int64, status ledger.Status) error {
	return t.Exec("UPDATE runs SET status = ?2, plan_form = 0 WHERE id = ?1 AND status = 'held'", id, string(status))
}
