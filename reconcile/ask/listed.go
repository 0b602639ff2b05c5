package ask

import (
	"strings"

	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile/remote"
)

// Listed is what a listing told of the contacts that rows wait for, by the hashes of their addresses.
type Listed struct {
	roll remote.Roll
	at   map[uint64]remote.Spot
}

// add keeps the contacts of a page that are wanted. The listing goes from the newest to the oldest, and of several contacts
// with one address calls by it reach the oldest; again is told of every further one.
func (l *Listed) add(page []owlat.Contact, wanted func(hash uint64) bool, again func(hash uint64)) {
	var contacts []owlat.Contact
	for _, c := range page {
		if c.Email != "" && wanted(ledger.HashText(c.Email)) {
			contacts = append(contacts, c)
		}
	}
	for i, spot := range l.roll.Add(contacts) {
		hash := ledger.HashText(contacts[i].Email)
		if _, twice := l.at[hash]; twice {
			again(hash)
		}
		l.at[hash] = spot
	}
}

// Find returns what was listed of the contact with the address.
func (l *Listed) Find(address string) (c owlat.Contact, ok bool) {
	if l == nil {
		return c, false
	}
	at, ok := l.at[ledger.HashText(address)]
	if !ok {
		return c, false
	}
	c = l.roll.Contact(at)
	for _, text := range remote.Texts(&c) {
		*text = strings.Clone(*text) // what is kept of it must not keep its whole page
	}
	return c, true
}

// Drop forgets the contact with the address.
func (l *Listed) Drop(address string) { delete(l.at, ledger.HashText(address)) }
