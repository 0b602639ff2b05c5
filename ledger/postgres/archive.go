package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"owlatsync/ledger"
	"owlatsync/ledger/postgres/internal/heard"
	"owlatsync/ledger/postgres/internal/pgrow"
	"owlatsync/ledger/postgres/internal/server"
)

// archive implements ledger.Archive.
type archive struct {
	*base
	locker locker
}

// Syncs returns the names of all known syncs in alphabetical order.
func (a archive) Syncs(ctx context.Context) (names []string, err error) {
	err = a.query(ctx, "SELECT name FROM @syncs WHERE deployment = $1 ORDER BY name", nil, func(rows pgx.Rows) error {
		var name string
		err := rows.Scan(&name)
		names = append(names, name)
		return err
	})
	return reading(ctx, "syncs", names, err)
}

// historyColumns are the columns that scanLine reads, of history h and syncs s.
const (
	historyColumns = "SELECT h.number, s.name, h.key, h.at, h.run, h.event, h.note"
	fromHistory    = " FROM @history h JOIN @syncs s ON s.id = h.sync WHERE h.deployment = $1"
	historyOf      = historyColumns + fromHistory + " AND h.sync = " + ofSync + " AND substring(h.key FROM 1 FOR 64) = $4 AND h.key = $3 ORDER BY h.number"
	changesAfter   = historyColumns + fromHistory + " AND h.number > $2 ORDER BY h.number LIMIT $3"
)

func scanLine(rows pgx.Rows) (line ledger.HistoryLine, err error) {
	var at pgrow.Moment
	err = rows.Scan(&line.Number, &line.Sync, &line.Key, &at, &line.Run, &line.Event, &line.Note)
	line.At = at.Time
	return line, err
}

// History returns the history of the row in the order of recording, nil for an unknown row.
func (a archive) History(ctx context.Context, sync, key string) ([]ledger.HistoryLine, error) {
	return a.lines(ctx, historyOf, sync, key, server.Head(key))
}

// Changes returns the history of all rows after the line with the number, in the order of recording.
func (a archive) Changes(ctx context.Context, after int64, limit int) ([]ledger.HistoryLine, error) {
	return a.lines(ctx, changesAfter, after, pgrow.Limit(limit))
}

func (a archive) lines(ctx context.Context, query string, args ...any) (lines []ledger.HistoryLine, err error) {
	err = a.query(ctx, query, args, func(rows pgx.Rows) error {
		line, err := scanLine(rows)
		lines = append(lines, line)
		return err
	})
	return reading(ctx, "history", lines, err)
}

// pruneBatch is how many rows of a table one transaction of Prune removes, so that no run waits long.
const pruneBatch = 1000

// Prune removes lines of history recorded before that time, runs that began before it, with the rest of their plans, feedback that came
// before it, with its deliveries, and what is known from before it, and returns how many. The latest run of each sync that has begun,
// runs that are held, queued or waiting, and feedback with a waiting delivery stay. It works in small transactions, so that a run may go on
// meanwhile. What it removed before an error or the end of ctx stays removed.
func (a archive) Prune(ctx context.Context, before time.Time) (removed int64, err error) {
	for _, batch := range []func(*tx, time.Time) (n int64, more bool, err error){(*tx).pruneHistory, (*tx).pruneRuns, (*tx).pruneFeedback} {
		for more := true; more; {
			var n int64
			err := a.update(ctx, "prune ledger", server.Lazy, func(t *tx) (err error) {
				n, more, err = batch(t, before)
				return err
			})
			if err != nil {
				return removed, err
			}
			removed += n
		}
	}
	return removed, nil
}

// oldLines repeats the expression of its index.
const oldLines = `SELECT number FROM @history WHERE deployment = $1 AND at / 3600000000 <= $2::bigint / 3600000000 AND at < $2
	ORDER BY at / 3600000000 LIMIT $3`

func (t *tx) pruneHistory(before time.Time) (n int64, more bool, err error) {
	n, err = t.Change("DELETE FROM @history WHERE deployment = $1 AND number IN ("+oldLines+")", before.UnixMicro(), pruneBatch)
	return n, n == pruneBatch, err
}

const oldRuns = `SELECT id FROM @runs r WHERE deployment = $1 AND started < $2 AND status NOT IN ('held', 'queued', 'waiting')
	AND id < (SELECT max(id) FROM @runs WHERE deployment = $1 AND sync = r.sync AND status NOT IN ('queued', 'cancelled')) ORDER BY started LIMIT $3`

func (t *tx) pruneRuns(before time.Time) (n int64, more bool, err error) {
	if err := t.fence(); err != nil {
		return 0, false, err
	}
	var old []int64
	err = t.Find(oldRuns, []any{before.UnixMicro(), pruneBatch}, func(rows pgx.Rows) error {
		var id int64
		err := rows.Scan(&id)
		old = append(old, id)
		return err
	})
	if err != nil || len(old) == 0 {
		return 0, false, err
	}
	if _, err := t.Change("DELETE FROM @plan WHERE deployment = $1 AND run = ANY ($2::bigint[])", old); err != nil {
		return 0, false, err
	}
	n, err = t.Change("DELETE FROM @runs WHERE deployment = $1 AND id = ANY ($2::bigint[])", old)
	return n, len(old) == pruneBatch, err
}

func (t *tx) pruneFeedback(before time.Time) (n int64, more bool, err error) {
	return heard.Prune(t, before, pruneBatch)
}
