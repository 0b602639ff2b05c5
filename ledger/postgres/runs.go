package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"owlatsync/ledger"
	"owlatsync/ledger/internal/entry"
	"owlatsync/ledger/internal/runform"
	"owlatsync/ledger/postgres/internal/pgrow"
	"owlatsync/ledger/postgres/internal/runrow"
	"owlatsync/ledger/postgres/internal/server"
)

// runWriter writes runs and bookmarks under a lock.
type runWriter struct{ *fence }

// BeginRun implements ledger.Writer.
func (k runWriter) BeginRun(ctx context.Context, run ledger.Run) (id int64, err error) {
	const doing = "begin run in ledger"
	args, err := runform.Encode(&run, k.Now())
	if err != nil {
		return 0, fmt.Errorf("%s: %w", doing, err)
	}
	err = k.update(ctx, doing, server.Durable, func(t *tx) error {
		sync, err := t.syncID(run.Sync)
		if err != nil {
			return err
		}
		if err := t.bury(sync); err != nil {
			return err
		}
		if id = run.ID; id != 0 {
			return t.beginQueued(&run, sync, k.Number, args)
		}
		if id, err = t.numbers(pgrow.Runs, 1); err != nil {
			return err
		}
		return t.Exec(runrow.Insert, append([]any{t.deployment, id, sync, k.Number, run.Full, run.Approves}, args...)...)
	})
	if err != nil {
		return 0, err
	}
	sweep(ctx, k.fence)
	return id, nil
}

// bury gives runs their end that are recorded as running, and those of the sync that wait; 0: of none.
func (t *tx) bury(sync int64) error {
	return t.Exec(`UPDATE @runs SET status = 'died', message = $2 WHERE deployment = $1 AND status = 'running' OR sync = $3 AND status = 'waiting'`,
		t.deployment, ledger.MessageDied, sync)
}

// beginQueued gives a queued run of the sync its beginning.
func (t *tx) beginQueued(run *ledger.Run, sync, epoch int64, args []any) error {
	n, err := t.Affect("UPDATE @runs SET "+runrow.Replace+", epoch = $17 WHERE deployment = $1 AND id = $2 AND sync = $3 AND status = 'queued'",
		append(append([]any{t.deployment, run.ID, sync}, args...), epoch)...)
	if err == nil && n == 0 {
		err = &ledger.NoRunError{Sync: run.Sync, Run: run.ID}
	}
	return err
}

// Beat implements ledger.Writer.
func (k runWriter) Beat(ctx context.Context, beat ledger.Beat) error {
	const doing = "note in ledger how far a run is"
	report, err := runform.JSONOrNull(beat.Report, beat.Report == nil)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	summary, err := runform.JSONOrNull(beat.Summary, beat.Summary == nil)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return k.update(ctx, doing, server.Lazy, func(t *tx) error {
		n, err := t.Affect(`UPDATE @runs SET heartbeat = $3, stage = $4, report = coalesce($5, report), summary = coalesce($6, summary)
			WHERE deployment = $1 AND id = $2 AND status = 'running'`, t.deployment, beat.Run, k.Now().UnixMicro(), string(beat.Stage), report, summary)
		if err == nil && n == 0 {
			_, err = t.statusOf(beat.Run)
		}
		return err
	})
}

// statusOf returns the status of a run, or a *ledger.NoRunError.
func (t *tx) statusOf(run int64) (status ledger.Status, err error) {
	err = t.Row("SELECT status FROM @runs WHERE deployment = $1 AND id = $2", []any{t.deployment, run}, &status)
	return status, unknownRun(err, run)
}

func unknownRun(err error, id int64) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return &ledger.NoRunError{Run: id}
	}
	return err
}

// PauseRun implements ledger.Turns.
func (k runWriter) PauseRun(ctx context.Context, id int64) error {
	return k.update(ctx, "let a run of the ledger wait", server.Durable, func(t *tx) error {
		n, err := t.Affect("UPDATE @runs SET status = 'waiting', heartbeat = $3 WHERE deployment = $1 AND id = $2 AND status IN ('running', 'waiting')",
			t.deployment, id, k.Now().UnixMicro())
		if err != nil || n > 0 {
			return err
		}
		status, err := t.statusOf(id)
		if err != nil {
			return err
		}
		return &ledger.RunEndedError{Run: id, Status: status}
	})
}

