package telling

import (
	"time"

	"owlatsync"
	"owlatsync/ledger"
)

// Sums are a plan in sums.
type Sums struct {
	Run                                                        int64
	Address                                                    string // of the page of the run
	At                                                         time.Time
	Rows, Creates, Updates, Removals, TopicAdds, Bad, Requests int
}

// SumsOf returns the plan of a run in sums, nil if it made none.
func SumsOf(r *ledger.Run, address string) *Sums {
	s := r.Summary
	if s == nil {
		return nil
	}
	return &Sums{
		Run: r.ID, Address: address, At: r.Started, Rows: s.Rows, Creates: s.Creates, Updates: s.Updates, Removals: s.Removals, TopicAdds: s.TopicAdds,
		Bad: s.Outcomes[owlatsync.Invalid] + s.Outcomes[owlatsync.Duplicate], Requests: s.Requests,
	}
}

// Beside is a plan in sums beside those of earlier runs.
type Beside struct {
	Plan    Sums
	Earlier []Sums // newest first
}

// Alone returns the sums of a plan beside no others.
func (s Sums) Alone() Beside { return Beside{Plan: s} }
