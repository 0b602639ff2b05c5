package testdb

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
)

// Template is a PostgreSQL database that is prepared once, for the first test that asks. Each test gets a copy, which takes much less
// time. It is safe for concurrent use.
type Template struct {
	// Prepare furnishes the empty database of a DSN. It leaves no connection open.
	Prepare func(ctx context.Context, dsn string) error

	once   sync.Once
	server string // "": no test has asked
	name   string
	err    error
}

// Postgres is like the function Postgres, but the database is a copy.
func (p *Template) Postgres(t testing.TB) string {
	t.Helper()
	server := serverDSN(t, PostgresVariable)
	p.once.Do(func() {
		name := newName()
		execPostgres(t, server, "CREATE DATABASE "+name+cheaply)
		p.server, p.name = server, name
		ctx, cancel := context.WithTimeout(context.Background(), opTimeout)
		defer cancel()
		p.err = p.Prepare(ctx, withDatabase(t, server, name))
	})
	if p.name == "" || p.err != nil {
		t.Fatalf("prepare a database for tests: %v", p.err)
	}
	name := newName()
	execPostgres(t, server, "CREATE DATABASE "+name+" TEMPLATE "+p.name+cheaply)
	t.Cleanup(func() { execPostgres(t, server, "DROP DATABASE "+name+" WITH (FORCE)") })
	return withDatabase(t, server, name)
}

// Drop removes the database once all tests have ended.
func (p *Template) Drop() error {
	if p.name == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), opTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, p.server)
	if err != nil {
		return fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, "DROP DATABASE "+p.name+" WITH (FORCE)"); err != nil {
		return fmt.Errorf("drop the database for tests: %w", err)
	}
	return nil
}

// Exit drops the database and ends the process of the tests with their code.
func (p *Template) Exit(code int) {
	if err := p.Drop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}
