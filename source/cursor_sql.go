package source

import (
	"context"
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"owlatsync"
	"owlatsync/source/internal/cell"
	"owlatsync/source/internal/statement"
)

// wrapping is how a dialect asks for part of a query's rows.
type wrapping struct {
	lexicon statement.Lexicon
	quote   string // around names, doubled inside
	// top is the expression for the highest value m.c of the cursor as text. It is not beyond the server's clock, because a time in
	// the future would hide all changes before it.
	top map[cell.Kind]string
	// bound returns a bound as a literal.
	bound func(bound) string
	// key returns SQL for the value that the text of a key stands for in the column, and adds its arguments. The SQL is empty if no
	// value of the column has such a text.
	key func(c column, text string, args []any) (string, []any)
	// indexed reports whether the plan of a query finds rows from the bound on by an index.
	indexed func(ctx context.Context, c following, query string, from bound) (bool, error)
	// loose says that each value of a column has its own type; top then also gives the type of the highest value.
	loose bool
}

var (
	wrapPostgres = &wrapping{
		lexicon: statement.Postgres,
		quote:   `"`,
		indexed: indexedPostgres,
		top: map[cell.Kind]string{
			cell.Moment:  "least(m.c, now())::text", // times without a zone are in the session's zone, UTC
			cell.Day:     "least(m.c, (now() AT TIME ZONE 'UTC')::date)::text",
			cell.Integer: "m.c::text",
		},
		bound: func(b bound) string {
			if b.kind == cell.Moment {
				return "'" + b.text + "+00'"
			}
			return "'" + b.text + "'"
		},
		key: func(c column, text string, args []any) (string, []any) {
			place := fmt.Sprintf("$%d", len(args)+1)
			switch {
			case c.kind == cell.Integer:
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
	wrapMySQL = &wrapping{
		lexicon: statement.MySQL,
		quote:   "`",
		indexed: indexedMySQL,
		top: map[cell.Kind]string{
			cell.Moment:  "CAST(LEAST(m.c, UTC_TIMESTAMP(6)) AS CHAR)",
			cell.Day:     "CAST(LEAST(m.c, UTC_DATE()) AS CHAR)",
			cell.Integer: "CAST(m.c AS CHAR)",
		},
		bound: func(b bound) string {
			if b.kind == cell.Integer {
				return b.text
			}
			return "'" + b.text + "'"
		},
		// With arguments the driver would use another protocol, which has other forms of values.
		key: func(c column, text string, args []any) (string, []any) {
			if c.kind == cell.Integer && isInteger(text) {
				return text, args
			}
			return "_utf8mb4 X'" + hex.EncodeToString([]byte(text)) + "'", args
		},
	}
	wrapSQLite = &wrapping{
		lexicon: statement.SQLite,
		quote:   `"`,
		indexed: indexedSQLite,
		bound: func(b bound) string {
			switch b.kind {
			case cell.Integer:
				return b.text
			case cell.Moment: // texts are compared: all forms of a time begin with whole seconds
				return "'" + b.text[:cell.MomentForm] + "'"
			}
			return "'" + b.text + "'"
		},
		key: func(_ column, text string, args []any) (string, []any) {
			args = append(args, text)
			sql := fmt.Sprintf("?%d", len(args))
			if n, err := strconv.ParseInt(text, 10, 64); err == nil && isInteger(text) {
				args = append(args, n)
				sql += fmt.Sprintf(", ?%d", len(args))
			}
			return sql, args
		},
		loose: true,
	}
)

var uuid = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// isInteger reports whether databases print a whole number as the text.
func isInteger(text string) bool {
	digits := strings.TrimPrefix(text, "-")
	return digits != "" && strings.Trim(digits, "0123456789") == "" && (digits[0] != '0' || text == "0")
}

func (w *wrapping) name(column string) string {
	return "r." + w.quote + strings.ReplaceAll(column, w.quote, w.quote+w.quote) + w.quote
}

// rows puts the query into a FROM.
func (w *wrapping) rows(query string) string {
	return " FROM (" + statement.Bare(query, w.lexicon) + "\n) AS r"
}

// changed returns the query for rows whose cursor is NULL or not before the bound.
func (t increment) changed(f follower, from bound) string {
	w := f.wrapping()
	column := w.name(t.cursor.Column)
	return "SELECT r.*" + w.rows(f.text()) + " WHERE " + column + " >= " + from.sql + " OR " + column + " IS NULL"
}

// again returns the query for rows with the given keys that changed leaves out.
func (t increment) again(f follower, from bound, b *binding, keys []string) (query string, args []any) {
	w := f.wrapping()
	which := "1 = 0"
	var single []string // values of a key of one column
	for _, key := range keys {
		conditions, before := make([]string, 0, len(b.key)), len(args)
		for i, part := range owlatsync.SplitKey(key, len(b.key)) {
			var sql string
			if sql, args = w.key(b.columns[b.key[i]], part, args); sql == "" {
				conditions, args = nil, args[:before]
				break
			}
			if len(b.key) == 1 {
				single = append(single, sql)
				continue
			}
			conditions = append(conditions, w.name(t.mapping.Key[i])+" IN ("+sql+")")
		}
		if len(conditions) > 0 && len(conditions) == len(b.key) {
			which += " OR " + strings.Join(conditions, " AND ")
		}
	}
	if single != nil {
		which = w.name(t.mapping.Key[0]) + " IN (" + strings.Join(single, ", ") + ")"
	}
	return "SELECT r.*" + w.rows(f.text()) + " WHERE " + w.name(t.cursor.Column) + " < " + from.sql + " AND (" + which + ")", args
}

// mark asks for the highest value that the scan has seen; it returns an empty mark if there is none.
func (t increment) mark(ctx context.Context, f follower, c following, from bound) (string, error) {
	w := f.wrapping()
	k, err := t.bindCursor(c.columns())
	if err != nil {
		return "", err
	}
	column := w.name(t.cursor.Column)
	top := w.top[k]
	if w.loose {
		top = "typeof(m.c), CAST(m.c AS TEXT)"
	}
	query := "SELECT " + top + " FROM (SELECT " + column + " AS c" + w.rows(f.text()) + " WHERE " + column + " IS NOT NULL"
	if from.sql != "" {
		query += " AND " + column + " >= " + from.sql
	}
	found, err := c.lookUp(ctx, query+" ORDER BY "+column+" DESC LIMIT 1) AS m")
	switch {
	case err != nil:
		return "", fmt.Errorf("read how far the cursor %q is: %w", t.cursor.Column, err)
	case len(found) == 0:
		return "", nil
	case w.loose:
		return t.cursor.looseMark(found[0][0], found[0][1], time.Now())
	}
	return newMark(k, found[0][0]), nil
}

// looseMark makes a mark of a value that has its own type.
func (c *Cursor) looseMark(typ, text string, now time.Time) (string, error) {
	switch {
	case typ == "integer":
		return newMark(cell.Integer, text), c.fits(cell.Integer, typ)
	case typ != "text":
		return "", c.fits(cell.Number, typ)
	}
	k, latest := cell.Moment, now.UTC().Format(momentLayout)
	if len(text) == len(dayLayout) {
		k, latest = cell.Day, now.UTC().Format(dayLayout)
	} else if len(text) > 10 && text[10] == 'T' {
		latest = latest[:10] + "T" + latest[11:]
	}
	at, err := parseBound(k, strings.Replace(text, " +0000 UTC", "", 1))
	if err != nil || k == cell.Moment && !utc(text) {
		return "", &ColumnError{c.Column, "its highest value is a text that is no time in UTC, such as 2006-01-02 15:04:05: texts of another form cannot be compared; make times of all, or use a column of whole numbers"}
	}
	if at.After(now) {
		text = latest
	}
	return newMark(k, strings.Replace(text, " +0000 UTC", "", 1)), c.fits(k, typ)
}

// utc reports whether the text of a time names no zone but UTC.
func utc(text string) bool {
	if len(text) < cell.MomentForm {
		return false
	}
	switch zone := strings.TrimLeft(text[cell.MomentForm:], ".0123456789"); zone {
	case "", "Z", "+00:00", " +0000 UTC":
		return true
	}
	return false
}
