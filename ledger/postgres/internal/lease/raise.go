package lease

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"owlatsync/ledger/postgres/internal/server"
)

// frozenAfter is how long a write of an earlier holder may keep the fence from the next.
const frozenAfter = 300 * time.Millisecond

// RaiseFence gives the fence to a new lock, and ends the connections of an earlier holder that froze while it wrote.
func RaiseFence(ctx context.Context, d *server.DB, t pgx.Tx, g Grant) (writes int64, err error) {
	var pid int64
	if err := t.QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&pid); err != nil {
		return 0, err
	}
	done := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-done:
				return
			case <-time.After(frozenAfter):
			}
			var n int
			_ = d.Pool.QueryRow(ctx, "SELECT count(pg_terminate_backend(p)) FROM unnest(pg_blocking_pids($1::int)) AS p", pid).Scan(&n) // tried again if the lock is still not there
			if n > 0 {
				d.Log.Warn("ended connections of an earlier holder of a lock, which froze while it wrote", "connections", n)
			}
		}
	}()
	err = t.QueryRow(ctx, d.SQL(`INSERT INTO @fences AS f (deployment, epoch, holder, writes, last) VALUES ($1, $2, $3, 0, 0)
		ON CONFLICT (deployment) DO UPDATE SET epoch = excluded.epoch, holder = excluded.holder RETURNING writes`), g.Deployment, g.Number, g.Holder).Scan(&writes)
	close(done)
	<-ended
	return writes, err
}
