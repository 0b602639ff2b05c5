// Package progress is what a run tells while it goes on: one stream of values for all who look, be it a command line, a file of JSON, a
// page or metrics. It also knows at any time how a run stands.
package progress

import (
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/step"
)

// Value is one thing that happened: Started, Staged, Scanned, Listed, Planned, Held, Admitted, RowDone, Ended or Dropped.
type Value interface{ value() }

// About says which run a value is about. It is part of every value.
type About struct {
	Sync string
	Run  int64 // 0: no run but a plan or a verification
}

// Started is told first.
type Started struct {
	About
	At time.Time
}

// Staged tells what the run does from now on.
type Staged struct {
	About
	Stage ledger.Stage
}

// Scanned tells how far the source has been read.
type Scanned struct {
	About
	Rows int
	Done bool
}

// Listed tells how many of the contacts that Owlat already has were compared.
type Listed struct {
	About
	Contacts, Total int
}

// Planned tells what the run is to do, before the guards are asked.
type Planned struct {
	About
	Summary owlatsync.Summary
}

// Held tells that guards hold the run: nothing is applied.
type Held struct {
	About
	Guards []owlatsync.Hit
}

// Admitted tells that no guard holds the plan, or that it was confirmed or approved: the writes follow.
type Admitted struct{ About }

// RowDone tells the outcome of a row; unchanged rows are not told.
type RowDone struct {
	About
	step.Decision
	Category ledger.Category // of a row that was not applied
}

// Ended is told last.
type Ended struct {
	About
	Status  ledger.Status
	Message string // why it ended as it did; no address
	Report  *owlatsync.Report
}

// Dropped stands for values that were not told because the observer was too slow.
type Dropped struct {
	About
	Values int
}

func (Started) value()  {}
func (Staged) value()   {}
func (Scanned) value()  {}
func (Listed) value()   {}
func (Planned) value()  {}
func (Held) value()     {}
func (Admitted) value() {}
func (RowDone) value()  {}
func (Ended) value()    {}
func (Dropped) value()  {}
