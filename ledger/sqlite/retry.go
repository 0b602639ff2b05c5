package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"owlatsync/ledger"
	"owlatsync/ledger/internal/entry"
	"owlatsync/ledger/sqlite/internal/dbfile"
)

// inbox implements ledger.Inbox.
type inbox struct{ *base }

// retryBatch is how many failed rows one transaction of Retry changes, so that no run waits long for the writer.
const retryBatch = entry.MaxParameters

// failedRows finds the failed rows of a sync by the index on states.
const failedRows = "SELECT id FROM entries WHERE sync = (SELECT id FROM syncs WHERE name = ?1) AND state <> 0 AND state >= ?2"

// Retry durably lets the next run try the failed rows with the given keys, or all of the sync. It works in small transactions, so
// that a run may go on meanwhile. What it changed before an error or the end of ctx stays changed.
func (i inbox) Retry(ctx context.Context, sync string, keys []string, now time.Time) (rows int, err error) {
	if len(keys) > 0 {
		return retryEach(ctx, i, sync, failedByKey, slices.Compact(slices.Sorted(slices.Values(keys))), now)
	}
	var ids []int64
	err = i.query(ctx, failedRows, []any{sync, entry.Failing}, func(rows *sql.Rows) error {
		var id int64
		err := rows.Scan(&id)
		ids = append(ids, id)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("%s: %w", retrying, dbfile.Explain(ctx, err))
	}
	return retryEach(ctx, i, sync, failedByID, ids, now)
}

const retrying = "let failed rows of the ledger be tried"

// retryEach makes the failed rows due that the query finds by the values.
func retryEach[T any](ctx context.Context, i inbox, sync, query string, values []T, now time.Time) (rows int, err error) {
	for chunk := range slices.Chunk(values, retryBatch) {
		args := make([]any, 0, len(chunk)+1)
		for _, v := range chunk {
			args = append(args, v)
		}
		args = append(args, sync)
		var failed []failedRow
		err := i.update(ctx, retrying, dbfile.Durable, func(t *tx) (err error) {
			if failed, err = findFailed(t, fmt.Sprintf(query, entry.Places(len(chunk))), args); err != nil {
				return err
			}
			return makeDue(t, failed, now)
		})
		if err != nil {
			return rows, err
		}
		rows += len(failed)
	}
	return rows, nil
}

// failedRow is an entry with a failure.
type failedRow struct {
	id, sync int64
	key      string
	failure  ledger.Failure
}

// Queries that find failed rows by their keys or ids. In the second the plus keeps SQLite from reading all entries of the sync.
const (
	failedColumns = "SELECT e.id, e.sync, e.key, e.failure FROM entries e "
	failedByKey   = failedColumns + "WHERE e.key IN (%s) AND e.sync = (SELECT id FROM syncs WHERE name = ?) AND e.failure IS NOT NULL"
	failedByID    = failedColumns + "WHERE e.id IN (%s) AND +e.sync = (SELECT id FROM syncs WHERE name = ?) AND e.failure IS NOT NULL"
)

func findFailed(t *tx, query string, args []any) (failed []failedRow, err error) {
	err = t.Each(query, args, func(rows *sql.Rows) error {
		var f failedRow
		var text string
		if err := rows.Scan(&f.id, &f.sync, &f.key, &text); err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(text), &f.failure); err != nil {
			return fmt.Errorf("%w (the failure of an entry cannot be read)", ledger.ErrCorrupt)
		}
		failed = append(failed, f)
		return nil
	})
	return failed, err
}

// makeDue makes failed rows due, and notes that in their history.
func makeDue(t *tx, failed []failedRow, now time.Time) error {
	at := time.Now().UnixMicro()
	for _, f := range failed {
		f.failure.Attempts, f.failure.Parked, f.failure.NextTry = 0, false, now
		text, err := entry.EncodeFailure(&f.failure)
		if err != nil {
			return err
		}
		if err := t.Exec("UPDATE entries SET failure = ?2, state = ?3 WHERE id = ?1", f.id, text, entry.Failing); err != nil {
			return err
		}
		if f.failure.Absence { // only a run of all rows tries it
			if err := t.Exec("UPDATE bookmarks SET due = ?2 WHERE sync = ?1 AND mark <> '' AND (due IS NULL OR due > ?2)", f.sync, now.UnixMicro()); err != nil {
				return err
			}
		}
		if err := t.addLine(0, f.sync, f.key, at, 0, phrase{ledger.EventRetry, ledger.NoteRetry}); err != nil {
			return err
		}
	}
	return nil
}
