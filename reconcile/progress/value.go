// Package progress is what a run tells while it goes on: one stream of values for all observers, such as a command line, a JSON
// file, a page or metrics. It also knows the state of a run at any time.
package progress

import (
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/step"
)

// Value is one thing that happened: Started, Staged, Scanned, Listed, Members, Planned, Held, Admitted, RowDone, Waiting,
// Afresh, Ended or Dropped.
type Value interface{ value() }

// About says which run a value is about. It is part of every value.
type About struct {
	Sync string
	Run  int64 // 0: a plan or a verification
}

// Started is the first value.
type Started struct {
	About
	At time.Time
}

// Staged tells the stage that the run enters.
type Staged struct {
	About
	Stage ledger.Stage
}

// Scanned tells how many rows of the source have been read; Done says that these are all.
type Scanned struct {
	About
	Rows int
	Done bool
}

// Listed tells how many of Owlat's contacts have been listed, and how many there are.
type Listed struct {
	About
	Contacts, Total int
}

// Members tells of how many contacts the memberships have been read, and of how many they are to be. The first has none read.
type Members struct {
	About
	Read, Total int
	PerSecond   float64 // how many are read a second at most as things stand; +Inf: no limit
}

// Planned tells the plan, before the guards are asked. Each stretch of a run has one, of what is left to do.
type Planned struct {
	About
	Summary owlatsync.Summary
}

// Held tells that guards hold the run: nothing is applied.
type Held struct {
	About
	Guards []owlatsync.Hit
}

// Afresh tells that the run reads the source again, because what it knows of the source is too old to act on, or because it has
// waited. A stretch begins that
// has a reading and a plan of its own.
type Afresh struct {
	About
	Stretch int // its number; the first, which is not told, is 1
}

// Waiting tells that the run lets runs of other syncs have their turn. Afresh follows when it goes on, or Ended.
type Waiting struct{ About }

// Admitted tells that the plan may be applied: no guard holds it, or it was confirmed or approved. The writes follow.
type Admitted struct{ About }

// RowDone tells the outcome of a row. Unchanged rows are only counted.
type RowDone struct {
	About
	step.Decision
	Category ledger.Category // why the row was not applied; empty if it was
	// Before is the outcome that an earlier stretch of the run told of the row, which no longer counts; empty: none. Outcome is then
	// what became of the row in the whole run, and Changes are those of this stretch.
	Before owlatsync.Outcome
}

// Ended is the last value.
type Ended struct {
	About
	Status  ledger.Status
	Message string // why the run ended so; holds no address
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
func (Members) value()  {}
func (Planned) value()  {}
func (Held) value()     {}
func (Admitted) value() {}
func (RowDone) value()  {}
func (Waiting) value()  {}
func (Afresh) value()   {}
func (Ended) value()    {}
func (Dropped) value()  {}
