package source

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ErrNotQuery is wrapped by the error for a statement that is empty, more than one, or not one that only returns rows. [SQL] and
// [Postgres] find what the text shows; the database finds the rest when it runs the statement.
var ErrNotQuery = errors.New("a source needs one statement that returns rows and changes nothing, such as SELECT")

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
	if near := nearest(name, columns); near != "" {
		reason += fmt.Sprintf(" (did you mean %q?)", near)
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

// nearest returns the name that was most likely meant, or nothing.
func nearest(name string, columns []column) string {
	best, least := "", max(2, len(name)/3)+1
	for _, c := range columns {
		if strings.Contains(c.Name, "@") {
			continue // somebody's data, not a name
		}
		if d := distance(strings.ToLower(name), strings.ToLower(c.Name)); d < least && d < len(name) {
			best, least = c.Name, d
		}
	}
	return best
}

// distance returns how many letters to insert, delete, replace or swap with their neighbour to get from a to b.
func distance(a, b string) int {
	before, above, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range above {
		above[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, above, row = above, row, before
	}
	return above[len(b)]
}
