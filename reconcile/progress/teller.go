package progress

import (
	"maps"
	"strconv"
	"sync"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/step"
)

// Teller tells what happens in one run, and counts it. It is the only place that counts outcomes, so that they add up (Invariant
// 2). It is safe for concurrent use.
type Teller struct {
	about     About
	listeners []*listener
	requests  func() owlatsync.RequestCounts
	estimate  func(requests int) time.Duration

	mu      sync.Mutex
	state   State
	report  *owlatsync.Report
	account *account // nil: the run has one stretch
	before  int      // writes that were sent before the latest plan
	ended   bool
}

// State is the state of a run.
type State struct {
	About
	Started time.Time
	Stage   ledger.Stage
	Stretch int               // the present stretch of the run; the first is 1
	Waiting bool              // other syncs have their turn
	Rows    int               // rows that the present stretch has read so far
	Report  *owlatsync.Report // counts so far
	// Summary is the latest plan; nil while none is made.
	Summary *owlatsync.Summary
	// Left is about how long the remaining requests take; 0 while that is not known.
	Left time.Duration
}

// NewTeller returns the teller of a run that starts now. Requests returns the requests of the run so far; estimate returns how long
// a number of requests takes.
func NewTeller(about About, observers []Observer, requests func() owlatsync.RequestCounts, estimate func(int) time.Duration) *Teller {
	run := ""
	if about.Run != 0 {
		run = strconv.FormatInt(about.Run, 10)
	}
	t := &Teller{
		about: about, requests: requests, estimate: estimate, report: owlatsync.NewReport(about.Sync, run),
		state: State{About: about, Started: time.Now(), Stage: ledger.StageStarting, Stretch: 1},
	}
	for _, o := range observers {
		if o.Each != nil {
			t.listeners = append(t.listeners, listen(o))
		}
	}
	t.tell(Started{about, t.state.Started})
	return t
}

func (t *Teller) tell(v Value) {
	for _, l := range t.listeners {
		l.tell(v, t.about)
	}
}

// Stage tells the stage that the run enters.
func (t *Teller) Stage(s ledger.Stage) {
	t.mu.Lock()
	same := t.state.Stage == s
	t.state.Stage = s
	t.mu.Unlock()
	if !same {
		t.tell(Staged{t.about, s})
	}
}

// Scanned tells how many rows of the source have been read; done says that these are all. It need not be called for every row.
func (t *Teller) Scanned(rows int, done bool) {
	t.Read(rows)
	t.tell(Scanned{t.about, rows, done})
}

// Read notes how many rows of the source have been read.
func (t *Teller) Read(rows int) {
	t.mu.Lock()
	t.state.Rows = rows
	if t.account != nil && t.account.draft != nil {
		t.account.draft.rows = rows
	} else {
		t.report.Rows = rows
	}
	t.mu.Unlock()
}

// Listed tells how many of Owlat's contacts have been listed.
func (t *Teller) Listed(contacts, total int) { t.tell(Listed{t.about, contacts, total}) }

// Members tells of how many contacts the memberships have been read.
func (t *Teller) Members(read, total int, perSecond float64) {
	t.tell(Members{t.about, read, total, perSecond})
}

// Planned tells the plan.
func (t *Teller) Planned(s owlatsync.Summary) {
	t.mu.Lock()
	if t.state.Summary = &s; t.state.Stretch > 1 {
		t.before = t.requests().Writes
	}
	if t.report.Turned = s.Turned; s.Turned > 0 {
		t.report.InStep = s.InStep
	}
	t.mu.Unlock()
	t.tell(Planned{t.about, s})
}

// Held tells that guards hold the run.
func (t *Teller) Held(hits []owlatsync.Hit) { t.tell(Held{t.about, hits}) }

// Admitted tells that the plan may be applied.
func (t *Teller) Admitted() { t.tell(Admitted{t.about}) }

// Reading notes how the source is read.
func (t *Teller) Reading(r *owlatsync.Reading) {
	t.mu.Lock()
	t.report.Reading = r
	t.mu.Unlock()
}

// Unchanged counts unchanged rows.
func (t *Teller) Unchanged(rows int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.account != nil && t.account.draft != nil:
		t.account.draft.unchanged += rows
		return
	case t.account != nil:
		t.account.unchanged += rows
	}
	t.report.Outcomes[owlatsync.Unchanged] += rows
}

// Row counts and tells the outcome of a row; missing says that it left the source. A row that had an outcome in an earlier stretch
// counts once.
func (t *Teller) Row(d step.Decision, category ledger.Category, missing bool) {
	v := RowDone{About: t.about, Decision: d, Category: category}
	t.mu.Lock()
	told := d.Outcome != owlatsync.Unchanged || step.Keeps(d.Changes) > 0
	if t.account != nil {
		v, told = t.account.take(t.report, v, missing)
	} else {
		t.report.Outcomes[d.Outcome]++
		if missing {
			t.report.Missing++
		}
	}
	t.mu.Unlock()
	if told {
		t.tell(v)
	}
}

// Memberships counts memberships that were added, removed and left alone.
func (t *Teller) Memberships(n owlatsync.MembershipCounts) {
	t.mu.Lock()
	defer t.mu.Unlock()
	m := &t.report.Memberships
	m.Added, m.Pending, m.Removed, m.Skipped, m.OptedOut = m.Added+n.Added, m.Pending+n.Pending, m.Removed+n.Removed, m.Skipped+n.Skipped, m.OptedOut+n.OptedOut
}

// Kept counts values that stay as Owlat has them although rows say something else.
func (t *Teller) Kept(values int) {
	t.mu.Lock()
	t.report.Kept += values
	t.mu.Unlock()
}

// Events adds to the counts of events.
func (t *Teller) Events(n owlatsync.EventCounts) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := &t.report.Events
	e.Sent, e.Unknown, e.LeftOut = e.Sent+n.Sent, e.Unknown+n.Unknown, e.LeftOut+n.LeftOut
}

// Unclear notes how many consents of the rows read are neither yes nor no.
func (t *Teller) Unclear(consents int) {
	t.mu.Lock()
	t.report.Memberships.Unclear = consents
	t.mu.Unlock()
}

// Report returns the counts so far.
func (t *Teller) Report() *owlatsync.Report {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.reported()
}

func (t *Teller) reported() *owlatsync.Report {
	r := *t.report
	r.Outcomes = maps.Clone(r.Outcomes)
	r.Requests = t.requests()
	r.Seconds = time.Since(t.state.Started).Seconds()
	return &r
}

// State returns the state of the run.
func (t *Teller) State() State {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.state
	s.Report = t.reported()
	if s.Summary != nil {
		s.Left = t.estimate(max(0, s.Summary.Requests-(s.Report.Requests.Writes-t.before)))
	}
	return s
}

// Complete counts rows that were read but have no outcome as skipped: the run ended before their turn.
func (t *Teller) Complete() {
	t.mu.Lock()
	defer t.mu.Unlock()
	rest := t.report.Rows + t.report.Missing
	for _, n := range t.report.Outcomes {
		rest -= n
	}
	t.report.Outcomes[owlatsync.Skipped] += rest
}

// Ended tells how the run ended. Nothing may be told after it; further calls of Ended do nothing.
func (t *Teller) Ended(status ledger.Status, message string, report *owlatsync.Report) {
	t.mu.Lock()
	again := t.ended
	t.ended = true
	t.mu.Unlock()
	if again {
		return
	}
	for _, l := range t.listeners {
		l.end(Ended{t.about, status, message, report}, t.about)
	}
}
