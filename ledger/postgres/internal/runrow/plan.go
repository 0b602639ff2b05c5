package runrow

import (
	"context"

	"github.com/jackc/pgx/v5"

	"owlatsync/ledger"
	"owlatsync/ledger/internal/entry"
	"owlatsync/ledger/postgres/internal/pgrow"
)

// partOfPlan finds items of a run whose plan is kept: nobody sees what is left of any other.
const partOfPlan = `SELECT phase, ord, seq, key, body, addresses FROM @plan WHERE deployment = $1 AND run = $2
	AND EXISTS (SELECT 1 FROM @runs WHERE deployment = $1 AND id = $2 AND status IN ('running', 'waiting', 'held'))
	AND ($4::bytea IS NULL OR key = $4) AND ($5::bytea IS NULL OR position($5::bytea in addresses) % 8 = 1)`

// PlanPart is the method of this name of ledger.Journal.
func PlanPart(ctx context.Context, read pgrow.Read, want ledger.PlanPart) (items []ledger.PlacedItem, err error) {
	query, args := partOfPlan, []any{want.Run, pgrow.Limit(want.Limit), pgrow.Nullable(want.Key), entry.HashOrNull(want.Address)}
	if want.After != nil {
		query, args = query+" AND (phase, ord, seq) > ($6, $7, $8)", append(args, want.After.Phase, want.After.Order, want.After.Number)
	}
	err = read(ctx, query+" ORDER BY phase, ord, seq LIMIT $3", args, func(rows pgx.Rows) error {
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
