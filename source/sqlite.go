package source

import (
	"context"
	"database/sql"
	"fmt"

	"owlatsync/internal/statement"
	"owlatsync/source/internal/dialects"
	"owlatsync/source/internal/sqlrows"
	"owlatsync/source/internal/wrap"
)

// sqlite is the dialect of SQLite, where each value has its own type and the column's type is only a hint.
var sqlite = dialect{
	name:     "SQLite",
	castHint: "CAST(column AS TEXT) or hex(column)",
	lexicon:  statement.SQLite,
	begin:    beginSQLite,
	kindOf:   dialects.SQLiteKind,
	wrapping: wrap.SQLite,
	values:   sqlrows.Rules{TimeOf: dialects.SQLiteTime, BytesAreBinary: true},
	direct:   true,
	hints:    dialects.SQLiteHints,
}

func beginSQLite(ctx context.Context, conn *sql.Conn, _ string) (queryFunc, func(context.Context) error, error) {
	var queryOnly int
	if err := conn.QueryRowContext(ctx, "PRAGMA query_only").Scan(&queryOnly); err != nil {
		return nil, nil, fmt.Errorf("open the database: %w", err)
	}
	if _, err := conn.ExecContext(ctx, "PRAGMA query_only = 1"); err != nil {
		return nil, nil, fmt.Errorf("make the connection read-only: %w", err)
	}
	end := func(ctx context.Context) error {
		_, err := conn.ExecContext(ctx, fmt.Sprintf("PRAGMA query_only = %d", queryOnly))
		return err
	}
	if _, err := conn.ExecContext(ctx, "BEGIN"); err != nil {
		return nil, end, fmt.Errorf("begin a read-only transaction: %w", err)
	}
	return conn.QueryContext, func(ctx context.Context) error {
		if _, err := conn.ExecContext(ctx, "ROLLBACK"); err != nil {
			return err
		}
		return end(ctx)
	}, nil
}
