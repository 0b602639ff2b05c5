// Package sqlrows turns the rows of a database/sql driver, whatever their Go types, into batches of cells.
package sqlrows

import (
	"context"
	"database/sql/driver"

	"owlatsync/source/internal/ahead"
	"owlatsync/source/internal/cell"
)

// A batch ends at this many bytes at the latest, so that an early end wastes little and little memory waits.
const (
	batchBytes = 32 << 10
	// batchKeep is the most memory that a batch keeps for the next rows.
	batchKeep = 128 << 10
)

// Read reads the rows of a query ahead.
func Read(ctx context.Context, rows driver.Rows, values []Type) *ahead.Feed[Batch] {
	dest := make([]driver.Value, len(values))
	return ahead.Start(ctx, func(b *Batch) bool {
		b.fill(rows, values, dest)
		return b.Err != nil
	})
}

// Batch is a number of rows whose texts are in one buffer.
type Batch struct {
	Values []Value // row by row
	Rows   int
	Err    error // the error after the rows; io.EOF is the complete end
	texts  []byte
	kept   string // texts as a string, if all are valid
	raw    []byte // buffer for one value
	spare  []byte // second buffer for one value
}

func (b *Batch) fill(rows driver.Rows, values []Type, dest []driver.Value) {
	b.Values, b.Rows, b.Err = b.Values[:0], 0, nil
	defer b.check()
	if b.texts = b.texts[:0]; b.texts == nil || cap(b.texts) > batchKeep {
		b.texts = make([]byte, 0, batchBytes+batchBytes/8)
	}
	for b.Rows < ahead.BatchRows && len(b.texts) < batchBytes {
		if b.Err = rows.Next(dest); b.Err != nil {
			return
		}
		for i := range values {
			b.Values = append(b.Values, values[i].cell(dest[i], b))
		}
		b.Rows++
	}
}

// check checks all texts at once, which are nearly always valid, and then makes one string of them.
func (b *Batch) check() {
	b.kept = ""
	if cell.IsText(b.texts) {
		b.kept = string(b.texts)
	}
}

// keep copies a text into the batch and returns its place.
func (b *Batch) keep(text []byte) (start, end int) {
	b.texts = append(b.texts, cell.Separator) // keeps invalid texts from completing each other to valid UTF-8
	start = len(b.texts)
	b.texts = append(b.texts, text...)
	return start, len(b.texts)
}

// Cell returns a value, valid until the batch is filled again.
func (b *Batch) Cell(c *Value) cell.Cell {
	v := cell.Cell{Null: c.null, Kind: c.kind, Kept: b.kept != ""}
	if v.Kept {
		v.Text = cell.BytesOf(b.kept)[c.start:c.end]
	} else {
		v.Text = b.texts[c.start:c.end:c.end]
	}
	return v
}
