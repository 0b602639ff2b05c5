package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"math"
	"slices"

	"owlatsync/ledger"
	"owlatsync/ledger/sqlite/internal/dbfile"
)

// entryPage is how many entries All reads at once, so that no read transaction outlives a page.
const entryPage = 512

// All streams every complete entry of the sync in the order of the keys. Other methods may be called while it streams; an entry
// recorded meanwhile appears if its key is still to come.
func (r entryReader) All(ctx context.Context, sync string) iter.Seq2[*ledger.Entry, error] {
	return func(yield func(*ledger.Entry, error) bool) {
		after := ""
		for more := true; more; {
			page, _, err := r.page(ctx, "e.key > ?2 ORDER BY e.key", sync, after)
			if more = yieldAll(page, err, yield) && len(page) == entryPage; more {
				after = page[entryPage-1].Key
			}
		}
	}
}

// Open streams the entries of the sync that are not in step with their rows, by their state. Other methods may be called while it
// streams; an entry recorded meanwhile may be missed or appear twice.
func (r entryReader) Open(ctx context.Context, sync string) iter.Seq2[*ledger.Entry, error] {
	return func(yield func(*ledger.Entry, error) bool) {
		for state, after := stateOpen, int64(0); state <= stateParked; {
			page, last, err := r.page(ctx, "e.state = ?3 AND e.state <> 0 AND e.id > ?2 ORDER BY e.id", sync, after, state)
			if !yieldAll(page, err, yield) {
				return
			}
			if after = last; len(page) < entryPage {
				state, after = state+1, 0
			}
		}
	}
}

// Pending streams the entries of the sync that have an Asked, the latest first. Other methods may be called while it streams; an
// entry recorded meanwhile may be missed or appear twice.
func (r entryReader) Pending(ctx context.Context, sync string) iter.Seq2[*ledger.Entry, error] {
	return func(yield func(*ledger.Entry, error) bool) {
		before, last := int64(math.MaxInt64), int64(math.MaxInt64)
		for more := true; more; {
			page, id, err := r.page(ctx, "e.asked IS NOT NULL AND (e.asked, e.id) < (?2, ?3) ORDER BY e.asked DESC, e.id DESC", sync, before, last)
			if more = yieldAll(page, err, yield) && len(page) == entryPage; more {
				before, last = page[entryPage-1].Asked().UnixMicro(), id
			}
		}
	}
}

// page reads a page of the sync's entries for which the condition holds, and the id of the last one.
func (r entryReader) page(ctx context.Context, condition string, args ...any) (page []*ledger.Entry, last int64, err error) {
	query := "SELECT " + entryColumns + ` FROM entries e
		WHERE e.sync = (SELECT id FROM syncs WHERE name = ?1) AND ` + condition + fmt.Sprintf(" LIMIT %d", entryPage)
	page = make([]*ledger.Entry, 0, entryPage)
	err = r.query(ctx, query, args, func(rows *sql.Rows) error {
		id, e, err := scanEntry(rows)
		if err == nil {
			page, last = append(page, e), id
		}
		return err
	})
	if err != nil {
		return nil, 0, fmt.Errorf("read entries of the ledger: %w", dbfile.Explain(ctx, err))
	}
	return page, last, nil
}

// yieldAll yields the entries of a page, or the error, and reports whether the caller wants more.
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
func (r entryReader) Sharers(ctx context.Context, contactIDs []string) ([]ledger.Holder, error) {
	var found []ledger.Holder
	for chunk := range slices.Chunk(contactIDs, maxParameters) {
		query := "SELECT s.name, " + entryColumns + ` FROM entries e
			JOIN syncs s ON s.id = e.sync WHERE e.contact_id IN (` + places(len(chunk)) + ")"
		err := r.query(ctx, query, arguments(chunk), func(rows *sql.Rows) error {
			var sync string
			_, e, err := scanEntry(rows, &sync)
			if err == nil {
				found = append(found, ledger.Holder{Sync: sync, Entry: e})
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("look up contacts in the ledger: %w", dbfile.Explain(ctx, err))
		}
	}
	return found, nil
}
