package source

import (
	"context"
	"errors"

	"owlatsync"
	"owlatsync/source/internal/cell"
)

// Records is a store of records that another package reads, such as owlatsync/source/mongo. It is safe for concurrent use.
type Records interface {
	// Open begins one consistent scan of all records that the source has. It only reads.
	Open(ctx context.Context) (Reader, error)
	// Describe returns the columns that the records have, as far as a quick look tells.
	Describe(ctx context.Context) ([]Column, error)
	// Ping returns an error if the store cannot be reached.
	Ping(ctx context.Context) error
	// Names returns what errors call the store and one record, such as "the collection" and "document".
	Names() (store, record string)
}

// Reader is one scan of Records, for one goroutine.
type Reader interface {
	// Columns returns the names of the columns, before the first record.
	Columns() []string
	// Next moves on to the next record; false without an error is the complete end.
	Next(ctx context.Context) (bool, error)
	// Value returns a value of the current record: nil for none, a bool, an int64, a float64, a json.Number for other numbers, a
	// string, a time.Time, or a Nested for what is no single value.
	Value(column int) any
	// Close releases everything, whether or not the scan is at its end.
	Close()
}

// Placed is a [Reader] that knows the number of a record in its store. Without it records are counted from 1.
type Placed interface {
	// Position returns the number of the current record.
	Position() int
}

// Nested is a value of a [Reader] that is a list, a document or bytes, which cannot be mapped.
type Nested struct{}

// From returns the rows of records. The caller keeps and closes the store. From runs nothing; its error comes from
// [Mapping.Validate], or says that there are no records.
func From(r Records, m Mapping) (*Table, error) {
	if r == nil {
		return nil, errors.New("choose records: there are none")
	}
	return newTable(m, recordBackend{r})
}

type recordBackend struct{ records Records }

func (b recordBackend) ping(ctx context.Context) error { return b.records.Ping(ctx) }
func (b recordBackend) castHint() string               { return "a text" }

func (b recordBackend) noun() string {
	store, _ := b.records.Names()
	return store
}

func (b recordBackend) open(ctx context.Context) (cursor, error) {
	reader, err := b.records.Open(ctx)
	if err != nil {
		return nil, err
	}
	return b.cursor(ctx, reader), nil
}

func (b recordBackend) cursor(ctx context.Context, reader Reader) *recordCursor {
	_, record := b.records.Names()
	c := &recordCursor{ctx: ctx, reader: reader, unit: record}
	for _, name := range reader.Columns() {
		c.cols = append(c.cols, column{Column: Column{Name: name}})
	}
	return c
}

// recordCursor is a scan of records.
type recordCursor struct {
	ctx    context.Context // the scan's own: a cursor lives no longer
	reader Reader
	unit   string
	cols   []column
	n      int
	buf    []byte
}

func (c *recordCursor) columns() []column { return c.cols }
func (c *recordCursor) close()            { c.reader.Close() }
func (c *recordCursor) position() owlatsync.Position {
	return owlatsync.Position{Unit: c.unit, Number: c.n}
}

func (c *recordCursor) next() (bool, error) {
	more, err := c.reader.Next(c.ctx)
	if more && err == nil {
		c.n++
		if placed, ok := c.reader.(Placed); ok {
			c.n = placed.Position()
		}
	}
	return more, err
}

func (c *recordCursor) cell(i int) (cell.Cell, error) {
	v := c.reader.Value(i)
	if v == nil {
		return cell.Cell{Null: true}, nil
	}
	if _, nested := v.(Nested); nested {
		return cell.Cell{Kind: cell.Nested}, nil
	}
	return cell.OfGo(v, &c.buf), nil
}
