package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"owlatsync/ledger"
)

// maxParameters keeps a query far below the 32 766 parameters that SQLite takes.
const maxParameters = 500

// entriesAtOnce is how many entries the statement names that is prepared only once.
const entriesAtOnce = 250

// Entries returns the sync's entries with the given keys, by key; keys without an entry are left out.
func (l *Ledger) Entries(ctx context.Context, sync string, keys []string) (map[string]*ledger.Entry, error) {
	found := make(map[string]*ledger.Entry, len(keys))
	for chunk := range slices.Chunk(keys, entriesAtOnce) {
		rows, err := l.entries(ctx, sync, chunk)
		if err == nil {
			err = eachRow(rows, func(rows *sql.Rows) error {
				_, e, err := scanEntry(rows)
				if err == nil {
					found[e.Key] = e
				}
				return err
			})
		}
		if err != nil {
			return nil, fmt.Errorf("read entries of the ledger: %w", explain(ctx, err))
		}
	}
	return found, nil
}

func (l *Ledger) entries(ctx context.Context, sync string, keys []string) (*sql.Rows, error) {
	if len(keys) < entriesAtOnce {
		return l.readers.QueryContext(ctx, entriesQuery(len(keys)), arguments(keys, sync)...)
	}
	many, err := l.manyEntries(ctx)
	if err != nil {
		return nil, err
	}
	return many.QueryContext(ctx, arguments(keys, sync)...)
}

// manyEntries returns the statement that reads entriesAtOnce entries.
func (l *Ledger) manyEntries(ctx context.Context) (*sql.Stmt, error) {
	l.manyMu.Lock()
	defer l.manyMu.Unlock()
	var err error
	if l.many == nil {
		l.many, err = l.readers.PrepareContext(ctx, entriesQuery(entriesAtOnce))
	}
	return l.many, err
}

func entriesQuery(n int) string {
	return "SELECT " + entryColumns + ` FROM entries e
		WHERE e.sync = (SELECT id FROM syncs WHERE name = ?) AND e.key IN (` + places(n) + ")"
}

// Holders returns the entries of all syncs whose Email or Identity is one of the addresses, each once.
func (l *Ledger) Holders(ctx context.Context, addresses []string) ([]ledger.Holder, error) {
	var found []ledger.Holder
	seen := make(map[int64]struct{})
	for chunk := range slices.Chunk(addresses, maxParameters) {
		in := places(len(chunk))
		query := "SELECT s.name, " + entryColumns + ` FROM entries e
			JOIN syncs s ON s.id = e.sync
			WHERE e.id IN (SELECT id FROM entries WHERE email IN (` + in + `)
				UNION ALL SELECT id FROM entries WHERE identity IN (` + in + `) AND identity <> '')`
		err := l.query(ctx, query, arguments(chunk, arguments(chunk)...), func(rows *sql.Rows) error {
			var sync string
			id, e, err := scanEntry(rows, &sync)
			if err != nil {
				return err
			}
			if _, again := seen[id]; !again {
				seen[id] = struct{}{}
				found = append(found, ledger.Holder{Sync: sync, Entry: e})
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
func (l *Ledger) query(ctx context.Context, query string, args []any, each func(*sql.Rows) error) error {
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

// places returns n parameters. They have no numbers, because SQLite looks for the place of each number among all of them.
func places(n int) string { return strings.TrimSuffix(strings.Repeat("?,", n), ",") }

func arguments(texts []string, before ...any) []any {
	for _, t := range texts {
		before = append(before, t)
	}
	return before
}
