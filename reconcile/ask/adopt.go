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
	// blindCost is how many extra requests a blind creation can cost: the conflict, and a read or an update.
	blindCost = 2
	// worthAsking is the least number of rows without a contact for which the first page of a listing is worth its request.
	worthAsking = 5
)

// Rows describes the rows whose contacts are looked for.
type Rows struct {
	Unknown int               // rows for whose address the ledger has no contact
	Wants   func(uint64) bool // reports whether a row has the address with that hash
	Adopted bool              // the sync has compared its rows with Owlat's contacts before
	Imports int               // rows that were exported for Owlat's importer, and whose contacts are looked for one by one if none are listed
	Must    bool              // all contacts are listed, whatever it costs
}

// Adopt finds contacts that were in Owlat before the sync. It lists Owlat's contacts if that costs less than conflicts would, and
// tells its progress. Without the scope contacts:read it lists nothing. It lists once: a later stretch of the run gets what is left
// of the listing, and its rows that are new since are created without looking.
func (a *Asker) Adopt(ctx context.Context, r Rows, tell func(contacts, total int)) (*Listed, owlatsync.Adoption, error) {
	if a.listed != nil {
		a.listed.old = true
		return a.listed, owlatsync.Adoption{Mode: a.mode, Reason: "this run has compared its rows with Owlat before"}, nil
	}
	listed, how, err := a.adopt(ctx, r, tell)
	if err == nil {
		a.listed, a.mode = listed, how.Mode
	}
	return listed, how, err
}

func (a *Asker) adopt(ctx context.Context, r Rows, tell func(contacts, total int)) (*Listed, owlatsync.Adoption, error) {
	listed := &Listed{at: make(map[uint64]remote.Spot)}
	how := owlatsync.Adoption{Mode: owlatsync.AdoptCreate}
	switch {
	case r.Unknown == 0:
		how.Mode, how.Reason = owlatsync.AdoptNothing, "the contact of every row is known"
		return listed, how, nil
	case r.Must, r.Imports >= worthAsking:
	case r.Adopted:
		how.Reason = fmt.Sprintf("%s not met before: created without looking", owlatsync.Counted(r.Unknown, "row"))
		return listed, how, nil
	case r.Unknown < worthAsking:
		how.Reason = fmt.Sprintf("creating %s without looking is cheaper than listing", owlatsync.Counted(r.Unknown, "row"))
		return listed, how, nil
	}
	twins := make(map[uint64]struct{})
	for page, err := range remote.List(ctx, a.Client) {
		if errors.Is(err, owlat.ErrForbidden) && !r.Must {
			how.Mode, how.Reason = owlatsync.AdoptCreate, "the key may not list contacts (scope contacts:read): those that exist are met by conflict"
			return listed, how, nil
		}
		if err != nil {
			return nil, how, remote.Stopped(err)
		}
		how.Requests++
		if how.Requests == 1 {
			how.Mode, how.Reason = r.worth(page.Total)
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

// worth decides, after the first page, whether the rest of the contacts is listed.
func (r *Rows) worth(contacts int) (owlatsync.AdoptionMode, string) {
	pages := remote.ListingCost(contacts)
	switch {
	case r.Must:
		return owlatsync.AdoptListing, fmt.Sprintf("listing %s costs %s", owlatsync.Counted(contacts, "contact"), owlatsync.Counted(pages, "request"))
	case r.Imports > 0 && pages-1 <= r.Imports:
		return owlatsync.AdoptListing, fmt.Sprintf("listing %s costs %s, looking for %s that were exported for import would cost %d",
			owlatsync.Counted(contacts, "contact"), owlatsync.Counted(pages, "request"), owlatsync.Counted(r.Imports, "row"), r.Imports)
	case r.Adopted:
		return owlatsync.AdoptCreate, fmt.Sprintf("looking for %s that were exported for import costs less than listing %s",
			owlatsync.Counted(r.Imports, "row"), owlatsync.Counted(contacts, "contact"))
	}
	return listOrCreate(r.Unknown, contacts)
}

// listOrCreate decides after the first page, which tells the number of contacts, whether listing the rest costs less than creating
// the unknown rows blindly. Pure.
func listOrCreate(unknown, contacts int) (owlatsync.AdoptionMode, string) {
	pages := remote.ListingCost(contacts)
	if most := blindCost * unknown; pages-1 > most {
		return owlatsync.AdoptCreate, fmt.Sprintf("listing %s would cost %s, creating %s without looking could cost %d more",
			owlatsync.Counted(contacts, "contact"), owlatsync.Counted(pages, "request"), owlatsync.Counted(unknown, "row"), most)
	}
	return owlatsync.AdoptListing, fmt.Sprintf("listing %s costs %s, creating %s without looking could cost %d more",
		owlatsync.Counted(contacts, "contact"), owlatsync.Counted(pages, "request"), owlatsync.Counted(unknown, "row"), blindCost*unknown)
}
