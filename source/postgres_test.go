package source_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/url"
	"testing"
	"time"

	"owlatsync/internal/testdb"
	"owlatsync/source"
)

func TestPostgresTypes(t *testing.T) {
	t.Parallel()
	dsn := testdb.Postgres(t)
	db := openDB(t, "pgx", dsn)
	execute(t, db, "CREATE TYPE mood AS ENUM ('calm', 'glad'); CREATE DOMAIN address AS varchar(200); CREATE EXTENSION citext")
	const id = "8f14e45f-ceea-467f-a8d4-9b3f0c1d2e3f"
	testTypes(t, []typed{
		{"'x '::text", "x ", "x "},
		{"'Ada'::citext", "Ada", "Ada"},
		{"'Ada'::varchar(20)", "Ada", "Ada"},
		{"'Ada'::char(20)", "Ada", "Ada"},
		{"'Ada'::name", "Ada", "Ada"},
		{"'a@example.com'::address", "a@example.com", "a@example.com"},
		{"'glad'::mood", "glad", "glad"},
		{"upper('" + id + "')::uuid", id, id},
		{"7::smallint", "7", int64(7)},
		{"-7::int", "-7", int64(-7)},
		{"9223372036854775807::bigint", "9223372036854775807", int64(9223372036854775807)},
		{"12::oid", "12", int64(12)},
		{"12.50::numeric", "12.50", 12.5},
		{"123456789012345678901234567890::numeric", "123456789012345678901234567890", json.Number("123456789012345678901234567890")},
		{"-0.10000000000000000001::numeric", "-0.10000000000000000001", json.Number("-0.10000000000000000001")},
		{"9007199254740993::numeric", "9007199254740993", json.Number("9007199254740993")},
		{"0.000::numeric", "0.000", 0.0},
		{"0.1::float4", "0.1", 0.1},
		{"0.1::float8", "0.1", 0.1},
		{"1000000::float8", "1000000", 1e6},
		{"true", "true", true},
		{"false", "false", false},
		{"'2026-11-03 05:06:07.25+02'::timestamptz", "2026-11-03T03:06:07.25Z", "2026-11-03T03:06:07.25Z"},
		{"'2026-11-03 05:06:07'::timestamp", "2026-11-03T05:06:07Z", "2026-11-03T05:06:07Z"},
		{"'infinity'::timestamptz", "infinity", "infinity"},
		{"'0044-03-15 12:00:00 BC'::timestamp", "0044-03-15 12:00:00 BC", "0044-03-15 12:00:00 BC"},
		{"'2026-11-03'::date", "2026-11-03", "2026-11-03"},
		{"'05:06:07'::time", "05:06:07", "05:06:07"},
		{"'1'::bit(1)", "1", "1"},
		{`'{"a": 1}'::jsonb`, `{"a": 1}`, `{"a": 1}`},
		{"'192.0.2.0/24'::inet", "192.0.2.0/24", "192.0.2.0/24"},
		{"ARRAY['a','b']", "{a,b}", "{a,b}"},
		{"NULL::text", nil, nil},
		{"NULL::bigint", nil, nil},
		{"NULL", nil, nil},
	}, func(query string, m source.Mapping) (*source.Table, error) { return source.Postgres(dsn, query, m) })
}

func TestPostgresNumbersThatJSONLacks(t *testing.T) {
	t.Parallel()
	dsn := testdb.Postgres(t)
	m := source.Mapping{Email: "email", Properties: []source.Property{{Name: "p", Column: "v"}}}
	table := must(source.Postgres(dsn, "SELECT 'a@example.com' AS email, v FROM unnest(ARRAY['NaN'::float8, 'Infinity', 1]) AS v", m))
	rows, err := read(t.Context(), table)
	if err != nil || len(rows) != 3 {
		t.Fatalf("%d rows and %v", len(rows), err)
	}
	for i, want := range []string{`column "v" holds a number that JSON cannot express`, `column "v" holds a number that JSON cannot express`, ""} {
		if rows[i].Defect != want {
			t.Errorf("row %d has the defect %q, want %q", i+1, rows[i].Defect, want)
		}
	}
}

