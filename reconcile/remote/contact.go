package remote

import (
	"context"
	"fmt"
	"slices"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile/consent"
	"owlatsync/reconcile/own"
)

const (
	// creationSkew is how long before the request a contact may seem to be made that counts as made by it.
	creationSkew = 2 * time.Second
	// localSkew is the same where Owlat's clock was not known when the request was sent.
	localSkew = time.Minute
	// creationWindow is how long after its first try a create can still take effect.
	creationWindow = 10 * time.Minute
)

// Mine reports whether a contact came from a create that was sent at that time and never answered.
// The times are compared on Owlat's clock, as the client knows it.
func Mine(client *owlat.Client, clock ledger.Clock, sent ledger.Intent, c owlat.Contact) bool {
	if sent.Create.IsZero() || c.Source != "api" {
		return false
	}
	at, skew := intended(client, clock, sent), creationSkew
	if sent.Local {
		skew = localSkew
	}
	return !c.CreatedAt.Before(at.Add(-skew)) && !c.CreatedAt.After(at.Add(creationWindow))
}

// intended returns when a create was sent on Owlat's clock. If that was not known then, the difference of the clocks is taken to be the same now.
func intended(client *owlat.Client, clock ledger.Clock, sent ledger.Intent) time.Time {
	if !sent.Local {
		return sent.Create
	}
	at, _, _ := There(client, clock, sent.Create)
	return at
}

// Witnessed keeps when Owlat says the contact of the entry was last changed. Where an add is in doubt, what was known when it was
// sent stays: only that tells whether the person has left since.
func Witnessed(e *ledger.Entry, c *owlat.Contact) {
	if !slices.ContainsFunc(e.Memberships, func(m ledger.Membership) bool { return m.State == ledger.MemberSent }) {
		e.Witness = c.UpdatedAt
	}
}

// Unmoved reports whether nobody has left a topic of the contact since the add in doubt was sent: its updatedAt is that of the last
// answer before, or older than the add.
func Unmoved(e *ledger.Entry, m *ledger.Membership, c *owlat.Contact) bool {
	if !e.Witness.IsZero() {
		return c.UpdatedAt.Equal(e.Witness)
	}
	return !m.Sent.IsZero() && !c.UpdatedAt.IsZero() && !c.UpdatedAt.After(m.Sent)
}

// EntryOf returns the entry for a contact. It keeps memberships, events, failure and first sight of base. How says where Owlat's answer comes
// from; one about another contact than that of base is known without.
func EntryOf(o owlatsync.Overwrites, key string, c owlat.Contact, origin ledger.Origin, base *ledger.Entry, how own.How) *ledger.Entry {
	e := &ledger.Entry{Key: key, FirstSeen: base.FirstSeen, Memberships: base.Memberships, Failure: base.Failure, Events: base.Events}
	e.Email, e.Fields, e.FieldMarks = base.Email, base.Fields, base.FieldMarks
	if how == own.Read && base.ContactID != c.ID {
		how = own.Another
	}
	own.See(o, e, HeldBy(&c), how)
	e.ContactID, e.Origin, e.Identity = c.ID, origin, e.Email
	if e.Witness = c.UpdatedAt; base.ContactID == c.ID {
		e.Witness = base.Witness
		Witnessed(e, &c)
	}
	return e
}

// LikelierElsewhere reports whether another row's create of the same address is in doubt too and was sent nearer to the time at
// which the contact was made.
func LikelierElsewhere(ctx context.Context, client *owlat.Client, l ledger.Reader, sync string, e *ledger.Entry, made time.Time) (bool, error) {
	held, err := l.Holders(ctx, []string{e.Identity})
	if err != nil {
		return false, fmt.Errorf("read the ledger: %w", err)
	}
	return slices.ContainsFunc(held, func(h ledger.Holder) bool {
		sent, own := h.Entry.Intent, h.Sync == sync && h.Entry.Key == e.Key
		return !own && h.Entry.ContactID == "" && !sent.Create.IsZero() &&
			made.Sub(intended(client, l, sent)).Abs() < made.Sub(intended(client, l, e.Intent)).Abs()
	}), nil
}

// Rivals returns the key of a row of the sync that has the contact and is not one of keys, "" if there is none. Elsewhere says that
// another sync is known to have created the contact.
func Rivals(ctx context.Context, l ledger.Reader, sync string, keys []string, contact string) (key string, elsewhere bool, err error) {
	holders, err := l.Sharers(ctx, []string{contact})
	if err != nil {
		return "", false, fmt.Errorf("read the ledger: %w", err)
	}
	for _, h := range holders {
		switch own := h.Sync == sync; {
		case own && !slices.Contains(keys, h.Entry.Key) && h.Entry.Origin != ledger.OriginGone:
			key = h.Entry.Key
		case !own && h.Entry.Origin == ledger.OriginCreated:
			elsewhere = true
		}
	}
	return key, elsewhere, nil
}

// Deleted returns what the ledger keeps of an entry whose contact no longer exists, as was found at a time on Owlat's clock.
func Deleted(e *ledger.Entry, at time.Time) *ledger.Entry {
	return &ledger.Entry{
		Key: e.Key, Origin: ledger.OriginDeleted, FirstSeen: e.FirstSeen, Memberships: consent.AfterDeletion(e.Memberships, at),
	}
}

// Siblings returns the entries of other syncs for the contact, and reports whether one of those syncs created it: then the contact was
// not there before the syncs of this ledger. A create in doubt counts too if doubtful, which may be nil, says that it made the contact.
// Held has the entries for the contact and for its address.
func Siblings(held []ledger.Holder, sync, contact string, doubtful func(ledger.Intent) bool) (siblings []ledger.Holder, created bool) {
	for _, h := range held {
		switch e := h.Entry; {
		case h.Sync == sync:
		case e.ContactID == contact && e.Origin != ledger.OriginGone:
			siblings = append(siblings, h)
			created = created || e.Origin == ledger.OriginCreated || e.Origin == ledger.OriginDeleting
		case e.ContactID == "":
			created = created || doubtful != nil && doubtful(e.Intent)
		}
	}
	return siblings, created
}
