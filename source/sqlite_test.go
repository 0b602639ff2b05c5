package source_test

import (
	"database/sql"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"owlatsync"
	"path/filepath"
	"testing"

	"owlatsync/internal/sourcedsn"
	"owlatsync/source"
)

func sqliteFile(t *testing.T, statements ...string) (path string, db *sql.DB) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "users.db")
	db = openDB(t, "sqlite", "file:"+path)
	for _, s := range statements {
		execute(t, db, s)
	}
	return path, db
}

func TestSQLiteTypes(t *testing.T) {
	t.Parallel()
	_, db := sqliteFile(t, `CREATE TABLE kinds (flag BOOLEAN, odd_flag BOOLEAN, text_flag BOOLEAN, at DATETIME, noted DATE, typeless, short VARCHAR(10), epoch INTEGER)`,
		`INSERT INTO kinds VALUES (1, 2, 't', '2026-11-03 05:06:07', '2026-11-03', 7, 12, 1762150000)`)
	values := []typed{
		{"flag", "true", true},
		{"odd_flag", "2", int64(2)},
		{"text_flag", "t", "t"},
		{"at", "2026-11-03T05:06:07Z", "2026-11-03T05:06:07Z"},
		{"noted", "2026-11-03", "2026-11-03"},
		{"typeless", "7", int64(7)},
		{"short", "12", "12"},
		{"epoch", "1762150000", int64(1762150000)},
		{"9223372036854775807", "9223372036854775807", int64(9223372036854775807)},
		{"0.1", "0.1", 0.1},
		{"1000000.0", "1000000", 1e6},
		{"'Zoë'", "Zoë", "Zoë"},
		{"NULL", nil, nil},
	}
	testTypes(t, values, func(query string, m source.Mapping) (*source.Table, error) {
		return source.SQL(db, source.SQLite, query+" FROM kinds", m)
	})
}

// TestSQLiteDatesInAZone has the driver make times of the texts, in a zone.
func TestSQLiteDatesInAZone(t *testing.T) {
	t.Parallel()
	path, _ := sqliteFile(t, "CREATE TABLE users (email TEXT, born DATE)", "INSERT INTO users VALUES ('a@example.com', '2026-11-03')")
	for _, zone := range []string{"UTC", "America/New_York", "Pacific/Auckland"} {
		zoned := openDB(t, "sqlite", "file:"+path+"?_timezone="+url.QueryEscape(zone))
		for _, dialect := range []source.Dialect{source.SQLite, source.Generic} {
			rows, err := read(t.Context(), must(source.SQL(zoned, dialect, "SELECT * FROM users", source.Mapping{Key: []string{"born"}, Email: "email"})))
			if err != nil || len(rows) != 1 || rows[0].Key != "2026-11-03" {
				t.Errorf("%s, dialect %d: %+v and %v", zone, dialect, rows, err)
			}
		}
	}
}

func TestSQLiteConsents(t *testing.T) {
	t.Parallel()
	_, db := sqliteFile(t, `CREATE TABLE users (email TEXT, wants BOOLEAN)`,
		`INSERT INTO users VALUES ('a', 1), ('b', 't'), ('c', 'true'), ('d', 0), ('e', 'f'), ('f', NULL), ('g', ''), ('h', 0.0), ('i', 'perhaps')`)
	rows, err := read(t.Context(), must(source.SQL(db, source.SQLite, "SELECT * FROM users", source.Mapping{Email: "email", Topics: []string{"wants"}})))
	if err != nil || len(rows) != 9 {
		t.Fatalf("%d rows and %v", len(rows), err)
	}
	for i, row := range rows {
		if want := owlatsync.ConsentOf(i < 3); row.Defect != "" || row.Consents[0] != want && !(i == 8 && row.Consents[0] == owlatsync.Unclear && row.Unclear[0] == "perhaps") {
			t.Errorf("%s: consent %v, defect %q", row.Email.Value, row.Consents[0], row.Defect)
		}
	}
}

// TestSQLiteBlobAmongTexts checks the one value that a column's type does not announce.
func TestSQLiteBlobAmongTexts(t *testing.T) {
	t.Parallel()
	_, db := sqliteFile(t, `CREATE TABLE users (id INTEGER, email TEXT)`, `INSERT INTO users VALUES (1, 'a@example.com'), (2, x'6240')`)
	rows, err := read(t.Context(), must(source.SQL(db, source.SQLite, "SELECT * FROM users", idAndEmail)))
	var column *source.ColumnError
	if len(rows) != 1 || !errors.As(err, &column) || column.Column != "email" {
		t.Fatalf("%d rows and %v, want a ColumnError after the first", len(rows), err)
	}
	says(t, err, "row 2", "binary", "CAST(column AS TEXT)")
	rows, err = read(t.Context(), must(source.SQL(db, source.SQLite, "SELECT id, CAST(email AS TEXT) AS email FROM users", idAndEmail)))
	if err != nil || len(rows) != 2 || rows[1].Email.Value != "b@" {
		t.Errorf("with the cast that the error advises: %+v and %v", rows, err)
	}
}

