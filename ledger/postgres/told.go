package postgres

import (
	"context"
	"errors"
	"fmt"
	"owlatsync/ledger/postgres/internal/server"

	"github.com/jackc/pgx/v5"
)

// ErrToldMeanwhile says that another node has recorded alerts since the state was read.
var ErrToldMeanwhile = errors.New("another node has recorded meanwhile which alerts were told")

// alerts keeps which alerts of the deployment were told.
type alerts struct{ *base }

// Told returns which alerts were told, in the words of whoever recorded it, and its version; nil and 0 if nothing was.
func (a alerts) Told(ctx context.Context) (state []byte, version int64, err error) {
	err = a.row(ctx, "SELECT state, version FROM @told WHERE deployment = $1", nil, &state, &version)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("read which alerts were told: %w", server.Explain(ctx, err))
	}
	return state, version, nil
}

// Tell durably records which alerts were told, in the place of that version. It fails with ErrToldMeanwhile if there is a later one.
func (a alerts) Tell(ctx context.Context, state []byte, version int64) error {
	return a.update(ctx, "record which alerts were told", server.Durable, func(t *tx) error {
		n, err := t.Change(`INSERT INTO @told AS old (deployment, state, version) SELECT $1, $2, 1 WHERE $3 = 0 OR EXISTS (SELECT FROM @told WHERE deployment = $1)
			ON CONFLICT (deployment) DO UPDATE SET state = excluded.state, version = old.version + 1 WHERE old.version = $3`, state, version)
		if err == nil && n == 0 {
			err = ErrToldMeanwhile
		}
		return err
	})
}
