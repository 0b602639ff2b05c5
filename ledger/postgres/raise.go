package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// frozenAfter is how long a write of an earlier holder may keep the fence from the next.
const frozenAfter = 300 * time.Millisecond

// raiseFence gives the fence to a new lock, and ends the connections of an earlier holder that froze while it wrote.
func (d *Database) raiseFence(ctx context.Context, t pgx.Tx, g grant) (writes int64, err error) {
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
			_ = d.pool.QueryRow(ctx, "SELECT count(pg_terminate_backend(p)) FROM unnest(pg_blocking_pids($1::int)) AS p", pid).Scan(&n) // tried again if the lock is still not there
			if n > 0 {
				d.log.Warn("ended connections of an earlier holder of a lock, which froze while it wrote", "connections", n)
			}
		}
	}()
	err = t.QueryRow(ctx, d.sql(`INSERT INTO @fences AS f (deployment, epoch, holder, writes, last) VALUES ($1, $2, $3, 0, 0)
		ON CONFLICT (deployment) DO UPDATE SET epoch = excluded.epoch, holder = excluded.holder RETURNING writes`), g.deployment, g.epoch, g.holder).Scan(&writes)
	close(done)
	<-ended
	return writes, err
}
