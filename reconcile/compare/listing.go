package compare

import (
	"context"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile/progress"
	"owlatsync/reconcile/remote"
)

// Listing has all contacts of a deployment.
type Listing struct {
	roll  remote.Roll
	spots []remote.Spot    // newest first
	known []bool           // whether a row stands for the contact
	asked []bool           // whether its memberships are to be read
	byID  map[string]int32 // positions in spots

	byAddress map[uint64]int32 // positions of the oldest contacts, by the hashes of their addresses; nil until one is looked for
}

// List lists all contacts and tells its progress.
func List(ctx context.Context, client *owlat.Client, tell *progress.Teller) (*Listing, error) {
	l := &Listing{byID: make(map[string]int32)}
	for page, err := range remote.List(ctx, client) {
		if err != nil {
			return nil, remote.Stopped(err)
		}
		for _, spot := range l.roll.Add(page.Contacts) {
			id := l.roll.Contact(spot).ID
			if _, twice := l.byID[id]; twice {
				continue
			}
			l.byID[id] = int32(len(l.spots))
			l.spots, l.known, l.asked = append(l.spots, spot), append(l.known, false), append(l.asked, false)
		}
		tell.Listed(len(l.spots), page.Total)
	}
	return l, nil
}

// find returns the contact and notes that a row stands for it.
func (l *Listing) find(id string) (c owlat.Contact, there bool) {
	at, there := l.byID[id]
	if there {
		l.known[at] = true
		c = l.roll.Contact(l.spots[at])
	}
	return c, there
}

// at returns the contact that a call by the address reaches: the oldest.
func (l *Listing) at(address string) (c owlat.Contact, there bool) {
	if l.byAddress == nil {
		l.byAddress = make(map[uint64]int32, len(l.spots))
		for at, spot := range l.spots { // the oldest last
			if email := l.roll.Contact(spot).Email; email != "" {
				l.byAddress[ledger.MemoryHash(owlatsync.LowerAddress(email))] = int32(at)
			}
		}
	}
	at, there := l.byAddress[ledger.MemoryHash(address)]
	if there {
		c = l.roll.Contact(l.spots[at])
	}
	return c, there
}

// Ask notes that the memberships of a contact are to be read, and reports whether that is new. Contacts that are not listed are not read.
func (l *Listing) Ask(id string) bool {
	at, there := l.byID[id]
	if !there || l.asked[at] {
		return false
	}
	l.asked[at] = true
	return true
}

// Take reports whether a contact is to be read, once.
func (l *Listing) Take(id string) bool {
	at, there := l.byID[id]
	if !there || !l.asked[at] {
		return false
	}
	l.asked[at] = false
	return true
}

// Len returns how many contacts there are.
func (l *Listing) Len() int { return len(l.spots) }
