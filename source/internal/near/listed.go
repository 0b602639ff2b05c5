package near

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxListed is the most columns that an error lists.
const maxListed = 30

// Listed ends an error about a column that is missing: it tells which ones there are.
func Listed(names []string) string {
	var have []string
	for _, name := range names {
		if strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) || !utf8.ValidString(name) {
			name = strconv.Quote(name)
		}
		have = append(have, name)
	}
	switch {
	case slices.ContainsFunc(have, func(name string) bool { return strings.Contains(name, "@") }):
		// The names may be somebody's data, so they are not shown.
		return "; its first line looks like data, but must name the columns"
	case len(names) == 1 && strings.ContainsAny(names[0], ";\t|"):
		return `; its only column looks like several: give the delimiter, as in "csv:users.csv?delimiter=%3B" for a semicolon or "delimiter=tab"`
	case len(have) > maxListed:
		return fmt.Sprintf("; it has %s and %d more", strings.Join(have[:maxListed], ", "), len(have)-maxListed)
	}
	return "; it has " + strings.Join(have, ", ")
}
