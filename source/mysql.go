package source

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"owlatsync/source/internal/cell"
	"owlatsync/source/internal/sqlrows"
	"owlatsync/source/internal/statement"
)

// mySQL is the dialect of MySQL and MariaDB. It relies on the text protocol of go-sql-driver/mysql.
var mySQL = dialect{
	name:     "MySQL",
	castHint: "HEX(column), or BIN_TO_UUID(column) for a UUID",
	lexicon:  statement.MySQL,
	begin:    beginMySQL,
	kindOf:   mySQLKind,
	values:   sqlrows.Rules{TimeOf: mySQLTime},
	wrapping: wrapMySQL,
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

func mySQLKind(databaseType string) cell.Kind {
	switch name := strings.TrimPrefix(databaseType, "UNSIGNED "); name {
	case "TINYINT", "SMALLINT", "MEDIUMINT", "INT", "BIGINT", "YEAR":
		return cell.Integer
	case "FLOAT", "DOUBLE", "DECIMAL":
		return cell.Number
	case "BIT":
		return cell.Bits
	case "CHAR":
		return cell.Padded
	case "DATETIME", "TIMESTAMP":
		return cell.Moment
	case "DATE":
		return cell.Day
	case "BINARY", "VARBINARY", "TINYBLOB", "BLOB", "MEDIUMBLOB", "LONGBLOB", "GEOMETRY", "VECTOR":
		return cell.Binary
	}
	return cell.Text
}

// mySQLTime uses only the clock: it is the server's, which is set to UTC, whatever zone the driver names.
func mySQLTime(at time.Time, k cell.Kind) (time.Time, string) {
	if k == cell.Day {
		return at.Add(12 * time.Hour), time.DateOnly // in a zone that skips midnight the driver gives a time near it
	}
	return at, "2006-01-02T15:04:05.999999999Z"
}
