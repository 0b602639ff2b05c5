package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"owlatsync/reconcile"
)

const (
	// indexSpan is how many entry ids one query of Index covers. Drivers copy what it returns, which the allocator makes cheap
	// below 32 KiB.
	indexSpan = 992
	// maxParameters keeps a query far below the 32 766 parameters that SQLite takes.
	maxParameters = 500
)

// The marks of a span come as one value, because a row each would cost more than reading them does. group_concat takes a
// BLOB's bytes as they are; their number is compared, should it not.
const (
	indexBounds = `SELECT coalesce((SELECT id FROM syncs WHERE name = ?1), 0),
		(SELECT min(entry) FROM marks WHERE sync = (SELECT id FROM syncs WHERE name = ?1)),
		(SELECT max(entry) FROM marks WHERE sync = (SELECT id FROM syncs WHERE name = ?1))`
	indexMarks = "SELECT CAST(group_concat(mark, '') AS BLOB), count(*) FROM marks WHERE sync = ?1 AND entry BETWEEN ?2 AND ?3"
)

// Index streams what the diff needs of every entry of the sync, as of one instant and in no particular order. Other methods
// may be called while it streams.
func (l *SQLite) Index(ctx context.Context, sync string) iter.Seq2[reconcile.IndexEntry, error] {
	return func(yield func(reconcile.IndexEntry, error) bool) {
		if err := l.index(ctx, sync, func(e reconcile.IndexEntry) bool { return yield(e, nil) }); err != nil {
			yield(reconcile.IndexEntry{}, fmt.Errorf("read the ledger's index: %w", explain(ctx, err)))
		}
	}
}

func (l *SQLite) index(ctx context.Context, sync string, yield func(reconcile.IndexEntry) bool) (err error) {
	tx, err := l.streams.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() {
		if rollback := tx.Rollback(); !errors.Is(rollback, sql.ErrTxDone) {
			err = errors.Join(err, rollback)
		}
	}()
	var id int64
	var first, last sql.NullInt64
	if err := tx.QueryRowContext(ctx, indexBounds, sync).Scan(&id, &first, &last); err != nil || !first.Valid {
		return err
	}
	span, err := tx.PrepareContext(ctx, indexMarks)
	if err != nil {
		return err
	}
	defer span.Close()
	for from := first.Int64; from <= last.Int64; from += indexSpan {
		more, err := eachMark(ctx, span, id, from, from+indexSpan-1, yield)
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// eachMark yields the marks of a span of ids out of a buffer of the driver's, which ends with the row.
func eachMark(ctx context.Context, span *sql.Stmt, id, from, to int64, yield func(reconcile.IndexEntry) bool) (more bool, err error) {
	rows, err := span.QueryContext(ctx, id, from, to)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	for rows.Next() {
		var marks sql.RawBytes
		var n int
		if err := rows.Scan(&marks, &n); err != nil {
			return false, err
		}
		if len(marks) != n*markSize {
			return false, fmt.Errorf("%w (the index is cut short)", ErrCorrupt)
		}
		for m := range slices.Chunk(marks, markSize) {
			if !yield(decodeMark(m)) {
				return false, nil
			}
		}
	}
	return true, rows.Err()
}

// Entries returns the sync's entries with the given keys, by key; keys without an entry are left out.
func (l *SQLite) Entries(ctx context.Context, sync string, keys []string) (map[string]*reconcile.Entry, error) {
	found := make(map[string]*reconcile.Entry, len(keys))
	for chunk := range slices.Chunk(keys, maxParameters) {
		query := "SELECT " + entryColumns + ` FROM entries e JOIN marks m ON m.sync = e.sync AND m.entry = e.id
			WHERE e.sync = (SELECT id FROM syncs WHERE name = ?1) AND e.key IN (` + places(2, len(chunk)) + ")"
		err := l.query(ctx, query, arguments(chunk, sync), func(rows *sql.Rows) error {
			_, e, err := scanEntry(rows)
			if err == nil {
				found[e.Key] = e
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("read entries of the ledger: %w", explain(ctx, err))
		}
	}
	return found, nil
}

// Holders returns the entries of all syncs whose Email or Identity is one of the addresses, each once.
func (l *SQLite) Holders(ctx context.Context, addresses []string) ([]reconcile.Holder, error) {
	var found []reconcile.Holder
	seen := make(map[int64]struct{})
	for chunk := range slices.Chunk(addresses, maxParameters) {
		in := places(1, len(chunk))
		query := "SELECT s.name, " + entryColumns + ` FROM entries e
			JOIN marks m ON m.sync = e.sync AND m.entry = e.id JOIN syncs s ON s.id = e.sync
			WHERE e.id IN (SELECT id FROM entries WHERE email IN (` + in + `)
				UNION ALL SELECT id FROM entries WHERE identity IN (` + in + `) AND identity <> '')`
		err := l.query(ctx, query, arguments(chunk), func(rows *sql.Rows) error {
			var sync string
			id, e, err := scanEntry(rows, &sync)
			if err != nil {
				return err
			}
			if _, again := seen[id]; !again {
				seen[id] = struct{}{}
				found = append(found, reconcile.Holder{Sync: sync, Entry: e})
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("look up holders in the ledger: %w", explain(ctx, err))
		}
	}
	return found, nil
}

// query calls each for every row of a short read.
func (l *SQLite) query(ctx context.Context, query string, args []any, each func(*sql.Rows) error) error {
	rows, err := l.readers.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	return eachRow(rows, each)
}

func eachRow(rows *sql.Rows, each func(*sql.Rows) error) error {
	defer rows.Close()
	for rows.Next() {
		if err := each(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// places returns n numbered parameters from first on.
func places(first, n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "?%d", first+i)
	}
	return b.String()
}

func arguments(texts []string, before ...any) []any {
	for _, t := range texts {
		before = append(before, t)
	}
	return before
}
