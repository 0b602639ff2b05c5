package render

import (
	"fmt"
	"text/tabwriter"
)

// listing is how things of one kind are listed.
type listing[T any] struct {
	none string                 // what is said where there are none
	head string                 // the titles of the columns, with tabs between them
	json func(T) any            // what a machine is told of one
	row  func(*cells, T) string // what people are shown of one, with tabs as in head
}

// show lists all of them, in the given order.
func (l listing[T]) show(to To, all []T) error {
	if to.JSON {
		for _, one := range all {
			if err := to.json(l.json(one)); err != nil {
				return err
			}
		}
		return nil
	}
	if len(all) == 0 {
		to.printf("%s\n", l.none)
		return nil
	}
	var c cells
	w := tabwriter.NewWriter(to.W, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, l.head)
	for _, one := range all {
		_, _ = fmt.Fprintln(w, l.row(&c, one))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	c.end(to)
	return nil
}
