package ledger

import (
	"context"
	"time"

	"owlatsync"
)

// Round is what is known of readings of memberships that look for people who have left (feedback: poll). It names nobody.
type Round struct {
	// Began and Ended are those of the latest round that came to its end; zero: none has. The counts are that round's.
	Began, Ended time.Time
	RoundCounts
	Open OpenRound // the round that goes on, or was interrupted
}

// OpenRound is a round that has not come to its end.
type OpenRound struct {
	Began time.Time // zero: there is none
	Read  string    // what it reads, as RoundCounts.Read
	// After says how far it has come: HashText of the latest contact of those that are read in the order of their hashes. A round that
	// lists contacts begins anew, which costs nothing but the listing.
	After uint64
	// Contacts, People and Topics are those of RoundCounts so far.
	Contacts, People, Topics int
	Tried                    time.Time // when it was tried last
	Failed                   string    // why it did not go on then; empty: it did, or only had to wait. It holds no address and no secret
}

// RoundCounts are what a round counted.
type RoundCounts struct {
	Read     string                  // "moved": contacts that Owlat says were changed; "all": everybody who was put on a topic
	Listed   int                     // contacts that Owlat listed
	Contacts int                     // contacts whose memberships were read
	People   int                     // who have left a topic, and of whom nothing had told before
	Topics   int                     // that they have left
	Gone     int                     // contacts that are not there any more
	Untold   int                     // contacts of which it is not known whether they left or are gone
	Requests owlatsync.RequestCounts // that it sent
	Seconds  float64                 // that it worked
}

// UTC returns the round with its times in UTC, to the microsecond, as every store keeps them.
func (r Round) UTC() Round {
	for _, at := range []*time.Time{&r.Began, &r.Ended, &r.Open.Began, &r.Open.Tried} {
		if !at.IsZero() {
			*at = at.UTC().Truncate(time.Microsecond)
		}
	}
	return r
}

// Rounds tells of rounds. It needs no lock.
type Rounds interface {
	// Round returns what is known of the rounds, the zero value if there was none.
	Round(ctx context.Context) (Round, error)
}
