package writeback_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	_ "modernc.org/sqlite"

	"owlatsync/internal/sourcedsn"
	"owlatsync/internal/testdb"
	"owlatsync/internal/writeback"
)

// server is a real database and the way to look into it.
type server struct {
	name string
	db   writeback.Database
	exec func(t *testing.T, text string)
	read func(t *testing.T, query string) string // of one value
}

// eachServer runs the test on PostgreSQL, MariaDB and SQLite.
func eachServer(t *testing.T, test func(*testing.T, server)) {
	t.Helper()
	for _, c := range []struct {
		name string
		open func(*testing.T) server
	}{{"postgres", openPostgres}, {"mysql", openMySQL}, {"sqlite", openSQLite}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := c.open(t)
			s.name = c.name
			test(t, s)
		})
	}
}

func parse(t *testing.T, text string) sourcedsn.DSN {
	t.Helper()
	d, err := sourcedsn.Parse(text, "/")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func openPostgres(t *testing.T) server { return postgresAt(t, testdb.Postgres(t), "") }

// postgresAt looks into the database of dsn, and writes to it with more options.
func postgresAt(t *testing.T, dsn, options string) server {
	t.Helper()
	db, err := writeback.Postgres(parse(t, dsn+options).Connection())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return server{db: db,
		exec: func(t *testing.T, text string) {
			t.Helper()
			if _, err := conn.Exec(t.Context(), text); err != nil {
				t.Fatal(err)
			}
		},
		read: func(t *testing.T, query string) string {
			t.Helper()
			var v *string
			if err := conn.QueryRow(t.Context(), "SELECT ("+query+")::text").Scan(&v); err != nil {
				t.Fatal(err)
			}
			return orNull(v)
		},
	}
}

func orNull(v *string) string {
	if v == nil {
		return "NULL"
	}
	return *v
}

func openMySQL(t *testing.T) server {
	t.Helper()
	dsn := testdb.MySQL(t)
	config, err := parse(t, dsn).MySQL()
	if err != nil {
		t.Fatal(err)
	}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	t.Cleanup(func() { _ = db.Close() })
	return viaSQL(writeback.MySQL(db), testdb.OpenMySQL(t, dsn))
}

func openSQLite(t *testing.T) server {
	t.Helper()
	path := filepath.Join(t.TempDir(), "app.db")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	uri, err := parse(t, "sqlite:"+path).SQLiteWriteURI()
	if err != nil {
		t.Fatal(err)
	}
	var dbs [2]*sql.DB
	for i := range dbs {
		if dbs[i], err = sql.Open("sqlite", uri); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = dbs[i].Close() })
	}
	return viaSQL(writeback.SQLite(dbs[0]), dbs[1])
}

func viaSQL(db writeback.Database, look *sql.DB) server {
	return server{db: db,
		exec: func(t *testing.T, text string) {
			t.Helper()
			if _, err := look.ExecContext(t.Context(), text); err != nil {
				t.Fatal(err)
			}
		},
		read: func(t *testing.T, query string) string {
			t.Helper()
			var v *string
			if err := look.QueryRowContext(t.Context(), "SELECT ("+query+")").Scan(&v); err != nil {
				t.Fatal(err)
			}
			return orNull(v)
		},
	}
}

var at = time.Date(2026, 11, 23, 7, 43, 7, 41e6, time.UTC)

func target(t *testing.T, s server, text string) *writeback.Statement {
	t.Helper()
	w, err := writeback.NewStatement("unsub", "users", text, s.db, nil)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// people makes a table of two persons.
func people(t *testing.T, s server) {
	t.Helper()
	s.exec(t, "CREATE TABLE users (id INTEGER PRIMARY KEY, email VARCHAR(100) NOT NULL, newsletter INTEGER NOT NULL, left_at TIMESTAMP NULL, why VARCHAR(20))")
	s.exec(t, "INSERT INTO users (id, email, newsletter) VALUES (1, 'Ada@Example.com', 1), (2, 'bob@example.com', 1)")
}

func TestAStatementWrites(t *testing.T) {
	t.Parallel()
	eachServer(t, func(t *testing.T, s server) {
		people(t, s)
		w := target(t, s, "UPDATE users SET newsletter = 0, left_at = :at, why = :reason WHERE lower(email) = :email AND :topic = 'weekly'")
		if err := w.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := s.read(t, "SELECT sum(newsletter) FROM users"); got != "2" {
			t.Fatalf("the check wrote: %s persons have it", got)
		}
		for _, c := range []struct {
			topic string
			wrote bool
			left  string
		}{{"daily", false, "2"}, {"", false, "2"}, {"weekly", true, "1"}, {"weekly", true, "1"}} {
			n := writeback.Notice{ID: 1, Event: "topic.unsubscribed", At: at, Email: "ada@example.com", ContactID: "c1", Topic: c.topic}
			got := w.Deliver(t.Context(), []writeback.Notice{n})
			if got[0].Err != nil || got[0].Wrote != c.wrote {
				t.Errorf("topic %q: %+v, want %v", c.topic, got, c.wrote)
			}
			if left := s.read(t, "SELECT sum(newsletter) FROM users"); left != c.left {
				t.Errorf("topic %q: %s have the newsletter, want %s", c.topic, left, c.left)
			}
		}
		if got := s.read(t, "SELECT left_at FROM users WHERE id = 1"); !strings.Contains(got, "07:43:07") {
			t.Errorf("left at %s", got)
		}
		if got := s.read(t, "SELECT why FROM users WHERE id = 1"); got != "NULL" {
			t.Errorf("what is not known is %s", got)
		}
	})
}

func TestAStatementWithTheKeysOfRows(t *testing.T) {
	t.Parallel()
	eachServer(t, func(t *testing.T, s server) {
		people(t, s)
		w := target(t, s, "UPDATE users SET newsletter = 0 WHERE id = :key")
		if w.Sync() != "users" || target(t, s, "UPDATE users SET newsletter = 0 WHERE email = :email").Sync() != "" {
			t.Error("only a statement with :key needs rows")
		}
		noon := time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC) // on the ledger's clock, whatever this machine's says
		got := w.Deliver(t.Context(), []writeback.Notice{
			{ID: 1, Keys: []string{"1", "2"}, Received: noon, Told: noon},
			{ID: 2, Received: noon, Told: noon.Add(time.Second)},
			{ID: 3, Received: noon, Told: noon.Add(time.Hour)},
		})
		if got[0].Err != nil || !got[0].Wrote || got[1].Err == nil || writeback.IsDown(got[1].Err) || got[2].Err != nil || got[2].Wrote {
			t.Errorf("%+v", got)
		}
		if left := s.read(t, "SELECT sum(newsletter) FROM users"); left != "0" {
			t.Errorf("%s have the newsletter", left)
		}
	})
}

