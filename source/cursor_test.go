package source_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"owlatsync"
	"owlatsync/internal/testdb"
	"owlatsync/source"
)

// place is a database for a test of cursors.
type place struct {
	name string
	db   *sql.DB
	open func(t testing.TB, query string, m source.Mapping) *source.Table
}

func postgresPlace(t testing.TB) place {
	dsn := testdb.Postgres(t)
	return place{"PostgreSQL", openDB(t, "pgx", dsn), func(t testing.TB, query string, m source.Mapping) *source.Table {
		return must(source.Postgres(dsn, query, m))
	}}
}

// pooledPlace is PostgreSQL behind a pooler of transactions, where each transaction may meet what another client left.
func pooledPlace(t testing.TB) place {
	dsn := testdb.Postgres(t)
	pooled := testdb.PgBouncer(t, dsn, 4)
	return place{"PostgreSQL", openDB(t, "pgx", dsn), func(t testing.TB, query string, m source.Mapping) *source.Table {
		return must(source.Postgres(pooled, query, m))
	}}
}

func mySQLPlace(t testing.TB) place {
	dsn := testdb.MySQL(t)
	db, scans := testdb.OpenMySQL(t, dsn), testdb.OpenMySQL(t, dsn)
	return place{"MySQL", db, func(t testing.TB, query string, m source.Mapping) *source.Table {
		return must(source.SQL(scans, source.MySQL, query, m))
	}}
}

func sqlitePlace(t testing.TB) place {
	db := openDB(t, "sqlite", "file:"+filepath.Join(t.TempDir(), "users.db")+"?_pragma=journal_mode(wal)&_pragma=busy_timeout(10000)")
	return place{"SQLite", db, func(t testing.TB, query string, m source.Mapping) *source.Table {
		return must(source.SQL(db, source.SQLite, query, m))
	}}
}

var places = map[string]func(testing.TB) place{"PostgreSQL": postgresPlace, "PgBouncer": pooledPlace, "MySQL": mySQLPlace, "SQLite": sqlitePlace}

// eachPlace tests with every kind of database.
func eachPlace(t *testing.T, test func(t *testing.T, p place)) {
	for name, open := range places {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

var cursorMapping = source.Mapping{Key: []string{"id"}, Email: "email"}

func (p place) follow(t testing.TB, query string, m source.Mapping, c source.Cursor) *source.Table {
	t.Helper()
	return must(p.open(t, query, m).WithCursor(c))
}

// scan reads a table and returns the addresses in order; each call of Again names the next of the keys.
func scan(t *testing.T, table *source.Table, s *owlatsync.Scan, keys ...[]string) []string {
	t.Helper()
	s.Again = func(context.Context) ([]string, error) {
		if len(keys) == 0 {
			return nil, nil
		}
		next := keys[0]
		keys = keys[1:]
		return next, nil
	}
	var got []string
	for row, err := range table.Scan(t.Context(), s) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, strings.TrimSuffix(row.Email.Value, "@example.com"))
	}
	slices.Sort(got)
	return got
}

