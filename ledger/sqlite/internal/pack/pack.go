// Package pack keeps the marks of the entries, which the diff needs, packed into a table of their own: packs.
package pack

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"owlatsync/ledger"
	"owlatsync/ledger/internal/entry"
	"owlatsync/ledger/sqlite/internal/dbfile"
)

const (
	// Slots is how many ids a pack covers: the most marks that fit a page of 4 KiB beside SQLite's own bytes.
	Slots = 238
	// Held is how many changed packs a transaction keeps before it writes them.
	Held = 256
)

// Changed are the changed packs of a transaction that are not written yet. The zero value has none.
type Changed map[int64][]byte

// Mark sets the mark of an entry.
func (c *Changed) Mark(t dbfile.Tx, sync, number int64, mark [entry.MarkSize]byte) error {
	id := sync<<32 | number/Slots
	marks, held := (*c)[id]
	if !held {
		if len(*c) == Held {
			if err := c.Write(t); err != nil {
				return err
			}
		}
		err := t.Row("SELECT marks FROM packs WHERE id = ?1", []any{id}, &marks)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if *c == nil {
			*c = make(Changed)
		}
	}
	at := int(number%Slots) * entry.MarkSize
	if short := at + entry.MarkSize - len(marks); short > 0 {
		marks = append(marks, make([]byte, short)...)
	}
	copy(marks[at:], mark[:])
	(*c)[id] = marks
	return nil
}

// Write writes the changed packs.
func (c *Changed) Write(t dbfile.Tx) error {
	for id, marks := range *c {
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
	clear(*c)
	return nil
}

// of are the packs of the sync with the name ?1.
const of = " FROM syncs s CROSS JOIN packs p ON p.id >= s.id << 32 AND p.id < (s.id + 1) << 32 WHERE s.name = ?1"

// Count counts the marks of the sync, in a third of the time in which SQLite counts its entries.
func Count(ctx context.Context, t *sql.Tx, sync string) (n int, err error) {
	rows, err := t.QueryContext(ctx, "SELECT p.marks"+of, sync)
	if err != nil {
		return 0, err
	}
	err = dbfile.EachRow(rows, func(rows *sql.Rows) error {
		var marks sql.RawBytes
		if err := rows.Scan(&marks); err != nil {
			return err
		}
		for m := range slices.Chunk(marks, entry.MarkSize) {
			if !entry.IsNone(m) {
				n++
			}
		}
		return ctx.Err() // rows notices the end of ctx only later
	})
	return n, err
}

// Read calls yield for every mark of the sync, as of one instant and in the order of the entries' first records, until yield returns
// false.
func Read(ctx context.Context, db *sql.DB, sync string, yield func(ledger.IndexEntry) bool) (err error) {
	rows, err := db.QueryContext(ctx, "SELECT p.id, p.marks"+of+" ORDER BY p.id", sync)
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
		number := pack & (1<<32 - 1) * Slots
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
