package reconcile

import (
	"encoding/binary"
	"strings"

	"owlatsync/ledger"
	"owlatsync/owlat"
)

// roll keeps the ids, addresses and names of contacts. Their texts lie together, page by page, because there may be very many.
type roll struct{ pages []string }

// spot is where a contact stands in its roll: four texts, each after its length.
type spot struct{ page, start uint32 }

// add keeps contacts and returns where each stands.
func (r *roll) add(contacts []owlat.Contact) []spot {
	spots := make([]spot, len(contacts))
	var texts []byte
	for i, c := range contacts {
		spots[i] = spot{uint32(len(r.pages)), uint32(len(texts))}
		for _, text := range []string{c.ID, c.Email, c.FirstName, c.LastName} {
			texts = append(binary.AppendUvarint(texts, uint64(len(text))), text...)
		}
	}
	r.pages = append(r.pages, string(texts))
	return spots
}

// contact returns what the roll has of a contact. Its texts are parts of the roll's.
func (r *roll) contact(s spot) (c owlat.Contact) {
	rest := r.pages[s.page][s.start:]
	for _, text := range []*string{&c.ID, &c.Email, &c.FirstName, &c.LastName} {
		n, width := binary.Uvarint([]byte(rest[:min(len(rest), binary.MaxVarintLen64)]))
		*text, rest = rest[width:width+int(n)], rest[width+int(n):]
	}
	return c
}

// listed is what a listing told of the contacts that rows wait for, by the hashes of their addresses.
type listed struct {
	roll roll
	at   map[uint64]spot
}

// add keeps the contacts of a page that are wanted. The listing goes from the newest to the oldest, and of several contacts
// with one address calls by it reach the oldest; again is told of every further one.
func (l *listed) add(page []owlat.Contact, wanted func(hash uint64) bool, again func(hash uint64)) {
	var contacts []owlat.Contact
	for _, c := range page {
		if c.Email != "" && wanted(ledger.HashText(c.Email)) {
			contacts = append(contacts, c)
		}
	}
	for i, spot := range l.roll.add(contacts) {
		hash := ledger.HashText(contacts[i].Email)
		if _, twice := l.at[hash]; twice {
			again(hash)
		}
		l.at[hash] = spot
	}
}

// find returns what was listed of the contact with the address.
func (l *listed) find(address string) (c owlat.Contact, ok bool) {
	if l == nil {
		return c, false
	}
	at, ok := l.at[ledger.HashText(address)]
	if !ok {
		return c, false
	}
	c = l.roll.contact(at)
	for _, text := range []*string{&c.ID, &c.Email, &c.FirstName, &c.LastName} {
		*text = strings.Clone(*text) // what is kept of it must not keep its whole page
	}
	return c, true
}

// drop forgets the contact with the address.
func (l *listed) drop(address string) { delete(l.at, ledger.HashText(address)) }
