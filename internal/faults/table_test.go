package faults

import (
	"net/http"
	"time"

	"owlatsync/owlat/owlattest"
)

// fault is something that goes wrong around a run, as the page tells of it, and what then becomes of each operation.
type fault struct {
	id, title string
	means     string // for operators: what it is and what it means
	todo      string // for operators: what to do
	variants  []variant
	// everything says that from its first request on the fault hits all requests, not only those of the operation.
	everything bool
	many       string        // what becomes of a run of 100 rows; empty: what becomes of one
	took       time.Duration // until it came to that, within a tenth; 0: at once
	lines      []line
}

// variant is one of the ways in which a fault shows. All of them lead to the same.
type variant struct {
	name     string
	emulator *owlattest.Fault // without its requests
	answer   func(*world, *http.Request) (*http.Response, error)
	commit   *commitFault
	locked   bool // another process has the lock of the ledger
	source   *sourceFault
}

// sourceFault ends the reading of the source.
type sourceFault struct {
	after int // rows
	err   error
}

func table() []fault {
	return append(answerFaults(), append(connectionFaults(), localFaults()...)...)
}

// todoLost is what to do about answers that were lost.
const todoLost = "Nothing, if it passes: the next run finds out, or asks again. Rows with the category `event`, and those that " +
	"stay `unsure` because somebody may have left, are for you to decide: look in Owlat whether the event arrived, whether the contact is on the topic."

// What becomes of a run of many rows.
const (
	goesOn     = "goes on with the other rows; exit code 3"
	endsSoon   = "ends after 25 rows in a row have failed, and leaves the others to the next run; exit code 1"
	endsAtOnce = "ends at once, and leaves the other rows to the next run; exit code "
)
