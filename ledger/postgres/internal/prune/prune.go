// Package prune removes what is older than it is kept, in batches of one transaction each.
package prune

import (
	"time"

	"github.com/jackc/pgx/v5"

	"owlatsync/ledger/postgres/internal/auditrow"
	"owlatsync/ledger/postgres/internal/heard"
	"owlatsync/ledger/postgres/internal/pgrow"
)

// Size is how many rows of a table one batch removes, so that no run waits long.
const Size = 1000

// Tx is the transaction of a batch.
type Tx interface {
	pgrow.Tx
	// Fence keeps the holder of the lock from writing until the transaction ends.
	Fence() error
}

// Batch removes what is from before the time, at most Size rows of each table, and tells how many and whether there are more.
type Batch func(t Tx, before time.Time) (n int64, more bool, err error)

// Batches are what there is to prune. Each is repeated until there is no more.
var Batches = []Batch{history, runs, feedback, audit}

// oldLines repeats the expression of its index.
const oldLines = `SELECT number FROM @history WHERE deployment = $1 AND at / 3600000000 <= $2::bigint / 3600000000 AND at < $2
	ORDER BY at / 3600000000 LIMIT $3`

func history(t Tx, before time.Time) (n int64, more bool, err error) {
	n, err = t.Change("DELETE FROM @history WHERE deployment = $1 AND number IN ("+oldLines+")", before.UnixMicro(), Size)
	return n, n == Size, err
}

const oldRuns = `SELECT id FROM @runs r WHERE deployment = $1 AND started < $2 AND status NOT IN ('held', 'queued', 'waiting')
	AND id < (SELECT max(id) FROM @runs WHERE deployment = $1 AND sync = r.sync AND status NOT IN ('queued', 'cancelled')) ORDER BY started LIMIT $3`

func runs(t Tx, before time.Time) (n int64, more bool, err error) {
	if err := t.Fence(); err != nil {
		return 0, false, err
	}
	var old []int64
	err = t.Find(oldRuns, []any{before.UnixMicro(), Size}, func(rows pgx.Rows) error {
		var id int64
		err := rows.Scan(&id)
		old = append(old, id)
		return err
	})
	if err != nil || len(old) == 0 {
		return 0, false, err
	}
	if _, err := t.Change("DELETE FROM @plan WHERE deployment = $1 AND run = ANY ($2::bigint[])", old); err != nil {
		return 0, false, err
	}
	n, err = t.Change("DELETE FROM @runs WHERE deployment = $1 AND id = ANY ($2::bigint[])", old)
	return n, len(old) == Size, err
}

func feedback(t Tx, before time.Time) (n int64, more bool, err error) {
	return heard.Prune(t, before, Size)
}

func audit(t Tx, before time.Time) (n int64, more bool, err error) {
	return auditrow.Prune(t, before, Size)
}
