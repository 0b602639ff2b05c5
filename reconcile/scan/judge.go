package scan

import (
	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/policy"
)

// Judge tells which rows of one scan would not be sent. It is not safe for concurrent use. It holds at least 16 bytes of every row.
type Judge struct {
	rd        *Reader
	keys      map[uint64]struct{}
	addresses map[uint64]struct{}
}

// NewJudge returns a judge of the rows of a sync.
func NewJudge(p *policy.Policies) *Judge {
	return &Judge{rd: NewReader(p), keys: make(map[uint64]struct{}), addresses: make(map[uint64]struct{})}
}

// Row returns Invalid or Duplicate and the reason for a row that would not be sent, and "" for any other. Of several rows with one
// address it takes the first; a run may choose another, because that one has the contact.
func (j *Judge) Row(row *owlatsync.Row) (outcome owlatsync.Outcome, why string) {
	d, key, invalid := j.rd.Read(row)
	switch {
	case invalid != "":
		return owlatsync.Invalid, invalid
	case !first(j.keys, key):
		return owlatsync.Duplicate, reasonSameKey
	case !first(j.addresses, d.Email):
		return owlatsync.Duplicate, "another row has the same address"
	}
	return "", ""
}

func first(seen map[uint64]struct{}, text string) bool {
	hash := ledger.MemoryHash(text)
	_, known := seen[hash]
	seen[hash] = struct{}{}
	return !known
}
