package runrow

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"owlatsync/ledger"
	"owlatsync/ledger/internal/runform"
	"owlatsync/ledger/postgres/internal/pgrow"
)

const briefs = `SELECT id, status, started, heartbeat, finished, counts FROM @runs
	WHERE sync = (SELECT id FROM @syncs WHERE deployment = $1 AND name = $2) AND mode <> 'plan' AND started IS NOT NULL AND (finished >= $3 OR finished IS NULL AND heartbeat >= $3)
	ORDER BY id DESC LIMIT $4`

// Briefs is the method of this name of ledger.Journal.
func Briefs(ctx context.Context, read pgrow.Read, sync string, since time.Time, limit int) (found []ledger.Brief, err error) {
	err = read(ctx, briefs, []any{sync, since.UnixMicro(), pgrow.Limit(limit)}, func(rows pgx.Rows) error {
		var b ledger.Brief
		var started, heartbeat, finished pgrow.Moment
		var counts pgtype.Text
		if err := rows.Scan(&b.ID, &b.Status, &started, &heartbeat, &finished, &counts); err != nil {
			return err
		}
		b.Started, b.Heartbeat, b.Finished = started.Time, heartbeat.Time, finished.Time
		err := runform.DecodeCounts(counts.String, &b.Counts)
		found = append(found, b)
		return err
	})
	return found, err
}
