package cluster

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
)

// Dial returns what may be asked of deployments by somebody who is no node and works nothing. It keeps no connection beside the pool.
func Dial(ctx context.Context, pool *pgxpool.Pool, schema string, log *slog.Logger) (Errands, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	n := &Node{o: Options{Pool: pool, Schema: schema, Logger: log}, log: log, clock: newClock(), tables: tablesIn(schema), driver: riverpgxv5.New(pool)}
	if err := n.setClock(ctx); err != nil {
		return Errands{}, fmt.Errorf("ask PostgreSQL for the time: %w", err)
	}
	var err error
	if n.client, err = river.NewClient(n.driver, &river.Config{Schema: schema, Logger: quiet(log), Test: river.TestConfig{Time: n.clock}}); err != nil {
		return Errands{}, fmt.Errorf("set up River: %w", err)
	}
	return n.Errands(), nil
}
