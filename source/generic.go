package source

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"owlatsync/internal/statement"
	"owlatsync/source/internal/dialects"
	"owlatsync/source/internal/sqlrows"
)

// generic is the dialect of any database behind database/sql.
var generic = dialect{
	name:     "the database",
	castHint: "a CAST to a text type",
	lexicon:  statement.Generic,
	begin:    beginGeneric,
	kindOf:   dialects.GenericKind,
	values:   sqlrows.Rules{TimeOf: dialects.GenericTime, PrintedBits: true},
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
