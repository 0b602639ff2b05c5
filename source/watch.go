package source

import (
	"context"
	"errors"
	"strings"
	"time"

	"owlatsync/source/internal/cell"
)

const (
	// countMost is the most rows that a watch counts; where more change within the overlap, the cursor moves all the time.
	countMost = 1000
	// coarse is how long a value of a cursor of whole seconds may be given to another change.
	coarse = 2 * time.Second
)

// Watch tells when rows of a table with a cursor may have changed. It is for one goroutine.
type Watch struct {
	table increment
	kind  cell.Kind
	bound bool  // kind is known
	from  bound // from which on rows are counted
	peak  string
	count int
	again time.Time // when the rows of a second are to be read once more; zero: never
}

// Watch returns a watch over the table, which must have a cursor. It runs nothing.
func (t *Table) Watch() (*Watch, error) {
	if t.cursor == nil {
		return nil, errors.New("watch the source: it has no cursor")
	}
	return &Watch{table: increment{t}, from: bound{Column: t.cursor.Column}}, nil
}

// Moved reports whether rows have changed since the call before, as far as the cursor tells. The first call reports true. It asks for
// the highest value of the cursor and for the number of rows within the overlap, at most 1000, which also tells of late commits. If the
// cursor counts whole seconds, it reports true once more after two seconds, because a row may have changed again within the same
// second. It does not tell of rows whose cursor is NULL. With [Table.Keep] it needs no new connection. After an error the next call asks
// again for what this one missed. Its errors are those of [Table.Scan].
func (w *Watch) Moved(ctx context.Context) (bool, error) {
	moved, err := w.moved(ctx)
	return moved, contextFirst(ctx, err)
}

func (w *Watch) moved(ctx context.Context) (moved bool, err error) {
	if !w.bound {
		c, err := w.table.openNone(ctx)
		if err != nil {
			return false, err
		}
		w.kind, err = w.table.bindCursor(c.columns())
		c.close()
		if err != nil {
			return false, err
		}
	}
	err = followerOf(w.table.backend).look(ctx, func(at looking) error {
		typ, peak, err := at.peak(ctx, w.from, w.kind)
		if err != nil {
			return w.table.unread(err)
		}
		count := 0
		if w.from.Text != "" {
			if count, err = at.count(ctx, w.from, countMost); err != nil {
				return w.table.unread(err)
			}
		}
		if moved = !w.bound || peak != w.peak || count != w.count; !moved {
			return nil
		}
		return w.anchor(ctx, at, typ, peak)
	})
	if err != nil {
		return false, err
	}
	switch w.bound = true; {
	case moved && w.coarse():
		w.again = time.Now().Add(coarse)
	case !moved && !w.again.IsZero() && !time.Now().Before(w.again):
		moved, w.again = true, time.Time{}
	}
	return moved, nil
}

// anchor begins to count from the overlap before the present value.
func (w *Watch) anchor(ctx context.Context, at looking, typ, peak string) error {
	mark, err := w.table.markOf(typ, peak, w.kind)
	if err != nil {
		return err
	}
	from, count := bound{Column: w.table.cursor.Column}, 0
	if mark != "" {
		if from, err = w.table.cursor.bound(mark); err != nil {
			return err
		}
		if count, err = at.count(ctx, from, countMost); err != nil {
			return w.table.unread(err)
		}
	}
	w.from, w.peak, w.count = from, peak, count
	return nil
}

// coarse reports whether the latest value is a whole second.
func (w *Watch) coarse() bool {
	return w.peak != "" && strings.Contains(w.peak, ":") && !strings.Contains(w.peak, ".")
}
