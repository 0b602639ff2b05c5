package reconcile

import (
	"fmt"

	"owlatsync"
	"owlatsync/ledger"
)

// Progress is what an engine tells while it works: Scanned, Listing, Planned, Admitted or RowDone.
type Progress interface{ progress() }

// Scanned tells how far the source has been read.
type Scanned struct {
	Rows int
	Done bool
}

// Listing tells how many of the contacts that Owlat already has were compared.
type Listing struct{ Contacts, Total int }

// Planned tells what the run is to do, before the guards are asked.
type Planned struct{ Summary owlatsync.Summary }

// Admitted tells that no guard holds the plan, or that it was confirmed or approved: the writes follow.
type Admitted struct{}

// RowDone tells the outcome of a row; unchanged rows are not told.
type RowDone struct {
	Decision
	Category string // of a failure: Owlat's error category or a word of ours
}

func (Scanned) progress()  {}
func (Listing) progress()  {}
func (Planned) progress()  {}
func (Admitted) progress() {}
func (RowDone) progress()  {}

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
