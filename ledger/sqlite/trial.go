package sqlite

import (
	"context"
	"fmt"
	"strings"

	"owlatsync/ledger/sqlite/internal/dbfile"
)

const (
	// trialWrite changes a page and none of what it says.
	trialWrite = "UPDATE age SET set_back = set_back"
	// A page finds room in the log's file even on a full disk, so what was full must take this much first.
	trialRoom  = 64 << 10
	trialFill  = "INSERT INTO meta (name, value) VALUES ('room', ?1) ON CONFLICT DO UPDATE SET value = excluded.value"
	trialEmpty = "DELETE FROM meta WHERE name = 'room'"
)

// Try makes a durable write that changes nothing, and returns why the ledger does not take one, nil if it does. After a write that found
// no room, Try also asks for some. It waits for other writers: ten seconds for those of other processes.
func (l *Ledger) Try(ctx context.Context) error {
	const doing = "try to write the ledger"
	if err := l.f.TakeWriter(ctx); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	defer l.f.LeaveWriter()
	one := func(query string, args ...any) error {
		return l.writeOnce(ctx, dbfile.Durable, func(t *tx) error { return t.Exec(query, args...) })
	}
	err := one(trialWrite)
	if err == nil && l.full.Load() {
		if err = one(trialFill, strings.Repeat("x", trialRoom)); err == nil {
			err = one(trialEmpty)
		}
		l.full.Store(err != nil)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", doing, dbfile.Explain(context.WithoutCancel(ctx), err))
	}
	return nil
}
