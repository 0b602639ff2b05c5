package plan

import (
	"cmp"
	"slices"

	"owlatsync/ledger"
	"owlatsync/reconcile/consent"
	"owlatsync/reconcile/scan"
	"owlatsync/reconcile/step"
)

// contest says which of several rows with one address counts.
type contest struct {
	sync    string
	scan    *scan.Scan
	winners map[uint64]string // address hash → key of the row that counts, of those that several rows have
}

// winner is the row that counts of several with one address.
type winner struct {
	key     string
	holds   bool // it has the contact already; else it stands first in the source
	renamed bool // the contact, which got the address from another sync
}

func (w *winner) reason() string {
	row := step.RowName(w.key)
	if w.renamed {
		return "the contact with this address is that of " + row + ": another sync gave it the address"
	}
	if w.holds {
		return row + " has the same address and counts, because the contact is its own"
	}
	return row + " has the same address and counts, because it stands first in the source"
}

// rival is an entry of the sync for another row's contact that has the address, and what the source says of that row.
type rival struct {
	entry *ledger.Entry
	there bool // the source has the row
	keeps bool // and it is to keep the address
}

// judge says which other row of the source has r's address and counts instead, or which entry of a row that left is r's. Rows must come
// in the order of the source.
func (c *contest) judge(r *step.Row, holders []ledger.Holder) (won *winner, rekeyed *ledger.Entry) {
	hash := ledger.HashText(r.Email)
	var rivals []rival
	for _, h := range holders {
		if h.Sync == c.sync && h.Entry.Key != r.Key {
			there, waits, wants := c.scan.Whereabouts(h.Entry)
			rivals = append(rivals, rival{h.Entry, there, !waits || wants == hash})
		}
	}
	first := c.winners[hash]
	if won, rekeyed = counts(r, rivals, first); won == nil && c.scan.Shared(hash) {
		c.winners[hash] = r.Key
	}
	return won, rekeyed
}

// counts says which row counts instead of r, nil if r does: the one that holds the contact and keeps it, else the first in the
// source's order with the address, whose key is known as soon as there is one. Where the holder has left the source, its entry is
// r's under a new key, be its contact gone or not; of several, that of the last.
func counts(r *step.Row, rivals []rival, first string) (won *winner, rekeyed *ledger.Entry) {
	for _, other := range rivals {
		switch {
		case !other.there:
			rekeyed = lastWith(rekeyed, other.entry)
		case other.keeps:
			return &winner{key: other.entry.Key, holds: true, renamed: other.entry.Email != r.Email}, nil
		}
	}
	if first != "" && first != r.Key {
		return &winner{key: first}, nil
	}
	return nil, rekeyed
}

// lastWith returns which of two entries for one address, whose rows left the source, had it last: Owlat lets a contact have it
// only once another's is gone. A may be nil.
func lastWith(a, b *ledger.Entry) *ledger.Entry {
	here := func(e *ledger.Entry) int { // the later a row left, the less was done about that
		switch {
		case e.Origin == ledger.OriginGone:
			return 0
		case slices.ContainsFunc(e.Memberships, consent.GoneWithRow):
			return 1
		}
		return 2
	}
	if a == nil || cmp.Or(cmp.Compare(here(a), here(b)), a.ChangedAt.Compare(b.ChangedAt)) < 0 {
		return b
	}
	return a
}
