package source

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"owlatsync/internal/statement"
	"owlatsync/source/internal/dialects"
	"owlatsync/source/internal/sqlrows"
	"owlatsync/source/internal/wrap"
)

// mySQL is the dialect of MySQL and MariaDB. It relies on the text protocol of go-sql-driver/mysql.
var mySQL = dialect{
	name:     "MySQL",
	castHint: "HEX(column), or BIN_TO_UUID(column) for a UUID",
	lexicon:  statement.MySQL,
	begin:    beginMySQL,
	kindOf:   dialects.MySQLKind,
	values:   sqlrows.Rules{TimeOf: dialects.MySQLTime},
	wrapping: wrap.MySQL,
	direct:   true,
}

// errSpent makes database/sql close a connection whose session was changed for a scan.
var errSpent = errors.New("the connection was set up for one scan")

func beginMySQL(ctx context.Context, conn *sql.Conn, query string) (queryFunc, func(context.Context) error, error) {
	end := func(context.Context) error { return errSpent }
	for _, set := range []string{
		"SET NAMES utf8mb4",
		// While a scan waits for its reader, the server must not take it for dead.
		"SET SESSION net_write_timeout = 86400, time_zone = '+00:00'",
		"SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
	} {
		if _, err := conn.ExecContext(ctx, set); err != nil {
			return nil, end, fmt.Errorf("prepare the session: %w", err)
		}
	}
	// Preparing refuses several statements even if the connection would run them.
	prepared, err := conn.PrepareContext(ctx, query)
	if err != nil {
		return nil, end, fmt.Errorf("check the query: %w", err)
	}
	if err := prepared.Close(); err != nil {
		return nil, end, fmt.Errorf("check the query: %w", err)
	}
	// Invariant 7.
	if _, err := conn.ExecContext(ctx, "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"); err != nil {
		return nil, end, fmt.Errorf("begin a read-only transaction: %w", err)
	}
	return conn.QueryContext, end, nil
}
