package source

import (
	"cmp"
	"errors"
	"fmt"

	"owlatsync/source/internal/statement"
)

// reservedTable says what to do about a table of the query whose name is a word of SQL without quotes, or nothing.
func reservedTable(query string, l statement.Lexicon) string {
	word := statement.ReservedTable(query, l)
	if word == "" {
		return ""
	}
	quote := `"`
	if l.Backslash {
		quote = "`"
	}
	return fmt.Sprintf("%s is a word of SQL: as the name of a table it stands in quotes, %s%s%s", word, quote, word, quote)
}

// explain adds to an error of the database what to do about it.
func (d *dialect) explain(err error, query string) error {
	hint := reservedTable(query, d.lexicon)
	var coded interface{ Code() int } // as drivers for SQLite have it
	if d.hints != nil && errors.As(err, &coded) {
		hint = cmp.Or(d.hints[coded.Code()], d.hints[coded.Code()&0xFF], hint)
	}
	if hint == "" {
		return err
	}
	return fmt.Errorf("%w; %s", err, hint)
}
