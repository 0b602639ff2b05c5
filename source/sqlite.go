package source

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"owlatsync/source/internal/cell"
	"owlatsync/source/internal/sqlrows"
	"owlatsync/source/internal/statement"
)

// sqlite is the dialect of SQLite, where each value has its own type and the column's type is only a hint.
var sqlite = dialect{
	name:     "SQLite",
	castHint: "CAST(column AS TEXT) or hex(column)",
	lexicon:  statement.SQLite,
	begin:    beginSQLite,
	kindOf:   sqliteKind,
	wrapping: wrapSQLite,
	values:   sqlrows.Rules{TimeOf: sqliteTime, BytesAreBinary: true},
	direct:   true,
	hints:    sqliteHints,
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

func sqliteKind(declared string) cell.Kind {
	name, _, _ := strings.Cut(strings.ToUpper(declared), "(")
	switch strings.TrimSpace(name) {
	case "BOOLEAN", "BOOL":
		return cell.Boolean
	case "BLOB", "BINARY", "VARBINARY":
		return cell.Binary
	case "DATETIME", "TIMESTAMP":
		return cell.Moment
	case "DATE":
		return cell.Day
	}
	return cell.Text
}

// sqliteTime uses the time that the driver makes of a text. A day is midnight in UTC or in the driver's zone.
func sqliteTime(at time.Time, k cell.Kind) (time.Time, string) {
	switch utc := at.UTC(); {
	case k != cell.Day:
		return utc, time.RFC3339Nano
	case midnight(at) && !midnight(utc):
		return at, time.DateOnly
	default:
		return utc, time.DateOnly
	}
}
