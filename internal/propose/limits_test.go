package propose

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"owlatsync/internal/inspect"
	"owlatsync/internal/testdb"
)

// slowViews is a table of users beside a view that computes for far too long.
var slowViews = map[string][]string{
	"PostgreSQL": {
		"CREATE TABLE users (id integer PRIMARY KEY, email text)", "INSERT INTO users VALUES (1, 'ada@example.com')",
		"CREATE VIEW customers AS SELECT n AS id, 'a@example.com'::text AS email FROM generate_series(1, 3) n, pg_sleep(60)",
	},
	"MySQL": {
		"CREATE TABLE users (id integer PRIMARY KEY, email text)", "INSERT INTO users VALUES (1, 'ada@example.com')",
		"CREATE VIEW customers AS SELECT id, email, SLEEP(60) AS slept FROM users",
	},
}

func TestSlowViewsAreLeft(t *testing.T) {
	t.Parallel()
	const limit = 2 * time.Second
	check := func(t *testing.T, c *inspect.Catalog, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		users, slow := c.Find("users"), c.Find("customers")
		if users == nil || !users.Sampled || users.Rows != 1 {
			t.Errorf("the users were not sampled: %+v", users)
		}
		if slow == nil || slow.Sampled || len(slow.Columns[0].Sample) > 0 {
			t.Errorf("the slow view is %+v", slow)
		}
	}
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		conn, err := pgx.Connect(t.Context(), testdb.Postgres(t))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(t.Context())
		for _, s := range slowViews["PostgreSQL"] {
			if _, err := conn.Exec(t.Context(), s); err != nil {
				t.Fatal(err)
			}
		}
		c, err := inspect.ReadPostgres(t.Context(), conn, inspect.Look{Order: Order, Limit: limit})
		check(t, c, err)
	})
	t.Run("MySQL", func(t *testing.T) {
		t.Parallel()
		db := testdb.OpenMySQL(t, testdb.MySQL(t))
		for _, s := range slowViews["MySQL"] {
			if _, err := db.ExecContext(t.Context(), s); err != nil {
				t.Fatal(err)
			}
		}
		c, err := inspect.ReadMySQL(t.Context(), db, inspect.Look{Order: Order, Limit: limit})
		check(t, c, err)
	})
}

// TestReadingOnly shows that a look changes nothing, not even through a function that a view calls.
func TestReadingOnly(t *testing.T) {
	t.Parallel()
	db := postgres(t)
	db.exec(t, "CREATE TABLE touched (n integer)",
		"CREATE FUNCTION touch() RETURNS text LANGUAGE plpgsql AS $$ BEGIN INSERT INTO touched VALUES (1); RETURN 'a@example.com'; END $$",
		"CREATE VIEW users AS SELECT 1 AS id, touch() AS email")
	if c := db.catalog(t); c.Find("users") == nil || c.Find("users").Sampled {
		t.Error("the view that writes was sampled")
	}
	if _, rows := db.query(t, "SELECT count(*) FROM touched"); rows[0][0] != "0" {
		t.Errorf("the look wrote %s rows", rows[0][0])
	}
}

func TestReadingIsCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	conn, err := pgx.Connect(t.Context(), testdb.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := inspect.ReadPostgres(ctx, conn, inspect.Look{Order: Order}); !errors.Is(err, context.Canceled) {
		t.Errorf("reading ended with %v", err)
	}
}

func TestMySQLNeedsADatabase(t *testing.T) {
	t.Parallel()
	config, err := testdb.MySQLConfig(testdb.MySQL(t))
	if err != nil {
		t.Fatal(err)
	}
	config.DBName = ""
	db := testdb.OpenMySQL(t, "mysql://"+config.User+":"+config.Passwd+"@"+config.Addr+"/")
	if _, err := inspect.ReadMySQL(t.Context(), db, inspect.Look{Order: Order}); !errors.Is(err, inspect.ErrNoDatabase) {
		t.Errorf("reading without a database ended with %v", err)
	}
}

// TestUnreadableTablesAreLeftOut reads as a user who may not see everything.
func TestUnreadableTablesAreLeftOut(t *testing.T) {
	t.Parallel()
	dsn := testdb.Postgres(t)
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	role := "owlatsync_" + strings.ToLower(rand.Text())
	if _, err := conn.Exec(t.Context(), "CREATE ROLE "+role); err != nil {
		t.Skipf("the user may not create roles: %v", err)
	}
	for _, s := range []string{
		"CREATE TABLE users (id integer PRIMARY KEY, email text, secret text)", "CREATE TABLE customers (id integer PRIMARY KEY, email text)",
		"INSERT INTO users VALUES (1, 'ada@example.com', 'x')", "GRANT SELECT (id, email) ON users TO " + role, "SET ROLE " + role,
	} {
		if _, err := conn.Exec(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	c, err := inspect.ReadPostgres(t.Context(), conn, inspect.Look{Order: Order})
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Tables) != 1 || c.Tables[0].Name != "users" || len(c.Tables[0].Columns) != 2 || c.Tables[0].Rows != 1 {
		t.Errorf("found %+v", c.Tables)
	}
	for _, s := range []string{"RESET ROLE", "DROP OWNED BY " + role, "DROP ROLE " + role} {
		if _, err := conn.Exec(t.Context(), s); err != nil {
			t.Error(err)
		}
	}
}
