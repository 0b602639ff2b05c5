package program

import (
	"context"

	"owlatsync/internal/cluster"
	"owlatsync/internal/errand"
	"owlatsync/ledger/postgres"
)

// line reaches the service that works with a ledger in PostgreSQL, whatever node has the budget.
func (a *App) line(_ context.Context, db *postgres.Database) (errand.Line, func(), error) {
	e, err := cluster.Visit(db.Pool(), db.Schema(), db.Clock(), a.Log)
	return e, func() {}, err
}
