// Package wrap makes SQL that asks for part of the rows of a query: those that changed, those with some keys, the highest value of a
// column. How far a query is to be read is said by a value of its cursor, a column that grows whenever a row changes.
package wrap

import (
	"context"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"owlatsync/internal/statement"
	"owlatsync/source/internal/cell"
	"owlatsync/source/internal/pgask"
)

// Dialect is how a database writes that.
type Dialect struct {
	// Loose says that each value of a column has its own type; Top then asks for that first.
	Loose bool

	lexicon statement.Lexicon
	quote   string // around names, doubled inside
	// top is the expression for the highest value m.c of the cursor as text. It is not beyond the server's clock, because a time in
	// the future would hide all changes before it.
	top map[cell.Kind]string
	// now is the server's clock as a value of the cursor; a kind without one has no future.
	now map[cell.Kind]string
	// literal returns a value of the cursor as a literal.
	literal func(k cell.Kind, text string) string
	// key returns SQL for the value that the text of a key stands for in the column, and adds its arguments. The SQL is empty if no
	// value of the column has such a text.
	key func(c Column, text string, args []any) (string, []any)
	// loosely returns SQL for a column of a type to which not every text converts; nil: there is none.
	loosely func(c Column, name string) string
	// indexed reports whether the plan of a query finds rows from a value on by an index.
	indexed func(ctx context.Context, ask pgask.LookUp, query, from string) (bool, error)
}

// Column is a column of a query.
type Column struct {
	Name         string
	DatabaseType string
	Kind         cell.Kind
	// Any says that keys may be texts that no value of the column has: they come from elsewhere than its rows.
	Any bool
}

// Since is a value of the cursor, as databases print it. Without a text it is before all values.
type Since struct {
	Column string
	Kind   cell.Kind
	Text   string
}

// The dialects of the databases that can be asked.
var (
	Postgres = &Dialect{
		lexicon: statement.Postgres,
		quote:   `"`,
		indexed: indexedPostgres,
		top: map[cell.Kind]string{
			cell.Moment:  "least(m.c, now())::text", // times without a zone are in the session's zone, UTC
			cell.Day:     "least(m.c, (now() AT TIME ZONE 'UTC')::date)::text",
			cell.Integer: "m.c::text",
		},
		now: map[cell.Kind]string{cell.Moment: "now()", cell.Day: "(now() AT TIME ZONE 'UTC')::date"},
		literal: func(k cell.Kind, text string) string {
			if k == cell.Moment {
				return "'" + text + "+00'"
			}
			return "'" + text + "'"
		},
		// A text that an enumeration, say, does not have would be an error.
		loosely: func(c Column, name string) string {
			if c.Kind == cell.Integer || slices.Contains([]string{"text", "varchar", "bpchar", "name", "uuid"}, c.DatabaseType) {
				return name
			}
			if c.Kind == cell.Boolean {
				return name + "::text"
			}
			return "format('%s', " + name + ")" // as the type is printed; the cast of some types adds to it
		},
		key: func(c Column, text string, args []any) (string, []any) {
			place := fmt.Sprintf("$%d", len(args)+1)
			switch {
			case c.Any && (strings.ContainsRune(text, 0) || !utf8.ValidString(text)):
				return "", args
			case c.Kind == cell.Integer:
				if _, err := strconv.ParseInt(text, 10, 64); err != nil {
					return "", args
				}
				place += "::bigint"
			case c.DatabaseType == "uuid" && !uuid.MatchString(text):
				return "", args
			}
			return place, append(args, text)
		},
	}
	MySQL = &Dialect{
		lexicon: statement.MySQL,
		quote:   "`",
		indexed: indexedMySQL,
		top: map[cell.Kind]string{
			cell.Moment:  "CAST(LEAST(m.c, UTC_TIMESTAMP(6)) AS CHAR)",
			cell.Day:     "CAST(LEAST(m.c, UTC_DATE()) AS CHAR)",
			cell.Integer: "CAST(m.c AS CHAR)",
		},
		now: map[cell.Kind]string{cell.Moment: "UTC_TIMESTAMP(6)", cell.Day: "UTC_DATE()"},
		literal: func(k cell.Kind, text string) string {
			if k == cell.Integer {
				return text
			}
			return "'" + text + "'"
		},
		// With arguments the driver would use another protocol, which has other forms of values.
		key: func(c Column, text string, args []any) (string, []any) {
			if c.Kind == cell.Integer {
				if !isInteger(text) {
					return "", args
				}
				return text, args
			}
			if !utf8.ValidString(text) {
				return "", args
			}
			return "_utf8mb4 X'" + hex.EncodeToString([]byte(text)) + "'", args
		},
	}
	SQLite = &Dialect{
		lexicon: statement.SQLite,
		quote:   `"`,
		indexed: indexedSQLite,
		literal: func(k cell.Kind, text string) string {
			switch k {
			case cell.Integer:
				return text
			case cell.Moment: // texts are compared: all forms of a time begin with whole seconds
				return "'" + text[:cell.MomentForm] + "'"
			}
			return "'" + text + "'"
		},
		key: func(_ Column, text string, args []any) (string, []any) {
			args = append(args, text)
			sql := fmt.Sprintf("?%d", len(args))
			if n, err := strconv.ParseInt(text, 10, 64); err == nil && isInteger(text) {
				args = append(args, n)
				sql += fmt.Sprintf(", ?%d", len(args))
			}
			return sql, args
		},
		Loose: true,
	}
)

