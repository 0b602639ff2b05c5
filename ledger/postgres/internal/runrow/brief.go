package runrow

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"owlatsync/ledger"
	"owlatsync/ledger/internal/runform"
	"owlatsync/ledger/postgres/internal/pgrow"
)

// briefs packs the runs into one text, as runform.DecodeBriefs reads it. What concat_ws is given must not be null, or it leaves it out.
// To sort ten thousand runs takes as long as all the rest, so they are only sorted where there are more than are wanted.
const (
	briefs = `SELECT string_agg(concat_ws('|', id, status, started, coalesce(heartbeat::text, ''), coalesce(finished::text, ''), coalesce(counts, '')), E'\n') FROM (
		SELECT id, status, started, heartbeat, finished, counts FROM @runs
		WHERE sync = (SELECT id FROM @syncs WHERE deployment = $1 AND name = $2) AND mode <> 'plan' AND started IS NOT NULL AND (finished >= $3 OR finished IS NULL AND heartbeat >= $3) `
	anyBriefs    = briefs + "LIMIT $4) AS unsorted"
	latestBriefs = briefs + "ORDER BY id DESC LIMIT $4) AS latest"
)

// Briefs is the method of this name of ledger.Journal.
func Briefs(ctx context.Context, read pgrow.Read, sync string, since time.Time, limit int) (found []ledger.Brief, err error) {
	decode := func(rows pgx.Rows) error {
		var packed pgtype.Text
		if err := rows.Scan(&packed); err != nil {
			return err
		}
		found, err = runform.DecodeBriefs(packed.String)
		return err
	}
	oneMore := 0
	if limit >= 1 {
		oneMore = limit + 1
	}
	if err = read(ctx, anyBriefs, []any{sync, since.UnixMicro(), pgrow.Limit(oneMore)}, decode); err == nil && limit >= 1 && len(found) > limit {
		err = read(ctx, latestBriefs, []any{sync, since.UnixMicro(), pgrow.Limit(limit)}, decode)
	}
	slices.SortFunc(found, func(a, b ledger.Brief) int { return cmp.Compare(b.ID, a.ID) })
	return found, err
}
