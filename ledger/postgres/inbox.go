package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"owlatsync/ledger"
	"owlatsync/ledger/internal/entry"
	"owlatsync/ledger/postgres/internal/change"
	"owlatsync/ledger/postgres/internal/heard"
	"owlatsync/ledger/postgres/internal/pgrow"
	"owlatsync/ledger/postgres/internal/server"
)

// inbox implements ledger.Inbox.
type inbox struct{ *base }

// NoteOptOuts durably records opt-outs, all or none. Of several for one contact and topic the latest counts.
func (i inbox) NoteOptOuts(ctx context.Context, optOuts ...ledger.OptOut) error {
	if len(optOuts) == 0 {
		return nil
	}
	return i.update(ctx, "note opt-outs in ledger", server.Durable, func(t *tx) error {
		for _, o := range optOuts {
			if err := o.Check(); err != nil {
				return err
			}
		}
		return heard.Leave(t, optOuts)
	})
}

// retryBatch is how many failed rows one transaction of Retry changes, so that no run waits long.
const retryBatch = 500

const (
	failedRows    = "SELECT number FROM @entries WHERE sync = " + ofSync + " AND state <> 0 AND state >= $3"
	failedColumns = "SELECT sync, number, key, failure FROM @entries WHERE sync = " + ofSync + " AND failure IS NOT NULL AND "
	failedByKey   = failedColumns + "substring(key FROM 1 FOR 64) = ANY ($4::bytea[]) AND key = ANY ($3::bytea[])"
	failedByID    = failedColumns + "number = ANY ($3::bigint[])"
)

// Retry durably lets the next run try the failed rows with the given keys, or all of the sync. It works in small transactions, so
// that a run may go on meanwhile. What it changed before an error or the end of ctx stays changed.
func (i inbox) Retry(ctx context.Context, sync string, keys []string, now time.Time) (rows int, err error) {
	if len(keys) > 0 {
		for chunk := range slices.Chunk(slices.Compact(slices.Sorted(slices.Values(keys))), retryBatch) {
			heads := make([]string, len(chunk))
			for k, key := range chunk {
				heads[k] = server.Head(key)
			}
			n, err := i.retry(ctx, now, failedByKey, sync, pgrow.Bytes(chunk), pgrow.Bytes(heads))
			if rows += n; err != nil {
				return rows, err
			}
		}
		return rows, nil
	}
	var numbers []int64
	err = i.query(ctx, failedRows, []any{sync, entry.Failing}, func(rows pgx.Rows) error {
		var number int64
		err := rows.Scan(&number)
		numbers = append(numbers, number)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("%s: %w", retrying, server.Explain(ctx, err))
	}
	for chunk := range slices.Chunk(numbers, retryBatch) {
		n, err := i.retry(ctx, now, failedByID, sync, chunk)
		if rows += n; err != nil {
			return rows, err
		}
	}
	return rows, nil
}

const retrying = "let failed rows of the ledger be tried"

// failedRow is an entry with a failure.
type failedRow struct {
	sync, number int64
	key          string
	failure      ledger.Failure
}

// retry makes the failed rows due that the query finds.
func (i inbox) retry(ctx context.Context, now time.Time, query string, args ...any) (rows int, err error) {
	err = i.update(ctx, retrying, server.Durable, func(t *tx) error {
		if err := t.Fence(); err != nil {
			return err
		}
		failed, err := findFailed(t, query, args)
		if rows = len(failed); rows == 0 || err != nil {
			return err
		}
		return makeDue(t, failed, now)
	})
	if err != nil {
		return 0, err
	}
	return rows, nil
}

func findFailed(t *tx, query string, args []any) (failed []failedRow, err error) {
	err = t.Find(query, args, func(rows pgx.Rows) error {
		var f failedRow
		var text []byte
		if err := rows.Scan(&f.sync, &f.number, &f.key, &text); err != nil {
			return err
		}
		if err := json.Unmarshal(text, &f.failure); err != nil {
			return fmt.Errorf("%w (the failure of an entry cannot be read)", ledger.ErrCorrupt)
		}
		failed = append(failed, f)
		return nil
	})
	return failed, err
}

// makeDue makes failed rows of one sync due, and notes that in their history.
func makeDue(t *tx, failed []failedRow, now time.Time) error {
	numbers, failures, keys := make([]int64, len(failed)), make([][]byte, len(failed)), make([]string, len(failed))
	absent := false
	for i, f := range failed {
		f.failure.Attempts, f.failure.Parked, f.failure.NextTry = 0, false, now.UTC()
		text, err := json.Marshal(f.failure)
		if err != nil {
			return fmt.Errorf("encode failure: %w", err)
		}
		numbers[i], failures[i], keys[i] = f.number, text, f.key
		absent = absent || f.failure.Absence
	}
	sync := failed[0].sync
	err := t.Exec(`UPDATE @entries e SET failure = x.failure, state = $4 FROM unnest($2::bigint[], $3::bytea[]) AS x (number, failure)
		WHERE e.sync = $1 AND e.number = x.number`, sync, numbers, failures, entry.Failing)
	if err == nil && absent { // only a run of all rows tries it
		err = t.Exec("UPDATE @bookmarks SET due = $2 WHERE sync = $1 AND mark <> '' AND (due IS NULL OR due > $2)", sync, now.UnixMicro())
	}
	if err != nil {
		return err
	}
	n := len(failed)
	syncs, at, runs := slices.Repeat([]int64{sync}, n), slices.Repeat([]int64{t.l.Now().UnixMicro()}, n), make([]int64, n)
	events, notes := slices.Repeat([]string{ledger.EventRetry}, n), slices.Repeat([]string{ledger.NoteRetry}, n)
	return t.Exec(change.AddLines, t.deployment, syncs, pgrow.Bytes(keys), at, runs, pgrow.Bytes(events), pgrow.Bytes(notes))
}
