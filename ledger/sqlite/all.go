package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"math"
	"slices"

	"owlatsync/ledger"
	"owlatsync/ledger/internal/entry"
	"owlatsync/ledger/sqlite/internal/dbfile"
)

// All streams every complete entry of the sync in the order of the keys. Other methods may be called while it streams; an entry
// recorded meanwhile appears if its key is still to come.
func (r entryReader) All(ctx context.Context, sync string) iter.Seq2[*ledger.Entry, error] {
	return func(yield func(*ledger.Entry, error) bool) {
		after := ""
		for more := true; more; {
			page, _, err := r.page(ctx, "e.key > ?2 ORDER BY e.key", sync, after)
			if more = entry.YieldAll(page, err, yield) && len(page) == entry.PageSize; more {
				after = page[entry.PageSize-1].Key
			}
		}
	}
}

// Open streams the entries of the sync that are not in step with their rows, by their state. Other methods may be called while it
// streams; an entry recorded meanwhile may be missed or appear twice.
func (r entryReader) Open(ctx context.Context, sync string) iter.Seq2[*ledger.Entry, error] {
	return func(yield func(*ledger.Entry, error) bool) {
		for state, after := entry.Open, int64(0); state <= entry.Parked; {
			page, last, err := r.page(ctx, entry.OpenEntries, sync, after, state)
			if !entry.YieldAll(page, err, yield) {
				return
			}
			if after = last; len(page) < entry.PageSize {
				state, after = state+1, 0
			}
		}
	}
}

// Departed streams the departed entries of the sync whose terms are others than the given ones. Other methods may be called while it
// streams.
func (r entryReader) Departed(ctx context.Context, sync, terms string) iter.Seq2[*ledger.Entry, error] {
	return func(yield func(*ledger.Entry, error) bool) {
		// Two ranges of the index, without the terms between them.
		for _, part := range []struct {
			condition string
			terms     string
			id        int64
		}{{entry.DepartedBefore, "", 0}, {entry.DepartedAfter, terms, math.MaxInt64}} {
			for more := true; more; {
				page, last, err := r.page(ctx, part.condition, sync, terms, part.terms, part.id)
				if !entry.YieldAll(page, err, yield) {
					return
				}
				if more = len(page) == entry.PageSize; more {
					part.terms, part.id = page[entry.PageSize-1].Departed, last
				}
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
			page, id, err := r.page(ctx, entry.PendingEntries, sync, before, last)
			if more = entry.YieldAll(page, err, yield) && len(page) == entry.PageSize; more {
				before, last = page[entry.PageSize-1].Asked().UnixMicro(), id
			}
		}
	}
}

// Numbered returns the sync's entries with the given numbers of the Index.
func (r entryReader) Numbered(ctx context.Context, sync string, numbers []int64) (found []*ledger.Entry, err error) {
	for chunk := range slices.Chunk(numbers, entry.PageSize) {
		args := make([]any, len(chunk), len(chunk)+1)
		for i, n := range chunk {
			args[i] = n
		}
		err := r.query(ctx, entry.NumberedQuery(len(chunk)), append(args, sync), func(rows *sql.Rows) error {
			_, e, err := entry.Scan(rows)
			found = append(found, e)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("read entries of the ledger: %w", dbfile.Explain(ctx, err))
		}
	}
	return found, nil
}

// page reads a page of the sync's entries for which the condition holds, and the id of the last one.
func (r entryReader) page(ctx context.Context, condition string, args ...any) (page []*ledger.Entry, last int64, err error) {
	page = make([]*ledger.Entry, 0, entry.PageSize)
	err = r.query(ctx, entry.PageQuery(condition), args, func(rows *sql.Rows) error {
		id, e, err := entry.Scan(rows)
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

// Sharers returns the entries of all syncs that stand for one of the contacts.
func (r entryReader) Sharers(ctx context.Context, contactIDs []string) ([]ledger.Holder, error) {
	var found []ledger.Holder
	for chunk := range slices.Chunk(contactIDs, entry.MaxParameters) {
		err := r.query(ctx, sharersQuery(len(chunk)), entry.Arguments(chunk, entry.Arguments(chunk)...), func(rows *sql.Rows) error {
			var sync string
			_, e, err := entry.Scan(rows, &sync)
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

func sharersQuery(n int) string {
	return "SELECT s.name, " + entry.Columns + " FROM entries e JOIN syncs s ON s.id = e.sync WHERE " + entry.ContactIn("e", n)
}
