// Package glance tells at a glance how syncs stand, and what of them needs a person.
//
// The idea to know: it says no more than the API's state of a sync, in the words of the page. Whoever shows it decides who may see it.
package glance

import (
	"net/url"
	"strconv"
	"time"

	"owlatsync/internal/api"
	"owlatsync/internal/page/telling"
	"owlatsync/ledger"
)

// Sync is how a sync stands.
type Sync struct {
	Name, Why, Schedule string
	Address             string    // of its page
	State               string    // in a word
	Look                string    // the state whose colours the word has
	Next                time.Time // zero: none
	Waits               int64     // the held run for whose approval the schedule waits; 0: none
	WaitsAddress        string    // of its page
	OnChange            bool      // it also runs when its source changes
	Last                *Last     // nil: it has never run
	Known               bool      // the ledger knows the sync

	Rows, InStep, Failing, Parked, Asked, OptedOut, Unsendable int

	Turned    int  // rows that were in step, and that the latest run could not send
	Rest      int  // rows that are neither in step nor failing nor Turned
	Held      int  // rows for which held runs would do something
	HeldBy    Link // the plan that has them
	InSeconds bool // the next run is so near that its second counts
}

// Link is what a text leads to.
type Link struct{ Text, Address string }

// soon is how near a run must be for its second to count.
const soon = 10 * time.Minute

// Last is the latest run of a sync.
type Last struct {
	Run     int64
	Address string
	Status  ledger.Status
	At      time.Time // when it ended, or began if it goes on
}

// rowsFail is the word for a sync that would be healthy if no row of it failed.
const rowsFail = "rows fail"

// Of returns how a sync stands, for a page whose addresses begin with base. goesOn reports whether a run goes on, whatever its record says yet.
func Of(base string, s api.SyncState, goesOn func(run int64) bool) Sync {
	v := Sync{
		Name: s.Sync.Sync.Name, Address: base + "/syncs/" + url.PathEscape(s.Sync.Sync.Name), Why: why(s), Schedule: s.Sync.Sync.Schedule.Text,
		State: string(s.State), Look: string(s.State), Next: s.Next, Waits: s.Waits, OnChange: s.Sync.Sync.Listen != "" || s.Sync.Sync.Poll > 0, Known: s.Known,
		Rows: s.Rows.Entries, InStep: s.InStep(), Failing: s.Rows.Failing, Parked: s.Rows.Parked, Asked: s.Rows.Asked, OptedOut: s.Rows.OptedOut, Unsendable: s.Unsendable(),
	}
	if v.Waits != 0 {
		v.WaitsAddress = address(base, v.Waits)
	}
	if s.State == api.Healthy && v.Failing > 0 {
		v.State, v.Look = rowsFail, string(ledger.StatusFailedRows)
	}
	if len(s.Runs) > 0 {
		r := s.Runs[0]
		v.Last = &Last{r.ID, address(base, r.ID), Status(r, goesOn), r.Finished}
		if r.Finished.IsZero() {
			v.Last.At = r.Started
		}
	}
	v.rest(base, s)
	v.InSeconds = v.Last != nil && v.Next.Sub(v.Last.At) < soon
	return v
}

// rest counts the rows that are not in step, by why.
func (v *Sync) rest(base string, s api.SyncState) {
	if s.Last != nil {
		v.Turned = min(s.Rows.Applied, s.Last.Report.Turned)
	}
	v.Rest = max(0, v.Rows-v.InStep-v.Failing-v.Turned)
	for i := range s.Held { // the newest has read what the earlier ones have
		r := &s.Held[i].Run
		if v.Held = telling.Held(r); v.Held > 0 {
			v.HeldBy = Link{"run " + strconv.FormatInt(r.ID, 10), address(base, r.ID)}
			return
		}
	}
}

func address(base string, run int64) string { return base + "/runs/" + strconv.FormatInt(run, 10) }

// Status returns the status of a run. One that has just begun may be recorded as queued still.
func Status(r ledger.Run, goesOn func(run int64) bool) ledger.Status {
	if r.Status == ledger.StatusQueued && goesOn(r.ID) {
		return ledger.StatusRunning
	}
	return r.Status
}

// why says why a sync stands so, with times as the page has them.
func why(s api.SyncState) string {
	if s.State == api.Stale && !s.LastGood.IsZero() {
		return "its last good run ended at " + s.LastGood.UTC().Format("2006-01-02 15:04 UTC")
	}
	return s.Why
}
