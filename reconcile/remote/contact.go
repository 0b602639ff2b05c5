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
)

const (
	// creationSkew is how far Owlat's clock may be behind ours for a contact to count as created by our request.
	creationSkew = time.Minute
	// creationWindow is how long after its first try a create can still take effect.
	creationWindow = 10 * time.Minute
)

// Mine reports whether a contact came from a create that was sent at that time and never answered.
func Mine(sent time.Time, c owlat.Contact) bool {
	return !sent.IsZero() && c.Source == "api" && !c.CreatedAt.Before(sent.Add(-creationSkew)) && !c.CreatedAt.After(sent.Add(creationWindow))
}

// EntryOf returns the entry for a contact. It keeps memberships, events, failure and first sight of base.
func EntryOf(key string, c owlat.Contact, origin ledger.Origin, base *ledger.Entry) *ledger.Entry {
	e := &ledger.Entry{Key: key, FirstSeen: base.FirstSeen, Memberships: base.Memberships, Failure: base.Failure, Events: base.Events}
	e.ContactID, e.Origin = c.ID, origin
	e.Email = owlatsync.LowerAddress(c.Email)
	e.Identity, e.Fields = e.Email, FieldsOf(&c)
	return e
}

// LikelierElsewhere reports whether another row's create of the same address is in doubt too and was sent nearer to the time at
// which the contact was made.
func LikelierElsewhere(ctx context.Context, l ledger.Reader, sync string, e *ledger.Entry, made time.Time) (bool, error) {
	held, err := l.Holders(ctx, []string{e.Identity})
	if err != nil {
		return false, fmt.Errorf("read the ledger: %w", err)
	}
	return slices.ContainsFunc(held, func(h ledger.Holder) bool {
		sent, own := h.Entry.Intent.Create, h.Sync == sync && h.Entry.Key == e.Key
		return !own && h.Entry.ContactID == "" && !sent.IsZero() && made.Sub(sent).Abs() < made.Sub(e.Intent.Create).Abs()
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

// Deleted returns what the ledger keeps of an entry whose contact no longer exists.
func Deleted(e *ledger.Entry) *ledger.Entry {
	return &ledger.Entry{
		Key: e.Key, Origin: ledger.OriginDeleted, FirstSeen: e.FirstSeen, Memberships: consent.AfterDeletion(e.Memberships, time.Now()),
	}
}

// Siblings returns the entries of other syncs for the contact, and reports whether one of those syncs created it: then the contact was
// not there before the syncs of this ledger. A create in doubt counts too. Held has the entries for the contact and for its address.
func Siblings(held []ledger.Holder, sync string, c owlat.Contact) (siblings []ledger.Holder, created bool) {
	for _, h := range held {
		switch e := h.Entry; {
		case h.Sync == sync:
		case e.ContactID == c.ID && e.Origin != ledger.OriginGone:
			siblings = append(siblings, h)
			created = created || e.Origin == ledger.OriginCreated || e.Origin == ledger.OriginDeleting
		case e.ContactID == "":
			created = created || Mine(e.Intent.Create, c)
		}
	}
	return siblings, created
}
