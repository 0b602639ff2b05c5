package postgres

import (
	"context"
	"time"

	"owlatsync/ledger/postgres/internal/server"
)

// sweepBatch is how many items of a plan one transaction removes, so that nobody waits long.
const sweepBatch = 5000

// sweepTimeout is how long a sweep may take. What it leaves is for the next.
const sweepTimeout = 30 * time.Second

const (
	// kept tells a run whose plan is kept. The plan of any other run is dropped: nobody sees what is left of it.
	kept = "status IN ('running', 'waiting', 'held')"
	// nextPlan finds the next run of which the table has items. It looks at one item.
	nextPlan = "SELECT run FROM @plan WHERE deployment = $1 AND run > $2 ORDER BY run LIMIT 1"
	// sweepPlan removes items of a plan that is dropped.
	sweepPlan = `DELETE FROM @plan WHERE ctid = ANY (ARRAY(SELECT ctid FROM @plan WHERE deployment = $1 AND run = $2
			AND NOT EXISTS (SELECT 1 FROM @runs WHERE deployment = $1 AND id = $2 AND ` + kept + `) LIMIT $3))`
)

// sweep removes the items of plans that are dropped. It stops at the first error and says nothing about it: what stays is only room, and
// the next run sweeps again.
func sweep(ctx context.Context, k *fence) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sweepTimeout)
	defer cancel()
	for after := int64(0); ; {
		if err := k.row(ctx, nextPlan, []any{after}, &after); err != nil {
			return
		}
		for n := int64(sweepBatch); n == sweepBatch; {
			err := k.transact(ctx, server.Lazy, func(t *tx) (err error) {
				n, err = t.Affect(sweepPlan, t.deployment, after, sweepBatch)
				return err
			})
			if err != nil {
				return
			}
		}
	}
}
