package source

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"owlatsync"
	"owlatsync/source/internal/cell"
)

// Table is a source of rows: a query or a file, with the mapping of its columns. It is safe for concurrent use. Between calls it
// holds only what Connect makes and Keep keeps.
//
// Each scan holds its own connection or open file until its loop ends. Other scans and all methods may run beside it, even from
// within its loop. With a [database/sql.DB] they wait while all its connections are taken: if it allows a single connection, the
// loop of a scan must not call it.
type Table struct {
	mapping Mapping
	backend backend
	cursor  *Cursor // nil: all rows are always read
}

// Column describes one column of a source, mapped or not.
type Column struct {
	Name         string
	DatabaseType string // the database's name of the type; empty for files
}

// backend is a kind of source.
type backend interface {
	// open begins a scan and reads up to where the columns are known.
	open(ctx context.Context) (cursor, error)
	ping(ctx context.Context) error
	// noun is the source's name in errors: "the query" or "the file".
	noun() string
	// castHint tells how a query turns a binary column into text.
	castHint() string
}

// cursor is one scan.
type cursor interface {
	columns() []column
	// next moves on to the next row; false without an error is the complete end.
	next() (bool, error)
	// cell returns a value of the current row, valid until the next call of cell or next.
	cell(i int) (cell.Cell, error)
	// position is the position of the current row; its number is 0 before the first row.
	position() owlatsync.Position
	// close releases everything, whether or not the scan is at its end.
	close()
}

// breaker is a cursor whose rows may be broken: then they have no cells.
type breaker interface {
	// broken says why the current row is broken; empty if it is not.
	broken() string
}

// column is a column with what the conversion of its values needs.
type column struct {
	Column
	kind cell.Kind
}

func newTable(m Mapping, b backend) (*Table, error) {
	if err := m.Validate(); err != nil {
		return nil, fmt.Errorf("check the mapping: %w", err)
	}
	if m.Shapes.Email != (Shape{}) && followerOf(b) != nil {
		return nil, errors.New("check the mapping: the address must be a column alone, by which rows are found in the database; make it in the query")
	}
	return &Table{mapping: m.clone(), backend: b}, nil
}

// Rows streams all rows of the source in one read-only consistent snapshot. Each loop over the result is its own scan, which begins
// with the loop. The row and its slices are reused and valid until the next iteration; its strings stay valid. Breaking out of the
// loop releases everything.
//
// An error comes alone as the last pair, and means that the scan is incomplete. It wraps the error of ctx if that has ended, a
// [ColumnError] for each column that does not fit the mapping, a [LineError] for a file that has lost its shape or breaks off,
// [ErrNotQuery] for an invalid statement, or the error of the driver or the file. It never contains a value of the source or a
// password.
func (t *Table) Rows(ctx context.Context) iter.Seq2[*owlatsync.Row, error] {
	return func(yield func(*owlatsync.Row, error) bool) {
		c, err := t.backend.open(ctx)
		if err != nil {
			yield(nil, contextFirst(ctx, err))
			return
		}
		defer c.close()
		b, err := bind(t.mapping, c.columns(), t.backend)
		if err != nil {
			yield(nil, err)
			return
		}
		for {
			row, err := b.next(ctx, c)
			switch {
			case err != nil:
				yield(nil, contextFirst(ctx, err))
				return
			case row == nil || !yield(row, nil):
				return
			}
		}
	}
}

// Columns describes the source's columns in their order without reading rows. They need not fit the mapping; [Table.Check] tells.
// For an NDJSON file they are the columns of its first lines. Its errors are those of [Table.Rows].
func (t *Table) Columns(ctx context.Context) ([]Column, error) {
	if b, ok := t.backend.(recordBackend); ok {
		columns, err := b.records.Describe(ctx)
		return columns, contextFirst(ctx, err)
	}
	c, err := t.backend.open(ctx)
	if err != nil {
		return nil, contextFirst(ctx, err)
	}
	defer c.close()
	if n, ok := c.(typeNamer); ok {
		if err := n.nameTypes(ctx); err != nil {
			return nil, contextFirst(ctx, err)
		}
	}
	var columns []Column
	for _, col := range c.columns() {
		columns = append(columns, col.Column)
	}
	return columns, nil
}

// Check returns an error if the source cannot be read or its columns do not fit the mapping and the cursor. It gives no rows. Its
// errors are those of [Table.Rows].
func (t *Table) Check(ctx context.Context) error {
	c, err := t.backend.open(ctx)
	if err != nil {
		return contextFirst(ctx, err)
	}
	defer c.close()
	if _, err := bind(t.mapping, c.columns(), t.backend); err != nil || t.cursor == nil {
		return err
	}
	return increment{t}.checkCursor(ctx, c.columns())
}

// typeNamer is a cursor that must ask for the names of some types.
type typeNamer interface {
	nameTypes(ctx context.Context) error
}

// hider is a backend that may show less than all rows to its user.
type hider interface {
	hidden(ctx context.Context) (why string, err error)
}

// Hidden says what may keep rows of the source from being read without an error, and what to do about it; it is empty if nothing
// does. Only row-level security of PostgreSQL is looked for, in all that the query reads. Its errors are those of [Table.Rows].
func (t *Table) Hidden(ctx context.Context) (why string, err error) {
	h, ok := t.backend.(hider)
	if !ok {
		return "", nil
	}
	why, err = h.hidden(ctx)
	return why, contextFirst(ctx, err)
}

// connecter is a backend that can connect before a scan needs it.
type connecter interface {
	connectAhead(ctx context.Context) (release func())
}

// Connect begins to connect to the database, so that a scan that begins within a few seconds need not wait. It returns at once; a
// failure becomes the error of that scan. It does nothing for sources other than [Postgres], or while a connection that it made
// waits for a scan. The caller must call release when no scan is to come: it closes a connection that no scan has taken, and waits
// until it is closed.
func (t *Table) Connect(ctx context.Context) (release func()) {
	if c, ok := t.backend.(connecter); ok {
		return c.connectAhead(ctx)
	}
	return func() {}
}

// keeper is a backend that can keep a connection from one scan to the next.
type keeper interface {
	keepConnection() (release func())
}

// Keep lets scans leave a connection open for the next one, so that it need not connect: at most one, for at most five minutes without a
// scan. Release closes it. With [MySQL] it makes scans give their connections back to the [database/sql.DB] instead of closing them;
// these stay set up for scans, so nothing else should use that DB. Other sources keep their connections anyway, and Keep does nothing.
func (t *Table) Keep() (release func()) {
	if k, ok := t.backend.(keeper); ok {
		return k.keepConnection()
	}
	return func() {}
}

// Ping returns an error if the source cannot be reached: it connects to the database or opens the file, and runs no query. The
// error wraps that of ctx if ctx has ended, or the error of the driver or the file.
func (t *Table) Ping(ctx context.Context) error {
	return contextFirst(ctx, t.backend.ping(ctx))
}

// contextFirst returns the context's error if there is one, because a driver's error about its broken connection would hide it.
func contextFirst(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil {
		return err
	}
	return fmt.Errorf("read the source: %w", ctx.Err())
}
