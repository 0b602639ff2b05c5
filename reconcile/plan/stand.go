package plan

import (
	"slices"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile/own"
	"owlatsync/reconcile/remote"
	"owlatsync/reconcile/step"
)

// Candidates are the entries and contacts that may stand for a row without a contact.
type Candidates struct {
	Sync     string
	Entry    *ledger.Entry   // the row's own; nil: the row is new
	Rekeyed  *ledger.Entry   // of a row that had the address and left the source; nil: none
	Holders  []ledger.Holder // entries whose contacts have the address
	Listed   owlat.Contact   // the listed contact with the address, if IsListed
	IsListed bool
	Now      time.Time
	// Overwrite says which fields of the contact may be overwritten.
	Overwrite owlatsync.Overwrites
}

// Stands returns the entry for a row whose contact is known to exist although the row has none yet, nil if there is none. Listed
// says that the contact comes from the listing. Pure.
func Stands(c Candidates, r *step.Row) (there *ledger.Entry, listed bool) {
	e := c.Entry
	known := &ledger.Entry{Key: r.Key, Email: r.Email, Identity: r.Email, Origin: ledger.OriginAdopted, FirstSeen: c.Now}
	if e != nil {
		if known.FirstSeen = e.FirstSeen; e.Origin != ledger.OriginExported { // else it failed because there was no contact
			known.Failure = e.Failure
		}
		known.Memberships, known.Events = e.Memberships, ledger.Seen(e.Events)
	}
	holders := slices.DeleteFunc(slices.Clone(c.Holders), func(h ledger.Holder) bool { return h.Entry.Origin == ledger.OriginGone })
	elsewhere := len(holders) > 0 && holders[0].Sync != c.Sync && !holders[0].Entry.Doubt &&
		!slices.ContainsFunc(holders, func(h ledger.Holder) bool { return h.Sync == c.Sync && h.Entry.ContactID == holders[0].Entry.ContactID })
	switch {
	case c.Rekeyed != nil:
		return underNewKey(r.Key, c.Rekeyed, e), false
	case e != nil && !e.Intent.Create.IsZero():
		return nil, false // without contacts:read nothing could be looked up: the next create tells
	case elsewhere:
		h := holders[0].Entry
		own.See(c.Overwrite, known, own.Held{Email: known.Email, Fields: h.Fields}, own.Another)
		known.ContactID, known.Identity, known.Witness = h.ContactID, h.Identity, h.Witness
		return known, false
	case c.IsListed && owlatsync.LowerAddress(c.Listed.Email) == r.Email:
		own.See(c.Overwrite, known, own.Held{Email: known.Email, Fields: remote.FieldsOf(&c.Listed)}, own.Another)
		known.ContactID, known.Witness = c.Listed.ID, c.Listed.UpdatedAt
		return known, true
	}
	return nil, false
}

// underNewKey returns the entry of a row whose key has changed. Own is the entry of the row if it stood beside the old one, else
// nil: the old row's "no" to a topic does not make its own "yes" new.
func underNewKey(key string, rekeyed, own *ledger.Entry) *ledger.Entry {
	moved := *rekeyed
	moved.Key, moved.Fingerprint, moved.Doubt, moved.Failure, moved.Departed = key, ledger.Fingerprint{}, false, nil, ""
	if own != nil {
		moved.Memberships = slices.DeleteFunc(slices.Clone(moved.Memberships), func(m ledger.Membership) bool {
			its := own.Membership(m.Topic)
			return !m.Consent && m.State != ledger.MemberLeaving && (its == nil || its.Consent)
		})
	}
	return &moved
}
