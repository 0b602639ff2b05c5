package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"owlatsync/ledger/sqlite/internal/dbfile"
)

// sweepBatch is how many items of a plan one transaction removes, so that the write-ahead log stays small and nobody waits long.
const sweepBatch = 2000

const (
	// kept tells a run whose plan is kept. The plan of any other run is dropped: nobody sees what is left of it.
	kept = "status IN ('running', 'waiting', 'held')"
	// nextPlan finds the next run of which the table has items. It looks at one item.
	nextPlan = "SELECT run FROM plan WHERE run > ?1 ORDER BY run LIMIT 1"
	// sweepPlan removes the first items of a plan that is dropped.
	sweepPlan = `DELETE FROM plan WHERE run = ?1 AND NOT EXISTS (SELECT 1 FROM runs WHERE id = ?1 AND ` + kept + `)
		AND (phase, ord, seq) <= (SELECT phase, ord, seq FROM (SELECT phase, ord, seq FROM plan WHERE run = ?1 ORDER BY phase, ord, seq LIMIT ?2)
			ORDER BY phase DESC, ord DESC, seq DESC LIMIT 1)`
)

// sweep removes the items of plans that are dropped, and gives free room back to the disk. It stops at the first error and says
// nothing about it: what stays is only room, and the next run sweeps again.
func sweep(ctx context.Context, k *lock) {
	ctx = context.WithoutCancel(ctx)
	for after := int64(0); ; {
		err := k.f.Readers.QueryRowContext(ctx, nextPlan, after).Scan(&after)
		if err != nil {
			if !errors.Is(err, sql.ErrNoRows) {
				return
			}
			break
		}
		for n := int64(sweepBatch); n == sweepBatch; {
			err := k.transact(ctx, dbfile.Lazy, func(t *tx) (err error) {
				n, err = t.Affect(sweepPlan, after, sweepBatch)
				return err
			})
			if err != nil {
				return
			}
		}
	}
	_ = dbfile.GiveBack(ctx, k.f) // also what rows that are gone and a migration have left
}
