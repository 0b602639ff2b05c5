package propose

import (
	"fmt"
	"slices"
	"strings"

	"owlatsync/internal/inspect"
)

// dialect writes the SQL of a database.
type dialect struct{ inspect.Dialect }

// literal writes a text as a constant. Use it only for words without a backslash, which MySQL would read differently.
func literal(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// hex turns a quoted column of bytes into text.
func (d dialect) hex(column string) string {
	if d.Dialect == inspect.Postgres {
		return fmt.Sprintf("encode(%s, 'hex')", column)
	}
	return fmt.Sprintf("lower(hex(%s))", column)
}

// text makes an enumeration comparable with words.
func (d dialect) text(quoted string) string {
	if d.Dialect == inspect.Postgres {
		return quoted + "::text"
	}
	return quoted
}

// now is the present time.
func (d dialect) now() string {
	switch d.Dialect {
	case inspect.MySQL:
		return "UTC_TIMESTAMP()"
	case inspect.SQLite:
		return "datetime('now')"
	}
	return "now()"
}

// member returns the text of a key of a JSON object; NULL if the object has no such key.
func (d dialect) member(column, key string) string {
	switch d.Dialect {
	case inspect.MySQL:
		return fmt.Sprintf("NULLIF(JSON_UNQUOTE(JSON_EXTRACT(%s, '$.%s')), 'null')", column, key)
	case inspect.SQLite:
		return fmt.Sprintf("json_extract(%s, '$.%s')", column, key)
	}
	return fmt.Sprintf("%s->>%s", column, literal(key))
}

// titles are words before a name that are no part of it, without the dot.
var titles = []string{"dr", "prof", "mr", "mrs", "ms", "miss", "herr", "frau", "sir", "dame", "rev", "mme", "sr", "sra"}

// titled reports whether one of the values begins with a title.
func titled(sample []string) bool {
	return slices.ContainsFunc(sample, func(v string) bool {
		first, _, more := strings.Cut(strings.TrimSpace(v), " ")
		return more && slices.Contains(titles, strings.TrimSuffix(strings.ToLower(first), "."))
	})
}

// untitled returns an expression for a name without the titles before it.
func (d dialect) untitled(column string) string {
	words := strings.Join(titles, "|")
	switch d.Dialect {
	case inspect.Postgres:
		return fmt.Sprintf(`regexp_replace(%s, '^\s*((%s)\.?\s+)+', '', 'i')`, column, words)
	case inspect.MySQL:
		return fmt.Sprintf(`REGEXP_REPLACE(%s, '(?i)^[[:space:]]*((%s)[.]?[[:space:]]+)+', '')`, column, words)
	}
	// SQLite has no regular expressions: one title goes.
	first := fmt.Sprintf("lower(replace(substr(trim(%s), 1, instr(trim(%s) || ' ', ' ') - 1), '.', ''))", column, column)
	list := make([]string, len(titles))
	for i, t := range titles {
		list[i] = literal(t)
	}
	return fmt.Sprintf("CASE WHEN %s IN (%s) THEN trim(substr(trim(%s), instr(trim(%s) || ' ', ' '))) ELSE %s END", first, strings.Join(list, ", "), column, column, column)
}

// splitName returns two expressions for the first and the last name in a column that holds both: the first word and the rest, or
// for "Last, First" the text after and before the comma. Both are NULL if there is nothing.
func (d dialect) splitName(column string, comma bool) (first, last string) {
	switch {
	case d.Dialect == inspect.Postgres && comma:
		return fmt.Sprintf("NULLIF(btrim(split_part(%s, ',', 2)), '')", column), fmt.Sprintf("NULLIF(btrim(split_part(%s, ',', 1)), '')", column)
	case d.Dialect == inspect.Postgres:
		word := fmt.Sprintf("split_part(btrim(%s), ' ', 1)", column)
		return fmt.Sprintf("NULLIF(%s, '')", word), fmt.Sprintf("NULLIF(btrim(substr(btrim(%s), length(%s) + 1)), '')", column, word)
	case d.Dialect == inspect.MySQL && comma:
		return fmt.Sprintf("NULLIF(TRIM(SUBSTRING(%s, CHAR_LENGTH(SUBSTRING_INDEX(%s, ',', 1)) + 2)), '')", column, column),
			fmt.Sprintf("NULLIF(TRIM(SUBSTRING_INDEX(%s, ',', 1)), '')", column)
	case d.Dialect == inspect.MySQL:
		word := fmt.Sprintf("SUBSTRING_INDEX(TRIM(%s), ' ', 1)", column)
		return fmt.Sprintf("NULLIF(%s, '')", word), fmt.Sprintf("NULLIF(TRIM(SUBSTRING(TRIM(%s), CHAR_LENGTH(%s) + 1)), '')", column, word)
	case comma:
		return fmt.Sprintf("NULLIF(trim(substr(%s, instr(%s || ',', ',') + 1)), '')", column, column),
			fmt.Sprintf("NULLIF(trim(substr(%s, 1, instr(%s || ',', ',') - 1)), '')", column, column)
	}
	return fmt.Sprintf("NULLIF(substr(trim(%s), 1, instr(trim(%s) || ' ', ' ') - 1), '')", column, column),
		fmt.Sprintf("NULLIF(trim(substr(trim(%s), instr(trim(%s) || ' ', ' '))), '')", column, column)
}
