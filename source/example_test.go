package source_test

import (
	"context"
	"fmt"
	"io"
	"strings"

	"owlatsync"
	"owlatsync/source"
)

// A mapping says which column is what; the rest of a row is left where it is.
func Example() {
	const file = "id,email,first,newsletter\n7,ada@example.com,Ada,yes\n8,bob@example.com,,no\n"
	open := func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(file)), nil }

	users, err := source.CSV(open, source.Mapping{
		Key: []string{"id"}, Email: "email", Fields: owlatsync.Texts{owlatsync.FirstName: "first"}, Topics: []string{"newsletter"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for row, err := range users.Rows(context.Background()) {
		if err != nil {
			fmt.Println("the scan is incomplete:", err)
			return
		}
		fmt.Println(row.Position, row.Key, row.Email.Value, row.Consents)
	}
	// Output:
	// line 2 7 ada@example.com [yes]
	// line 3 8 bob@example.com [no]
}
