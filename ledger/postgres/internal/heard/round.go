package heard

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"

	"owlatsync/ledger"
	"owlatsync/ledger/postgres/internal/pgrow"
)

// KeepRound replaces what is known of rounds.
func KeepRound(t pgrow.Tx, round ledger.Round) error {
	text, err := json.Marshal(round.UTC())
	if err != nil {
		return err
	}
	_, err = t.Change("INSERT INTO @rounds (deployment, round) VALUES ($1, $2) ON CONFLICT (deployment) DO UPDATE SET round = excluded.round", text)
	return err
}

// Round returns what is known of rounds, the zero value if there was none.
func Round(ctx context.Context, read pgrow.Read) (round ledger.Round, err error) {
	err = read(ctx, "SELECT round FROM @rounds WHERE deployment = $1", nil, func(rows pgx.Rows) error {
		var text []byte
		if err := rows.Scan(&text); err != nil {
			return err
		}
		if err := json.Unmarshal(text, &round); err != nil {
			return fmt.Errorf("%w (%w)", ledger.ErrCorrupt, err)
		}
		return nil
	})
	return round, err
}
