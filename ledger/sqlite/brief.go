package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"owlatsync/ledger"
	"owlatsync/ledger/internal/runform"
	"owlatsync/ledger/sqlite/internal/dbfile"
)

// endless and briefs read an index alone: the few runs without an end, and the others in the order of their ends, which the index has. They pack
// the runs into one text, as runform.DecodeBriefs reads it.
const (
	briefColumns = "SELECT group_concat(concat(id, '|', status, '|', started, '|', heartbeat, '|', finished, '|', counts), char(10)) FROM (" +
		"SELECT id, status, started, heartbeat, finished, counts FROM runs INDEXED BY runs_counts WHERE sync = (SELECT id FROM syncs WHERE name = ?1) "
	endless = briefColumns + "AND finished IS NULL AND heartbeat >= ?2 AND mode <> 'plan' AND started IS NOT NULL ORDER BY heartbeat DESC LIMIT ?3)"
	briefs  = briefColumns + "AND finished >= ?2 AND mode <> 'plan' AND started IS NOT NULL ORDER BY finished DESC LIMIT ?3)"
)

// Briefs implements ledger.Journal.
func (j journal) Briefs(ctx context.Context, sync string, since time.Time, limit int) (found []ledger.Brief, err error) {
	if limit < 1 {
		limit = -1
	}
	read := func(rows *sql.Rows) error {
		var packed sql.NullString
		if err := rows.Scan(&packed); err != nil {
			return err
		}
		some, err := runform.DecodeBriefs(packed.String)
		found = append(some, found...) // of which there are few
		return err
	}
	for _, query := range []string{endless, briefs} { // a run that ends between the two comes twice, and never in neither
		if err := j.query(ctx, query, []any{sync, since.UnixMicro(), limit}, read); err != nil {
			return nil, fmt.Errorf("read runs of the ledger in brief: %w", dbfile.Explain(ctx, err))
		}
	}
	slices.SortFunc(found, func(a, b ledger.Brief) int { return cmp.Or(cmp.Compare(b.ID, a.ID), b.Finished.Compare(a.Finished)) })
	found = slices.CompactFunc(found, func(a, b ledger.Brief) bool { return a.ID == b.ID })
	if limit >= 0 && len(found) > limit {
		found = found[:limit]
	}
	return found, nil
}
