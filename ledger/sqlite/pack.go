package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"slices"

	"owlatsync/ledger"
	"owlatsync/ledger/sqlite/internal/dbfile"
	"owlatsync/ledger/sqlite/internal/entry"
)

// The marks of the entries, which the diff needs, are packed into a table of their own: packs.
const (
	// packSlots is how many ids a pack covers: the most marks that fit a page of 4 KiB beside SQLite's own bytes.
	packSlots = 238
	// packsHeld is how many changed packs a transaction keeps before it writes them.
	packsHeld = 256
)

// mark sets the mark of an entry.
func (t *tx) mark(sync, number int64, mark [entry.MarkSize]byte) error {
	id := sync<<32 | number/packSlots
	marks, held := t.packs[id]
	if !held {
		if len(t.packs) == packsHeld {
			if err := t.writePacks(); err != nil {
				return err
			}
		}
		err := t.Row("SELECT marks FROM packs WHERE id = ?1", []any{id}, &marks)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if t.packs == nil {
			t.packs = make(map[int64][]byte)
		}
	}
	at := int(number%packSlots) * entry.MarkSize
	if short := at + entry.MarkSize - len(marks); short > 0 {
		marks = append(marks, make([]byte, short)...)
	}
	copy(marks[at:], mark[:])
	t.packs[id] = marks
	return nil
}

// writePacks writes the changed packs of the transaction.
func (t *tx) writePacks() error {
	for id, marks := range t.packs {
		if len(bytes.TrimLeft(marks, "\x00")) == 0 { // nobody is left in it, and reading it would cost as much as ever
			if err := t.Exec("DELETE FROM packs WHERE id = ?1", id); err != nil {
				return err
			}
			continue
		}
		err := t.Exec("INSERT INTO packs (id, marks) VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET marks = excluded.marks", id, marks)
		if err != nil {
			return err
		}
	}
	clear(t.packs)
	return nil
}

// Index streams what the diff needs of every entry of the sync that has not departed, as of one instant and in the order of their first records. Other
// methods may be called while it streams.
func (r entryReader) Index(ctx context.Context, sync string) iter.Seq2[ledger.IndexEntry, error] {
	return func(yield func(ledger.IndexEntry, error) bool) {
		if err := r.index(ctx, sync, func(e ledger.IndexEntry) bool { return yield(e, nil) }); err != nil {
			yield(ledger.IndexEntry{}, fmt.Errorf("read the ledger's index: %w", dbfile.Explain(ctx, err)))
		}
	}
}

func (r entryReader) index(ctx context.Context, sync string, yield func(ledger.IndexEntry) bool) (err error) {
	rows, err := r.f.Streams.QueryContext(ctx, `SELECT p.id, p.marks FROM syncs s
		CROSS JOIN packs p ON p.id >= s.id << 32 AND p.id < (s.id + 1) << 32 WHERE s.name = ?1 ORDER BY p.id`, sync)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := ctx.Err(); err != nil { // rows notices the end of ctx only later
			return err
		}
		var pack int64
		var marks sql.RawBytes
		if err := rows.Scan(&pack, &marks); err != nil {
			return err
		}
		if len(marks)%entry.MarkSize != 0 {
			return fmt.Errorf("%w (the index is cut short)", ledger.ErrCorrupt)
		}
		number := pack & (1<<32 - 1) * packSlots
		for m := range slices.Chunk(marks, entry.MarkSize) {
			if !entry.IsNone(m) {
				e := entry.Marked(m)
				if e.Number = number; !yield(e) {
					return nil
				}
			}
			number++
		}
	}
	return rows.Err()
}