func wantRows(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// TestQueryEndings reads all rows and changed ones by queries that end in all ways in which a statement may.
func TestQueryEndings(t *testing.T) {
	t.Parallel()
	eachPlace(t, func(t *testing.T, p place) {
		execute(t, p.db, "CREATE TABLE users (id int PRIMARY KEY, email varchar(100), v int)")
		execute(t, p.db, "INSERT INTO users VALUES (1, 'a@example.com', 1), (2, 'b; -- x@example.com', 2)")
		endings := []string{
			"", ";", " ;; \n;\t", "; -- note", " -- note", " -- note; more\n;", "; -- note\n", ";--", "/* note */", "; /* note; */ ;", " /* a */ -- b\n; /* c */",
			" WHERE email <> 'it''s; -- no note'; -- note", " WHERE email <> '; /* no note'",
		}
		switch p.name {
		case "PostgreSQL":
			endings = append(endings, " WHERE email <> $$; -- no note$$; -- note", " WHERE email <> $a$ $$; -- no note$a$", ` WHERE email <> E'\'; -- no note'; -- note`, "; /* a /* b */ c; */")
		case "MySQL":
			endings = append(endings, "; # note", " # note; more\n;", ` WHERE email <> '\'; -- no note'; # note`, " /*! WHERE id > 0 */; -- note", " WHERE v > 0 --0")
		case "SQLite":
			endings = append(endings, " WHERE [id] > 0 AND `id` > 0 AND \"id\" > 0; -- note")
		}
		for _, ending := range endings {
			for _, beginning := range []string{"", "-- first;\n", " /* first; */ ", ";;"} {
				if beginning == ";;" && p.name == "PostgreSQL" { // where it counts as several statements
					continue
				}
				query := beginning + "SELECT id, email, v FROM users" + ending
				if rows, err := read(t.Context(), p.open(t, query, cursorMapping)); err != nil || len(rows) != 2 {
					t.Errorf("%q: %d rows and %v", query, len(rows), err)
					continue
				}
				table := p.follow(t, query, cursorMapping, source.Cursor{Column: "v", Step: 1})
				if err := table.Check(t.Context()); err != nil {
					t.Errorf("%q: %v", query, err)
					continue
				}
				s := &owlatsync.Scan{}
				wantRows(t, query, scan(t, table, s), "a", "b; -- x")
				s.Since = "n 3"
				wantRows(t, query, scan(t, table, s, []string{"1"}), "a", "b; -- x")
				if s.Mark != "n 2" {
					t.Errorf("%q: mark %q, want that of the second row", query, s.Mark)
				}
			}
		}
	})
}

// TestCursorTypes reads what changed by columns of every type that can be a cursor.
func TestCursorTypes(t *testing.T) {
	t.Parallel()
	times := []string{"2026-03-01 12:00:00", "2026-03-01 13:00:00.25", "2026-03-01 13:04:00", "2026-03-01 13:05:00.5"}
	for _, tt := range []struct {
		place, column string
		values        []string // of rows a to d, in ascending order
		cursor        source.Cursor
		from          string   // after all four
		want          []string // from then on
	}{
		{"PostgreSQL", "timestamptz", times, source.Cursor{}, "2026-03-01 12:55:00.5", []string{"b", "c", "d"}},
		{"PostgreSQL", "timestamptz", []string{"2026-03-01 12:00:00+02", "2026-03-01 12:00:00+00", "2026-03-01 17:31+05:30", "2026-03-01 12:05-00"}, source.Cursor{Overlap: 5 * time.Minute}, "2026-03-01 12:00:00", []string{"b", "c", "d"}},
		{"PostgreSQL", "timestamptz", []string{"-infinity", "2026-03-01 12:00:00", "2999-03-01", "infinity"}, source.Cursor{Overlap: time.Minute}, "", []string{"c", "d"}},
		{"PostgreSQL", "timestamp(0)", times, source.Cursor{Overlap: 2 * time.Minute}, "2026-03-01 13:03:01", []string{"c", "d"}},
		{"PostgreSQL", "date", []string{"2026-03-01", "2026-03-02", "2026-03-03", "2026-03-03"}, source.Cursor{}, "2026-03-02", []string{"b", "c", "d"}},
		{"PostgreSQL", "bigint", []string{"-5", "10", "995", "1000"}, source.Cursor{Step: 5}, "995", []string{"c", "d"}},
		{"PostgreSQL", "smallint", []string{"-5", "10", "95", "100"}, source.Cursor{Step: 200}, "-100", []string{"a", "b", "c", "d"}},
		{"MySQL", "DATETIME(6)", times, source.Cursor{}, "2026-03-01 12:55:00.5", []string{"b", "c", "d"}},
		{"MySQL", "DATETIME", []string{"2026-03-01 12:00:00", "2026-03-01 12:00:00", "2999-01-01", "9999-12-31"}, source.Cursor{}, "", []string{"c", "d"}},
		{"MySQL", "TIMESTAMP", []string{"2026-03-01 12:00:00", "2026-03-01 13:00:00", "2026-03-01 13:03:00", "2026-03-01 13:05:00"}, source.Cursor{Overlap: 2 * time.Minute}, "2026-03-01 13:03:00", []string{"c", "d"}},
		{"MySQL", "DATE", []string{"2026-03-01", "2026-03-02", "2026-03-03", "2026-03-03"}, source.Cursor{Overlap: 24 * time.Hour}, "2026-03-02", []string{"b", "c", "d"}},
		{"MySQL", "BIGINT UNSIGNED", []string{"1", "18446744073709551610", "18446744073709551614", "18446744073709551615"}, source.Cursor{Step: 1}, "18446744073709551614", []string{"c", "d"}},
		{"MySQL", "INT", []string{"-5", "10", "95", "100"}, source.Cursor{Step: 200}, "-100", []string{"a", "b", "c", "d"}},
		{"SQLite", "DATETIME", times, source.Cursor{}, "2026-03-01 12:55:00.5", []string{"b", "c", "d"}},
		{"SQLite", "TEXT", []string{"2026-03-01T12:00:00Z", "2026-03-01T12:55:00.9Z", "2026-03-01T13:04:00Z", "2026-03-01T13:05:00.5Z"}, source.Cursor{}, "2026-03-01T12:55:00.5", []string{"b", "c", "d"}},
		{"SQLite", "", []string{"2026-03-01 12:00:00 +0000 UTC", "2026-03-01 12:56:00 +0000 UTC", "2026-03-01 13:04:00 +0000 UTC", "2026-03-01 13:05:00.5 +0000 UTC"}, source.Cursor{}, "2026-03-01 12:55:00.5", []string{"b", "c", "d"}},
		{"SQLite", "TIMESTAMP", []string{"2026-03-01 12:00:00", "2026-03-01 13:00:00", "2999-03-01 13:05:00", "2999-03-01 13:05:00"}, source.Cursor{}, "", []string{"c", "d"}},
		{"SQLite", "DATE", []string{"2026-03-01", "2026-03-02", "2026-03-03", "2026-03-03"}, source.Cursor{}, "2026-03-02", []string{"b", "c", "d"}},
		{"SQLite", "INTEGER", []string{"-5", "10", "95", "100"}, source.Cursor{Step: 5}, "95", []string{"c", "d"}},
	} {
		t.Run(tt.place+" "+tt.column, func(t *testing.T) {
			t.Parallel()
			p := places[tt.place](t)
			execute(t, p.db, "CREATE TABLE users (id INT PRIMARY KEY, email VARCHAR(200), changed "+tt.column+" NULL)")
			for i, v := range tt.values {
				if tt.column != "INTEGER" {
					v = "'" + v + "'"
				}
				execute(t, p.db, fmt.Sprintf("INSERT INTO users VALUES (%d, '%c@example.com', %s)", i, 'a'+i, v))
			}
			tt.cursor.Column = "changed"
			table := p.follow(t, "SELECT * FROM users", cursorMapping, tt.cursor)
			if err := table.Check(t.Context()); err != nil {
				t.Fatal(err)
			}
			all := &owlatsync.Scan{}
			wantRows(t, "all rows", scan(t, table, all), "a", "b", "c", "d")
			if all.Mark == "" || all.From != "" {
				t.Errorf("a full scan gives the mark %q and begins at %q", all.Mark, all.From)
			}
			execute(t, p.db, "INSERT INTO users VALUES (9, 'null@example.com', NULL)")
			since := &owlatsync.Scan{Since: all.Mark}
			wantRows(t, "what changed", scan(t, table, since), append(slices.Clone(tt.want), "null")...)
			if tt.from != "" && since.From != tt.from {
				t.Errorf("it begins at %q, want %q", since.From, tt.from)
			}
			if tt.from == "" && since.From > time.Now().UTC().Format("2006-01-02 15:04:05") {
				t.Errorf("it begins in the future, at %q", since.From)
			}
			if since.Mark == "" {
				t.Error("a scan of changes gives no mark")
			}
			execute(t, p.db, "DELETE FROM users")
			since = &owlatsync.Scan{Since: all.Mark}
			if got := scan(t, table, since); len(got) > 0 || since.Mark != all.Mark {
				t.Errorf("%q of an empty table, and the mark %q for %q", got, since.Mark, all.Mark)
			}
			none := &owlatsync.Scan{}
			if got := scan(t, table, none); len(got) > 0 || none.Mark != "" {
				t.Errorf("all rows of an empty table are %q, and their mark %q", got, none.Mark)
			}
		})
	}
}

// TestCursorRows gives rows by both ways of reading the same values, and single ones by every kind of key.
func TestCursorRows(t *testing.T) {
	t.Parallel()
	eachPlace(t, func(t *testing.T, p place) {
		execute(t, p.db, "CREATE TABLE users (id INT, code VARCHAR(50), email VARCHAR(200), score DOUBLE PRECISION, paid NUMERIC(8,2), born DATE, seen TIMESTAMP NULL, yes BOOLEAN, v INT, PRIMARY KEY (id, code))")
		codes := []string{"plain", "o'clock", `a/b\c`, "Größe ☃", "-1", "007", "%_?$1", "Plain"}
		if p.name == "MySQL" {
			codes = codes[:7] // for which "Plain" is "plain"
		}
		for i, code := range codes {
			quoted := strings.ReplaceAll(code, "'", "''")
			if p.name == "MySQL" {
				quoted = strings.ReplaceAll(quoted, `\`, `\\`)
			}
			execute(t, p.db, fmt.Sprintf("INSERT INTO users VALUES (%d, '%s', 'u%d@example.com', %d.1, 12.50, '2026-01-02', '2026-01-02 03:04:05', %t, %d)",
				i, quoted, i, i, i%2 == 0, i))
		}
		properties := []source.Property{{Name: "score", Column: "score"}, {Name: "paid", Column: "paid"}, {Name: "born", Column: "born"}, {Name: "seen", Column: "seen"}, {Name: "yes", Column: "yes"}}
		for _, key := range [][]string{{"code"}, {"id"}, {"id", "code"}} {
			m := source.Mapping{Key: key, Email: "email", Topics: []string{"yes"}, Properties: properties}
			query := "SELECT * FROM users -- in order of nothing;\n;"
			if p.name == "PostgreSQL" {
				query = "SELECT * FROM users -- in order of nothing" // and so ends within a comment
			}
			table := p.follow(t, query, m, source.Cursor{Column: "v", Step: 1})
			rows := make(map[string]owlatsync.Row)
			var keys []string
			all := &owlatsync.Scan{}
			for row, err := range table.Scan(t.Context(), all) {
				if err != nil {
					t.Fatal(err)
				}
				rows[row.Key] = keepRow(row)
				keys = append(keys, row.Key)
			}
			asked := 0
			s := &owlatsync.Scan{Since: fmt.Sprintf("n %d", len(codes)), Again: func(context.Context) ([]string, error) {
				if asked++; asked > 1 {
					return nil, nil
				}
				return append([]string{"9", "no such", `8/none`, `x/none`, `none/x`, `1/2/3`, `\`}, keys...), nil
			}}
			n := 0
			for row, err := range table.Scan(t.Context(), s) {
				if err != nil {
					t.Fatal(err)
				}
				n++
				got := keepRow(row)
				got.Position = rows[row.Key].Position
				if diff := cmp.Diff(rows[row.Key], got); diff != "" {
					t.Errorf("key %q reads otherwise by itself (-whole +single):\n%s", row.Key, diff)
				}
			}
			if n != len(codes) || asked != 2 {
				t.Errorf("key %v: %d rows of %d, asked %d times", key, n, len(codes), asked)
			}
		}
	})
}

func keepRow(r *owlatsync.Row) owlatsync.Row {
	kept := *r
	kept.Consents, kept.Properties = slices.Clone(r.Consents), slices.Clone(r.Properties)
	return kept
}

// TestLateCommit finds the change of a transaction that began before another was read and commits after, as long as it is
// not later than the overlap; and without one it does not.
func TestLateCommit(t *testing.T) {
	t.Parallel()
	for _, open := range []func(testing.TB) place{postgresPlace, mySQLPlace} {
		p := open(t)
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			now := map[string]string{"PostgreSQL": "clock_timestamp()", "MySQL": "UTC_TIMESTAMP(6)"}[p.name]
			column := map[string]string{"PostgreSQL": "timestamptz", "MySQL": "DATETIME(6)"}[p.name]
			execute(t, p.db, "CREATE TABLE users (id INT PRIMARY KEY, email VARCHAR(200), changed "+column+")")
			execute(t, p.db, "CREATE INDEX by_change ON users (changed)")
			for i, name := range []string{"early", "late", "quick", "other"} {
				execute(t, p.db, fmt.Sprintf("INSERT INTO users VALUES (%d, '%s@example.com', '2026-01-01 00:00:00')", i, name))
			}
			table := p.follow(t, "SELECT * FROM users", cursorMapping, source.Cursor{Column: "changed"})
			short := p.follow(t, "SELECT * FROM users", cursorMapping, source.Cursor{Column: "changed", Overlap: time.Microsecond})
			// By the primary key: else the databases would lock other rows too.
			ids := map[string]int{"early": 0, "late": 1, "quick": 2, "other": 3}
			touch := func(db interface {
				ExecContext(context.Context, string, ...any) (sql.Result, error)
			}, name string) {
				t.Helper()
				if _, err := db.ExecContext(t.Context(), fmt.Sprintf("UPDATE users SET changed = %s WHERE id = %d", now, ids[name])); err != nil {
					t.Fatal(err)
				}
			}
			late, err := p.db.BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			touch(late, "late")
			touch(p.db, "quick")

			first := &owlatsync.Scan{}
			wantRows(t, "all rows", scan(t, table, first), "early", "late", "other", "quick")
			if err := late.Commit(); err != nil {
				t.Fatal(err)
			}
			again := &owlatsync.Scan{Since: first.Mark}
			wantRows(t, "after the late commit", scan(t, table, again), "late", "quick")
			wantRows(t, "after the late commit, without an overlap", scan(t, short, &owlatsync.Scan{Since: first.Mark}), "quick")

			// The same among increments, and with a commit in the midst of the scan, which is of one snapshot.
			late, err = p.db.BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			touch(late, "early")
			touch(p.db, "other")
			calls := 0
			s := &owlatsync.Scan{Since: again.Mark, Again: func(context.Context) ([]string, error) {
				if calls++; calls > 1 {
					return nil, nil
				}
				return []string{"0"}, late.Commit()
			}}
			var got []string
			for row, err := range table.Scan(t.Context(), s) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, row.Email.Value)
			}
			slices.Sort(got)
			wantRows(t, "while it commits", got, "early@example.com", "late@example.com", "other@example.com", "quick@example.com")
			wantRows(t, "after that", scan(t, table, &owlatsync.Scan{Since: s.Mark}), "early", "late", "other", "quick")
		})
	}
}

// TestCursorIndexed looks how the databases would carry out the query for changes.
func TestCursorIndexed(t *testing.T) {
	t.Parallel()
	eachPlace(t, func(t *testing.T, p place) {
		const rows = 20_000
		execute(t, p.db, "CREATE TABLE users (id INT PRIMARY KEY, email VARCHAR(200), active INT, changed TIMESTAMP NULL, v INT)")
		execute(t, p.db, "CREATE TABLE plans (user_id INT PRIMARY KEY, plan VARCHAR(20))")
		numbers := map[string]string{
			"PostgreSQL": "SELECT i FROM generate_series(1, 20000) AS s(i)", "MySQL": "SELECT seq AS i FROM seq_1_to_20000",
			"SQLite": "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 20000) SELECT i FROM s",
		}[p.name]
		name := map[string]string{"PostgreSQL": "'u' || i", "MySQL": "CONCAT('u', i)", "SQLite": "'u' || i"}[p.name]
		when := map[string]string{
			"PostgreSQL": "timestamp '2026-01-01' + i * interval '1 minute'", "MySQL": "DATE_ADD('2026-01-01', INTERVAL i MINUTE)",
			"SQLite": "datetime('2026-01-01', '+' || i || ' minutes')",
		}[p.name]
		execute(t, p.db, "INSERT INTO users SELECT i, "+name+", i % 2, "+when+", i FROM ("+numbers+") AS n")
		execute(t, p.db, "INSERT INTO plans SELECT i, 'basic' FROM ("+numbers+") AS n")
		analyze := map[string]string{"PostgreSQL": "ANALYZE", "MySQL": "ANALYZE TABLE users, plans", "SQLite": "ANALYZE"}[p.name]
		queries := []string{
			"SELECT id, email, changed, v FROM users",
			"SELECT id, email, changed AS moved, v, changed FROM users WHERE active = 1",
			"SELECT u.id, u.email, p.plan, u.changed, u.v FROM users u LEFT JOIN plans p ON p.user_id = u.id WHERE u.active = 1",
		}
		check := func(want bool) {
			t.Helper()
			execute(t, p.db, analyze)
			for _, query := range queries {
				for _, c := range []source.Cursor{{Column: "changed"}, {Column: "v", Step: 10}} {
					if got, err := p.follow(t, query, cursorMapping, c).CursorIndexed(t.Context()); err != nil || got != want {
						t.Errorf("%s by %s: %t, %v; want %t", query, c.Column, got, err, want)
					}
				}
			}
		}
		check(false)
		execute(t, p.db, "CREATE INDEX by_change ON users (changed)")
		execute(t, p.db, "CREATE INDEX by_v ON users (v)")
		check(true)
		table := p.follow(t, queries[2], cursorMapping, source.Cursor{Column: "changed"})
		if got := scan(t, table, &owlatsync.Scan{Since: "t 2026-01-14 21:20:00"}); len(got) != 5 || rows != 20_000 {
			t.Errorf("%d rows changed", len(got))
		}
	})
}

// TestBadCursors has the exact words for what cannot be a cursor.
func TestBadCursors(t *testing.T) {
	t.Parallel()
	const create = "CREATE TABLE users (id INT PRIMARY KEY, email VARCHAR(200), name VARCHAR(20), score DOUBLE PRECISION, changed TIMESTAMP NULL, born DATE, v INT)"
	eachPlace(t, func(t *testing.T, p place) {
		execute(t, p.db, create)
		execute(t, p.db, "INSERT INTO users VALUES (1, 'a@example.com', 'A', 1.5, '2026-01-01 00:00:00', '2026-01-01', 7)")
		typed := p.name != "SQLite"
		for _, tt := range []struct {
			query  string
			key    string
			cursor source.Cursor
			typed  bool // only where a column has a type
			want   string
		}{
			{"", "id", source.Cursor{Column: "chnged"}, false, `column "chnged": a cursor is one of the query's columns, and the query has no such column (did you mean "changed"?)`},
			{"SELECT id, email, id AS v, v FROM users", "id", source.Cursor{Column: "v", Step: 1}, false, `column "v": the query has several columns of this name; give the cursor's one of its own`},
			{"", "id", source.Cursor{Column: "name"}, true, `column "name": a cursor is a column of times, dates or whole numbers, and this holds text (varchar)`},
			{"", "id", source.Cursor{Column: "score"}, false, `column "score": a cursor is a column of times, dates or whole numbers, and this holds numbers with a fraction (`},
			{"", "id", source.Cursor{Column: "v"}, false, `column "v": it holds whole numbers (`},
			{"", "id", source.Cursor{Column: "v", Overlap: time.Hour}, false, `column "v": it holds whole numbers (`},
			{"", "id", source.Cursor{Column: "changed", Step: 5}, false, `column "changed": it holds times (`},
			{"", "born", source.Cursor{Column: "changed"}, false, `column "born": with a cursor the key is text or whole numbers, by which rows can be read again, and this holds dates (`},
			{"", "id", source.Cursor{Column: "name"}, false, `column "name": `},
		} {
			if tt.typed && !typed {
				continue
			}
			if tt.query == "" {
				tt.query = "SELECT * FROM users"
			}
			table := p.follow(t, tt.query, source.Mapping{Key: []string{tt.key}, Email: "email"}, tt.cursor)
			err := table.Check(t.Context())
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("%+v: got:\n%v\nwant:\n%s…", tt.cursor, err, tt.want)
			}
			if column, ok := errors.AsType[*source.ColumnError](err); !ok || column.Column == "" {
				t.Errorf("%v is no ColumnError", err)
			}
			for _, err := range table.Scan(t.Context(), &owlatsync.Scan{}) {
				if err != nil {
					goto failed
				}
			}
			t.Errorf("%+v was scanned", tt.cursor)
		failed:
		}
		// What a mark was made of may have changed since.
		table := p.follow(t, "SELECT * FROM users", cursorMapping, source.Cursor{Column: "changed"})
		for mark, want := range map[string]string{
			"x 1": `the mark of the last scan cannot be understood: read all rows once, with "run --full"`,
			"n 7": `column "changed": it holds whole numbers, for which no overlap is right everywhere: say how many of them an unfinished transaction may be behind, such as overlap: 1000`,
		} {
			for _, err := range table.Scan(t.Context(), &owlatsync.Scan{Since: mark}) {
				if err == nil || err.Error() != want {
					t.Errorf("mark %q: got:\n%v\nwant:\n%s", mark, err, want)
				}
			}
		}
	})
	file := must(source.CSV(source.File("users.csv"), cursorMapping))
	for want, with := range map[string]struct {
		table  *source.Table
		cursor source.Cursor
	}{
		"choose a cursor: the file is always read whole; cursors are for PostgreSQL, MySQL, MariaDB, SQLite and MongoDB": {file, source.Cursor{Column: "v"}},
		"choose a cursor: it names no column":                                                                             {file, source.Cursor{}},
		"choose a cursor: its overlap is either a duration or a number of steps, and not negative":                        {file, source.Cursor{Column: "v", Step: 1, Overlap: 1}},
		"choose a cursor: the mapping has no key, by which rows could be read again":                                      {must(source.CSV(source.File("users.csv"), source.Mapping{Email: "email"})), source.Cursor{Column: "v"}},
		"choose a cursor: the query is always read whole; cursors are for PostgreSQL, MySQL, MariaDB, SQLite and MongoDB": {must(source.SQL(openDB(t, "sqlite", "file::memory:"), source.Generic, "SELECT 1", cursorMapping)), source.Cursor{Column: "v"}},
	} {
		if _, err := with.table.WithCursor(with.cursor); err == nil || err.Error() != want {
			t.Errorf("got:\n%v\nwant:\n%s", err, want)
		}
	}
}
