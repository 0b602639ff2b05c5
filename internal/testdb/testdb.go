// Package testdb gives tests a fresh, private database on a real server. `go run ./internal/testservers` starts such servers. Other
// servers work too: the variables below name them, with a user that may create databases.
package testdb

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
)

// The environment variables that hold the servers' DSNs, as URLs.
const (
	PostgresVariable = "OWLATSYNC_TEST_POSTGRES" // postgres://user:password@127.0.0.1:port/db?sslmode=disable
	MySQLVariable    = "OWLATSYNC_TEST_MYSQL"    // mysql://user:password@127.0.0.1:port/db
)

// cheaply has PostgreSQL 15 or later copy the files of a database, which takes half as long for small ones as writing all to the log.
const cheaply = " STRATEGY FILE_COPY"

// opTimeout is the time limit for creating or dropping a database.
const opTimeout = 30 * time.Second

// Postgres returns the DSN of a new, empty PostgreSQL database. When the test ends, the database is dropped with all its
// connections. Without a server it skips the test, or fails it if CI=true.
func Postgres(t testing.TB) string {
	t.Helper()
	server := serverDSN(t, PostgresVariable)
	name := newName()
	execPostgres(t, server, "CREATE DATABASE "+name+cheaply)
	t.Cleanup(func() { execPostgres(t, server, "DROP DATABASE "+name+" WITH (FORCE)") })
	return withDatabase(t, server, name)
}

// MySQL returns the URL DSN of a new, empty MySQL or MariaDB database (utf8mb4) that is dropped when the test ends. MySQLConfig
// turns the DSN into the driver's form. Without a server it skips the test, or fails it if CI=true.
func MySQL(t testing.TB) string {
	t.Helper()
	server := serverDSN(t, MySQLVariable)
	name := newName()
	execMySQL(t, server, "CREATE DATABASE "+name+" CHARACTER SET utf8mb4")
	t.Cleanup(func() { execMySQL(t, server, "DROP DATABASE "+name) })
	return withDatabase(t, server, name)
}

// MySQLConfig returns the go-sql-driver configuration for a mysql:// URL.
func MySQLConfig(dsn string) (*mysql.Config, error) {
	u, err := url.Parse(dsn)
	if err != nil {
		return nil, fmt.Errorf("parse the DSN of %s: %w", MySQLVariable, err)
	}
	c := mysql.NewConfig()
	c.Net, c.Addr = "tcp", u.Host
	c.User = u.User.Username()
	c.Passwd, _ = u.User.Password()
	c.DBName = strings.TrimPrefix(u.Path, "/")
	// Tests stop servers and kill connections; the driver's own log would only be noise.
	c.Logger = &mysql.NopLogger{}
	return c, nil
}

// OpenMySQL opens a mysql:// URL and closes it when the test ends.
func OpenMySQL(t testing.TB, dsn string) *sql.DB {
	t.Helper()
	db, err := openMySQL(dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// PingPostgres reports whether a PostgreSQL server answers under the DSN.
func PingPostgres(ctx context.Context, dsn string) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	return conn.Close(ctx)
}

// PingMySQL reports whether a MySQL or MariaDB server answers under the DSN.
func PingMySQL(ctx context.Context, dsn string) error {
	db, err := openMySQL(dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	return db.PingContext(ctx)
}

func openMySQL(dsn string) (*sql.DB, error) {
	config, err := MySQLConfig(dsn)
	if err != nil {
		return nil, err
	}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, fmt.Errorf("open MySQL: %w", err)
	}
	return sql.OpenDB(connector), nil
}

func serverDSN(t testing.TB, variable string) string {
	t.Helper()
	dsn := os.Getenv(variable)
	switch {
	case dsn != "":
	case os.Getenv("CI") == "true":
		t.Fatalf("%s is not set, and CI=true allows no skipping; run `make test`", variable)
	default:
		t.Skipf("%s is not set; `make test` starts a server for this test", variable)
	}
	return dsn
}

func newName() string { return "owlatsync_" + strings.ToLower(rand.Text()) }

func withDatabase(t testing.TB, dsn, name string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatalf("parse the server's DSN: %v", err)
	}
	u.Path = "/" + name
	return u.String()
}

// The clean-up of a test runs after its context is done, so these have a time limit of their own.

func execPostgres(t testing.TB, dsn, statement string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), opTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatalf("connect to PostgreSQL: %v", err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func execMySQL(t testing.TB, dsn, statement string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), opTimeout)
	defer cancel()
	db, err := openMySQL(dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}
