package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"owlatsync/ledger"
	"owlatsync/ledger/postgres/internal/server"
)

// KeepRound implements ledger.Writer.
func (k runWriter) KeepRound(ctx context.Context, round ledger.Round) error {
	const doing = "record a round in ledger"
	text, err := json.Marshal(round.UTC())
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return k.update(ctx, doing, server.Durable, func(t *tx) error {
		return t.Exec("INSERT INTO @rounds (deployment, round) VALUES ($1, $2) ON CONFLICT (deployment) DO UPDATE SET round = excluded.round", t.deployment, text)
	})
}

// Round implements ledger.Rounds.
func (r syncReader) Round(ctx context.Context) (round ledger.Round, err error) {
	var text []byte
	err = r.row(ctx, "SELECT round FROM @rounds WHERE deployment = $1", nil, &text)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return round, nil
	case err != nil:
		return round, fmt.Errorf("read the rounds of the ledger: %w", server.Explain(ctx, err))
	}
	if err := json.Unmarshal(text, &round); err != nil {
		return ledger.Round{}, fmt.Errorf("read the rounds of the ledger: %w (%w)", ledger.ErrCorrupt, err)
	}
	return round, nil
}
