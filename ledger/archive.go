package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"slices"

	"owlatsync/reconcile"
)

// entryPage is how many entries All reads at a time, so that no read transaction outlives a page.
const entryPage = 512

// All streams every entry of the sync, whole, in the order of their keys. Other methods may be called while it streams; an
// entry recorded meanwhile appears if its place is still to come.
func (l *SQLite) All(ctx context.Context, sync string) iter.Seq2[*reconcile.Entry, error] {
	return func(yield func(*reconcile.Entry, error) bool) {
		after := ""
		for {
			page := make([]*reconcile.Entry, 0, entryPage)
			query := "SELECT " + entryColumns + ` FROM entries e JOIN marks m ON m.sync = e.sync AND m.entry = e.id
				WHERE e.sync = (SELECT id FROM syncs WHERE name = ?1) AND e.key > ?2 ORDER BY e.key LIMIT ?3`
			err := l.query(ctx, query, []any{sync, after, entryPage}, func(rows *sql.Rows) error {
				_, e, err := scanEntry(rows)
				if err == nil {
					page = append(page, e)
				}
				return err
			})
			if err != nil {
				yield(nil, fmt.Errorf("read entries of the ledger: %w", explain(ctx, err)))
				return
			}
			for _, e := range page {
				if !yield(e, nil) {
					return
				}
			}
			if len(page) < entryPage {
				return
			}
			after = page[len(page)-1].Key
		}
	}
}

// Sharers returns the entries of all syncs that stand for one of the contacts.
func (l *SQLite) Sharers(ctx context.Context, contactIDs []string) ([]reconcile.Holder, error) {
	var found []reconcile.Holder
	for chunk := range slices.Chunk(contactIDs, maxParameters) {
		query := "SELECT s.name, " + entryColumns + ` FROM entries e
			JOIN marks m ON m.sync = e.sync AND m.entry = e.id JOIN syncs s ON s.id = e.sync
			WHERE e.contact_id IN (` + places(1, len(chunk)) + ")"
		err := l.query(ctx, query, arguments(chunk), func(rows *sql.Rows) error {
			var sync string
			_, e, err := scanEntry(rows, &sync)
			if err == nil {
				found = append(found, reconcile.Holder{Sync: sync, Entry: e})
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("look up contacts in the ledger: %w", explain(ctx, err))
		}
	}
	return found, nil
}
