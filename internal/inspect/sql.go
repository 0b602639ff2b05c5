package inspect

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var (
	plainLower = regexp.MustCompile(`^[a-z_][a-z0-9_]*$`)
	plainMixed = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// reserved are words that at least one of the databases does not take for a name without quotes.
var reserved = strings.Fields(`
add all alter analyse analyze and any array as asc asymmetric authorization before between binary both by call cascade
case cast change character check collate collation column condition constraint continue convert create cross cube
current current_catalog current_date current_role current_schema current_time current_timestamp current_user cursor
database databases default deferrable delayed delete desc describe distinct div do drop dual each else elseif end
escaped except exists exit explain false fetch float for force foreign freeze from full fulltext function generated get
grant group grouping groups having high_priority if ignore ilike in index infile initially inner inout insert int
integer intersect interval into is isnull iterate join key keys kill lateral lead leading leave left like limit linear
lines load localtime localtimestamp lock long loop low_priority match mod natural no not notnull null numeric of offset
offsets on only open optimize option optionally or order out outer outfile over overlaps partition placing plan position
precision primary procedure purge range rank read reads real recursive references regexp release rename repeat replace
require resignal restrict return returning revoke right rlike role row row_number rows schema schemas select separator
session_user set show signal similar smallint some spatial sql ssl starting stored straight_join symmetric system
system_user table tablesample terminated then to trailing transaction trigger true undo union unique unlock unsigned
update usage use user using values varchar variadic varying verbose virtual when where while window with without write
xor zerofill`)

// Quote writes a name for a query, quoted only if it must be.
func (d Dialect) Quote(name string) string {
	plain := plainMixed
	if d == Postgres {
		plain = plainLower
	}
	if plain.MatchString(name) && !slices.Contains(reserved, strings.ToLower(name)) {
		return name
	}
	if d == MySQL {
		return "`" + strings.ReplaceAll(name, "`", "``") + "`"
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// QuoteTable writes the name of a table for a query.
func (d Dialect) QuoteTable(t *Table) string {
	if t.Schema == "" {
		return d.Quote(t.Name)
	}
	return d.Quote(t.Schema) + "." + d.Quote(t.Name)
}

// BytesMark replaces a value that is not text in a sample of SQLite.
const BytesMark = '\uFFFD'

// asText returns the text of a column for a sample. Values are cut, because no longer ones matter.
func (d Dialect) asText(c *Column) string {
	column, most := d.Quote(c.Name), 300
	if c.Kind == JSON {
		most = 4000
	}
	switch {
	case d == Postgres:
		return fmt.Sprintf("left(%s::text, %d)", column, most)
	case d == MySQL && c.Kind == Bool: // otherwise a bit(1) would be the byte 0 or 1
		return fmt.Sprintf("CAST(%s + 0 AS CHAR)", column)
	case d == MySQL:
		return fmt.Sprintf("LEFT(CAST(%s AS CHAR), %d)", column, most)
	}
	return fmt.Sprintf("CASE typeof(%s) WHEN 'blob' THEN '%c' ELSE substr(CAST(%s AS TEXT), 1, %d) END", column, BytesMark, column, most)
}
