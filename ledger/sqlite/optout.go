package sqlite

import (
	"context"

	"owlatsync/ledger"
	"owlatsync/ledger/sqlite/internal/dbfile"
	"owlatsync/ledger/sqlite/internal/heard"
)

// NoteOptOuts durably records opt-outs, all or none. Of several for one contact and topic the latest counts.
func (i inbox) NoteOptOuts(ctx context.Context, optOuts ...ledger.OptOut) error {
	if len(optOuts) == 0 {
		return nil
	}
	return i.update(ctx, "note opt-outs in ledger", dbfile.Durable, func(t *tx) error {
		t.acts, t.closes = true, true
		return heard.LeaveAll(t.Tx, optOuts)
	})
}