func TestPostgresRefusesWhatIsNoQuery(t *testing.T) {
	t.Parallel()
	dsn := testdb.Postgres(t)
	db := openDB(t, "pgx", dsn)
	execute(t, db, "CREATE TABLE users (id int, email text); INSERT INTO users VALUES (1, 'a@example.com')")
	execute(t, db, `CREATE FUNCTION wipe() RETURNS int LANGUAGE plpgsql AS $$ BEGIN DELETE FROM users; RETURN 1; END $$;
		CREATE PROCEDURE wipe_all(OUT id int, OUT email text) LANGUAGE plpgsql AS $$ BEGIN DELETE FROM users; COMMIT; END $$;
		CREATE SEQUENCE numbers`)
	testRefused(t, []string{
		"", "  \n\t", "-- only a comment", "/* nothing */ ;",
		"INSERT INTO users VALUES (2, 'b@example.com')",
		"INSERT INTO users VALUES (2, 'b@example.com') RETURNING id, email",
		"UPDATE users SET email = 'x' RETURNING id, email",
		"DELETE FROM users RETURNING id, email",
		"WITH gone AS (DELETE FROM users RETURNING id, email) SELECT id, email FROM gone",
		"SELECT wipe() AS id, 'a@example.com' AS email",
		"SELECT nextval('numbers') AS id, 'a@example.com' AS email",
		"SELECT id, email FROM users FOR UPDATE",
		"CALL wipe_all(NULL, NULL)",
		"TRUNCATE users", "DROP TABLE users", "CREATE TABLE other (id int)", "SELECT id, email INTO other FROM users",
		"COMMIT", "ROLLBACK", "BEGIN", "SET default_transaction_read_only = off", "VACUUM", "DO $$ BEGIN DELETE FROM users; END $$",
		"SELECT id, email FROM users; DELETE FROM users",
		"COMMIT; DELETE FROM users",
		"COPY users TO STDOUT",
	}, func(query string) (*source.Table, error) { return source.Postgres(dsn, query, idAndEmail) }, func() {
		if n := queryInt(t, db, "SELECT count(*) FROM users WHERE email = 'a@example.com'"); n != 1 {
			t.Fatalf("the table has changed: %d rows", n)
		}
		if n := queryInt(t, db, "SELECT count(*) FROM pg_class WHERE relname = 'other'"); n != 0 {
			t.Fatal("a table was made")
		}
	})
}