func TestSQLiteRefusesWhatIsNoQuery(t *testing.T) {
	t.Parallel()
	other := filepath.Join(t.TempDir(), "other.db")
	_, db := sqliteFile(t, "CREATE TABLE users (id INTEGER, email TEXT)", "INSERT INTO users VALUES (1, 'a@example.com')")
	unchanged := func() {
		t.Helper()
		if n := queryInt(t, db, "SELECT count(*) FROM users WHERE email = 'a@example.com'"); n != 1 {
			t.Fatalf("the table has changed: %d rows", n)
		}
		if _, err := os.Stat(other); !errors.Is(err, fs.ErrNotExist) {
			t.Fatal("a file was made")
		}
	}
	testRefused(t, []string{
		"", "  ", "-- nothing", "/* nothing",
		"INSERT INTO users VALUES (2, 'b')", "INSERT INTO users VALUES (2, 'b') RETURNING id, email", "REPLACE INTO users VALUES (1, 'b')",
		"UPDATE users SET email = 'x'", "DELETE FROM users", "DELETE FROM users RETURNING id, email",
		"DROP TABLE users", "CREATE TABLE other (id)", "ATTACH '" + other + "' AS other", "VACUUM INTO '" + other + "'",
		"PRAGMA query_only = 0", "PRAGMA user_version = 5", "COMMIT", "ROLLBACK", "REINDEX",
		"SELECT id, email FROM users; DELETE FROM users", "COMMIT; DELETE FROM users",
		"SELECT 1 AS id, 'it''s' AS email; PRAGMA query_only = 0; DELETE FROM users",
		"SELECT 1 AS [id;], 'x' AS `email;`; DELETE FROM users",
	}, func(query string) (*source.Table, error) { return source.SQL(db, source.SQLite, query, idAndEmail) }, unchanged)

	// These get past the first look, but not past the database. The handle itself may write.
	for _, statement := range []string{
		"WITH old AS (SELECT 1) DELETE FROM users RETURNING id, email",
		"WITH old AS (SELECT 1) UPDATE users SET email = 'x' RETURNING id, email",
	} {
		table, err := source.SQL(db, source.SQLite, statement, idAndEmail)
		fails(t, table, err)
		unchanged()
	}
	execute(t, db, "UPDATE users SET email = 'b@example.com'") // the handle can still write afterwards
}

// TestGenericKeepsNothing checks that where a database cannot be told to read only, what a statement does is undone.
func TestGenericKeepsNothing(t *testing.T) {
	t.Parallel()
	_, db := sqliteFile(t, "CREATE TABLE users (id INTEGER, email TEXT)", "INSERT INTO users VALUES (1, 'a@example.com')")
	for _, statement := range []string{
		"WITH old AS (SELECT 1) DELETE FROM users RETURNING id, email",
		"WITH old AS (SELECT 1) INSERT INTO users VALUES (2, 'b@example.com') RETURNING id, email",
	} {
		// Whether the scan fails depends on the database; what counts is what stays.
		_, _ = read(t.Context(), must(source.SQL(db, source.Generic, statement, idAndEmail)))
		if n := queryInt(t, db, "SELECT count(*) FROM users WHERE email = 'a@example.com'"); n != 1 {
			t.Fatalf("%s: the table has changed", statement)
		}
		if n := queryInt(t, db, "SELECT count(*) FROM users"); n != 1 {
			t.Fatalf("%s: the table has %d rows", statement, n)
		}
	}
}

func TestSQLiteBadInput(t *testing.T) {
	t.Parallel()
	_, db := sqliteFile(t, "CREATE TABLE users (id INTEGER, email TEXT)")
	folder := t.TempDir()
	damaged := filepath.Join(folder, "damaged.db")
	if err := os.WriteFile(damaged, []byte("this is no database, though long enough to be taken for one at first sight, is it not?"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		db    *sql.DB
		query string
		want  []string
	}{
		"no such table":  {db, "SELECT id, email FROM user_accounts", []string{"run the query", "no such table: user_accounts"}},
		"no such column": {db, "SELECT id, emial FROM users", []string{"no such column: emial"}},
		"syntax":         {db, "SELECT id email FORM users", []string{"run the query", "FORM"}},
		"no database":    {openDB(t, "sqlite", must(must(sourcedsn.Parse("damaged.db", folder)).SQLiteURI())), "SELECT 1 AS id, 2 AS email FROM users", []string{"not a database"}},
		"parameter":      {db, "SELECT ? AS id, 'a' AS email", []string{"run the query"}},
	} {
		t.Run(name, func(t *testing.T) {
			table, err := source.SQL(test.db, source.SQLite, test.query, idAndEmail)
			says(t, fails(t, table, err), test.want...)
		})
	}
}

func TestSQLiteNeverCreatesAFile(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	dsn := must(sourcedsn.Parse("sqlite:gone.db", folder))
	if uri, err := dsn.SQLiteURI(); err == nil || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%q and %v, want fs.ErrNotExist", uri, err)
	}
	if _, err := must(sourcedsn.Parse("sqlite:.", folder)).SQLiteURI(); err == nil {
		t.Error("a folder passes for a database")
	}
	path := filepath.Join(folder, "here.db")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	uri := must(must(sourcedsn.Parse("here.db", folder)).SQLiteURI())
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	db := openDB(t, "sqlite", uri)
	table := must(source.SQL(db, source.SQLite, "SELECT 1 AS id, 'a@example.com' AS email", idAndEmail))
	fails(t, table, nil)
	if err := table.Ping(t.Context()); err == nil {
		t.Error("ping reaches a file that is gone")
	}
	if entries := must(os.ReadDir(folder)); len(entries) != 0 {
		t.Errorf("the folder has %v, want nothing", entries)
	}
	// And what is there can only be read.
	path, _ = sqliteFile(t, "CREATE TABLE users (id INTEGER)")
	db = openDB(t, "sqlite", must(must(sourcedsn.Parse(path, "")).SQLiteURI()))
	if _, err := db.Exec("INSERT INTO users VALUES (1)"); err == nil {
		t.Error("the URI of a source lets one write")
	}
}
