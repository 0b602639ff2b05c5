package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"owlatsync/ledger"
	"owlatsync/ledger/postgres/internal/historyrow"
	"owlatsync/ledger/postgres/internal/pgrow"
	"owlatsync/ledger/postgres/internal/prune"
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

// History returns the history of the row in the order of recording, nil for an unknown row.
func (a archive) History(ctx context.Context, sync, key string) ([]ledger.HistoryLine, error) {
	return a.lines(ctx, historyrow.OfRow, sync, key, server.Head(key))
}

// Changes returns the history of all rows after the line with the number, in the order of recording.
func (a archive) Changes(ctx context.Context, after int64, limit int) ([]ledger.HistoryLine, error) {
	return a.lines(ctx, historyrow.After, after, pgrow.Limit(limit))
}

// LinesOfRun returns the lines of history that a run has added, in the order of recording.
func (a archive) LinesOfRun(ctx context.Context, want ledger.RunLines) ([]ledger.HistoryLine, error) {
	events := make([][]byte, len(want.Events))
	for i, event := range want.Events {
		events[i] = []byte(event)
	}
	return a.lines(ctx, historyrow.OfRun, want.Run, want.After, []byte(want.Key), events, pgrow.Limit(want.Limit))
}

func (a archive) lines(ctx context.Context, query string, args ...any) (lines []ledger.HistoryLine, err error) {
	err = a.query(ctx, query, args, func(rows pgx.Rows) error {
		line, err := historyrow.Scan(rows)
		lines = append(lines, line)
		return err
	})
	return reading(ctx, "history", lines, err)
}

// Prune removes lines of history and of the audit recorded before that time, runs that began before it, with the rest of their plans, feedback that came
// before it, with its deliveries, and what is known from before it, and returns how many. The latest run of each sync that has begun,
// runs that are held, queued or waiting, and feedback with a waiting delivery stay. It works in small transactions, so that a run may go on
// meanwhile. What it removed before an error or the end of ctx stays removed.
func (a archive) Prune(ctx context.Context, before time.Time) (removed int64, err error) {
	for _, batch := range prune.Batches {
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
