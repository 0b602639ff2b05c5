package reconcile

import (
	"fmt"
	"time"

	"owlatsync"
	"owlatsync/ledger"
)

// Event is what an engine tells while it works: Scanned, Listing, Planned, Admitted or RowDone.
type Event interface{ event() }

// Scanned tells how far the source has been read.
type Scanned struct {
	Rows int
	Done bool
}

// Listing tells how many of the contacts that Owlat already has were compared.
type Listing struct{ Contacts, Total int }

// Planned tells what the run is to do, before the guards are asked.
type Planned struct{ Summary Summary }

// Admitted tells that no guard holds the plan, or that it was confirmed or approved: the writes follow.
type Admitted struct{}

// RowDone tells the outcome of a row; unchanged rows are not told.
type RowDone struct {
	Decision
	Category string // of a failure: Owlat's error category or a word of ours
}

func (Scanned) event()  {}
func (Listing) event()  {}
func (Planned) event()  {}
func (Admitted) event() {}
func (RowDone) event()  {}

// Decision is what a plan holds for a row, or what became of it.
type Decision struct {
	Key      string // empty for a row without one
	Position string
	Outcome  owlatsync.Outcome
	Reason   string // why not, holding no address
	Changes  []owlatsync.Change
	Events   []string // names of the events that are to be sent
	Requests int      // that the changes and events need

	address string
}

// Address returns the row's address: personal data, for reports that somebody asked for.
func (d Decision) Address() string { return d.address }

// AddressHash returns a short hash of the row's address for logs, empty when the row has none.
func (d Decision) AddressHash() string {
	if d.address == "" {
		return ""
	}
	return fmt.Sprintf("%08x", uint32(ledger.HashText(owlatsync.LowerAddress(owlatsync.Trim(d.address)))))
}

// Summary is a plan in numbers. Before the run, its outcomes say what is expected.
type Summary struct {
	Sync        string
	Run         int64
	Rows        int
	Entries     int  // rows that the ledger knew before
	Absent      int  // of those, rows that the source no longer has
	Removals    int  // rows whose contact leaves a topic or is deleted
	FirstRun    bool // the sync has never been compared with Owlat before
	Outcomes    map[owlatsync.Outcome]int
	Memberships owlatsync.MembershipCounts
	Events      int           // that are to be sent
	Requests    int           // writes that are still to be sent
	Duration    time.Duration // that they take within the budget; of a plan alone, with the listing that its run needs
	Adoption    Adoption
	Reading     *owlatsync.Reading // nil: the source does not know when its rows changed, and all are always read
}

// changes reports whether the plan is of changed rows only.
func (s Summary) changes() bool { return s.Reading != nil && s.Reading.Mode == owlatsync.ReadChanges }

// Adoption tells how contacts that were in Owlat before are found.
type Adoption struct {
	Mode     AdoptionMode
	Reason   string // the arithmetic, for people
	Contacts int    // listed
	Matched  int    // of those, contacts that rows of the source stand for
	Twins    int    // addresses that several live contacts have; the oldest counts
	Requests int    // spent on listing
}

// AdoptionMode is how a sync meets contacts that were there before.
type AdoptionMode string

const (
	AdoptNothing AdoptionMode = "none"   // every row's contact is known
	AdoptListing AdoptionMode = "list"   // all contacts were listed and compared
	AdoptCreate  AdoptionMode = "create" // contacts are created blindly; those that exist answer with a conflict
)
