package made

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/jackc/pgx/v5"

	"owlatsync/internal/testdb"
)

// Database makes a PostgreSQL database with a table of n users and returns its DSN and what drops it.
func Database(ctx context.Context, n int) (dsn string, drop func() error, err error) {
	server := os.Getenv(testdb.PostgresVariable)
	if server == "" {
		return "", nil, fmt.Errorf("%s is not set; `make bench` starts a server", testdb.PostgresVariable)
	}
	name := "owlatsync_" + strings.ToLower(rand.Text())
	u, err := url.Parse(server)
	if err != nil {
		return "", nil, fmt.Errorf("%s is no URL", testdb.PostgresVariable)
	}
	u.Path = "/" + name
	if err := execPostgres(ctx, server, "CREATE DATABASE "+name); err != nil {
		return "", nil, err
	}
	drop = func() error {
		return execPostgres(context.WithoutCancel(ctx), server, "DROP DATABASE "+name+" WITH (FORCE)")
	}
	err = execPostgres(ctx, u.String(), `CREATE TABLE users (id bigint PRIMARY KEY, email text, first_name text, last_name text, newsletter boolean)`,
		fmt.Sprintf(`INSERT INTO users SELECT n, 'user' || n || '@example.com', 'First', 'Last' || n, n %% 2 = 0 FROM generate_series(1, %d) AS n`, n),
		`VACUUM (ANALYZE) users`)
	if err != nil {
		return "", nil, errors.Join(err, drop())
	}
	return u.String(), drop, nil
}

func execPostgres(ctx context.Context, dsn string, statements ...string) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for _, statement := range statements {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("make the table of users: %w", err)
		}
	}
	return nil
}
