package source

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"owlatsync"
	"owlatsync/source/internal/cell"
	"owlatsync/source/internal/wrap"
)

// Cursor names the column that tells when a row changed, so that a scan can leave out rows that have not changed since an earlier
// one.
type Cursor struct {
	// Column is one of the source's columns: a time, a date or a whole number that grows whenever a row changes. Every scan gives
	// the rows in which it is NULL.
	Column string
	// Overlap is how far before the mark a scan begins, for a column of times or dates; 0 means 10 minutes. It must be longer than
	// any transaction that changes rows, because late commits have an earlier time.
	Overlap time.Duration
	// Step is the overlap for a column of whole numbers. It has no default.
	Step int64
	// Database identifies the database without a secret: a mark of one database says nothing about another.
	Database string
}

// WithCursor returns a table of the same rows whose Scan can leave out unchanged ones. Only queries of PostgreSQL, MySQL, MariaDB
// and SQLite with a key can have a cursor. It fails for another source, a mapping without a key, a cursor without a column, and an
// overlap that is negative or given in both ways. It runs nothing: [Table.Check] tells whether the column can be a cursor.
func (t *Table) WithCursor(c Cursor) (*Table, error) {
	switch {
	case c.Column == "":
		return nil, errors.New("choose a cursor: it names no column")
	case c.Overlap < 0 || c.Step < 0 || c.Overlap > 0 && c.Step > 0:
		return nil, errors.New("choose a cursor: its overlap is either a duration or a number of steps, and not negative")
	case len(t.mapping.Key) == 0:
		return nil, errors.New("choose a cursor: the mapping has no key, by which rows could be read again")
	}
	if followerOf(t.backend) == nil {
		return nil, fmt.Errorf("choose a cursor: %s is always read whole; cursors are for PostgreSQL, MySQL, MariaDB, SQLite and MongoDB", t.backend.noun())
	}
	return &Table{mapping: t.mapping, backend: t.backend, cursor: &c}, nil
}

// follower is a backend that can be asked for what changed.
type follower interface {
	backend
	// text identifies what is read.
	text() string
	// loose says that each value of a column has its own type.
	loose() bool
	// openChanged begins a scan of the rows whose cursor is NULL or not before the bound; of all rows if the bound has no text.
	openChanged(ctx context.Context, from bound) (following, error)
	// look calls do with what tells how far the cursor is, without a scan.
	look(ctx context.Context, do func(looking) error) error
	// openNone begins a scan of no rows, in the way in which changes are asked for; no column means that only rows are asked for by key.
	openNone(ctx context.Context, column string) (following, error)
}

// looking tells how far a cursor is. All calls answer as of one instant.
type looking interface {
	// peak is top of following, but not beyond the server's clock.
	peak(ctx context.Context, from bound, k cell.Kind) (typ, text string, err error)
	// count counts the rows whose cursor is not before the bound, at most most of them.
	count(ctx context.Context, from bound, most int) (int, error)
}

// following is a scan that can go on in the same snapshot. All earlier rows must have been read.
type following interface {
	cursor
	// again goes on with the rows of these keys that openChanged leaves out, or with all rows of them if the bound has no column.
	again(ctx context.Context, from bound, b *binding, keys []string) error
	// top returns the highest value of the cursor that is not before the bound, as text, empty if there is none; for a source that is
	// loose also its type.
	top(ctx context.Context, from bound, k cell.Kind) (typ, text string, err error)
	// indexed reports whether rows from the bound on are found by an index.
	indexed(ctx context.Context, from bound) (bool, error)
}

// followerOf returns the backend as one that can be asked for what changed, nil if it cannot.
func followerOf(b backend) follower {
	switch x := b.(type) {
	case sqlSource:
		if x.wrapping() != nil {
			return queries{x}
		}
	case recordBackend:
		if changing, ok := x.records.(Changing); ok {
			return recordFollower{x, changing}
		}
	}
	return nil
}

// Settings identifies what Scan reads: if it differs, an earlier mark says nothing. It is empty for a table without a cursor. It
// holds no secret unless the query does.
func (t *Table) Settings() string {
	if t.cursor == nil {
		return ""
	}
	return fmt.Sprintf("%q %q %q %+v", t.cursor.Column, t.cursor.Database, followerOf(t.backend).text(), t.mapping)
}

