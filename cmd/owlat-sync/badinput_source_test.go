package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"owlatsync/internal/exitcode"
	"owlatsync/ledger"
)

// badDSNs are sources that cannot be found or reached. A password in them must not be printed.
func badDSNs() []badInput {
	dsn := func(name, text string) badInput {
		return badInput{name: name, code: exitcode.Usage, change: []string{"dsn: csv:users.csv", "dsn: \"" + text + "\"\n      query: SELECT 1"}}
	}
	file := func(name, text string) badInput {
		return badInput{name: name, code: exitcode.Usage, change: []string{"csv:users.csv", "\"" + text + "\""}}
	}
	reached := func(name, text string) badInput {
		c := dsn(name, text)
		c.code = exitcode.Error
		return c
	}
	return []badInput{
		dsn("an unknown scheme", "oracle://app:${SECRET}@db.example.com/app"),
		dsn("a web address", "https://example.com/users.csv"),
		dsn("no scheme", "app:${SECRET}@db.example.com/app"),
		dsn("the name of a database", "users"),
		dsn("a scheme without slashes", "postgres:app"),
		dsn("an @ in the password", "postgres://app:p@${SECRET}@db.example.com/app"),
		dsn("a # in the password", "postgres://app:p#${SECRET}@db.example.com/app"),
		dsn("a slash in the password", "mysql://app:p/${SECRET}@db.example.com/app"),
		dsn("a bad escape", "postgres://app:%zz${SECRET}@db.example.com/app"),
		dsn("a port that is no number", "postgres://app:${SECRET}@db.example.com:port/app"),
		dsn("two hosts for MySQL", "mysql://app:${SECRET}@a.example.com,b.example.com/app"),
		dsn("a database in memory", "sqlite::memory:"),
		dsn("SQLite without a file", "sqlite:"),
		dsn("an option that SQLite has not", "sqlite:app.db?vfs=unix-none"),
		file("CSV without a file", "csv:"),
		file("an unknown ending", "users.txt"),
		file("an option that CSV has not", "csv:users.csv?separator=tab"),
		file("a delimiter of two characters", "csv:users.csv?delimiter=%7C%7C"),
		file("a quote for a delimiter", "csv:users.csv?delimiter=%22"),
		file("an option that NDJSON has not", "ndjson:users.ndjson?lines=1"),
		reached("no PostgreSQL there", "postgres://app:${SECRET}@127.0.0.1:1/app"),
		reached("no MySQL there", "mysql://app:${SECRET}@127.0.0.1:1/app"),
		dsn("an option that PostgreSQL does not take", "postgres://app:${SECRET}@127.0.0.1:1/app?sslmode=maybe"),
		reached("an option that MySQL does not take", "mysql://app:${SECRET}@127.0.0.1:1/app?timeout=soon"),
	}
}

