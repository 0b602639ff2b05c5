package source

import (
	"fmt"
	"strings"

	"owlatsync/internal/statement"
	"owlatsync/source/internal/near"
)

// ErrNotQuery is wrapped by the error for a statement that is empty, more than one, or not one that only returns rows. [SQL] and
// [Postgres] find what the text shows; the database finds the rest when it runs the statement.
var ErrNotQuery = statement.ErrNotQuery

// ColumnError says why the columns of a source do not fit its mapping or its [Cursor]: one is missing, ambiguous, or cannot be
// mapped.
type ColumnError struct {
	Column string // the column's name
	Reason string // what is wrong with it and what to do
}

// Error implements error.
func (e *ColumnError) Error() string { return fmt.Sprintf("column %q: %s", e.Column, e.Reason) }

// LineError says from which line a file cannot be read: its header, the first of too many broken lines, or the one in which it breaks
// off. It never contains the line's text.
type LineError struct {
	Line   int // from 1
	Reason string
}

// Error implements error.
func (e *LineError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Reason) }

// missing says that a source has no column of that name, and which name was perhaps meant.
func missing(name, what string, columns []column) *ColumnError {
	reason := what + " has no such column"
	if meant := near.Meant(name, names(columns)); meant != "" {
		reason += fmt.Sprintf(" (did you mean %q?)", meant)
	}
	return &ColumnError{name, reason}
}

// bindingError is everything that keeps a mapping from fitting, on one line, with what helps to correct it.
type bindingError struct {
	wrong []error
	help  string
}

func (e *bindingError) Error() string {
	var texts []string
	for _, err := range e.wrong {
		texts = append(texts, err.Error())
	}
	return strings.Join(texts, "; ") + e.help
}

func (e *bindingError) Unwrap() []error { return e.wrong }

// describe lists the columns, if one is missing.
func describe(columns []column) string { return near.Listed(names(columns)) }

func names(columns []column) (names []string) {
	for _, c := range columns {
		names = append(names, c.Name)
	}
	return names
}
