package delimited

import (
	"bytes"

	"owlatsync/source/internal/cell"
)

// Batch is a number of rows whose texts lie in one buffer. It is valid until the next [Reader.Fill] with it.
type Batch struct {
	Lines []int // line numbers of the rows
	Err   error // the error after the rows; io.EOF is the end

	width   int
	fields  []field        // row by row
	broken  map[int]string // why rows have no values, by their place in the batch
	text    []byte
	kept    bool // text is valid and part of the string whole
	whole   []byte
	buf     []byte       // memory for text otherwise
	footers map[int]bool // broken rows that may be footers
}

// field is the place of a field in the batch's text.
type field struct {
	start, end uint32
	quoted     bool
}

// NULL as databases write it.
var (
	nullWord   = []byte("NULL")
	nullEscape = []byte(`\N`)
)

// Cell returns a value of a row. An empty field is NULL, and so are \N and, unless it is quoted, the word NULL.
func (b *Batch) Cell(row, column int) cell.Cell {
	f := b.fields[row*b.width+column]
	c := cell.Cell{Kept: b.kept, Text: b.text[f.start:f.end]}
	switch len(c.Text) {
	case 0:
		c.Null = true
	case len(nullWord):
		c.Null = !f.quoted && bytes.Equal(c.Text, nullWord)
	case len(nullEscape):
		c.Null = bytes.Equal(c.Text, nullEscape)
	}
	return c
}

// Broken says why a row has no values; empty for one that has.
func (b *Batch) Broken(row int) string {
	if b.broken == nil {
		return ""
	}
	return b.broken[row]
}

func (b *Batch) reset(width int) {
	b.Lines, b.Err, b.width = b.Lines[:0], nil, width
	b.fields, b.broken, b.footers, b.buf, b.kept = b.fields[:0], nil, nil, b.buf[:0], false
}

// split cuts a part of the text into fields.
func (b *Batch) split(start, end int, delimiter byte) {
	for {
		size := bytes.IndexByte(b.text[start:end], delimiter)
		if size < 0 {
			b.fields = append(b.fields, field{start: uint32(start), end: uint32(end)})
			return
		}
		b.fields = append(b.fields, field{start: uint32(start), end: uint32(start + size)})
		start += size + 1
	}
}

// value returns the text of a field while the batch is filled.
func (b *Batch) value(f field) []byte { return b.text[f.start:f.end] }

// breakRow makes a broken row of what was read of it.
func (b *Batch) breakRow(known, line int, reason string) {
	b.fields = append(b.fields[:known], make([]field, b.width)...)
	if b.broken == nil {
		b.broken = make(map[int]string)
	}
	b.broken[len(b.Lines)] = reason
	b.Lines = append(b.Lines, line)
}

// drop drops the last row.
func (b *Batch) drop() {
	delete(b.broken, len(b.Lines)-1)
	b.Lines = b.Lines[:len(b.Lines)-1]
	b.fields = b.fields[:len(b.Lines)*b.width]
}