// badDatabases are queries that do not fit, or that end early.
func badDatabases() []badInput {
	const columns = "SELECT id, email, first, last, news, plan FROM users"
	query := func(name string, code exitcode.Code, text string) badInput {
		return badInput{name: name, code: code, change: []string{"dsn: csv:users.csv", "dsn: sqlite:app.db\n      query: |\n        " + text}}
	}
	database := func(name string, files map[string]string) badInput {
		c := query(name, exitcode.Error, columns)
		c.files = files
		return c
	}
	return []badInput{
		database("a folder for a database", map[string]string{"app.db/": ""}),
		database("a file that is no database", map[string]string{"app.db": strings.Repeat("no database, ", 100)}),
		database("an empty file for a database", map[string]string{"app.db": ""}),
		{name: "a database that is not there", code: exitcode.Error, remove: "app.db", change: []string{"dsn: csv:users.csv", "dsn: sqlite:app.db\n      query: " + columns}},
		query("no such table", exitcode.Error, strings.Replace(columns, "users", "people", 1)),
		query("no such column in the table", exitcode.Error, strings.Replace(columns, "email", "mail", 1)),
		query("a mistake in the SQL", exitcode.Usage, "SELEKT * FROM users"),
		query("a mistake within the SQL", exitcode.Error, "SELECT id, FROM users"),
		query("only a comment for a query", exitcode.Usage, "-- all users"),
		query("several statements", exitcode.Usage, columns+"; DROP TABLE users"),
		query("a DELETE", exitcode.Usage, "DELETE FROM users"),
		query("an UPDATE that returns rows", exitcode.Usage, "UPDATE users SET plan = 'x' RETURNING *"),
		query("an INSERT behind WITH", exitcode.Error, "WITH x AS (SELECT 1) INSERT INTO users SELECT * FROM users"),
		query("a PRAGMA", exitcode.Usage, "PRAGMA user_version"),
		query("an ATTACH", exitcode.Usage, "ATTACH 'other.db' AS other"),
		query("a parameter", exitcode.Error, columns+" WHERE id = ?"),
		query("no key column", exitcode.Usage, strings.Replace(columns, "id, ", "", 1)),
		query("no address column", exitcode.Usage, strings.Replace(columns, "email, ", "", 1)),
		query("no consent column", exitcode.Usage, strings.Replace(columns, "news", "news AS newsletter", 1)),
		query("no column for a property", exitcode.Usage, strings.Replace(columns, ", plan", "", 1)),
		query("another letter case", exitcode.Usage, strings.Replace(columns, "email", "email AS Email", 1)),
		query("no column that is mapped", exitcode.Usage, "SELECT count(*) FROM users"),
		query("two columns of one name", exitcode.Usage, strings.Replace(columns, "last", "first", 1)),
		query("bytes for an address", exitcode.Usage, strings.Replace(columns, "email", "raw AS email", 1)),
		query("bytes for a key", exitcode.Usage, strings.Replace(columns, "id", "raw AS id", 1)),
		query("an error after the first row", exitcode.Error, strings.Replace(columns, "last", "abs(CASE id WHEN 2 THEN -9223372036854775807 - 1 ELSE id END) AS last", 1)+" ORDER BY id"),
		query("no rows at all", exitcode.Held, columns+" WHERE plan = 'none'"),
	}
}

