package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"slices"
	"time"

	"owlatsync/ledger"
)

// pruneBatch is how many lines or runs one transaction of Prune removes, so that no run waits long for the writer.
const pruneBatch = 1000

// entryPage is how many entries All reads at a time, so that no read transaction outlives a page.
const entryPage = 512

// All streams every entry of the sync, whole, in the order of their keys. Other methods may be called while it streams; an
// entry recorded meanwhile appears if its place is still to come.
func (l *Ledger) All(ctx context.Context, sync string) iter.Seq2[*ledger.Entry, error] {
	return func(yield func(*ledger.Entry, error) bool) {
		after := ""
		for more := true; more; {
			page, _, err := l.page(ctx, "e.key > ?2 ORDER BY e.key", sync, after)
			if more = yieldAll(page, err, yield) && len(page) == entryPage; more {
				after = page[entryPage-1].Key
			}
		}
	}
}

// Open streams the entries of the sync that are not in step with their rows, by how they stand. Other methods may be called
// while it streams; an entry recorded meanwhile may be missed or appear twice.
func (l *Ledger) Open(ctx context.Context, sync string) iter.Seq2[*ledger.Entry, error] {
	return func(yield func(*ledger.Entry, error) bool) {
		for state, after := stateOpen, int64(0); state <= stateParked; {
			page, last, err := l.page(ctx, "e.state = ?3 AND e.state <> 0 AND e.id > ?2 ORDER BY e.id", sync, after, state)
			if !yieldAll(page, err, yield) {
				return
			}
			if after = last; len(page) < entryPage {
				state, after = state+1, 0
			}
		}
	}
}

// page reads the entries of a sync for which the condition holds, as many as a page has, and the last one's id.
func (l *Ledger) page(ctx context.Context, condition string, args ...any) (page []*ledger.Entry, last int64, err error) {
	query := "SELECT " + entryColumns + ` FROM entries e
		WHERE e.sync = (SELECT id FROM syncs WHERE name = ?1) AND ` + condition + fmt.Sprintf(" LIMIT %d", entryPage)
	page = make([]*ledger.Entry, 0, entryPage)
	err = l.query(ctx, query, args, func(rows *sql.Rows) error {
		id, e, err := scanEntry(rows)
		if err == nil {
			page, last = append(page, e), id
		}
		return err
	})
	if err != nil {
		return nil, 0, fmt.Errorf("read entries of the ledger: %w", explain(ctx, err))
	}
	return page, last, nil
}

// yieldAll gives the entries of a page, or the error, and reports whether more are wanted.
func yieldAll(page []*ledger.Entry, err error, yield func(*ledger.Entry, error) bool) bool {
	if err != nil {
		yield(nil, err)
		return false
	}
	for _, e := range page {
		if !yield(e, nil) {
			return false
		}
	}
	return true
}

// Sharers returns the entries of all syncs that stand for one of the contacts.
func (l *Ledger) Sharers(ctx context.Context, contactIDs []string) ([]ledger.Holder, error) {
	var found []ledger.Holder
	for chunk := range slices.Chunk(contactIDs, maxParameters) {
		query := "SELECT s.name, " + entryColumns + ` FROM entries e
			JOIN syncs s ON s.id = e.sync WHERE e.contact_id IN (` + places(len(chunk)) + ")"
		err := l.query(ctx, query, arguments(chunk), func(rows *sql.Rows) error {
			var sync string
			_, e, err := scanEntry(rows, &sync)
			if err == nil {
				found = append(found, ledger.Holder{Sync: sync, Entry: e})
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("look up contacts in the ledger: %w", explain(ctx, err))
		}
	}
	return found, nil
}

// Syncs returns the names of all syncs that the ledger knows, in alphabetical order.
func (l *Ledger) Syncs(ctx context.Context) ([]string, error) {
	var names []string
	err := l.query(ctx, "SELECT name FROM syncs ORDER BY name", nil, func(rows *sql.Rows) error {
		var name string
		err := rows.Scan(&name)
		names = append(names, name)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read syncs of the ledger: %w", explain(ctx, err))
	}
	return names, nil
}

// History returns what happened to the row, in the order in which it was recorded; nothing for a row that the ledger does
// not know. Times are those of the recording.
func (l *Ledger) History(ctx context.Context, sync, key string) ([]ledger.HistoryLine, error) {
	var lines []ledger.HistoryLine
	err := l.query(ctx, `SELECT at, run, event, note FROM history
		WHERE sync = (SELECT id FROM syncs WHERE name = ?1) AND key = ?2 ORDER BY id`, []any{sync, key}, func(rows *sql.Rows) error {
		var line ledger.HistoryLine
		var at sql.NullInt64
		err := rows.Scan(&at, &line.Run, &line.Event, &line.Note)
		line.At = timeOf(at)
		lines = append(lines, line)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read history of the ledger: %w", explain(ctx, err))
	}
	return lines, nil
}

// Prune removes the lines of history that were recorded before that time and the runs that began before it, with what is
// left of their plans, and returns how many lines and runs. The latest run of each sync and held ones stay. It works in
// small transactions, so that a run may go on meanwhile; what was removed before an error or the end of ctx stays removed.
func (l *Ledger) Prune(ctx context.Context, before time.Time) (removed int64, err error) {
	for _, batch := range []func(*tx) (int64, error){
		func(t *tx) (int64, error) {
			return t.affect("DELETE FROM history WHERE id IN (SELECT id FROM history WHERE at < ?1 ORDER BY at LIMIT ?2)",
				before.UnixMicro(), pruneBatch)
		},
		func(t *tx) (int64, error) { return t.pruneRuns(before) },
	} {
		for n := int64(pruneBatch); n == pruneBatch; {
			err := l.update(ctx, "prune ledger", lazy, func(t *tx) (err error) {
				n, err = batch(t)
				return err
			})
			if err != nil {
				return removed, err
			}
			removed += n
		}
	}
	return removed, nil
}

const oldRuns = `SELECT id FROM runs r WHERE started < ?1 AND status <> ?2
	AND id < (SELECT max(id) FROM runs WHERE sync = r.sync) ORDER BY id LIMIT ?3`

func (t *tx) pruneRuns(before time.Time) (int64, error) {
	args := []any{before.UnixMicro(), statusHeld, pruneBatch}
	if err := t.exec("DELETE FROM plan WHERE run IN ("+oldRuns+")", args...); err != nil {
		return 0, err
	}
	return t.affect("DELETE FROM runs WHERE id IN ("+oldRuns+")", args...)
}
