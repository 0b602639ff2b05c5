package reconcile

import (
	"cmp"
	"slices"

	"owlatsync/ledger"
)

// lastWith returns which of two entries for one address, whose rows left the source, had it last: Owlat lets a contact have it
// only once another's is gone. A may be nil.
func lastWith(a, b *ledger.Entry) *ledger.Entry {
	here := func(e *ledger.Entry) int { // the later a row left, the less was done about that
		switch {
		case e.Origin == ledger.OriginGone:
			return 0
		case slices.ContainsFunc(e.Memberships, func(m ledger.Membership) bool { return absent(&m) }):
			return 1
		}
		return 2
	}
	if a == nil || cmp.Or(cmp.Compare(here(a), here(b)), a.ChangedAt.Compare(b.ChangedAt)) < 0 {
		return b
	}
	return a
}
