// Package turns decides who runs: it has the queue of what is to be run, and lets one run at a time have its turn, because a ledger
// takes one. It knows neither when syncs are due nor how a run is made.
//
// The idea to know: there is a line. Whoever asks joins it at its end, also a long run that lets others go first. So everybody's turn
// comes, and nobody's comes twice before that of another who waits. What was asked for by name, and so has a number, is kept in the
// ledger and survives the process; the rest follows from schedules and sources anyway.
package turns

import (
	"context"
	"slices"
	"time"

	"owlatsync"
	"owlatsync/ledger"
)

// Why says why a run is made.
type Why string

const (
	Scheduled Why = "schedule" // its time has come
	Asked     Why = "asked"    // somebody asked for it
	Approved  Why = "approval" // somebody approved a held run
	Notified  Why = "notified" // the source said that rows changed
	Moved     Why = "moved"    // the source's cursor has moved
	Again     Why = "again"    // an earlier run failed or broke off
)

// Request is what is to be run.
type Request struct {
	Sync string
	Why  Why
	// Since is when it was asked for; zero: now. Of requests that become one the earliest counts.
	Since time.Time
	// Keys names the rows that have changed; empty: any. Only of a request without a number.
	Keys []string
	Full bool           // Owlat's contacts are listed, and what was changed there is set right
	Part owlatsync.Part // the rows that are applied; what a ledger says of the run with the number counts
	// Like is the number of a run that has ended, whose part is applied again; 0: Part says it. Only of a request without a number.
	Like int64
	// Review says that the run is held with whatever it plans. Only of a request with a number.
	Review bool
	// Run is the number of the run, which is queued in the ledger; 0: it gets one when it begins.
	Run int64
	// Approves is the number of the held run whose plan is applied; 0: none.
	Approves int64

	askers []*asker                          // who waits for its outcome
	own    bool                              // it is to be done even if nobody waits
	work   func(ctx context.Context, j *Job) // what is done instead of a run; nil: a run
}

// mostKeys is how many keys a request names at most. With more, everything that changed is read.
const mostKeys = 1000

// plain reports whether the request asks for everything that has changed.
func (r *Request) plain() bool {
	return len(r.Keys) == 0 && r.Part.Whole() && r.Approves == 0 && !r.Review
}

// Mode returns what the run is for, as the ledger has it.
func (r *Request) Mode() ledger.Mode {
	if r.Review {
		return ledger.ModeReview
	}
	return ledger.ModeRun
}

// covers reports whether a run of r that begins later than other was asked for does all that other asks for.
func (r *Request) covers(other *Request) bool {
	return other.Run == 0 && other.Part.Whole() && r.plain() && (r.Full || !other.Full)
}

// ofPartOf reports whether both requests ask for the same part.
func (r *Request) ofPartOf(other *Request) bool {
	return r.Part.Limit == other.Part.Limit && slices.Equal(r.Part.Only, other.Part.Only)
}

// answer lets the outcome of r be that of another request, too.
func (r *Request) answer(other Request) {
	r.askers = append(slices.Clip(r.askers), other.askers...)
	r.own = r.own || other.own
}

// share lets another request for the same wait in r, which has not begun.
func (r *Request) share(other Request) {
	r.answer(other)
	if other.Since.Before(r.Since) {
		r.Since = other.Since
	}
}

// join takes another request without a number into r, which has none either and is for the same part.
func (r *Request) join(other Request) {
	r.share(other)
	if r.Full = r.Full || other.Full; len(other.Keys) == 0 || len(r.Keys) == 0 || r.Full {
		r.Keys = nil
		return
	}
	keys := append(slices.Clone(r.Keys), other.Keys...)
	slices.Sort(keys)
	if r.Keys = slices.Compact(keys); len(r.Keys) > mostKeys {
		r.Keys = nil
	}
}

// add adds a request to those of one sync that have not begun. Those without a number that are for the same part are one.
func add(waiting []Request, r Request) []Request {
	if r.Run != 0 {
		if i := slices.IndexFunc(waiting, func(w Request) bool { return w.Run == r.Run }); i >= 0 {
			waiting[i].share(r)
			return waiting
		}
		waiting = slices.DeleteFunc(waiting, func(w Request) bool {
			covered := r.covers(&w)
			if covered {
				r.share(w)
			}
			return covered
		})
		return append(waiting, r)
	}
	if len(r.Keys) > mostKeys {
		r.Keys = nil
	}
	if i := slices.IndexFunc(waiting, func(w Request) bool { return w.Run != 0 && w.covers(&r) }); i >= 0 {
		waiting[i].share(r)
		return waiting
	}
	for i := range waiting {
		if waiting[i].Run == 0 && waiting[i].ofPartOf(&r) {
			waiting[i].join(r)
			return waiting
		}
	}
	return append(waiting, r)
}
