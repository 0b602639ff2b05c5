// Package entries reads the entries of a ledger.
package entries

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"owlatsync/ledger"
	"owlatsync/ledger/internal/entry"
	"owlatsync/ledger/postgres/internal/change"
	"owlatsync/ledger/postgres/internal/entryrow"
	"owlatsync/ledger/postgres/internal/server"
)

// OfSync is the number of the sync with the name $2 in the deployment $1.
const OfSync = "(SELECT id FROM @syncs WHERE deployment = $1 AND name = $2)"

// Source is where a Reader reads. $1 of a statement is the number of the deployment; args follow.
type Source interface {
	// Query calls each for every row of a short read.
	Query(ctx context.Context, query string, args []any, each func(pgx.Rows) error) error
	// Stream is Query for reads whose caller does something else meanwhile.
	Stream(ctx context.Context, query string, args []any, each func(pgx.Rows) error) error
	// Scan reads entryrow.Columns; before takes the columns in front of them.
	Scan(ctx context.Context, rows pgx.Rows, before ...any) (number int64, e *ledger.Entry, err error)
}

// Reader reads entries.
type Reader struct{ Source }

// atOnce is how many rows one statement looks up, so that no answer grows without end.
const atOnce = 5000

// Entries returns the sync's entries with the given keys, by key. It leaves out keys without an entry.
func (r Reader) Entries(ctx context.Context, sync string, keys []string) (map[string]*ledger.Entry, error) {
	found := make(map[string]*ledger.Entry, len(keys))
	query := "SELECT " + entryrow.Columns + ` FROM unnest($3::bytea[]) AS u (key)
		CROSS JOIN LATERAL (SELECT * FROM @entries e WHERE e.sync = ` + OfSync + ` AND substring(e.key FROM 1 FOR 64) = substring(u.key FROM 1 FOR 64)
			AND ` + change.KeyTail + ` = (CASE WHEN length(u.key) > 64 THEN sha256(u.key) ELSE ''::bytea END) LIMIT 1) AS e`
	for chunk := range slices.Chunk(keys, atOnce) {
		err := r.Query(ctx, query, []any{sync, chunk}, func(rows pgx.Rows) error {
			_, e, err := r.Scan(ctx, rows)
			if err == nil {
				found[e.Key] = e
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("read entries of the ledger: %w", server.Explain(ctx, err))
		}
	}
	return found, nil
}

// Numbered returns the sync's entries with the given numbers of the Index.
func (r Reader) Numbered(ctx context.Context, sync string, numbers []int64) (found []*ledger.Entry, err error) {
	for chunk := range slices.Chunk(numbers, atOnce) {
		err := r.Query(ctx, "SELECT "+entryrow.Columns+" FROM @entries e WHERE e.sync = "+OfSync+" AND e.number = ANY ($3)", []any{sync, chunk}, func(rows pgx.Rows) error {
			_, e, err := r.Scan(ctx, rows)
			found = append(found, e)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("read entries of the ledger: %w", server.Explain(ctx, err))
		}
	}
	return found, nil
}

// Holders returns the entries of all syncs whose Email or Identity is one of the addresses, each once.
func (r Reader) Holders(ctx context.Context, addresses []string) ([]ledger.Holder, error) {
	const ids = `SELECT f.sync, f.number FROM unnest($2::bytea[]) AS u (address)
		CROSS JOIN LATERAL (SELECT e.sync, e.number FROM @entries e WHERE e.deployment = $1 AND substring(%[1]s FROM 1 FOR 64) = substring(u.address FROM 1 FOR 64)
			AND %[1]s = u.address AND %[1]s IS NOT NULL%[2]s OFFSET 0) AS f WHERE u.address <> ''`
	query := "SELECT s.name, " + entryrow.Columns + " FROM (" + fmt.Sprintf(ids, "coalesce(e.identity, e.email)", "") + " UNION " +
		fmt.Sprintf(ids, "e.email", " AND e.identity IS NOT NULL") + `) AS f
		JOIN @entries e ON e.sync = f.sync AND e.number = f.number JOIN @syncs s ON s.id = e.sync`
	found, err := r.holders(ctx, query, addresses)
	if err != nil {
		return nil, fmt.Errorf("look up holders in the ledger: %w", server.Explain(ctx, err))
	}
	return found, nil
}

// Sharers returns the entries of all syncs that stand for one of the contacts.
func (r Reader) Sharers(ctx context.Context, contactIDs []string) ([]ledger.Holder, error) {
	found, err := r.holders(ctx, "SELECT s.name, "+entryrow.Columns+` FROM unnest($2::bytea[]) AS u (contact)
		CROSS JOIN LATERAL (SELECT * FROM @entries e WHERE e.deployment = $1 AND substring(e.contact_id FROM 1 FOR 64) = substring(u.contact FROM 1 FOR 64)
			AND e.contact_id = u.contact AND e.contact_id IS NOT NULL OFFSET 0) AS e JOIN @syncs s ON s.id = e.sync`, contactIDs)
	if err != nil {
		return nil, fmt.Errorf("look up contacts in the ledger: %w", server.Explain(ctx, err))
	}
	return found, nil
}

// holders returns the entries that a query finds by texts, each once.
func (r Reader) holders(ctx context.Context, query string, texts []string) (found []ledger.Holder, err error) {
	type place struct {
		sync   string
		number int64
	}
	seen := make(map[place]struct{})
	for chunk := range slices.Chunk(texts, atOnce) {
		err := r.Query(ctx, query, []any{chunk}, func(rows pgx.Rows) error {
			var sync string
			number, e, err := r.Scan(ctx, rows, &sync)
			if err != nil {
				return err
			}
			if _, again := seen[place{sync, number}]; !again {
				seen[place{sync, number}] = struct{}{}
				found = append(found, ledger.Holder{Sync: sync, Entry: e})
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// Index streams what the diff needs of every entry of the sync that has not departed, as of one instant, mostly in the order of their first
// records. Other methods may be called while it streams.
func (r Reader) Index(ctx context.Context, sync string) iter.Seq2[ledger.IndexEntry, error] {
	return func(yield func(ledger.IndexEntry, error) bool) {
		enough := false
		err := r.Stream(ctx, "SELECT pack, marks FROM @packs WHERE sync = "+OfSync, []any{sync}, func(rows pgx.Rows) error {
			if ctx.Err() != nil { // rows notices the end of ctx only later
				return context.Cause(ctx)
			}
			var pack int64
			var marks pgtype.DriverBytes
			if err := rows.Scan(&pack, &marks); err != nil {
				return err
			}
			if len(marks)%entry.MarkSize != 0 {
				return fmt.Errorf("%w (the index is cut short)", ledger.ErrCorrupt)
			}
			number := pack * entryrow.PackSlots
			for m := range slices.Chunk(marks, entry.MarkSize) {
				if !entry.IsNone(m) {
					e := entry.Marked(m)
					if e.Number = number; !yield(e, nil) {
						enough = true
						return errEnough
					}
				}
				number++
			}
			return nil
		})
		if err != nil && !enough {
			yield(ledger.IndexEntry{}, fmt.Errorf("read the ledger's index: %w", server.Explain(ctx, err)))
		}
	}
}

// OptedOut counts the entries of sync s for whose contact an opt-out is known, beginning with the opt-outs, which are few.
const OptedOut = `(SELECT count(DISTINCT e.number) FROM @opt_outs o CROSS JOIN LATERAL (SELECT * FROM @entries e
	WHERE e.deployment = $1 AND substring(e.contact_id FROM 1 FOR 64) = substring(o.contact_id FROM 1 FOR 64) AND e.contact_id = o.contact_id
	AND e.contact_id IS NOT NULL OFFSET 0) AS e WHERE o.deployment = $1 AND e.sync = s.id AND e.departed IS NULL)`
