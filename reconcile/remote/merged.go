package remote

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile/consent"
	"owlatsync/reconcile/own"
)

const merged = "the contact's id is gone from Owlat, and another contact has its address: most likely they were merged. "

const (
	// ReasonMerged is the reason of a row that goes on with another contact.
	ReasonMerged = merged + "That one is adopted, and nobody is added to a topic"
	// ReasonMergedAbsent is that of a row that has left the source.
	ReasonMergedAbsent = merged + "That one was not created by the sync and is not deleted: it leaves the topics"
)

// Heir returns the contact that has an address of the entry although the contact of the entry is gone. Most likely Owlat merged the
// two. It returns nil if there is none, if it cannot be read without the scope contacts:read, or if another row of the sync has it.
// Addresses are tried in their order; empty ones are left out.
func Heir(ctx context.Context, client *owlat.Client, l ledger.Reader, sync string, e *ledger.Entry, addresses ...string) (*owlat.Contact, error) {
	asked := ""
	for _, address := range addresses {
		if address == "" || address == asked {
			continue
		}
		asked = address
		c, err := Find(ctx, client, address)
		switch {
		case IsGone(err):
			continue
		case errors.Is(err, owlat.ErrForbidden):
			return nil, nil
		case err != nil:
			return nil, err
		}
		if free, err := Free(ctx, l, sync, e, c.ID); err != nil || !free {
			return nil, err
		}
		return c, nil
	}
	return nil, nil
}

// Free reports whether the row of the entry may go on with the contact: it is another one than its own, and no other row of the sync
// has it.
func Free(ctx context.Context, l ledger.Reader, sync string, e *ledger.Entry, contact string) (bool, error) {
	holders, err := l.Sharers(ctx, []string{contact})
	if err != nil {
		return false, fmt.Errorf("read the ledger: %w", err)
	}
	for _, h := range holders {
		if h.Sync == sync && h.Entry.Key != e.Key && h.Entry.Origin != ledger.OriginGone {
			return false, nil
		}
	}
	return contact != e.ContactID, nil
}

// Succeed is Inherit for a row that is planned again: what it says now is as old as if the contact had been there before, so that a yes
// of just now adds nobody either.
func Succeed(o owlatsync.Overwrites, e *ledger.Entry, c owlat.Contact) *ledger.Entry {
	heir := Inherit(o, e, c)
	heir.Memberships = slices.DeleteFunc(heir.Memberships, func(m ledger.Membership) bool {
		return !m.Consent && m.State != ledger.MemberLeaving // of the contact that is there now it is not known whether it is on the topic
	})
	return heir
}

// Inherit returns the entry of a row that goes on with another contact because its own was merged into it.
func Inherit(o owlatsync.Overwrites, e *ledger.Entry, c owlat.Contact) *ledger.Entry {
	heir := EntryOf(o, e.Key, c, ledger.OriginAdopted, e, own.Read)
	heir.Memberships, heir.ChangedAt, heir.Departed = consent.Old(e.Memberships), e.ChangedAt, e.Departed
	return heir
}
