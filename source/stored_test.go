package source_test

import (
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"owlatsync/source/sourcetest"
)

// language is how a database writes what the fixtures need.
type language struct {
	types   map[sourcetest.Type]string
	quote   func(string) string
	binary  func([]byte) string
	badText func([]byte) string
}

func doubled(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

var postgresLanguage = language{
	types: map[sourcetest.Type]string{
		sourcetest.Text: "text", sourcetest.Char: "char(8)", sourcetest.Integer: "bigint", sourcetest.Boolean: "boolean",
		sourcetest.Number: "numeric(10,2)", sourcetest.Exact: "numeric(30,10)", sourcetest.Instant: "timestamptz", sourcetest.Date: "date", sourcetest.Binary: "bytea",
	},
	quote:   doubled,
	binary:  func(b []byte) string { return `'\x` + hex.EncodeToString(b) + `'::bytea` },
	badText: func(b []byte) string { return `convert_from('\x` + hex.EncodeToString(b) + `', 'SQL_ASCII')` },
}

var mySQLLanguage = language{
	types: map[sourcetest.Type]string{
		sourcetest.Text: "text", sourcetest.Char: "char(8)", sourcetest.Integer: "bigint", sourcetest.Boolean: "boolean",
		sourcetest.Number: "decimal(10,2)", sourcetest.Exact: "decimal(30,10)", sourcetest.Instant: "datetime(6)", sourcetest.Date: "date", sourcetest.Binary: "varbinary(100)",
	},
	quote:   func(s string) string { return doubled(strings.ReplaceAll(s, `\`, `\\`)) },
	binary:  func(b []byte) string { return "x'" + hex.EncodeToString(b) + "'" },
	badText: func(b []byte) string { return "CONVERT(x'" + hex.EncodeToString(b) + "' USING utf8mb4)" },
}

var sqliteLanguage = language{
	types: map[sourcetest.Type]string{
		sourcetest.Text: "TEXT", sourcetest.Char: "CHAR(8)", sourcetest.Integer: "INTEGER", sourcetest.Boolean: "BOOLEAN",
		sourcetest.Number: "NUMERIC", sourcetest.Instant: "DATETIME", sourcetest.Date: "DATE", sourcetest.Binary: "BLOB",
	},
	quote:   doubled,
	binary:  func(b []byte) string { return "x'" + hex.EncodeToString(b) + "'" },
	badText: func(b []byte) string { return "CAST(x'" + hex.EncodeToString(b) + "' AS TEXT)" },
}

func (l language) literal(value any) string {
	switch v := value.(type) {
	case nil:
		return "NULL"
	case string:
		return l.quote(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case json.Number:
		return string(v)
	case bool:
		return strings.ToUpper(strconv.FormatBool(v))
	case time.Time:
		return "'" + v.Format("2006-01-02 15:04:05.999999") + "'"
	case []byte:
		return l.binary(v)
	case sourcetest.BadText:
		return l.badText([]byte(v))
	}
	panic(fmt.Sprintf("no literal for a %T", value))
}

// fill makes the table "fixture" and inserts its rows.
func (l language) fill(t testing.TB, db *sql.DB, f sourcetest.Fixture) {
	t.Helper()
	var columns []string
	for i, c := range f.Columns {
		definition := c.Name + " " + l.types[c.Type]
		if i == 0 {
			definition += " PRIMARY KEY"
		}
		columns = append(columns, definition)
	}
	execute(t, db, "CREATE TABLE fixture ("+strings.Join(columns, ", ")+")")
	for rows := f.Rows; len(rows) > 0; {
		batch := rows[:min(500, len(rows))]
		rows = rows[len(batch):]
		var tuples []string
		for _, row := range batch {
			var values []string
			for _, value := range row {
				values = append(values, l.literal(value))
			}
			tuples = append(tuples, "("+strings.Join(values, ", ")+")")
		}
		execute(t, db, "INSERT INTO fixture VALUES "+strings.Join(tuples, ", "))
	}
}

// query selects all of the fixture in order, under the given names.
func query(f sourcetest.Fixture, names []string) string {
	var columns []string
	for i, c := range f.Columns {
		name := c.Name
		if names != nil {
			name = names[i]
		}
		columns = append(columns, c.Name+" AS "+name)
	}
	return "SELECT " + strings.Join(columns, ", ") + " FROM fixture ORDER BY fixture." + f.Columns[0].Name
}

// changeFixture does what a Stored's Change must, on a wide fixture.
func changeFixture(t testing.TB, db *sql.DB, f sourcetest.Fixture) {
	t.Helper()
	n := len(f.Rows)
	execute(t, db, fmt.Sprintf("DELETE FROM fixture WHERE id = %d", n))
	execute(t, db, fmt.Sprintf("UPDATE fixture SET email = 'changed@example.com' WHERE id = %d", n-1))
	execute(t, db, fmt.Sprintf("INSERT INTO fixture VALUES (%d, 'new@example.com', '')", n+1))
}

func execute(t testing.TB, db *sql.DB, statement string) {
	t.Helper()
	// Not the test's context: clean-ups run after it is done.
	if _, err := db.Exec(statement); err != nil {
		t.Fatalf("%.200s: %v", statement, err)
	}
}

// queryInt returns the number that a query gives.
func queryInt(t testing.TB, db *sql.DB, query string) (n int) {
	t.Helper()
	if err := db.QueryRow(query).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}