// Scan reads the source as [Table.Rows] does, and leaves out rows that have not changed since s.Since. For a table without a cursor
// it gives all rows and no mark. The result is for one loop. The caller must not change s in the loop, and the loop calls s.Again.
// The errors are those of Rows and of s.Again, a [ColumnError] for a column that cannot be the cursor, and one for an invalid mark.
// After an error, neither the rows nor the mark are complete.
func (t *Table) Scan(ctx context.Context, s *owlatsync.Scan) iter.Seq2[*owlatsync.Row, error] {
	s.From, s.Mark = "", ""
	if t.cursor == nil {
		return t.Rows(ctx)
	}
	return func(yield func(*owlatsync.Row, error) bool) {
		if err := (increment{t}).scan(ctx, s, yield); err != nil {
			yield(nil, contextFirst(ctx, err))
		}
	}
}

// errEnough ends a scan whose reader left the loop; nobody sees it.
var errEnough = errors.New("enough")

// increment reads what changed.
type increment struct{ *Table }

func (t increment) scan(ctx context.Context, s *owlatsync.Scan, yield func(*owlatsync.Row, error) bool) error {
	f := followerOf(t.backend)
	from := bound{Column: t.cursor.Column}
	if s.Since != "" {
		var err error
		if from, err = t.cursor.bound(s.Since); err != nil {
			return err
		}
		s.From = from.Text
	}
	c, err := f.openChanged(ctx, from)
	if err != nil {
		return err
	}
	defer c.close()
	b, err := bind(t.mapping, c.columns(), f)
	if err != nil {
		return err
	}
	k, err := t.bindCursor(c.columns())
	if err != nil {
		return err
	}
	if s.Since != "" && !f.loose() && k != from.Kind {
		return &ColumnError{t.cursor.Column, fmt.Sprintf("it now holds %s, and held %s when it was last read: read all rows once, with \"run --full\"", cell.Called(k), cell.Called(from.Kind))}
	}
	switch err := t.stream(ctx, b, c, nil, yield); {
	case errors.Is(err, errEnough):
		return nil
	case err != nil:
		return err
	}
	if s.Since != "" && s.Again != nil {
		switch err := t.readAgain(ctx, s.Again, from, b, c, yield); {
		case errors.Is(err, errEnough):
			return nil
		case err != nil:
			return err
		}
	}
	s.Mark, err = t.mark(ctx, c, from)
	if s.Mark == "" {
		s.Mark = s.Since // no value is within the overlap
	}
	return err
}

// stream yields the rows of the running query, or only those with the wanted keys if wanted is not nil.
func (t increment) stream(ctx context.Context, b *binding, c cursor, wanted []string, yield func(*owlatsync.Row, error) bool) error {
	for {
		row, err := b.next(ctx, c)
		switch {
		case err != nil:
			return err
		case row == nil:
			return nil
		case wanted != nil && !slices.Contains(wanted, row.Key): // a database may compare texts less strictly
			continue
		case !yield(row, nil):
			return errEnough
		}
	}
}

// keysAtOnce is the most keys that one query names.
const keysAtOnce = 100

func (t increment) readAgain(ctx context.Context, next func(context.Context) ([]string, error), from bound, b *binding, c following,
	yield func(*owlatsync.Row, error) bool) error {
	for {
		keys, err := next(ctx)
		if err != nil || len(keys) == 0 {
			return err
		}
		for chunk := range slices.Chunk(keys, keysAtOnce) {
			if err := c.again(ctx, from, b, chunk); err != nil {
				return err
			}
			if err := t.stream(ctx, b, c, chunk, yield); err != nil {
				return err
			}
		}
	}
}

// bindCursor finds the cursor's column and the kind of its values, if the column's type tells that.
func (t increment) bindCursor(columns []column) (cell.Kind, error) {
	if err := t.findable(columns, "with a cursor"); err != nil {
		return 0, err
	}
	at := -1
	for i, c := range columns {
		if c.Name != t.cursor.Column {
			continue
		}
		if at >= 0 {
			return 0, &ColumnError{c.Name, "the query has several columns of this name; give the cursor's one of its own"}
		}
		at = i
	}
	f := followerOf(t.backend)
	if at < 0 {
		return 0, &bindingError{[]error{missing(t.cursor.Column, "a cursor is one of the query's columns, and "+f.noun(), columns)}, describe(columns)}
	}
	c := columns[at]
	if f.loose() { // each value has its own type
		return c.kind, nil
	}
	return c.kind, t.cursor.unfit(t.cursor.rules().Fits(c.kind, c.DatabaseType))
}

