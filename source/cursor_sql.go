package source

import (
	"context"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"owlatsync"
)

// wrapping is how a dialect asks for part of a query's rows.
type wrapping struct {
	quote string // around names, doubled inside
	// top is the expression for the highest value m.c of the cursor as text: not beyond the server's clock, because a time
	// in the future would have everything missed that comes before it.
	top map[kind]string
	// bound makes a literal.
	bound func(bound) string
	// key adds what a key's text is compared with to the arguments, and returns it as SQL.
	key func(k kind, text string, args []any) (string, []any)
	// loose says that a column's values have types of their own; top then gives the type of the highest too.
	loose bool
}

var (
	wrapPostgres = &wrapping{
		quote: `"`,
		top: map[kind]string{
			moment:  "least(m.c, now())::text", // times without a zone are in the session's, which is UTC
			day:     "least(m.c, (now() AT TIME ZONE 'UTC')::date)::text",
			integer: "m.c::text",
		},
		bound: func(b bound) string {
			if b.kind == moment {
				return "'" + b.text + "+00'"
			}
			return "'" + b.text + "'"
		},
		key: func(_ kind, text string, args []any) (string, []any) {
			return fmt.Sprintf("$%d", len(args)+1), append(args, text)
		},
	}
	wrapMySQL = &wrapping{
		quote: "`",
		top: map[kind]string{
			moment:  "CAST(LEAST(m.c, UTC_TIMESTAMP(6)) AS CHAR)",
			day:     "CAST(LEAST(m.c, UTC_DATE()) AS CHAR)",
			integer: "CAST(m.c AS CHAR)",
		},
		bound: func(b bound) string {
			if b.kind == integer {
				return b.text
			}
			return "'" + b.text + "'"
		},
		// Arguments would have the driver use another protocol, in which values come in other forms.
		key: func(k kind, text string, args []any) (string, []any) {
			if k == integer && isInteger(text) {
				return text, args
			}
			return "_utf8mb4 X'" + hex.EncodeToString([]byte(text)) + "'", args
		},
	}
	wrapSQLite = &wrapping{
		quote: `"`,
		bound: func(b bound) string {
			switch b.kind {
			case integer:
				return b.text
			case moment: // texts are compared as such: whole seconds are the beginning of all forms of a time
				return "'" + b.text[:momentForm] + "'"
			}
			return "'" + b.text + "'"
		},
		key: func(_ kind, text string, args []any) (string, []any) {
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

// isInteger reports whether the text is how databases print a whole number.
func isInteger(text string) bool {
	digits := strings.TrimPrefix(text, "-")
	return digits != "" && strings.Trim(digits, "0123456789") == "" && (digits[0] != '0' || text == "0")
}

func (w *wrapping) name(column string) string {
	return "r." + w.quote + strings.ReplaceAll(column, w.quote, w.quote+w.quote) + w.quote
}

// rows puts the query into a FROM. The line end keeps a comment at its end from taking what follows.
func (w *wrapping) rows(query string) string {
	return " FROM (" + strings.TrimRight(query, "; \t\r\n") + "\n) AS r"
}

// changed is the query for the rows whose cursor is not before the bound, or not known.
func (t *Table) changed(f follower, from bound) string {
	w := f.wrapping()
	column := w.name(t.cursor.Column)
	return "SELECT r.*" + w.rows(f.text()) + " WHERE " + column + " >= " + from.sql + " OR " + column + " IS NULL"
}

// again is the query for rows with the given keys that changed leaves out.
func (t *Table) again(f follower, from bound, b *binding, keys []string) (query string, args []any) {
	w := f.wrapping()
	var rows []string
	for _, key := range keys {
		parts := owlatsync.SplitKey(key, len(t.mapping.Key))
		if parts == nil {
			continue // no row has such a key
		}
		if rows == nil || len(parts) > 1 {
			rows = append(rows, "")
		}
		at := &rows[len(rows)-1]
		for i, part := range parts {
			var sql string
			sql, args = w.key(b.columns[b.key[i]].kind, part, args)
			switch {
			case len(parts) == 1 && *at != "":
				*at += ", " + sql
			case i == 0:
				*at = w.name(t.mapping.Key[i]) + " IN (" + sql
			default:
				*at += ") AND " + w.name(t.mapping.Key[i]) + " IN (" + sql
			}
		}
	}
	which := "1 = 0"
	if rows != nil {
		which = strings.Join(rows, ") OR ") + ")"
	}
	return "SELECT r.*" + w.rows(f.text()) + " WHERE " + w.name(t.cursor.Column) + " < " + from.sql + " AND (" + which + ")", args
}

// mark asks for the highest value that the scan has seen; empty where there is none.
func (t *Table) mark(ctx context.Context, f follower, c following, k kind, from bound) (string, error) {
	w := f.wrapping()
	column := w.name(t.cursor.Column)
	top := w.top[k]
	if w.loose {
		top = "typeof(m.c), CAST(m.c AS TEXT)"
	}
	query := "SELECT " + top + " FROM (SELECT " + column + " AS c" + w.rows(f.text()) + " WHERE " + column + " IS NOT NULL"
	if from.sql != "" {
		query += " AND " + column + " >= " + from.sql
	}
	values, err := c.one(ctx, query+" ORDER BY "+column+" DESC LIMIT 1) AS m")
	switch {
	case err != nil:
		return "", fmt.Errorf("read how far the cursor %q is: %w", t.cursor.Column, err)
	case values == nil:
		return "", nil
	case w.loose:
		return t.cursor.looseMark(values[0], values[1], time.Now())
	}
	return newMark(k, values[0]), nil
}

// looseMark makes a mark of a value that has a type of its own.
func (c *Cursor) looseMark(typ, text string, now time.Time) (string, error) {
	switch {
	case typ == "integer":
		return newMark(integer, text), c.fits(integer, typ)
	case typ != "text":
		return "", c.fits(number, typ)
	}
	k, latest := moment, now.UTC().Format(momentLayout)
	if len(text) == len(dayLayout) {
		k, latest = day, now.UTC().Format(dayLayout)
	} else if len(text) > 10 && text[10] == 'T' {
		latest = latest[:10] + "T" + latest[11:]
	}
	at, err := parseBound(k, strings.Replace(text, " +0000 UTC", "", 1))
	if err != nil || k == moment && !utc(text) {
		return "", &ColumnError{c.Column, "its highest value is a text that is no time in UTC, such as 2006-01-02 15:04:05: texts of another form cannot be compared; make times of all, or use a column of whole numbers"}
	}
	if at.After(now) {
		text = latest
	}
	return newMark(k, strings.Replace(text, " +0000 UTC", "", 1)), c.fits(k, typ)
}

// utc reports whether a text of a time names no other zone.
func utc(text string) bool {
	if len(text) < momentForm {
		return false
	}
	switch zone := strings.TrimLeft(text[momentForm:], ".0123456789"); zone {
	case "", "Z", "+00:00", " +0000 UTC":
		return true
	}
	return false
}
