package ask

import (
	"strings"

	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile/remote"
)

// Listed keeps the listed contacts that rows may adopt, by the hashes of their addresses.
type Listed struct {
	roll remote.Roll
	at   map[uint64]remote.Spot
	old  bool // it was made for an earlier stretch of the run
}

// Fresh reports whether the contacts were listed for the present plan. A nil Listed has none.
func (l *Listed) Fresh() bool { return l != nil && !l.old }

// add keeps the wanted contacts of a page. The listing goes from the newest to the oldest; calls by an address reach the oldest
// contact with it, so the last one counts. again is told of every further contact with an address.
func (l *Listed) add(page []owlat.Contact, wanted func(hash uint64) bool, again func(hash uint64)) {
	var contacts []owlat.Contact
	for _, c := range page {
		if c.Email != "" && wanted(ledger.MemoryHash(c.Email)) {
			contacts = append(contacts, c)
		}
	}
	for i, spot := range l.roll.Add(contacts) {
		hash := ledger.MemoryHash(contacts[i].Email)
		if _, twice := l.at[hash]; twice {
			again(hash)
		}
		l.at[hash] = spot
	}
}

// Take adds contacts that were read one by one. An address that is listed keeps its contact.
func (l *Listed) Take(contacts []owlat.Contact) {
	l.add(contacts, func(hash uint64) bool {
		_, listed := l.at[hash]
		return !listed
	}, func(uint64) {})
}

// Find returns the listed contact with the address. A nil Listed has none.
func (l *Listed) Find(address string) (c owlat.Contact, ok bool) {
	if l == nil {
		return c, false
	}
	at, ok := l.at[ledger.MemoryHash(address)]
	if !ok {
		return c, false
	}
	c = l.roll.Contact(at)
	for _, text := range remote.Texts(&c) {
		*text = strings.Clone(*text) // else the texts would keep the whole page in memory
	}
	return c, true
}

// Drop forgets the contact with the address.
func (l *Listed) Drop(address string) { delete(l.at, ledger.MemoryHash(address)) }