// findable reports whether rows can be read by the key. When says who wants that.
func (t increment) findable(columns []column, when string) error {
	for _, c := range columns {
		if slices.Contains(t.mapping.Key, c.Name) && (c.kind == cell.Moment || c.kind == cell.Day || c.kind == cell.Number) {
			return &ColumnError{c.Name, fmt.Sprintf("%s the key is text or whole numbers, by which rows can be read again, and this holds %s (%s)",
				when, cell.Called(c.kind), c.DatabaseType)}
		}
	}
	return nil
}

// bound is the value of the cursor from which on rows count as changed.
type bound = wrap.Since

func (c *Cursor) rules() wrap.Rules { return wrap.Rules{Overlap: c.Overlap, Step: c.Step} }

// unfit returns an error about the column if there is a reason.
func (c *Cursor) unfit(why string) error {
	if why == "" {
		return nil
	}
	return &ColumnError{c.Column, why}
}

// bound returns the value from which on a scan reads that goes on from the mark.
func (c *Cursor) bound(mark string) (bound, error) {
	from, understood, why := c.rules().From(c.Column, mark)
	if !understood {
		return bound{}, errors.New("the mark of the last scan cannot be understood: read all rows once, with \"run --full\"")
	}
	return from, c.unfit(why)
}

// markOf returns the mark of a value, empty if there is none.
func (t increment) markOf(typ, text string, k cell.Kind) (string, error) {
	mark, why := t.cursor.rules().Mark(typ, text, k, time.Now())
	return mark, t.cursor.unfit(why)
}

// checkCursor reports whether the columns have the cursor's, and whether part of the query's rows can be asked for.
func (t increment) checkCursor(ctx context.Context, columns []column) error {
	if _, isRecords := t.backend.(recordBackend); !isRecords { // whose columns are only those that were asked for
		if _, err := t.bindCursor(columns); err != nil {
			return err
		}
	}
	c, err := t.openNone(ctx)
	if err != nil {
		return err
	}
	defer c.close()
	_, err = t.mark(ctx, c, bound{Column: t.cursor.Column})
	return err
}

// openNone opens a scan of no rows and comes to its end.
func (t increment) openNone(ctx context.Context) (following, error) {
	c, err := followerOf(t.backend).openNone(ctx, t.cursor.Column)
	if err != nil {
		return nil, err
	}
	if _, err := c.next(); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// mark asks for the highest value that the scan has seen; it returns an empty mark if there is none.
func (t increment) mark(ctx context.Context, c following, from bound) (string, error) {
	k, err := t.bindCursor(c.columns())
	if err != nil {
		return "", err
	}
	typ, text, err := c.top(ctx, from, k)
	if err != nil {
		return "", t.unread(err)
	}
	return t.markOf(typ, text, k)
}

func (t increment) unread(err error) error {
	return fmt.Errorf("read how far the cursor %q is: %w", t.cursor.Column, err)
}

// CursorIndexed reports whether the database, by its own account, finds changed rows by an index. Without one, reading changes
// costs about as much as reading all rows. It fails for a table without a cursor; other errors are those of [Table.Scan].
func (t *Table) CursorIndexed(ctx context.Context) (bool, error) {
	if t.cursor == nil {
		return false, errors.New("the source has no cursor")
	}
	c, err := increment{t}.openNone(ctx)
	if err != nil {
		return false, contextFirst(ctx, err)
	}
	defer c.close()
	mark, err := increment{t}.mark(ctx, c, bound{Column: t.cursor.Column})
	if err != nil || mark == "" { // there is nothing to find
		return err == nil, contextFirst(ctx, err)
	}
	from, err := t.cursor.bound(mark)
	if err != nil {
		return false, err
	}
	indexed, err := c.indexed(ctx, from)
	return indexed, contextFirst(ctx, err)
}
