package propose

import (
	"fmt"
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

// joined returns two texts with a blank between; NULL if one is.
func (d dialect) joined(a, b string) string {
	if d.Dialect == inspect.MySQL {
		return fmt.Sprintf("CONCAT(%s, ' ', %s)", a, b)
	}
	return fmt.Sprintf("(%s) || ' ' || (%s)", a, b)
}
