package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"iter"
	"time"

	"owlatsync/ledger"
	"owlatsync/ledger/internal/entry"
	"owlatsync/ledger/internal/runform"
	"owlatsync/ledger/sqlite/internal/dbfile"
)

// journal implements ledger.Journal.
type journal struct{ *base }

// Run returns the run with the number.
func (j journal) Run(ctx context.Context, id int64) (*ledger.Run, error) {
	runs, err := j.runs(ctx, "SELECT "+runColumns+fromRuns+"WHERE r.id = ?1", []any{id})
	if err == nil && len(runs) == 0 {
		err = fmt.Errorf("read runs of the ledger: %w", &ledger.NoRunError{Run: id})
	}
	if err != nil {
		return nil, err
	}
	return &runs[0], nil
}

// Runs returns the latest runs of the sync, newest first. An empty sync means all syncs, a limit below 1 all runs. Plans, which earlier
// versions recorded as runs, are left out.
func (j journal) Runs(ctx context.Context, sync string, limit int) ([]ledger.Run, error) {
	if limit < 1 {
		limit = -1
	}
	if sync == "" {
		return j.runs(ctx, "SELECT "+runColumns+fromRuns+"WHERE r.mode <> 'plan' ORDER BY r.id DESC LIMIT ?1", []any{limit})
	}
	return j.runs(ctx, latestRuns, []any{limit, sync})
}

// RunsBefore implements ledger.Journal.
func (j journal) RunsBefore(ctx context.Context, sync string, number int64, limit int) ([]ledger.Run, error) {
	if limit < 1 {
		limit = -1
	}
	return j.runs(ctx, runsBefore, []any{limit, sync, number})
}

// RunsSince implements ledger.Journal.
func (j journal) RunsSince(ctx context.Context, sync string, ended time.Time, limit int) ([]ledger.Run, error) {
	if limit < 1 {
		limit = -1
	}
	return j.runs(ctx, runsSince, []any{limit, sync, ended.UnixMicro()})
}

const (
	fromRuns   = " FROM runs r JOIN syncs s ON s.id = r.sync "
	latestRuns = "SELECT " + runColumns + fromRuns + `WHERE r.sync = (SELECT id FROM syncs WHERE name = ?2) AND r.mode <> 'plan' ORDER BY r.id DESC LIMIT ?1`
	runsBefore = "SELECT " + runColumns + fromRuns + `WHERE r.sync = (SELECT id FROM syncs WHERE name = ?2) AND r.mode <> 'plan' AND r.id < ?3 ORDER BY r.id DESC LIMIT ?1`
	// runsSince finds the runs in the order of their ends, which runs_counts has. SQLite would rather sort all runs of the sync, so it is told.
	runsSince = "SELECT " + runColumns + " FROM runs r INDEXED BY runs_counts JOIN syncs s ON s.id = r.sync " +
		`WHERE r.sync = (SELECT id FROM syncs WHERE name = ?2) AND r.finished >= ?3 AND r.mode <> 'plan' ORDER BY r.finished, r.id LIMIT ?1`
	// heldRuns, like latestRuns, repeats the condition of its index word for word, so that SQLite uses the index.
	heldRuns = "SELECT " + runColumns + fromRuns + `WHERE r.sync = (SELECT id FROM syncs WHERE name = ?1) AND r.status = 'held' ORDER BY r.id DESC`
)

// HeldRuns returns the sync's held runs, newest first. Its time does not grow with the other runs.
func (j journal) HeldRuns(ctx context.Context, sync string) ([]ledger.Run, error) {
	return j.runs(ctx, heldRuns, []any{sync})
}

func (j journal) runs(ctx context.Context, query string, args []any) ([]ledger.Run, error) {
	var runs []ledger.Run
	err := j.query(ctx, query, args, func(rows *sql.Rows) error {
		r, err := scanRun(rows)
		runs = append(runs, r)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read runs of the ledger: %w", dbfile.Explain(ctx, err))
	}
	return runs, nil
}

// runColumns are the columns that scanRun reads, of runs r and syncs s.
const runColumns = `r.id, s.name, r.mode, r.epoch, r.started, r.heartbeat, r.finished, r.stage, r.status, r.message, r.plan_form, r.full, r.approves,
	r.owner, r.part, r.report, r.summary, r.guards`

func scanRun(rows *sql.Rows) (r ledger.Run, err error) {
	var started, heartbeat, finished sql.NullInt64
	var owner, asked, report, summary, guards sql.NullString
	if err := rows.Scan(&r.ID, &r.Sync, &r.Mode, &r.Epoch, &started, &heartbeat, &finished, &r.Stage, &r.Status, &r.Message, &r.PlanForm, &r.Full, &r.Approves,
		&owner, &asked, &report, &summary, &guards); err != nil {
		return r, err
	}
	r.Started, r.Heartbeat, r.Finished = entry.TimeOf(started), entry.TimeOf(heartbeat), entry.TimeOf(finished)
	var part entry.Part
	for _, column := range []struct {
		name string
		text sql.NullString
		into any
	}{
		{"owner", owner, &r.Owner}, {"part", asked, &part}, {"report", report, &r.Report}, {"summary", summary, &r.Summary}, {"guards", guards, &r.Guards},
	} {
		if !column.text.Valid {
			continue
		}
		if err := json.Unmarshal([]byte(column.text.String), column.into); err != nil {
			return r, fmt.Errorf("%w (the %s of run %d cannot be read)", ledger.ErrCorrupt, column.name, r.ID)
		}
	}
	r.Part = part.Decode()
	return r, nil
}

// Plan implements ledger.Journal.
func (j journal) Plan(ctx context.Context, run int64) iter.Seq2[ledger.PlanItem, error] {
	return runform.Plan(ctx, run, j.PlanPart)
}

// PlanPart implements ledger.Journal.
func (j journal) PlanPart(ctx context.Context, want ledger.PlanPart) (items []ledger.PlacedItem, err error) {
	if want.Limit < 1 {
		want.Limit = -1
	}
	query := "SELECT phase, ord, seq, key, body, addresses FROM plan WHERE run = ?1 AND (?3 = '' OR key = ?3) AND (?4 IS NULL OR instr(addresses, ?4) % 8 = 1) AND EXISTS (SELECT 1 FROM runs WHERE id = ?1 AND " + kept + ") "
	args := []any{want.Run, want.Limit, want.Key, entry.HashOrNull(want.Address)}
	if want.After != nil {
		query, args = query+"AND (phase, ord, seq) > (?5, ?6, ?7) ", append(args, want.After.Phase, want.After.Order, want.After.Number)
	}
	err = j.query(ctx, query+"ORDER BY phase, ord, seq LIMIT ?2", args, func(rows *sql.Rows) error {
		var item ledger.PlacedItem
		var addresses sql.RawBytes
		if err := rows.Scan(&item.Place.Phase, &item.Place.Order, &item.Place.Number, &item.Key, &item.Body, &addresses); err != nil {
			return err
		}
		item.Addresses = entry.DecodeHashes(addresses)
		item.Phase, item.Order = item.Place.Phase, item.Place.Order
		items = append(items, item)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read plan of the ledger: %w", dbfile.Explain(ctx, err))
	}
	return items, nil
}
