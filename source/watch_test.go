package source_test

import (
	"database/sql"
	"errors"
	"fmt"
	"testing"
	"time"

	"owlatsync/internal/testdb"
	"owlatsync/source"
)

// moves asks a watch, and compares what it says.
func moves(t *testing.T, w *source.Watch, what string, want bool) {
	t.Helper()
	moved, err := w.Moved(t.Context())
	if err != nil || moved != want {
		t.Errorf("%s: moved %v, want %v: %v", what, moved, want, err)
	}
}

// TestWatch changes rows under the eyes of a watch, with every kind of cursor.
func TestWatch(t *testing.T) {
	t.Parallel()
	eachPlace(t, func(t *testing.T, p place) {
		types := map[string][2]string{"PostgreSQL": {"timestamptz", "now() %s interval '%d seconds'"}, "MySQL": {"DATETIME(6)", "UTC_TIMESTAMP(6) %s INTERVAL %d SECOND"},
			"SQLite": {"TEXT", "strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now', '%s%d seconds')"}}
		ago := func(sign string, seconds int) string { return fmt.Sprintf(types[p.name][1], sign, seconds) }
		execute(t, p.db, "CREATE TABLE users (id int PRIMARY KEY, email varchar(100), at "+types[p.name][0]+" NULL, v int)")
		execute(t, p.db, "CREATE INDEX users_at ON users (at)")
		table := p.follow(t, "SELECT id, email, at, v FROM users; -- all", cursorMapping, source.Cursor{Column: "at", Overlap: time.Minute})
		counted := p.follow(t, "SELECT id, email, at, v FROM users", cursorMapping, source.Cursor{Column: "v", Step: 10})
		defer table.Keep()()
		w, v := must(table.Watch()), must(counted.Watch())
		both := func(what string, want bool) {
			t.Helper()
			moves(t, w, what, want)
			moves(t, v, what+" (whole numbers)", want)
		}
		both("at first", true)
		both("an empty table", false)
		execute(t, p.db, "INSERT INTO users VALUES (1, 'a@example.com', "+ago("-", 5)+", 1)")
		both("a row came", true)
		both("nothing more", false)
		execute(t, p.db, "INSERT INTO users VALUES (2, 'b@example.com', "+ago("-", 30)+", -3)")
		both("a late commit", true)
		both("nothing more", false)
		execute(t, p.db, "INSERT INTO users VALUES (3, 'c@example.com', "+ago("-", 600)+", -30)")
		both("a row long before the overlap", false)
		execute(t, p.db, "UPDATE users SET at = "+ago("-", 1)+", v = 2 WHERE id = 3")
		both("a row moved into the overlap", true)
		execute(t, p.db, "UPDATE users SET at = "+ago("-", 0)+", v = 3 WHERE id = 3")
		both("it moved on", true)
		both("nothing more", false)
		execute(t, p.db, "INSERT INTO users VALUES (4, 'd@example.com', NULL, NULL)")
		both("a row without a value", false)
		execute(t, p.db, "INSERT INTO users VALUES (5, 'e@example.com', "+ago("+", 200_000)+", NULL)")
		moves(t, w, "a row in the future", true)
		moves(t, w, "nothing more", false)
		execute(t, p.db, "UPDATE users SET at = "+ago("-", 0)+" WHERE id = 1")
		moves(t, w, "a row beside one in the future", true)
	})
}

// TestWatchOfWholeSeconds tells once more of a value to which another row may have been given.
func TestWatchOfWholeSeconds(t *testing.T) {
	t.Parallel()
	p := sqlitePlace(t)
	execute(t, p.db, "CREATE TABLE users (id int PRIMARY KEY, email text, at text)")
	execute(t, p.db, "INSERT INTO users VALUES (1, 'a@example.com', '2026-03-01 12:00:00')")
	w := must(p.follow(t, "SELECT id, email, at FROM users", cursorMapping, source.Cursor{Column: "at"}).Watch())
	moves(t, w, "at first", true)
	moves(t, w, "right after", false)
	w.Age(3 * time.Second)
	moves(t, w, "later", true)
	moves(t, w, "right after that", false)
	w.Age(3 * time.Second)
	moves(t, w, "much later", false)
}

