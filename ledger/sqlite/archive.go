package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"owlatsync/ledger"
	"owlatsync/ledger/internal/entry"
	"owlatsync/ledger/sqlite/internal/auditrow"
	"owlatsync/ledger/sqlite/internal/dbfile"
	"owlatsync/ledger/sqlite/internal/erase"
	"owlatsync/ledger/sqlite/internal/heard"
)

// archive implements ledger.Archive.
type archive struct {
	*base
	locker locker
}

// pruneBatch is how many rows of a table one transaction of Prune removes, so that no run waits long for the writer.
const pruneBatch = 1000

// Syncs returns the names of all known syncs in alphabetical order.
func (a archive) Syncs(ctx context.Context) ([]string, error) {
	var names []string
	err := a.query(ctx, "SELECT name FROM syncs ORDER BY name", nil, func(rows *sql.Rows) error {
		var name string
		err := rows.Scan(&name)
		names = append(names, name)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read syncs of the ledger: %w", dbfile.Explain(ctx, err))
	}
	return names, nil
}

// historyColumns are the columns that scanLine reads, of history h, phrases p and syncs s.
const (
	historyColumns = "h.id, s.name, h.key, h.at, h.run, coalesce(p.event, h.event), coalesce(p.note, h.note)"
	fromHistory    = " FROM history h JOIN syncs s ON s.id = h.sync LEFT JOIN phrases p ON p.id = h.phrase "
)

func scanLine(rows *sql.Rows) (line ledger.HistoryLine, err error) {
	var at sql.NullInt64
	err = rows.Scan(&line.Number, &line.Sync, &line.Key, &at, &line.Run, &line.Event, &line.Note)
	line.At = entry.TimeOf(at)
	return line, err
}

// History returns the history of the row in the order of recording, nil for an unknown row. Times are those of the recording.
func (a archive) History(ctx context.Context, sync, key string) ([]ledger.HistoryLine, error) {
	return a.lines(ctx, "WHERE h.sync = (SELECT id FROM syncs WHERE name = ?1) AND h.key = ?2 ORDER BY h.id", sync, key)
}

// changesAfter reads lines in the order of their numbers, so that SQLite need not sort.
const changesAfter = "WHERE h.id > ?1 ORDER BY h.id LIMIT ?2"

// Changes returns the history of all rows after the line with the number, in the order of recording.
func (a archive) Changes(ctx context.Context, after int64, limit int) ([]ledger.HistoryLine, error) {
	if limit < 1 {
		limit = -1
	}
	return a.lines(ctx, changesAfter, after, limit)
}

// linesOfRun narrows a search to the hours of a run, and one more on each side, because the clock may have been set. Its events are JSON.
const linesOfRun = `WHERE h.run = ?1 AND h.id > max(?2, coalesce((SELECT id - 1 FROM history WHERE at / 3600000000 >= (SELECT started FROM runs WHERE id = ?1) / 3600000000 - 1
		ORDER BY at / 3600000000, id LIMIT 1), 0))
	AND h.id <= coalesce((SELECT id FROM history WHERE at / 3600000000 <= (SELECT finished FROM runs WHERE id = ?1) / 3600000000 + 1
		ORDER BY at / 3600000000 DESC, id DESC LIMIT 1), 9223372036854775807)
	AND (?3 = '' OR h.key = ?3) AND (?4 = '[]' OR coalesce(p.event, h.event) IN (SELECT value FROM json_each(?4))) ORDER BY h.id LIMIT ?5`

// LinesOfRun returns the lines of history that a run has added, in the order of recording.
func (a archive) LinesOfRun(ctx context.Context, want ledger.RunLines) ([]ledger.HistoryLine, error) {
	events, err := json.Marshal(append([]string{}, want.Events...))
	if err != nil {
		return nil, fmt.Errorf("read history of the ledger: %w", err)
	}
	if want.Limit < 1 {
		want.Limit = -1
	}
	return a.lines(ctx, linesOfRun, want.Run, want.After, want.Key, string(events), want.Limit)
}

func (a archive) lines(ctx context.Context, condition string, args ...any) (lines []ledger.HistoryLine, err error) {
	err = a.query(ctx, "SELECT "+historyColumns+fromHistory+condition, args, func(rows *sql.Rows) error {
		line, err := scanLine(rows)
		lines = append(lines, line)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read history of the ledger: %w", dbfile.Explain(ctx, err))
	}
	return lines, nil
}

// Prune removes lines of history and of the audit recorded before that time, runs that began before it, with the rest of their plans, feedback that came
// before it, with its deliveries, and what is known from before it, and returns how many. The latest run of each sync that has begun,
// runs that are held, queued or waiting, and feedback with a waiting delivery stay. It works in small transactions, so that a run may go on
// meanwhile. What it removed before an error or the end of ctx stays removed.
func (a archive) Prune(ctx context.Context, before time.Time) (removed int64, err error) {
	for _, batch := range []func(*tx, time.Time) (n int64, more bool, err error){(*tx).pruneHistory, (*tx).pruneRuns, (*tx).pruneFeedback, (*tx).pruneAudit} {
		for more := true; more; {
			var n int64
			err := a.update(ctx, "prune ledger", dbfile.Lazy, func(t *tx) (err error) {
				n, more, err = batch(t, before)
				return err
			})
			if err != nil {
				return removed, err
			}
			removed += n
		}
	}
	if removed > 0 {
		if err := dbfile.GiveBack(ctx, a.f); err != nil {
			return removed, fmt.Errorf("prune ledger: %w", dbfile.Explain(ctx, err))
		}
	}
	return removed, nil
}

const (
	dropBlank = "DELETE FROM history WHERE sync = 0 AND id < (SELECT max(id) FROM history)"
	// oldLines repeats the expression of its index.
	oldLines = `SELECT id FROM history WHERE at / 3600000000 <= ?1 / 3600000000 AND at < ?1 AND id < (SELECT max(id) FROM history)
		ORDER BY at / 3600000000 LIMIT ?2`
	dropHistory = "DELETE FROM history WHERE id IN (" + oldLines + ")"
)

func (t *tx) pruneHistory(before time.Time) (n int64, more bool, err error) {
	last, err := t.Affect(erase.BlankLast+"at < ?1", before.UnixMicro())
	if err != nil {
		return 0, false, err
	}
	if err := t.Exec(dropBlank); err != nil {
		return 0, false, err
	}
	n, err = t.Affect(dropHistory, before.UnixMicro(), pruneBatch)
	return n + last, n == pruneBatch, err
}

const oldRuns = `SELECT id FROM runs r WHERE started < ?1 AND status NOT IN ('held', 'queued', 'waiting')
	AND id < (SELECT max(id) FROM runs WHERE sync = r.sync AND status NOT IN ('queued', 'cancelled')) ORDER BY started LIMIT ?2`

func (t *tx) pruneRuns(before time.Time) (n int64, more bool, err error) {
	args := []any{before.UnixMicro(), pruneBatch}
	if err := t.Exec("DELETE FROM plan WHERE run IN ("+oldRuns+")", args...); err != nil {
		return 0, false, err
	}
	n, err = t.Affect("DELETE FROM runs WHERE id IN ("+oldRuns+")", args...)
	return n, n == pruneBatch, err
}

func (t *tx) pruneFeedback(before time.Time) (n int64, more bool, err error) {
	return heard.Prune(t.Tx, before, pruneBatch)
}

func (t *tx) pruneAudit(before time.Time) (n int64, more bool, err error) {
	return auditrow.Prune(t.Tx, before, pruneBatch)
}
