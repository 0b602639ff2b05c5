package source

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"owlatsync/source/internal/cell"
	"owlatsync/source/internal/sqlrows"
	"owlatsync/source/internal/statement"
)

// generic is the dialect of any database behind database/sql.
var generic = dialect{
	name:     "the database",
	castHint: "a CAST to a text type",
	lexicon:  statement.Generic,
	begin:    beginGeneric,
	kindOf:   genericKind,
	values:   sqlrows.Rules{TimeOf: genericTime, PrintedBits: true},
}

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

func beginGeneric(ctx context.Context, conn *sql.Conn, _ string) (queryFunc, func(context.Context) error, error) {
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

// genericBinary are words in database type names for binary data.
var genericBinary = []string{"BLOB", "BINARY", "BYTEA", "BYTES", "IMAGE", "RAW"}

func genericKind(databaseType string) cell.Kind {
	name := strings.ToUpper(databaseType)
	switch {
	case slices.ContainsFunc(genericBinary, func(b string) bool { return strings.Contains(name, b) }):
		return cell.Binary
	case name == "CHAR", name == "NCHAR", name == "BPCHAR", name == "CHARACTER":
		return cell.Padded
	case name == "DATE":
		return cell.Day
	case name == "BIT":
		return cell.Bits
	case strings.HasPrefix(name, "DECIMAL"), strings.HasPrefix(name, "NUMERIC"), name == "NUMBER", name == "MONEY":
		return cell.Number
	case strings.HasPrefix(name, "BOOL"):
		return cell.Boolean
	case strings.Contains(name, "INT") && !strings.Contains(name, "INTERVAL") && !strings.Contains(name, "POINT"):
		return cell.Integer
	case strings.Contains(name, "FLOAT"), strings.Contains(name, "DOUBLE"), name == "REAL":
		return cell.Number
	case strings.HasPrefix(name, "TIMESTAMP"), strings.HasPrefix(name, "DATETIME"):
		return cell.Moment
	}
	return cell.Text
}

// genericTime takes the moment that the driver gives. Midnight in the driver's zone is a day; not all databases keep only a date in
// a DATE.
func genericTime(at time.Time, k cell.Kind) (time.Time, string) {
	if k == cell.Day && midnight(at) {
		return at, time.DateOnly
	}
	return at.UTC(), time.RFC3339Nano
}

func midnight(at time.Time) bool {
	return at.Hour() == 0 && at.Minute() == 0 && at.Second() == 0 && at.Nanosecond() == 0
}