// badFiles are files that are no source, and ledgers that are none.
func badFiles() []badInput {
	csv := func(name string, code exitcode.Code, text string) badInput {
		return badInput{name: name, code: code, files: map[string]string{"users.csv": text}}
	}
	lines := func(name string, code exitcode.Code, text string) badInput {
		return badInput{name: name, code: code, change: []string{"csv:users.csv", "ndjson:users.ndjson"}, files: map[string]string{"users.ndjson": text}}
	}
	book := func(name string, code exitcode.Code, setup func(t *testing.T, dir string)) badInput {
		return badInput{name: name, code: code, setup: setup}
	}
	const header, good = "id,email,first,last,news,plan\n", "1,ann@example.com,Ann,Lee,yes,pro\n"
	const object = `{"id":1,"email":"ann@example.com","first":"Ann","last":"Lee","news":true,"plan":"pro"}` + "\n"
	checked := func(name string, code exitcode.Code, setup func(t *testing.T, dir string)) badInput {
		return badInput{name: name + ", for check", code: code, args: []string{"check", "--rows", "0", "--sync", "users"}, setup: setup, writes: 3}
	}
	newer := func(t *testing.T, dir string) {
		fillDatabase(t, filepath.Join(dir, "owlat-sync.db"), "PRAGMA user_version = 4711")
	}
	short := func(t *testing.T, dir string) {
		if err := os.Truncate(filepath.Join(dir, "owlat-sync.db"), 5000); err != nil {
			t.Fatal(err)
		}
	}
	folder := func(t *testing.T, dir string) {
		path := filepath.Join(dir, "owlat-sync.db")
		if err := errors.Join(os.Remove(path), os.Mkdir(path, 0o700)); err != nil {
			t.Fatal(err)
		}
	}
	return []badInput{
		{name: "a file that is not there", code: exitcode.Error, remove: "users.csv"},
		{name: "a folder for a file", code: exitcode.Error, files: map[string]string{"users.csv/": ""}},
		csv("an empty CSV file", exitcode.Error, ""),
		csv("a header alone", exitcode.Held, header),
		csv("no header", exitcode.Usage, good),
		csv("semicolons", exitcode.Usage, strings.ReplaceAll(header+good, ",", ";")),
		csv("a column less", exitcode.Usage, strings.Replace(header, "news", "newsletter", 1)+good),
		csv("a column twice", exitcode.Usage, strings.Replace(header, "plan", "email", 1)+good),
		csv("a quote that is never closed", exitcode.Error, header+good+"2,\"bob@example.com,Bob,Ray,no,free\n"),
		csv("a quote within a field", exitcode.Error, header+good+"2,bob@example.com,Bob \"B\" Ray,no,free\n"),
		csv("a field too many", exitcode.Error, header+good+"2,bob@example.com,Bob,Ray,no,free,more\n"),
		csv("a field too few", exitcode.Error, header+good+"2,bob@example.com\n"),
		csv("a UTF-16 file", exitcode.Error, "\xff\xfei\x00d\x00"),
		csv("a binary file", exitcode.Usage, "\x7fELF\x02\x01\x01\x00"),
		{name: "a file that is not packed", code: exitcode.Error, change: []string{"csv:users.csv", "csv:users.csv.gz"}, files: map[string]string{"users.csv.gz": "\x1f\x8b not packed"}},
		{name: "a packed file that breaks off", code: exitcode.Error, change: []string{"csv:users.csv", "csv:users.csv.gz"}, files: map[string]string{"users.csv.gz": halfPacked(workingUsers)}},
		lines("a line that is no JSON", exitcode.Error, object+"{oops\n"),
		lines("a line that is a list", exitcode.Error, object+"[1]\n"),
		lines("a line with two objects", exitcode.Error, object+strings.Repeat(strings.TrimSpace(object), 2)+"\n"),
		lines("a JSON document over several lines", exitcode.Error, "[\n"+object+"]\n"),
		lines("an object without a column", exitcode.Usage, strings.Replace(object, `"plan"`, `"tariff"`, 1)),
		lines("an empty NDJSON file", exitcode.Held, ""),

		book("a ledger that is a text", exitcode.Error, func(t *testing.T, dir string) {
			writeFile(t, filepath.Join(dir, "owlat-sync.db"), "This is no ledger, and must not become one.\n")
		}),
		book("a ledger of another program", exitcode.Error, func(t *testing.T, dir string) {
			if err := os.Rename(filepath.Join(dir, "app.db"), filepath.Join(dir, "owlat-sync.db")); err != nil {
				t.Fatal(err)
			}
		}),
		book("a ledger that a newer version wrote", exitcode.Error, newer),
		checked("a ledger that a newer version wrote", exitcode.Error, newer),
		book("a ledger cut short", exitcode.Error, short),
		checked("a ledger cut short", exitcode.Error, short),
		checked("a folder for a ledger", exitcode.Error, folder),
		{name: "a ledger of another deployment, for check", code: exitcode.Usage, args: []string{"check", "--rows", "0", "--sync", "users"},
			env: map[string]string{"OWLAT_URL": "URL/"}, change: []string{"ledger: owlat-sync.db", "ledger: other.db"}, setup: boundElsewhere, writes: 3},
		{name: "rows of which none can be sent, for check", code: exitcode.Usage, args: []string{"check", "--sync", "users"},
			files: map[string]string{"users.csv": strings.ReplaceAll(workingUsers, "@", " at ")}, writes: 3},
		{name: "a ledger in a folder that is not there", code: exitcode.Error, change: []string{"ledger: owlat-sync.db", "ledger: state/owlat-sync.db"}},
		{name: "a folder for a ledger", code: exitcode.Error, change: []string{"ledger: owlat-sync.db", "ledger: state"}, files: map[string]string{"state/": ""}},
		{name: "a ledger of another deployment", code: exitcode.Usage, env: map[string]string{"OWLAT_URL": "URL/other"}},
		book("a ledger that a run holds", exitcode.Locked, func(t *testing.T, dir string) {
			l, err := openLedger(context.Background(), filepath.Join(dir, "owlat-sync.db"))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = l.Close() })
			if _, err := l.Acquire(context.Background(), ledger.Claim{Purpose: "run of sync \"users\""}); err != nil {
				t.Fatal(err)
			}
		}),
	}
}

// boundElsewhere makes a ledger that another deployment has used.
func boundElsewhere(t *testing.T, dir string) {
	l, err := openLedger(t.Context(), filepath.Join(dir, "other.db"))
	if err != nil {
		t.Fatal(err)
	}
	lock, err := l.Acquire(t.Context(), ledger.Claim{Purpose: "a test", Deployment: "https://other.example.com"})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(lock.Release(), l.Close()); err != nil {
		t.Fatal(err)
	}
}

// halfPacked returns the first half of the packed text.
func halfPacked(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		panic(err)
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return string(b.Bytes()[:b.Len()/2])
}