var uuid = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// isInteger reports whether databases print a whole number as the text.
func isInteger(text string) bool {
	digits := strings.TrimPrefix(text, "-")
	return digits != "" && strings.Trim(digits, "0123456789") == "" && (digits[0] != '0' || text == "0")
}

func (d *Dialect) name(column string) string {
	return "r." + d.quote + strings.ReplaceAll(column, d.quote, d.quote+d.quote) + d.quote
}

// rows puts the query into a FROM.
func (d *Dialect) rows(query string) string {
	return " FROM (" + statement.Bare(query, d.lexicon) + "\n) AS r"
}

// Changed returns the query for rows whose cursor is NULL or not before a value.
func (d *Dialect) Changed(query string, s Since) string {
	column := d.name(s.Column)
	return "SELECT r.*" + d.rows(query) + " WHERE " + column + " >= " + d.literal(s.Kind, s.Text) + " OR " + column + " IS NULL"
}

// None returns a query for no rows that puts the query in the same place as Changed does.
func (d *Dialect) None(query string) string { return "SELECT r.*" + d.rows(query) + " WHERE 1 = 0" }

// Top returns the query for the highest value of the cursor that is not before a value.
func (d *Dialect) Top(query string, s Since, k cell.Kind) string { return d.highest(query, s, k, "") }

// highest is Top among the rows that meet one more condition.
func (d *Dialect) highest(query string, s Since, k cell.Kind, and string) string {
	column, top := d.name(s.Column), d.top[k]
	if d.Loose {
		top = "typeof(m.c), CAST(m.c AS TEXT)"
	}
	sql := "SELECT " + top + " FROM (SELECT " + column + " AS c" + d.rows(query) + " WHERE " + column + " IS NOT NULL" + and
	if s.Text != "" {
		sql += " AND " + column + " >= " + d.literal(s.Kind, s.Text)
	}
	return sql + " ORDER BY " + column + " DESC LIMIT 1) AS m"
}

// Again returns the query for rows with the given keys that Changed leaves out, or for all rows with them if since names no column. A
// key has a value for each of its columns.
func (d *Dialect) Again(query string, s Since, key []Column, keys [][]string) (sql string, args []any) {
	which, args := d.among(key, keys)
	sql = "SELECT r.*" + d.rows(query) + " WHERE "
	if s.Column != "" {
		sql += d.name(s.Column) + " < " + d.literal(s.Kind, s.Text) + " AND "
	}
	return sql + "(" + which + ")", args
}

// among returns the condition for rows with one of the keys.
func (d *Dialect) among(key []Column, keys [][]string) (which string, args []any) {
	names := make([]string, len(key))
	for i, c := range key {
		if names[i] = d.name(c.Name); c.Any && d.loosely != nil {
			names[i] = d.loosely(c, names[i])
		}
	}
	which = "1 = 0"
	var single []string // values of a key of one column
	for _, parts := range keys {
		conditions, before := make([]string, 0, len(key)), len(args)
		for i, part := range parts {
			var sql string
			if sql, args = d.key(key[i], part, args); sql == "" {
				conditions, args = nil, args[:before]
				break
			}
			if len(key) == 1 {
				single = append(single, sql)
				continue
			}
			conditions = append(conditions, names[i]+" IN ("+sql+")")
		}
		if len(conditions) > 0 && len(conditions) == len(key) {
			which += " OR " + strings.Join(conditions, " AND ")
		}
	}
	if single != nil {
		which = names[0] + " IN (" + strings.Join(single, ", ") + ")"
	}
	return which, args
}

// Indexed reports whether the database, by its own account, finds the rows of Changed by an index.
func (d *Dialect) Indexed(ctx context.Context, ask pgask.LookUp, query string, s Since) (bool, error) {
	return d.indexed(ctx, ask, d.Changed(query, s), s.Text)
}
