package source

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

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

func (e *ColumnError) Error() string { return fmt.Sprintf("column %q: %s", e.Column, e.Reason) }

// LineError says from which line a file cannot be read: its header, the first of too many broken lines, or the one in which it breaks
// off. It never contains the line's text.
type LineError struct {
	Line   int // from 1
	Reason string
}

func (e *LineError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Reason) }

// maxListed is the most columns that an error lists.
const maxListed = 30

// missing says that a source has no column of that name, and which name was perhaps meant.
func missing(name, what string, columns []column) *ColumnError {
	reason := what + " has no such column"
	var names []string
	for _, c := range columns {
		names = append(names, c.Name)
	}
	if meant := near.Meant(name, names); meant != "" {
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
func describe(columns []column) string {
	var have []string
	for _, c := range columns {
		name := c.Name
		if strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) || !utf8.ValidString(name) {
			name = strconv.Quote(name)
		}
		have = append(have, name)
	}
	switch {
	case slices.ContainsFunc(have, func(name string) bool { return strings.Contains(name, "@") }):
		// The names may be somebody's data, so they are not shown.
		return "; its first line looks like data, but must name the columns"
	case len(columns) == 1 && strings.ContainsAny(columns[0].Name, ";\t|"):
		return `; its only column looks like several: give the delimiter, as in "csv:users.csv?delimiter=%3B" for a semicolon or "delimiter=tab"`
	case len(have) > maxListed:
		return fmt.Sprintf("; it has %s and %d more", strings.Join(have[:maxListed], ", "), len(have)-maxListed)
	}
	return "; it has " + strings.Join(have, ", ")
}
