package heard

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"owlatsync/ledger"
	"owlatsync/ledger/sqlite/internal/dbfile"
)

// KeepRound replaces what is known of rounds.
func KeepRound(t dbfile.Tx, round ledger.Round) error {
	text, err := json.Marshal(round.UTC())
	if err != nil {
		return err
	}
	return t.Exec("INSERT INTO rounds (id, round) VALUES (1, ?1) ON CONFLICT (id) DO UPDATE SET round = excluded.round", string(text))
}

// Round returns what is known of rounds, the zero value if there was none.
func Round(ctx context.Context, file *dbfile.File) (round ledger.Round, err error) {
	var text string
	switch err = file.Readers.QueryRowContext(ctx, "SELECT round FROM rounds").Scan(&text); {
	case errors.Is(err, sql.ErrNoRows):
		return round, nil
	case err != nil:
		return round, err
	}
	if err := json.Unmarshal([]byte(text), &round); err != nil {
		return ledger.Round{}, fmt.Errorf("%w (%w)", ledger.ErrCorrupt, err)
	}
	return round, nil
}