func TestPostgresBadInput(t *testing.T) {
	t.Parallel()
	const secret = "s3cret-Pass"
	dsn := testdb.Postgres(t)
	with := func(change func(u *url.URL)) string {
		u := must(url.Parse(dsn))
		change(u)
		return u.String()
	}
	const query = "SELECT 1 AS id, 'a@example.com' AS email"
	password := must(url.Parse(dsn)).User
	pw, _ := password.Password()
	for name, test := range map[string]struct {
		dsn, query string
		want       []string
	}{
		"wrong password": {
			with(func(u *url.URL) { u.User = url.UserPassword("owlatsync", secret) }), query,
			[]string{"connect to PostgreSQL", "password authentication failed", "check user name and password", "!" + secret},
		},
		"unknown user": {
			with(func(u *url.URL) { u.User = url.UserPassword("nobody", secret) }), query,
			[]string{"connect to PostgreSQL", "check user name and password", "!" + secret},
		},
		"no such database": {
			with(func(u *url.URL) { u.Path = "/nowhere" }), query,
			[]string{`database "nowhere" does not exist`, "check the name of the database"},
		},
		"nobody listens": {
			with(func(u *url.URL) { u.Host = closedPort(t) }), query,
			[]string{"connect to PostgreSQL", "connection refused", "check host and port"},
		},
		"no such host": {
			with(func(u *url.URL) { u.Host = "db.invalid:5432" }), query,
			[]string{"connect to PostgreSQL", "db.invalid", "check host and port"},
		},
		"bad option": {
			with(func(u *url.URL) { u.RawQuery = "sslmode=sometimes" }), query,
			[]string{"DSN", "its options"},
		},
		"no DSN at all":  {"user:" + secret + "@host/db", query, []string{"DSN"}},
		"no such table":  {dsn, "SELECT id, email FROM user_accounts", []string{`relation "user_accounts" does not exist`, "check the query"}},
		"no such column": {dsn, "SELECT id, emial FROM (VALUES (1, 'x')) AS users (id, email)", []string{`column "emial" does not exist`, "users.email"}},
		"syntax":         {dsn, "SELECT id email FORM users", []string{"syntax error", "check the query"}},
		"parameter":      {dsn, "SELECT $1::int AS id, 'a@example.com' AS email", []string{"parameter"}},
		"a value that cannot be converted": {
			dsn, "SELECT id, email::int AS email FROM (VALUES (1, 'bob@example.com')) AS users (id, email)",
			[]string{"invalid input syntax for type integer", "!bob@example.com", "22P02"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			table, err := source.Postgres(test.dsn, test.query, idAndEmail)
			err = fails(t, table, err)
			says(t, err, append(test.want, "!"+pw)...)
			if name == "no such host" || name == "nobody listens" || name == "wrong password" {
				if ping := table.Ping(t.Context()); ping == nil || ping.Error() != err.Error() {
					t.Errorf("ping says %v, the scan %v", ping, err)
				}
			}
		})
	}
}

// closedPort returns a loopback address on which nobody listens.
func closedPort(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestPostgresCancelledWhileComputing checks that the server, too, gives up a query that nobody waits for any more.
func TestPostgresCancelledWhileComputing(t *testing.T) {
	t.Parallel()
	dsn := testdb.Postgres(t)
	db := openDB(t, "pgx", dsn)
	table := must(source.Postgres(dsn, "SELECT 1 AS id, 'a@example.com' AS email FROM pg_sleep(600)", idAndEmail))
	const running = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'SELECT 1 AS id%' AND state = 'active'"
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		eventually(t, func() bool { return queryInt(t, db, running) == 1 })
		cancel()
	}()
	begun := time.Now()
	rows, err := read(ctx, table)
	if len(rows) != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("%d rows and %v, want context.Canceled", len(rows), err)
	}
	if took := time.Since(begun); took > time.Minute {
		t.Errorf("it took %v", took)
	}
	eventually(t, func() bool { return queryInt(t, db, running) == 0 })
}

// eventually waits until what another process does is done.
func eventually(t *testing.T, done func() bool) {
	t.Helper()
	deadline, tick := time.NewTimer(30*time.Second), time.NewTicker(20*time.Millisecond)
	defer deadline.Stop()
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Error("it did not happen in time")
			return
		}
	}
}

func TestPostgresDescribesColumns(t *testing.T) {
	t.Parallel()
	table := must(source.Postgres(testdb.Postgres(t), "SELECT 1 AS id, 'a'::varchar AS email, now() AS seen, true AS ok, '\\x00'::bytea AS raw, 1/0 AS boom", idAndEmail))
	columns, err := table.Columns(t.Context())
	if err != nil {
		t.Fatalf("%v; a description must not run the query", err)
	}
	want := []source.Column{{"id", "int4"}, {"email", "varchar"}, {"seen", "timestamptz"}, {"ok", "bool"}, {"raw", "bytea"}, {"boom", "int4"}}
	for i := range want {
		if columns[i] != want[i] {
			t.Errorf("column %d is %v, want %v", i, columns[i], want[i])
		}
	}
}
