package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat"
)

const (
	// blindCost is how many requests more than one a blind creation may take: the conflict, and reading or updating.
	blindCost = 2
	// worthAsking is how many rows without a contact make the first page of a listing worth its request.
	worthAsking = 5
)

// adopt finds contacts that were in Owlat before the sync, by listing them where that is cheaper than running into them.
func (p *planner) adopt(ctx context.Context, adopted bool) error {
	unknown := p.scan.unknown
	a := &p.summary.Adoption
	switch {
	case unknown == 0:
		a.Mode, a.Reason = owlatsync.AdoptNothing, "the contact of every row is known"
		return nil
	case adopted:
		a.Mode, a.Reason = owlatsync.AdoptCreate, fmt.Sprintf("%s not met before: created without looking", counted(unknown, "row"))
		return nil
	case unknown < worthAsking:
		a.Mode, a.Reason = owlatsync.AdoptCreate, fmt.Sprintf("creating %s without looking is cheaper than listing", counted(unknown, "row"))
		return nil
	}
	p.listed = &listed{at: make(map[uint64]spot)}
	wanted := func(hash uint64) bool { _, ok := p.scan.addresses[hash]; return ok }
	twins := make(map[uint64]struct{})
	for page, err := range listContacts(ctx, p.client) {
		if errors.Is(err, owlat.ErrForbidden) {
			a.Mode, a.Reason = owlatsync.AdoptCreate, "the key may not list contacts (scope contacts:read): those that exist are met by conflict"
			return nil
		}
		if err != nil {
			return stopped(err)
		}
		a.Requests++
		if a.Requests == 1 {
			a.Mode, a.Reason = listOrCreate(unknown, page.Total)
			if a.Mode == owlatsync.AdoptCreate {
				return nil
			}
		}
		a.Contacts += len(page.Contacts)
		p.listed.add(page.Contacts, wanted, func(hash uint64) { twins[hash] = struct{}{} })
		p.emit(Listing{Contacts: a.Contacts, Total: page.Total})
	}
	a.Twins = len(twins)
	return nil
}

// listOrCreate decides, once the first page has told how many contacts there are, whether listing the rest costs less than
// creating the unknown rows blindly could.
func listOrCreate(unknown, contacts int) (owlatsync.AdoptionMode, string) {
	pages := listingCost(contacts)
	if most := blindCost * unknown; pages-1 > most {
		return owlatsync.AdoptCreate, fmt.Sprintf("listing %s would cost %s, creating %s without looking could cost %d more",
			counted(contacts, "contact"), counted(pages, "request"), counted(unknown, "row"), most)
	}
	return owlatsync.AdoptListing, fmt.Sprintf("listing %s costs %s, creating %s without looking could cost %d more",
		counted(contacts, "contact"), counted(pages, "request"), counted(unknown, "row"), blindCost*unknown)
}

func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

const (
	// creationSkew is how far Owlat's clock may be behind ours for a contact to count as made by a create of ours.
	creationSkew = time.Minute
	// creationWindow is how long after it was first sent, tries included, a create can still have taken effect.
	creationWindow = 10 * time.Minute
)

// mine reports whether a contact that was found came from a create that was sent at the given time and never answered.
func mine(sent time.Time, c owlat.Contact) bool {
	return !sent.IsZero() && c.Source == "api" && !c.CreatedAt.Before(sent.Add(-creationSkew)) && !c.CreatedAt.After(sent.Add(creationWindow))
}

// entryOf returns what the ledger keeps of a contact.
func entryOf(key string, c owlat.Contact, origin ledger.Origin, base *ledger.Entry) *ledger.Entry {
	e := &ledger.Entry{Key: key, FirstSeen: base.FirstSeen, Memberships: base.Memberships, Failure: base.Failure, Events: base.Events}
	e.ContactID, e.Origin = c.ID, origin
	e.Email = owlatsync.LowerAddress(c.Email)
	e.Identity, e.FirstName, e.LastName = e.Email, c.FirstName, c.LastName
	return e
}
