package entries

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"

	"github.com/jackc/pgx/v5"

	"owlatsync/ledger"
	"owlatsync/ledger/internal/entry"
	"owlatsync/ledger/postgres/internal/entryrow"
	"owlatsync/ledger/postgres/internal/server"
)

// errEnough ends a stream whose caller wants no more.
var errEnough = errors.New("the caller wants no more")

// pageSize is how many entries are read at once, so that no statement outlives a page.
const pageSize = 1000

// Conditions of pages. $1 is the deployment and $2 the sync.
const (
	// afterKey goes on after the key $3. The index has the beginnings of the keys.
	afterKey       = "substring(e.key FROM 1 FOR 64) >= substring($3::bytea FROM 1 FOR 64) AND e.key > $3 ORDER BY substring(e.key FROM 1 FOR 64), e.key"
	openEntries    = "e.state = $4 AND e.state <> 0 AND e.number > $3 ORDER BY e.number"
	pendingEntries = "e.asked IS NOT NULL AND (e.asked, e.number) < ($3, $4) ORDER BY e.asked DESC, e.number DESC"
	departedOrder  = " AND e.departed IS NOT NULL AND (e.departed, e.number) > ($4, $5) ORDER BY e.departed, e.number"
	departedBefore = "e.departed < $3" + departedOrder
	departedAfter  = "e.departed > $3" + departedOrder
)

// All streams every complete entry of the sync in the order of the keys. Other methods may be called while it streams; an entry
// recorded meanwhile appears if its key is still to come.
func (r Reader) All(ctx context.Context, sync string) iter.Seq2[*ledger.Entry, error] {
	return func(yield func(*ledger.Entry, error) bool) {
		after := ""
		for more := true; more; {
			page, _, err := r.page(ctx, afterKey, sync, after)
			if more = entry.YieldAll(page, err, yield) && len(page) == pageSize; more {
				after = page[pageSize-1].Key
			}
		}
	}
}

// Open streams the entries of the sync that are not in step with their rows, by their state. Other methods may be called while it
// streams; an entry recorded meanwhile may be missed or appear twice.
func (r Reader) Open(ctx context.Context, sync string) iter.Seq2[*ledger.Entry, error] {
	return func(yield func(*ledger.Entry, error) bool) {
		for state, after := entry.Open, int64(0); state <= entry.Parked; {
			page, last, err := r.page(ctx, openEntries, sync, after, state)
			if !entry.YieldAll(page, err, yield) {
				return
			}
			if after = last; len(page) < pageSize {
				state, after = state+1, 0
			}
		}
	}
}

// Departed streams the departed entries of the sync whose terms are others than the given ones. Other methods may be called while it
// streams.
func (r Reader) Departed(ctx context.Context, sync, terms string) iter.Seq2[*ledger.Entry, error] {
	return func(yield func(*ledger.Entry, error) bool) {
		// Two ranges of the index, without the terms between them.
		for _, part := range []struct {
			condition string
			terms     string
			number    int64
		}{{departedBefore, "", 0}, {departedAfter, terms, math.MaxInt64}} {
			for more := true; more; {
				page, last, err := r.page(ctx, part.condition, sync, terms, part.terms, part.number)
				if !entry.YieldAll(page, err, yield) {
					return
				}
				if more = len(page) == pageSize; more {
					part.terms, part.number = page[pageSize-1].Departed, last
				}
			}
		}
	}
}

// Pending streams the entries of the sync that have an Asked, the latest first. Other methods may be called while it streams; an
// entry recorded meanwhile may be missed or appear twice.
func (r Reader) Pending(ctx context.Context, sync string) iter.Seq2[*ledger.Entry, error] {
	return func(yield func(*ledger.Entry, error) bool) {
		before, last := int64(math.MaxInt64), int64(math.MaxInt64)
		for more := true; more; {
			page, number, err := r.page(ctx, pendingEntries, sync, before, last)
			if more = entry.YieldAll(page, err, yield) && len(page) == pageSize; more {
				before, last = page[pageSize-1].Asked().UnixMicro(), number
			}
		}
	}
}

// page reads a page of the sync's entries for which the condition holds, and the number of the last one.
func (r Reader) page(ctx context.Context, condition string, args ...any) (page []*ledger.Entry, last int64, err error) {
	err = r.Query(ctx, "SELECT "+entryrow.Columns+" FROM @entries e WHERE e.sync = "+OfSync+" AND "+condition+fmt.Sprintf(" LIMIT %d", pageSize), args,
		func(rows pgx.Rows) error {
			number, e, err := r.Scan(ctx, rows)
			if err == nil {
				page, last = append(page, e), number
			}
			return err
		})
	if err != nil {
		return nil, 0, fmt.Errorf("read entries of the ledger: %w", server.Explain(ctx, err))
	}
	return page, last, nil
}
