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

// quote writes a name for a query, quoted only if it must be.
func (d Dialect) quote(name string) string {
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

func (d Dialect) quoteTable(t *Table) string {
	if t.Schema == "" {
		return d.quote(t.Name)
	}
	return d.quote(t.Schema) + "." + d.quote(t.Name)
}

// literal writes a text as a constant. Use it only for words without a backslash, which MySQL would read differently.
func literal(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// bytesMark replaces a value that is not text in a sample of SQLite.
const bytesMark = '\uFFFD'

// asText returns the text of a column for a sample. Values are cut, because no longer ones matter.
func (d Dialect) asText(c *Column) string {
	column := d.quote(c.Name)
	switch {
	case d == Postgres:
		return fmt.Sprintf("left(%s::text, 300)", column)
	case d == MySQL && c.Kind == Bool: // otherwise a bit(1) would be the byte 0 or 1
		return fmt.Sprintf("CAST(%s + 0 AS CHAR)", column)
	case d == MySQL:
		return fmt.Sprintf("LEFT(CAST(%s AS CHAR), 300)", column)
	}
	return fmt.Sprintf("CASE typeof(%s) WHEN 'blob' THEN '%c' ELSE substr(CAST(%s AS TEXT), 1, 300) END", column, bytesMark, column)
}

// hex turns a quoted column of bytes into text.
func (d Dialect) hex(column string) string {
	if d == Postgres {
		return fmt.Sprintf("encode(%s, 'hex')", column)
	}
	return fmt.Sprintf("lower(hex(%s))", column)
}

// splitName returns two expressions for the first and the last name in a column that holds both: the first word and the rest, or
// for "Last, First" the text after and before the comma. Both are NULL if there is nothing.
func (d Dialect) splitName(column string, comma bool) (first, last string) {
	switch {
	case d == Postgres && comma:
		return fmt.Sprintf("NULLIF(btrim(split_part(%s, ',', 2)), '')", column), fmt.Sprintf("NULLIF(btrim(split_part(%s, ',', 1)), '')", column)
	case d == Postgres:
		word := fmt.Sprintf("split_part(btrim(%s), ' ', 1)", column)
		return fmt.Sprintf("NULLIF(%s, '')", word), fmt.Sprintf("NULLIF(btrim(substr(btrim(%s), length(%s) + 1)), '')", column, word)
	case d == MySQL && comma:
		return fmt.Sprintf("NULLIF(TRIM(SUBSTRING(%s, CHAR_LENGTH(SUBSTRING_INDEX(%s, ',', 1)) + 2)), '')", column, column),
			fmt.Sprintf("NULLIF(TRIM(SUBSTRING_INDEX(%s, ',', 1)), '')", column)
	case d == MySQL:
		word := fmt.Sprintf("SUBSTRING_INDEX(TRIM(%s), ' ', 1)", column)
		return fmt.Sprintf("NULLIF(%s, '')", word), fmt.Sprintf("NULLIF(TRIM(SUBSTRING(TRIM(%s), CHAR_LENGTH(%s) + 1)), '')", column, word)
	case comma:
		return fmt.Sprintf("NULLIF(trim(substr(%s, instr(%s || ',', ',') + 1)), '')", column, column),
			fmt.Sprintf("NULLIF(trim(substr(%s, 1, instr(%s || ',', ',') - 1)), '')", column, column)
	}
	return fmt.Sprintf("NULLIF(substr(trim(%s), 1, instr(trim(%s) || ' ', ' ') - 1), '')", column, column),
		fmt.Sprintf("NULLIF(trim(substr(trim(%s), instr(trim(%s) || ' ', ' '))), '')", column, column)
}
