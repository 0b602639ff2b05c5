package source

import (
	"cmp"
	"errors"
	"fmt"

	"owlatsync/internal/statement"
)

// explain adds to an error of the database what to do about it.
func (d *dialect) explain(err error, query string) error {
	hint := statement.Unquoted(query, d.lexicon)
	var coded interface{ Code() int } // as drivers for SQLite have it
	if d.hints != nil && errors.As(err, &coded) {
		hint = cmp.Or(d.hints[coded.Code()], d.hints[coded.Code()&0xFF], hint)
	}
	if hint == "" {
		return err
	}
	return fmt.Errorf("%w; %s", err, hint)
}
