package runrow

import (
	"context"

	"github.com/jackc/pgx/v5"

	"owlatsync/ledger"
	"owlatsync/ledger/internal/entry"
	"owlatsync/ledger/postgres/internal/pgrow"
)

// partOfPlan finds items of a run whose plan is kept: nobody sees what is left of any other.
const (
	partOfPlan = `SELECT phase, ord, seq, key, body, addresses FROM @plan WHERE deployment = $1 AND run = $2
		AND EXISTS (SELECT 1 FROM @runs WHERE deployment = $1 AND id = $2 AND status IN ('running', 'waiting', 'held'))`
	ofKey   = " AND key = "
	later   = " AND (phase, ord, seq) > ($4, $5, $6)"
	inOrder = " ORDER BY phase, ord, seq LIMIT $3"
)

// PlanPart is the method of this name of ledger.Journal.
func PlanPart(ctx context.Context, read pgrow.Read, want ledger.PlanPart) (items []ledger.PlacedItem, err error) {
	query, args := partOfPlan, []any{want.Run, pgrow.Limit(want.Limit)}
	if want.After != nil {
		query, args = query+later, append(args, want.After.Phase, want.After.Order, want.After.Number)
	}
	if want.Key != "" {
		place := "$4"
		if want.After != nil {
			place = "$7"
		}
		query, args = query+ofKey+place, append(args, []byte(want.Key))
	}
	err = read(ctx, query+inOrder, args, func(rows pgx.Rows) error {
		var item ledger.PlacedItem
		var addresses []byte
		if err := rows.Scan(&item.Place.Phase, &item.Place.Order, &item.Place.Number, &item.Key, &item.Body, &addresses); err != nil {
			return err
		}
		item.Addresses = entry.DecodeHashes(addresses)
		item.Phase, item.Order = item.Place.Phase, item.Place.Order
		items = append(items, item)
		return nil
	})
	return items, err
}
