package plan

import (
	"cmp"
	"slices"

	"owlatsync/ledger"
	"owlatsync/reconcile/consent"
	"owlatsync/reconcile/own"
	"owlatsync/reconcile/policy"
	"owlatsync/reconcile/scan"
	"owlatsync/reconcile/step"
)

// contest decides which of several rows with one address counts.
type contest struct {
	policies *policy.Policies
	scan     *scan.Scan
	crowd    crowd
	winners  map[uint64]string // address hash → key of the row that counts; only shared addresses
	hearings []hearing         // in the order of their first duplicates
	heard    map[uint64]int    // places in hearings, by the hashes of the keys
}

// winner is the row that counts among several with one address.
type winner struct {
	scan.Winner
	settled *ledger.Entry // its entry if it does not wait to be planned
}

// rival is another row's entry whose contact has the address, and what the source says about that row.
type rival struct {
	entry *ledger.Entry
	there bool // the source has the row
	keeps bool // the row keeps the address
}

// judge returns the row that counts instead of r, nil if r does, and the entry that r takes over from a row that left the source. Own
// is the entry of the row's key.
// Rows must come in the order of the source.
func (c *contest) judge(r *step.Row, own *ledger.Entry, holders []ledger.Holder) (won *winner, rekeyed *ledger.Entry) {
	if r.Twin {
		won = &winner{Winner: scan.Winner{Key: r.Key, Twin: true}}
		c.compare(won, r, own, nil)
		return won, nil
	}
	if c.policies.Match {
		return nil, nil // each row speaks for itself
	}
	hash := ledger.MemoryHash(r.Email)
	var rivals []rival
	for _, h := range holders {
		if h.Sync == c.policies.Sync && h.Entry.Key != r.Key {
			there, waits, wants := c.scan.Whereabouts(h.Entry)
			rivals = append(rivals, rival{h.Entry, there, !waits || wants == hash || c.keepsAddress(h.Entry)})
		}
	}
	first := c.winners[hash]
	switch won, rekeyed = counts(r, rivals, first); {
	case won != nil:
		c.compare(won, r, own, rivals)
	case c.scan.Shared(hash):
		c.winners[hash] = r.Key
	}
	return won, rekeyed
}

// keepsAddress reports whether the contact of an entry keeps its address, whatever its row says.
func (c *contest) keepsAddress(e *ledger.Entry) bool {
	return own.Keeps(c.policies.Overwrite.Email, e.FieldMark(own.Email), e.Email)
}

// counts returns the row that counts instead of r, nil if r does. The row that holds the contact and keeps it counts, else the
// first row with the address, whose key is first if it is known. If the holder has left the source, r is that row under a new key
// and takes its entry, even if the contact is gone. If several holders have left, r takes the entry of the last one.
func counts(r *step.Row, rivals []rival, first string) (won *winner, rekeyed *ledger.Entry) {
	for _, other := range rivals {
		switch {
		case !other.there:
			rekeyed = lastWith(rekeyed, other.entry)
		case other.keeps:
			return &winner{Winner: scan.Winner{Key: other.entry.Key, Holds: true, Renamed: other.entry.Email != r.Email}}, nil
		}
	}
	if first != "" && first != r.Key {
		return &winner{Winner: scan.Winner{Key: first}}, nil
	}
	return nil, rekeyed
}

// lastWith returns the entry that had the address last, of two whose rows left the source. Owlat gives an address to a contact only
// after the other contact is gone. A may be nil.
func lastWith(a, b *ledger.Entry) *ledger.Entry {
	here := func(e *ledger.Entry) int { // the later a row left, the less has followed from its absence
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
