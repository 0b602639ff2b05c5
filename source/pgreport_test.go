package source_test

import (
	"net/url"
	"strings"
	"testing"

	"owlatsync/internal/testdb"
	"owlatsync/source"
)

// withOptions returns a URL with more options.
func withOptions(dsn string, pairs ...string) string {
	u := must(url.Parse(dsn))
	q := u.Query()
	for i := 0; i < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// The settings of a DSN hold in a scan, also where a pooler would refuse them at the connection.
func TestPostgresSettings(t *testing.T) {
	t.Parallel()
	dsn := testdb.Postgres(t)
	execute(t, openDB(t, "pgx", dsn), `CREATE SCHEMA "it's"; CREATE TABLE "it's".users (id int, email text); INSERT INTO "it's".users VALUES (1, 'a@example.com')`)
	for name, at := range map[string]string{"direct": dsn, "pooled": testdb.PgBouncer(t, dsn, 1)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for range 2 { // the second meets what the first left
				table := must(source.Postgres(withOptions(at, "search_path", `"it's"`, "statement_timeout", "1min"), "SELECT id, email FROM users", idAndEmail))
				rows, err := read(t.Context(), table)
				if err != nil || len(rows) != 1 {
					t.Errorf("%d rows and %v", len(rows), err)
				}
			}
			for option, value := range map[string]string{"pool_size": "5", "statement_timeout": "s3cret"} {
				err := fails(t, must(source.Postgres(withOptions(at, option, value), "SELECT 1 AS id, 'a@example.com' AS email", idAndEmail)), nil)
				says(t, err, `parameter "`+option+`"`, "remove that parameter from the DSN", "!host and port", "!s3cret")
			}
			if rows, err := read(t.Context(), must(source.Postgres(at, "SELECT id, email FROM users", idAndEmail))); err == nil {
				t.Errorf("a setting outlived its scan: %d rows", len(rows))
			}
		})
	}
	pooled := testdb.PgBouncer(t, dsn, 1)
	err := fails(t, must(source.Postgres(withOptions(pooled, "options", "-c geqo=off"), "SELECT 1 AS id, 'a@example.com' AS email", idAndEmail)), nil)
	says(t, err, "connect to PostgreSQL", "options", "remove that parameter from the DSN", "!host and port")
}

func TestPostgresReservedTables(t *testing.T) {
	t.Parallel()
	dsn := testdb.Postgres(t)
	execute(t, openDB(t, "pgx", dsn), `CREATE TABLE "user" (id int, email text); CREATE TABLE "order" (id int, email text);
		CREATE MATERIALIZED VIEW people AS SELECT * FROM "user" WITH NO DATA; INSERT INTO "user" VALUES (1, 'a@example.com')`)
	for query, want := range map[string][]string{
		"SELECT id, email FROM user":                     {`"user"`, "is a word of SQL", "in quotes"},
		"SELECT * FROM user":                             {"the name of the database user", `"user"`},
		"SELECT id, email FROM order":                    {`"order"`, "is a word of SQL"},
		"SELECT id, email FROM orders":                   {`"orders" does not exist`, "!word of SQL"},
		"SELECT id, email FROM people":                   {"people", "has not been populated", "REFRESH MATERIALIZED VIEW"},
		`SELECT id, x FROM "user" u WHERE 'from user'=x`: {`"x" does not exist`, "!word of SQL"},
	} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			says(t, fails(t, must(source.Postgres(dsn, query, idAndEmail)), nil), want...)
		})
	}
	rows, err := read(t.Context(), must(source.Postgres(dsn, `SELECT id, email FROM "user" WHERE email IS DISTINCT FROM user`, idAndEmail)))
	if err != nil || len(rows) != 1 {
		t.Errorf("the name of the database user as a value: %d rows and %v", len(rows), err)
	}
}

// Types that only this database knows have the database's names.
func TestPostgresNamesTypes(t *testing.T) {
	t.Parallel()
	dsn := testdb.Postgres(t)
	execute(t, openDB(t, "pgx", dsn), `CREATE SCHEMA crm; CREATE TYPE crm.mood AS ENUM ('calm'); CREATE TYPE "Order Status" AS ENUM ('new')`)
	table := must(source.Postgres(dsn, `SELECT 1 AS id, 'a@example.com' AS email, 'calm'::crm.mood AS m, 'new'::"Order Status" AS s, ARRAY['calm'::crm.mood] AS a`, idAndEmail))
	var got []string
	for _, c := range must(table.Columns(t.Context())) {
		got = append(got, c.DatabaseType)
	}
	if want := `int4, text, crm.mood, "Order Status", crm.mood[]`; strings.Join(got, ", ") != want {
		t.Errorf("types %q, want %q", got, want)
	}
}

func TestPostgresHiddenRows(t *testing.T) {
	t.Parallel()
	dsn := testdb.Postgres(t)
	db := openDB(t, "pgx", dsn)
	role := "reader_" + must(url.Parse(dsn)).Path[len("/owlatsync_"):]
	execute(t, db, `CREATE TABLE users (id int, email text, tenant int); INSERT INTO users VALUES (1, 'a@example.com', 1), (2, 'b@example.com', 2);
		ALTER TABLE users ENABLE ROW LEVEL SECURITY; CREATE TABLE open (LIKE users); ALTER TABLE open ENABLE ROW LEVEL SECURITY; CREATE TABLE plain (LIKE users);
		CREATE VIEW everybody AS SELECT * FROM users; CREATE VIEW own WITH (security_invoker) AS SELECT * FROM users;
		CREATE TABLE strict (LIKE users); ALTER TABLE strict ENABLE ROW LEVEL SECURITY;
		CREATE ROLE `+role+` LOGIN PASSWORD 'pw'; GRANT SELECT ON ALL TABLES IN SCHEMA public TO `+role+`;
		CREATE POLICY tenants ON users USING (tenant = 1); CREATE POLICY all_of_it ON open FOR SELECT TO `+role+` USING (true);
		CREATE POLICY all_of_it ON strict FOR SELECT USING (true); CREATE POLICY but_few ON strict AS RESTRICTIVE FOR SELECT USING (tenant = 1)`)
	t.Cleanup(func() { execute(t, db, "DROP OWNED BY "+role+"; DROP ROLE "+role) })
	u := must(url.Parse(dsn))
	u.User = url.UserPassword(role, "pw")
	reader := u.String()
	for _, test := range []struct{ dsn, from, want string }{
		{reader, "users", "rows of users from the database user " + role},
		{reader, "own", "rows of users from the database user " + role},
		{reader, "plain JOIN users USING (id, email)", "rows of users from"},
		{reader, "strict", "rows of strict from"},
		{reader, "everybody", ""}, // read with the rights of its owner
		{reader, "plain", ""},
		{reader, "open", ""},
		{dsn, "users", ""},
	} {
		table := must(source.Postgres(test.dsn, "SELECT id, email FROM "+test.from, idAndEmail))
		why, err := table.Hidden(t.Context())
		if err != nil || test.want == "" && why != "" || !strings.Contains(why, test.want) {
			t.Errorf("%s as %s: %q, %v; want %q", test.from, must(url.Parse(test.dsn)).User.Username(), why, err, test.want)
		}
	}
}
