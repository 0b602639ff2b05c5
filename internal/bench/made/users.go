// Package made is what the benchmarks measure with: people, their database, and the program itself.
package made

import (
	"context"
	"fmt"
	"iter"

	"owlatsync"
	"owlatsync/internal/baseline"
)

// Users returns n people of whom nobody has heard.
func Users(n int) []baseline.User {
	users := make([]baseline.User, n)
	for i := range users {
		users[i] = baseline.User{Email: fmt.Sprintf("user%d@example.com", i), FirstName: "First", LastName: fmt.Sprint("Last", i)}
	}
	return users
}

// List is a source in memory.
type List []owlatsync.Row

// Rows yields the rows.
func (list List) Rows(context.Context) iter.Seq2[*owlatsync.Row, error] {
	return func(yield func(*owlatsync.Row, error) bool) {
		for i := range list {
			row := list[i]
			if !yield(&row, nil) {
				return
			}
		}
	}
}

// RowsOf makes rows of users; their number is the key.
func RowsOf(users []baseline.User) List {
	list := make(List, len(users))
	for i, u := range users {
		list[i] = owlatsync.Row{Key: fmt.Sprint(i), Email: owlatsync.Some(u.Email), Fields: owlatsync.Fields{owlatsync.FirstName: owlatsync.Some(u.FirstName),
			owlatsync.LastName: owlatsync.Some(u.LastName)}, Consents: []owlatsync.Consent{owlatsync.Yes}}
	}
	return list
}
