package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"owlatsync/ledger"
	"owlatsync/ledger/internal/entry"
	"owlatsync/ledger/internal/runform"
	"owlatsync/ledger/sqlite/internal/dbfile"
)

// briefs reads an index alone. Its first half begins at the time, and the second has the few runs without an end.
const briefs = `SELECT id, status, started, heartbeat, finished, counts FROM runs INDEXED BY runs_counts
		WHERE sync = (SELECT id FROM syncs WHERE name = ?1) AND mode <> 'plan' AND finished >= ?2 AND started IS NOT NULL
	UNION ALL SELECT id, status, started, heartbeat, finished, counts FROM runs INDEXED BY runs_counts
		WHERE sync = (SELECT id FROM syncs WHERE name = ?1) AND mode <> 'plan' AND finished IS NULL AND heartbeat >= ?2 AND started IS NOT NULL
	ORDER BY id DESC LIMIT ?3`

// Briefs implements ledger.Journal.
func (j journal) Briefs(ctx context.Context, sync string, since time.Time, limit int) (found []ledger.Brief, err error) {
	if limit < 1 {
		limit = -1
	}
	err = j.query(ctx, briefs, []any{sync, since.UnixMicro(), limit}, func(rows *sql.Rows) error {
		var b ledger.Brief
		var started, heartbeat, finished sql.NullInt64
		var counts sql.NullString
		if err := rows.Scan(&b.ID, &b.Status, &started, &heartbeat, &finished, &counts); err != nil {
			return err
		}
		b.Started, b.Heartbeat, b.Finished = entry.TimeOf(started), entry.TimeOf(heartbeat), entry.TimeOf(finished)
		err := runform.DecodeCounts(counts.String, &b.Counts)
		found = append(found, b)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read runs of the ledger in brief: %w", dbfile.Explain(ctx, err))
	}
	return found, nil
}
