package ask

import (
	"context"
	"errors"
	"fmt"

	"owlatsync"
	"owlatsync/owlat"
	"owlatsync/reconcile/remote"
)

const (
	// blindCost is how many requests more than one a blind creation may take: the conflict, and reading or updating.
	blindCost = 2
	// worthAsking is how many rows without a contact make the first page of a listing worth its request.
	worthAsking = 5
)

// Rows are the rows whose contacts are looked for.
type Rows struct {
	Unknown int               // how many there are for whose address the ledger has no contact
	Wants   func(uint64) bool // whether a row has the address of that hash
	Adopted bool              // the sync has compared its rows with Owlat's contacts before
}

// Adopt finds contacts that were in Owlat before the sync, by listing them where that is cheaper than running into them. It tells
// how far it is.
func (a *Asker) Adopt(ctx context.Context, r Rows, tell func(contacts, total int)) (*Listed, owlatsync.Adoption, error) {
	listed := &Listed{at: make(map[uint64]remote.Spot)}
	how := owlatsync.Adoption{Mode: owlatsync.AdoptCreate}
	switch {
	case r.Unknown == 0:
		how.Mode, how.Reason = owlatsync.AdoptNothing, "the contact of every row is known"
		return listed, how, nil
	case r.Adopted:
		how.Reason = fmt.Sprintf("%s not met before: created without looking", owlatsync.Counted(r.Unknown, "row"))
		return listed, how, nil
	case r.Unknown < worthAsking:
		how.Reason = fmt.Sprintf("creating %s without looking is cheaper than listing", owlatsync.Counted(r.Unknown, "row"))
		return listed, how, nil
	}
	twins := make(map[uint64]struct{})
	for page, err := range remote.List(ctx, a.Client) {
		if errors.Is(err, owlat.ErrForbidden) {
			how.Mode, how.Reason = owlatsync.AdoptCreate, "the key may not list contacts (scope contacts:read): those that exist are met by conflict"
			return listed, how, nil
		}
		if err != nil {
			return nil, how, remote.Stopped(err)
		}
		how.Requests++
		if how.Requests == 1 {
			how.Mode, how.Reason = listOrCreate(r.Unknown, page.Total)
			if how.Mode == owlatsync.AdoptCreate {
				return listed, how, nil
			}
		}
		how.Contacts += len(page.Contacts)
		listed.add(page.Contacts, r.Wants, func(hash uint64) { twins[hash] = struct{}{} })
		tell(how.Contacts, page.Total)
	}
	how.Twins = len(twins)
	return listed, how, nil
}

// listOrCreate decides, once the first page has told how many contacts there are, whether listing the rest costs less than
// creating the unknown rows blindly could.
func listOrCreate(unknown, contacts int) (owlatsync.AdoptionMode, string) {
	pages := remote.ListingCost(contacts)
	if most := blindCost * unknown; pages-1 > most {
		return owlatsync.AdoptCreate, fmt.Sprintf("listing %s would cost %s, creating %s without looking could cost %d more",
			owlatsync.Counted(contacts, "contact"), owlatsync.Counted(pages, "request"), owlatsync.Counted(unknown, "row"), most)
	}
	return owlatsync.AdoptListing, fmt.Sprintf("listing %s costs %s, creating %s without looking could cost %d more",
		owlatsync.Counted(contacts, "contact"), owlatsync.Counted(pages, "request"), owlatsync.Counted(unknown, "row"), blindCost*unknown)
}
