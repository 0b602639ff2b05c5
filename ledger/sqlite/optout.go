package sqlite

import (
	"context"
	"errors"

	"owlatsync/ledger"
	"owlatsync/ledger/sqlite/internal/dbfile"
)

const (
	insertOptOut = "INSERT INTO opt_outs (contact_id, topic, at) VALUES (?1, ?2, ?3)"
	upsertOptOut = insertOptOut + " ON CONFLICT (contact_id, topic) DO UPDATE SET at = max(at, excluded.at)"
)

var errNoOptOut = errors.New("an opt-out names no contact, no topic or no time")

// NoteOptOuts durably records opt-outs, all or none. Of several for one contact and topic the latest counts.
func (i inbox) NoteOptOuts(ctx context.Context, optOuts ...ledger.OptOut) error {
	if len(optOuts) == 0 {
		return nil
	}
	return i.update(ctx, "note opt-outs in ledger", dbfile.Durable, func(t *tx) error {
		t.acts, t.closes = true, true
		for _, o := range optOuts {
			if o.ContactID == "" || o.Topic == "" || o.At.IsZero() {
				return errNoOptOut
			}
			if err := t.Exec(upsertOptOut, o.ContactID, o.Topic, o.At.UnixMicro()); err != nil {
				return err
			}
		}
		return nil
	})
}
