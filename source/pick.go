package source

import (
	"context"
	"errors"
	"iter"

	"owlatsync"
)

// Picks reports whether Pick can read rows by their keys: a query of PostgreSQL, MySQL, MariaDB or SQLite, or a collection of MongoDB,
// with a key.
func (t *Table) Picks() bool { return len(t.mapping.Key) > 0 && followerOf(t.backend) != nil }

// Pick reads the rows with some keys as [Table.Rows] reads all. It calls next for keys until next returns none, each time when the rows
// before were read, all in one snapshot. Keys may be any texts; those that no row has give nothing. The result is for one loop. The
// errors are those of Rows and of next, and a [ColumnError] for a key of times, dates or fractions, by which no row can be found.
func (t *Table) Pick(ctx context.Context, next func(context.Context) ([]string, error)) iter.Seq2[*owlatsync.Row, error] {
	return func(yield func(*owlatsync.Row, error) bool) {
		err := (increment{t}).pick(ctx, next, yield)
		if err != nil && !errors.Is(err, errEnough) {
			yield(nil, contextFirst(ctx, err))
		}
	}
}

func (t increment) pick(ctx context.Context, next func(context.Context) ([]string, error), yield func(*owlatsync.Row, error) bool) error {
	if !t.Picks() {
		return errors.New("read rows by their keys: that takes a query of PostgreSQL, MySQL, MariaDB or SQLite, or a collection of MongoDB, with a key")
	}
	f := followerOf(t.backend)
	c, err := f.openNone(ctx, "")
	if err != nil {
		return err
	}
	defer c.close()
	if _, err := c.next(); err != nil {
		return err
	}
	b, err := bind(t.mapping, c.columns(), f)
	if err != nil {
		return err
	}
	if err := t.findable(c.columns(), "to read single rows"); err != nil {
		return err
	}
	return t.readAgain(ctx, next, bound{}, b, c, yield)
}
