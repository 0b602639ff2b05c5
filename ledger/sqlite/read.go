package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"slices"
	"sync"

	"owlatsync/ledger"
	"owlatsync/ledger/internal/entry"
	"owlatsync/ledger/sqlite/internal/dbfile"
	"owlatsync/ledger/sqlite/internal/pack"
)

// entryReader reads entries.
type entryReader struct {
	*base
	many *manyStatement
}

// manyStatement is the statement that reads entriesAtOnce entries. It is prepared on first use.
type manyStatement struct {
	mu   sync.Mutex
	stmt *sql.Stmt
}

func (m *manyStatement) prepare(ctx context.Context, db *sql.DB) (*sql.Stmt, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var err error
	if m.stmt == nil {
		m.stmt, err = db.PrepareContext(ctx, entriesQuery(entriesAtOnce))
	}
	return m.stmt, err
}

func (m *manyStatement) close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.stmt == nil {
		return nil
	}
	return m.stmt.Close()
}

// entriesAtOnce is how many entries the prepared statement reads.
const entriesAtOnce = 250

// Entries returns the sync's entries with the given keys, by key. It leaves out keys without an entry.
func (r entryReader) Entries(ctx context.Context, sync string, keys []string) (map[string]*ledger.Entry, error) {
	found := make(map[string]*ledger.Entry, len(keys))
	for chunk := range slices.Chunk(keys, entriesAtOnce) {
		rows, err := r.entries(ctx, sync, chunk)
		if err == nil {
			err = dbfile.EachRow(rows, func(rows *sql.Rows) error {
				_, e, err := entry.Scan(rows)
				if err == nil {
					found[e.Key] = e
				}
				return err
			})
		}
		if err != nil {
			return nil, fmt.Errorf("read entries of the ledger: %w", dbfile.Explain(ctx, err))
		}
	}
	return found, nil
}

func (r entryReader) entries(ctx context.Context, sync string, keys []string) (*sql.Rows, error) {
	if len(keys) < entriesAtOnce {
		return r.f.Readers.QueryContext(ctx, entriesQuery(len(keys)), entry.Arguments(keys, sync)...)
	}
	many, err := r.many.prepare(ctx, r.f.Readers)
	if err != nil {
		return nil, err
	}
	return many.QueryContext(ctx, entry.Arguments(keys, sync)...)
}

func entriesQuery(n int) string {
	return "SELECT " + entry.Columns + ` FROM entries e
		WHERE e.sync = (SELECT id FROM syncs WHERE name = ?) AND e.key IN (` + entry.Places(n) + ")"
}

// Holders returns the entries of all syncs whose Email or Identity is one of the addresses, each once.
func (r entryReader) Holders(ctx context.Context, addresses []string) ([]ledger.Holder, error) {
	var found []ledger.Holder
	seen := make(map[int64]struct{})
	for chunk := range slices.Chunk(addresses, entry.MaxParameters) {
		in := entry.Places(len(chunk))
		query := "SELECT s.name, " + entry.Columns + ` FROM entries e
			JOIN syncs s ON s.id = e.sync
			WHERE e.id IN (SELECT id FROM entries WHERE email IN (` + in + `)
				UNION ALL SELECT id FROM entries WHERE identity IN (` + in + `) AND identity <> '')`
		err := r.query(ctx, query, entry.Arguments(chunk, entry.Arguments(chunk)...), func(rows *sql.Rows) error {
			var sync string
			id, e, err := entry.Scan(rows, &sync)
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
			return nil, fmt.Errorf("look up holders in the ledger: %w", dbfile.Explain(ctx, err))
		}
	}
	return found, nil
}

// Index streams what the diff needs of every entry of the sync that has not departed, as of one instant and in the order of their first records. Other
// methods may be called while it streams.
func (r entryReader) Index(ctx context.Context, sync string) iter.Seq2[ledger.IndexEntry, error] {
	return func(yield func(ledger.IndexEntry, error) bool) {
		err := pack.Read(ctx, r.f.Streams, sync, func(e ledger.IndexEntry) bool { return yield(e, nil) })
		if err != nil {
			yield(ledger.IndexEntry{}, fmt.Errorf("read the ledger's index: %w", dbfile.Explain(ctx, err)))
		}
	}
}
