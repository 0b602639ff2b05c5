package source

import (
	"context"
	"database/sql/driver"
)

// A batch ends at so many rows or bytes; so that little is read of a scan that ends early, and little memory waits.
const (
	batchRows  = 1024
	batchBytes = 32 << 10
	// batchKeep is how much memory a batch keeps for the next rows.
	batchKeep = 128 << 10
)

// sqlFeed reads the rows of a query ahead.
func sqlFeed(ctx context.Context, rows driver.Rows, values []sqlType) *feed[sqlBatch] {
	dest := make([]driver.Value, len(values))
	return startFeed(ctx, func(b *sqlBatch) bool {
		b.fill(rows, values, dest)
		return b.err != nil
	})
}

// sqlBatch is a number of rows whose texts lie in one buffer.
type sqlBatch struct {
	cells []sqlCell // row by row
	rows  int
	err   error // what came after the rows; io.EOF is the complete end
	texts []byte
	kept  string // texts, where none is wrong
	raw   []byte // of one value
	spare []byte // the same
}

func (b *sqlBatch) fill(rows driver.Rows, values []sqlType, dest []driver.Value) {
	b.cells, b.rows, b.err = b.cells[:0], 0, nil
	defer b.check()
	if b.texts = b.texts[:0]; b.texts == nil || cap(b.texts) > batchKeep {
		b.texts = make([]byte, 0, batchBytes+batchBytes/8)
	}
	for b.rows < batchRows && len(b.texts) < batchBytes {
		if b.err = rows.Next(dest); b.err != nil {
			return
		}
		for i := range values {
			b.cells = append(b.cells, values[i].cell(dest[i], b))
		}
		b.rows++
	}
}

// check looks at all texts at once, of which nearly always none is wrong, and then makes one string of them.
func (b *sqlBatch) check() {
	b.kept = ""
	if isText(b.texts) {
		b.kept = string(b.texts)
	}
}

// keep copies a text into the batch and returns where it lies.
func (b *sqlBatch) keep(text []byte) (start, end int) {
	b.texts = append(b.texts, separator) // keeps texts that are no UTF-8 from completing each other
	start = len(b.texts)
	b.texts = append(b.texts, text...)
	return start, len(b.texts)
}

// cell returns a value, which is valid until the batch is filled again.
func (b *sqlBatch) cell(c *sqlCell) cell {
	v := cell{null: c.null, kind: c.kind, kept: b.kept != ""}
	if v.kept {
		v.text = bytesOf(b.kept)[c.start:c.end]
	} else {
		v.text = b.texts[c.start:c.end:c.end]
	}
	return v
}
