package scan

import (
	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/policy"
)

// Judge tells of the rows of one scan which would not be sent. It is not safe for concurrent use and holds 16 bytes and more
// of every row.
type Judge struct {
	rd        *Reader
	keys      map[uint64]struct{}
	addresses map[uint64]struct{}
}

// NewJudge returns a judge of the rows of a sync.
func NewJudge(p *policy.Policies) *Judge {
	return &Judge{rd: NewReader(p), keys: make(map[uint64]struct{}), addresses: make(map[uint64]struct{})}
}

// Row returns Invalid or Duplicate, and why, for a row that would not be sent, and "" for one that would be. Which of several
// rows with one address counts is for a run to say: it may be the one that has the contact.
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
	hash := ledger.HashText(text)
	_, known := seen[hash]
	seen[hash] = struct{}{}
	return !known
}