// A statement that cannot be run is told when it is checked, and again without harm when it is run.
func TestAStatementThatDoesNotFit(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"UPDATE nobody SET newsletter = 0 WHERE email = :email",
		"UPDATE users SET letter = 0 WHERE email = :email",
		"UPDATE users SET newsletter == 0 WHEREVER WHERE email = :email",
	} {
		eachServer(t, func(t *testing.T, s server) {
			people(t, s)
			w := target(t, s, text)
			if err := w.Check(t.Context()); err == nil || writeback.IsDown(err) || writeback.IsWrong(err) != strings.Contains(text, "WHEREVER") || strings.Contains(err.Error(), "example.com") {
				t.Errorf("%s: checked: %v", text, err)
			}
			got := w.Deliver(t.Context(), []writeback.Notice{{ID: 1, Email: "ada@example.com"}, {ID: 2, Email: "bob@example.com"}})
			if !writeback.IsDown(got[0].Err) || !writeback.IsDown(got[1].Err) {
				t.Errorf("%s: a statement that never fits is not the persons' fault: %+v", text, got)
			}
		})
	}
}

// What the database refuses for one person does not stop the others, and its error names nobody.
func TestARefusalIsAboutOnePerson(t *testing.T) {
	t.Parallel()
	eachServer(t, func(t *testing.T, s server) {
		s.exec(t, "CREATE TABLE gone (email VARCHAR(100) PRIMARY KEY, topic VARCHAR(100))")
		s.exec(t, "INSERT INTO gone VALUES ('ada@example.com', 'x')")
		w := target(t, s, "INSERT INTO gone (email, topic) VALUES (:email, :topic)")
		if err := w.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := w.Deliver(t.Context(), []writeback.Notice{{ID: 1, Email: "ada@example.com"}, {ID: 2, Email: "bob@example.com"}})
		if got[0].Err == nil || writeback.IsDown(got[0].Err) || strings.Contains(got[0].Err.Error(), "ada") || got[1].Err != nil || !got[1].Wrote {
			t.Errorf("%+v", got)
		}
		if n := s.read(t, "SELECT count(*) FROM gone"); n != "2" {
			t.Errorf("%s rows", n)
		}
	})
}

// A statement that fails half-way changes nothing.
func TestAStatementThatFailsHalfWay(t *testing.T) {
	t.Parallel()
	eachServer(t, func(t *testing.T, s server) {
		people(t, s)
		s.exec(t, "CREATE TABLE taken (id INTEGER PRIMARY KEY)")
		s.exec(t, "INSERT INTO taken VALUES (2)")
		w := target(t, s, "INSERT INTO taken (id) SELECT id FROM users WHERE :email IN ('ada@example.com', email) ORDER BY id")
		got := w.Deliver(t.Context(), []writeback.Notice{{ID: 1, Email: "ada@example.com"}})
		if got[0].Err == nil {
			t.Error("it did not fail")
		}
		if n := s.read(t, "SELECT count(*) FROM taken"); n != "1" {
			t.Errorf("half of it is there: %s rows", n)
		}
	})
}