// TestWatchRefuses has sources that cannot be watched, and one that is out of reach for a while.
func TestWatchRefuses(t *testing.T) {
	t.Parallel()
	p := sqlitePlace(t)
	if _, err := p.open(t, "SELECT 1 AS id, 'a@example.com' AS email", cursorMapping).Watch(); err == nil {
		t.Error("a source without a cursor is watched")
	}
	w := must(p.follow(t, "SELECT id, email, at FROM users", cursorMapping, source.Cursor{Column: "at"}).Watch())
	if _, err := w.Moved(t.Context()); err == nil {
		t.Error("a table that is not there is watched")
	}
	execute(t, p.db, "CREATE TABLE users (id int, email text, at text)")
	moves(t, w, "once the table is there", true)
	execute(t, p.db, "INSERT INTO users VALUES (1, 'a@example.com', '1 hour ago')")
	if _, err := w.Moved(t.Context()); err == nil {
		t.Error("a text that is no time moves")
	} else if _, ok := errors.AsType[*source.ColumnError](err); !ok {
		t.Error(err)
	}
	execute(t, p.db, "UPDATE users SET at = '2026-03-01 12:00:00'")
	moves(t, w, "once the value is right", true)
}

// TestKeep keeps a connection from one scan to the next, and makes another when it was lost.
func TestKeep(t *testing.T) {
	t.Parallel()
	dsn := testdb.Postgres(t)
	db := openDB(t, "pgx", dsn)
	table := must(source.Postgres(dsn, "SELECT pg_backend_pid() AS id, 'a@example.com' AS email", idAndEmail))
	scan := func() string {
		t.Helper()
		rows, err := read(t.Context(), table)
		if err != nil || len(rows) != 1 {
			t.Fatalf("%d rows, %v", len(rows), err)
		}
		return rows[0].Key
	}
	release := table.Keep()
	also := table.Keep()
	first := scan()
	if second := scan(); second != first {
		t.Errorf("the second scan has connection %s, not %s", second, first)
	}
	table.Connect(t.Context())() // needs no other one
	if n := queryInt(t, db, connections); n != 1 {
		t.Errorf("%d connections", n)
	}
	if state := queryText(t, db, "SELECT state FROM pg_stat_activity WHERE pid = "+first); state != "idle" {
		t.Errorf("the connection that is kept is %s", state)
	}
	for range table.Rows(t.Context()) {
		break // in the middle of a scan
	}
	after := scan()
	if after == first {
		t.Error("a connection was kept whose scan was left")
	}
	execute(t, db, "SELECT pg_terminate_backend("+after+")")
	eventually(t, func() bool { return queryInt(t, db, connections) == 0 })
	if again := scan(); again == after {
		t.Error("the lost connection is there")
	}
	kept := scan()
	table.Age(time.Hour)
	if scan() != kept || scan() == kept {
		t.Error("a connection of an hour is to be used once more, and then no more")
	}
	release()
	release() // does nothing
	if n := queryInt(t, db, connections); n != 1 {
		t.Errorf("%d connections while somebody keeps one", n)
	}
	also()
	eventually(t, func() bool { return queryInt(t, db, connections) == 0 })
	scan()
	eventually(t, func() bool { return queryInt(t, db, connections) == 0 })
}

// TestKeepMySQL lets scans share a connection.
func TestKeepMySQL(t *testing.T) {
	t.Parallel()
	db := testdb.OpenMySQL(t, testdb.MySQL(t))
	table := must(source.SQL(db, source.MySQL, "SELECT connection_id() AS id, 'a@example.com' AS email", idAndEmail))
	scan := func() string { return must(read(t.Context(), table))[0].Key }
	if first, second := scan(), scan(); first == second {
		t.Error("scans share a connection that was set up for one")
	}
	release := table.Keep()
	if first, second := scan(), scan(); first != second {
		t.Errorf("the scans have the connections %s and %s", first, second)
	}
	release()
	if first, second := scan(), scan(); first == second {
		t.Error("scans still share a connection")
	}
}

func queryText(t *testing.T, db *sql.DB, query string) (text string) {
	t.Helper()
	if err := db.QueryRow(query).Scan(&text); err != nil {
		t.Fatal(err)
	}
	return text
}