// ResumeRun implements ledger.Turns.
func (k runWriter) ResumeRun(ctx context.Context, id int64) error {
	return k.update(ctx, "let a run of the ledger go on", server.Durable, func(t *tx) error {
		if status, err := t.statusOf(id); err != nil {
			return err
		} else if status != ledger.StatusWaiting {
			return &ledger.RunEndedError{Run: id, Status: status}
		}
		if err := t.bury(0); err != nil {
			return err
		}
		return t.Exec("UPDATE @runs SET status = 'running', epoch = $3, heartbeat = $4 WHERE deployment = $1 AND id = $2", t.deployment, id, k.Number, k.Now().UnixMicro())
	})
}

// KeepPlan implements ledger.Writer.
func (k runWriter) KeepPlan(ctx context.Context, run int64, items []ledger.PlanItem) error {
	n := len(items)
	phases, orders := make([]int64, n), make([]int64, n)
	keys, bodies, addresses := make([][]byte, n), make([][]byte, n), make([][]byte, n)
	for i := range items {
		phases[i], orders[i], keys[i] = int64(items[i].Phase), items[i].Order, []byte(items[i].Key)
		bodies[i] = append([]byte{}, items[i].Body...)
		addresses[i], _ = entry.EncodeHashes(items[i].Addresses).([]byte)
	}
	return k.update(ctx, "keep plan in ledger", server.Durable, func(t *tx) error {
		status, err := t.statusOf(run)
		if err != nil || n == 0 {
			return err
		}
		if status != ledger.StatusRunning && status != ledger.StatusHeld {
			return fmt.Errorf("run %d has ended as %q and keeps no plan", run, status)
		}
		return t.Exec(`WITH r AS (UPDATE @runs SET kept = kept + $3 WHERE deployment = $1 AND id = $2 RETURNING kept)
			INSERT INTO @plan (deployment, run, phase, ord, seq, key, body, addresses)
			SELECT $1, $2, u.phase, u.ord, r.kept - $3 + u.n, u.key, u.body, u.addresses
			FROM r, unnest($4::bigint[], $5::bigint[], $6::bytea[], $7::bytea[], $8::bytea[]) WITH ORDINALITY AS u (phase, ord, key, body, addresses, n)`,
			t.deployment, run, n, phases, orders, keys, bodies, addresses)
	})
}

// EndRun implements ledger.Writer.
func (k runWriter) EndRun(ctx context.Context, ending ledger.Ending) error {
	const doing = "end run in ledger"
	args, mark, err := encodeEnding(&ending, k.Now())
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	err = k.update(ctx, doing, server.Durable, func(t *tx) error {
		var sync int64
		err := t.Row("UPDATE @runs SET "+runrow.Replace+" WHERE deployment = $1 AND id = $2 AND $3 = 0 RETURNING sync",
			append([]any{t.deployment, ending.Run.ID, 0}, args...), &sync)
		if err != nil {
			return unknownRun(err, ending.Run.ID)
		}
		if ending.Adopted {
			if err := t.Exec("UPDATE @syncs SET adopted = true, set_back = NULL WHERE id = $1", sync); err != nil {
				return err
			}
		}
		if mark != nil {
			if err := t.Exec(upsertBookmark, append([]any{sync}, mark...)...); err != nil {
				return err
			}
		}
		for _, id := range slices.Sorted(maps.Keys(ending.Settled)) {
			err := t.Exec("UPDATE @runs SET status = $3, plan_form = 0 WHERE deployment = $1 AND id = $2 AND status = 'held'",
				t.deployment, id, string(ending.Settled[id]))
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		sweep(ctx, k.fence)
	}
	return err
}

// encodeEnding returns the columns of the run and of the bookmark, nil if there is none.
func encodeEnding(ending *ledger.Ending, now time.Time) (run, mark []any, err error) {
	for id, status := range ending.Settled {
		if status == ledger.StatusHeld || status == "" {
			return nil, nil, fmt.Errorf("run %d is to be settled as %q", id, status)
		}
	}
	if run, err = runform.Encode(&ending.Run, now); err == nil && ending.Bookmark != nil {
		mark, err = encodeBookmark(*ending.Bookmark)
	}
	return run, mark, err
}
