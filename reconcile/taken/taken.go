// Package taken finds out who has the address that a row needs, as far as the ledger tells.
package taken

import (
	"context"
	"fmt"

	"owlatsync/ledger"
	"owlatsync/reconcile/remote"
	"owlatsync/reconcile/step"
)

// By is the failure of a row whose address another row's contact has.
func By(holder ledger.RowRef, format string, args ...any) *remote.Failure {
	return &remote.Failure{Class: ledger.RetryLater, Category: ledger.CategoryTaken, Holder: holder,
		Reason: "another contact in Owlat has the row's address: " + fmt.Sprintf(format, args...)}
}

// Awaited returns a failure if another row of the sync should have freed the address and has not: Owlat would give it to a second contact.
func Awaited(ctx context.Context, l ledger.Reader, sync string, row *step.Row) (*remote.Failure, error) {
	held, err := l.Holders(ctx, []string{row.Email})
	if err != nil {
		return nil, err
	}
	for _, h := range held {
		if h.Sync == sync && h.Entry.Key != row.Key && h.Entry.ContactID != "" && h.Entry.Email == row.Email && h.Entry.Origin != ledger.OriginGone {
			return By(step.Ref(h.Sync, h.Entry.Key), "it is the contact %s of %s, which was to get another one", h.Entry.ContactID, step.RowName(h.Entry.Key)), nil
		}
	}
	return nil, nil
}

// Kept returns a failure if the contact of a row that left the source still has the address, although the run was to delete it. Owlat would
// refuse the address. Left are the keys of such rows.
func Kept(ctx context.Context, l ledger.Reader, sync string, left []string) (*remote.Failure, error) {
	if len(left) == 0 {
		return nil, nil
	}
	entries, err := l.Entries(ctx, sync, left)
	if err != nil {
		return nil, err
	}
	for _, key := range left {
		if e := entries[key]; e != nil && e.ContactID != "" && e.Origin != ledger.OriginGone {
			if e.Origin == ledger.OriginAdopted { // it was merged into this one
				return By(step.Ref(sync, key), "%s has left the source, and the contact %s, into which Owlat merged its own, has it: the sync did not create "+
					"that one, so it is not deleted: delete that contact in Owlat, or give it another address there", step.RowName(key), e.ContactID), nil
			}
			return By(step.Ref(sync, key), "it is the contact %s of %s, which has left the source: it is to be deleted first, and that did not come about; "+
				"the next run tries again", e.ContactID, step.RowName(key)), nil
		}
	}
	return nil, nil
}

// Holder says who has the address, if the ledger knows a contact that exists, and names its row. Drift says that no contact has it as its
// present address, so that only one that once had it can hold it.
func Holder(ctx context.Context, l ledger.Reader, sync string, row *step.Row, drift bool) (says string, by ledger.RowRef) {
	held, err := l.Holders(ctx, []string{row.Email})
	if err == nil {
		for _, h := range held {
			e := h.Entry
			if e.ContactID == "" || e.Origin == ledger.OriginGone || h.Sync == sync && e.Key == row.Key {
				continue
			}
			if drift && e.Identity == row.Email && e.Email != row.Email || !drift && e.Email == row.Email {
				return fmt.Sprintf("it belongs to the contact %s of %s in sync %q", e.ContactID, step.RowName(e.Key), h.Sync), step.Ref(h.Sync, e.Key)
			}
		}
	}
	return "no row of the ledger is known to stand for it", by
}
