package ask

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"owlatsync"
	"owlatsync/owlat"
	"owlatsync/reconcile/remote"
)

// Seen keeps contacts that were listed because they are to be changed, by their ids. A nil Seen has none.
type Seen struct {
	roll remote.Roll
	at   map[string]remote.Spot
}

// Has reports whether the contact was listed.
func (s *Seen) Has(id string) bool {
	if s == nil {
		return false
	}
	_, ok := s.at[id]
	return ok
}

// Find returns the contact as it was listed.
func (s *Seen) Find(id string) (c *owlat.Contact, ok bool) {
	if !s.Has(id) {
		return nil, false
	}
	found := s.roll.Contact(s.at[id])
	for _, text := range remote.Texts(&found) {
		*text = strings.Clone(*text) // else the texts would keep the whole page in memory
	}
	return &found, true
}

// Look lists Owlat's contacts if that costs less than to read each of some contacts, and keeps those. It returns nil otherwise, and without the scope
// contacts:read. Known is how many contacts Owlat has at least.
func (a *Asker) Look(ctx context.Context, contacts map[string]struct{}, known int, tell func(contacts, total int)) (*Seen, owlatsync.Looking, error) {
	reads := len(contacts)
	how := owlatsync.Looking{Mode: owlatsync.LookSingly, Contacts: reads}
	if list, reason := listOrLook(reads, known, 0); !list {
		how.Reason = reason
		return nil, how, nil
	}
	seen, listed := &Seen{at: make(map[string]remote.Spot, reads)}, 0
	for page, err := range remote.List(ctx, a.Client) {
		if errors.Is(err, owlat.ErrForbidden) {
			how.Reason = "the key may not list contacts (scope contacts:read)"
			return nil, how, nil
		}
		if err != nil {
			return nil, how, remote.Stopped(err)
		}
		how.Requests++
		if how.Requests == 1 {
			list, reason := listOrLook(reads, page.Total, 1)
			if how.Reason = reason; !list {
				return nil, how, nil
			}
			how.Mode = owlatsync.LookListing
		}
		listed += len(page.Contacts)
		seen.add(page.Contacts, contacts)
		tell(listed, page.Total)
	}
	return seen, how, nil
}

// add keeps the wanted contacts of a page.
func (s *Seen) add(page []owlat.Contact, wanted map[string]struct{}) {
	var found []owlat.Contact
	for _, c := range page {
		if _, want := wanted[c.ID]; want {
			found = append(found, c)
		}
	}
	for i, spot := range s.roll.Add(found) {
		s.at[found[i].ID] = spot
	}
}

// listOrLook decides whether listing so many contacts, of which some pages are there, costs less than looking at some of them one by one. Pure.
func listOrLook(reads, contacts, there int) (list bool, reason string) {
	pages := remote.ListingCost(contacts)
	return pages-there < reads, fmt.Sprintf("listing %s costs %s, reading %s one by one %d", owlatsync.Counted(contacts, "contact"),
		owlatsync.Counted(pages, "request"), owlatsync.Counted(reads, "contact"), reads)
}
