package dialects

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// QueryFunc runs a query within a transaction.
type QueryFunc = func(ctx context.Context, query string, args ...any) (*sql.Rows, error)

// genericTransactions are the transactions that a scan asks the driver for, the best first. Every one is rolled back, so that
// nothing stays even if it is not read-only.
var genericTransactions = []sql.TxOptions{
	{ReadOnly: true, Isolation: sql.LevelRepeatableRead},
	{ReadOnly: true, Isolation: sql.LevelSnapshot},
	{ReadOnly: true},
	{Isolation: sql.LevelSnapshot},
	{Isolation: sql.LevelRepeatableRead},
	{},
}

// BeginGeneric begins the first of these transactions that the driver has.
func BeginGeneric(ctx context.Context, conn *sql.Conn, _ string) (QueryFunc, func(context.Context) error, error) {
	var refusals []error
	for _, options := range genericTransactions {
		tx, err := conn.BeginTx(ctx, &options)
		if err != nil {
			refusals = append(refusals, err)
			continue
		}
		return tx.QueryContext, func(context.Context) error {
			if err := tx.Rollback(); err != nil && !errors.Is(err, sql.ErrTxDone) {
				return err
			}
			return nil
		}, nil
	}
	return nil, nil, fmt.Errorf("begin a transaction: %w", refusals[len(refusals)-1])
}

// ErrSpent makes database/sql close a connection whose session was changed for a scan, unless Keep was called.
var ErrSpent = errors.New("the connection was set up for one scan")

// BeginMySQL sets up the session and begins a snapshot.
func BeginMySQL(ctx context.Context, conn *sql.Conn, query string) (QueryFunc, func(context.Context) error, error) {
	end := func(context.Context) error { return ErrSpent }
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
	if query != "" { // preparing refuses several statements even if the connection would run them
		prepared, err := conn.PrepareContext(ctx, query)
		if err != nil {
			return nil, end, fmt.Errorf("check the query: %w", err)
		}
		if err := prepared.Close(); err != nil {
			return nil, end, fmt.Errorf("check the query: %w", err)
		}
	}
	// Invariant 7.
	if _, err := conn.ExecContext(ctx, "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"); err != nil {
		return nil, end, fmt.Errorf("begin a read-only transaction: %w", err)
	}
	return conn.QueryContext, end, nil
}

// BeginSQLite makes the connection read-only and begins a transaction.
func BeginSQLite(ctx context.Context, conn *sql.Conn, _ string) (QueryFunc, func(context.Context) error, error) {
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
