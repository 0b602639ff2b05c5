package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"owlatsync/ledger"
	"owlatsync/ledger/sqlite/internal/dbfile"
)

// KeepRound implements ledger.Writer.
func (k *lock) KeepRound(ctx context.Context, round ledger.Round) error {
	const doing = "record a round in ledger"
	text, err := json.Marshal(round.UTC())
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return k.update(ctx, doing, dbfile.Durable, func(t *tx) error {
		return t.Exec("INSERT INTO rounds (id, round) VALUES (1, ?1) ON CONFLICT (id) DO UPDATE SET round = excluded.round", string(text))
	})
}

// Round implements ledger.Rounds.
func (r syncReader) Round(ctx context.Context) (round ledger.Round, err error) {
	var text string
	err = r.f.Readers.QueryRowContext(ctx, "SELECT round FROM rounds").Scan(&text)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return round, nil
	case err != nil:
		return round, fmt.Errorf("read the rounds of the ledger: %w", dbfile.Explain(ctx, err))
	}
	if err := json.Unmarshal([]byte(text), &round); err != nil {
		return ledger.Round{}, fmt.Errorf("read the rounds of the ledger: %w (%w)", ledger.ErrCorrupt, err)
	}
	return round, nil
}