func TestAProcedure(t *testing.T) {
	t.Parallel()
	for _, s := range []struct {
		name string
		open func(*testing.T) server
		text string
	}{
		{"postgres", openPostgres, "CREATE PROCEDURE leave(who text, what text) LANGUAGE sql AS $$ UPDATE users SET newsletter = 0 WHERE lower(email) = who $$"},
		{"mysql", openMySQL, "CREATE PROCEDURE `leave`(who TEXT, what TEXT) BEGIN UPDATE users SET newsletter = 0 WHERE lower(email) = who; SELECT 1; END"},
	} {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			db := s.open(t)
			people(t, db)
			db.exec(t, s.text)
			call := "CALL leave(:email, :topic)"
			if s.name == "mysql" {
				call = "CALL `leave`(:email, :topic)"
			}
			w := target(t, db, call)
			if err := w.Check(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := w.Deliver(t.Context(), []writeback.Notice{{ID: 1, Email: "ada@example.com"}}); got[0].Err != nil || !got[0].Wrote {
				t.Errorf("%+v", got)
			}
			if left := db.read(t, "SELECT sum(newsletter) FROM users"); left != "1" {
				t.Errorf("%s have the newsletter", left)
			}
		})
	}
}

// The settings of a DSN hold where a pooler would refuse them at the connection, and other settings of the server do not matter.
func TestPostgresSettingsAndPoolers(t *testing.T) {
	t.Parallel()
	dsn := testdb.Postgres(t)
	plain := postgresAt(t, dsn, "")
	plain.exec(t, "CREATE SCHEMA app")
	plain.exec(t, "SET search_path = app")
	people(t, plain)
	pooled := postgresAt(t, testdb.PgBouncer(t, dsn, 2), "&search_path=app")
	w := target(t, pooled, "UPDATE users SET newsletter = 0, left_at = :at WHERE lower(email) = :email")
	if err := w.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if got := w.Deliver(t.Context(), []writeback.Notice{{ID: 1, At: at, Email: "ada@example.com"}, {ID: 2, At: at, Email: "eve@example.com"}}); got[0].Err != nil || !got[0].Wrote || got[1].Wrote {
			t.Errorf("%d: %+v", i, got)
		}
	}
	if left := plain.read(t, "SELECT sum(newsletter) FROM users"); left != "1" {
		t.Errorf("%s have the newsletter", left)
	}
}

// A user who may only read is told when the statement is checked.
func TestWhoMayNotWriteIsTold(t *testing.T) {
	t.Parallel()
	dsn := testdb.Postgres(t)
	plain := postgresAt(t, dsn, "")
	people(t, plain)
	for _, c := range []struct{ options, before, want string }{
		{"&role=pg_monitor", "SELECT 1", "42501"},
		{"", "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database()); END $$", "\"dsn\" of the write-back"},
	} {
		plain.exec(t, c.before)
		w := target(t, postgresAt(t, dsn, c.options), "UPDATE users SET newsletter = 0 WHERE lower(email) = :email")
		if err := w.Check(t.Context()); err == nil || writeback.IsDown(err) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.options, err)
		}
		if got := w.Deliver(t.Context(), []writeback.Notice{{ID: 1, Email: "ada@example.com"}}); !writeback.IsDown(got[0].Err) {
			t.Errorf("%s: %+v", c.options, got)
		}
	}
}

func TestADatabaseThatIsNotThere(t *testing.T) {
	t.Parallel()
	pg, err := writeback.Postgres(parse(t, "postgres://ada:secret-word@127.0.0.1:1/app?sslmode=disable").Connection())
	if err != nil {
		t.Fatal(err)
	}
	missing, err := sql.Open("sqlite", "file:"+filepath.ToSlash(t.TempDir())+"/none.db?mode=rw")
	if err != nil {
		t.Fatal(err)
	}
	defer missing.Close()
	for _, db := range []writeback.Database{pg, writeback.SQLite(missing)} {
		w := target(t, server{db: db}, "UPDATE users SET newsletter = 0 WHERE email = :email")
		if err := w.Check(t.Context()); !writeback.IsDown(err) || strings.Contains(err.Error(), "secret-word") {
			t.Errorf("checked: %v", err)
		}
		if got := w.Deliver(t.Context(), []writeback.Notice{{ID: 1}, {ID: 2}}); !writeback.IsDown(got[0].Err) || !writeback.IsDown(got[1].Err) {
			t.Errorf("%+v", got)
		}
	}
}

func TestStatementsThatAreNone(t *testing.T) {
	t.Parallel()
	s := openSQLite(t)
	for text, want := range map[string]string{
		"SELECT 1":                            "begins with SELECT",
		"UPDATE u SET a = 0 WHERE t = :topic": "one of :email, :contact_id and :key",
		"UPDATE u SET a = 0 WHERE t = :mail":  "no parameter :mail",
		"UPDATE u SET a = 0 WHERE t = :email; ; DELETE FROM u WHERE e = :email": "several statements",
	} {
		if w, err := writeback.NewStatement("x", "users", text, s.db, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v", text, w, err)
		}
	}
	closed := 0
	w, err := writeback.NewStatement("x", "users", "CALL p(:email)", s.db, func() error { closed++; return fmt.Errorf("once") })
	if err != nil || w.Close() == nil || closed != 1 || w.Name() != "x" || !w.Has("email") || w.Has("topic") {
		t.Errorf("%+v, %v, closed %d times", w, err, closed)
	}
}
