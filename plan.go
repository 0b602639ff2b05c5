package owlatsync

import (
	"fmt"
	"time"
)

// Part is which rows a run is to apply; the zero value is all.
type Part struct {
	Only  []string `json:"only,omitempty"`  // keys; empty: any
	Limit int      `json:"limit,omitempty"` // how many at most; 0: any number
}

// Whole reports whether the part is everything.
func (p Part) Whole() bool { return len(p.Only) == 0 && p.Limit <= 0 }

// Summary is a plan in numbers. Before the run, its outcomes say what is expected.
type Summary struct {
	Sync        string           `json:"sync"`
	Run         int64            `json:"run"`
	Rows        int              `json:"rows"`
	Entries     int              `json:"entries"`   // rows that the ledger knew before
	Absent      int              `json:"absent"`    // of those, rows that the source no longer has
	Removals    int              `json:"removals"`  // rows whose contact leaves a topic or is deleted
	FirstRun    bool             `json:"first_run"` // the sync has never been compared with Owlat before
	Outcomes    map[Outcome]int  `json:"outcomes"`
	Memberships MembershipCounts `json:"memberships"`
	Events      int              `json:"events"`   // that are to be sent
	Requests    int              `json:"requests"` // writes that are still to be sent
	Duration    time.Duration    `json:"duration"` // that they take within the budget, in JSON nanoseconds; of a plan alone, with the listing that its run needs
	Adoption    Adoption         `json:"adoption"`
	Reading     *Reading         `json:"reading,omitempty"` // nil: the source does not know when its rows changed, and all are always read
}

// OfChanges reports whether the plan is of changed rows only: absence says nothing.
func (s Summary) OfChanges() bool { return s.Reading != nil && s.Reading.Mode == ReadChanges }

// Adoption tells how contacts that were in Owlat before are found.
type Adoption struct {
	Mode     AdoptionMode `json:"mode"`
	Reason   string       `json:"reason"`   // the arithmetic, for people
	Contacts int          `json:"contacts"` // listed
	Matched  int          `json:"matched"`  // of those, contacts that rows of the source stand for
	Twins    int          `json:"twins"`    // addresses that several live contacts have; the oldest counts
	Requests int          `json:"requests"` // spent on listing
}

// AdoptionMode is how a sync meets contacts that were there before.
type AdoptionMode string

const (
	AdoptNothing AdoptionMode = "none"   // every row's contact is known
	AdoptListing AdoptionMode = "list"   // all contacts were listed and compared
	AdoptCreate  AdoptionMode = "create" // contacts are created blindly; those that exist answer with a conflict
)

// Guard names what holds a run.
type Guard string

const (
	GuardFirstRun    Guard = "first run"
	GuardEmptySource Guard = "empty source"
	GuardRemovals    Guard = "removals"
	GuardUpdates     Guard = "updates"
)

// Hit is a guard that holds a plan, with what it saw.
type Hit struct {
	Guard  Guard  `json:"guard"`
	Reason string `json:"reason"`
}

// Counted returns a number with its noun for people, such as "1 row" and "2 rows"; the noun's plural ends in s.
func Counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
