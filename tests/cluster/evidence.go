package cluster

import (
	"cmp"
	"time"

	"owlatsync/owlat/owlattest"
)

// Evidence is everything that a judge looks at.
type Evidence struct {
	Accounts []*Account
	// Leases says who might work for which deployment, and when, as those wrote it down who gave the right. With a ledger in a file a
	// service has it for as long as it lives.
	Leases []Lease
	// Troubles is what was done to the nodes, in order.
	Troubles []Trouble
	// Logs holds what the nodes wrote, by their numbers.
	Logs map[int]string
	// Secrets must be in no log.
	Secrets []string
	// Within is how long work may lie after its node was lost; 0: takenOverWithin.
	Within time.Duration
}

// within is how long work may lie after its node was lost.
func (e *Evidence) within() time.Duration { return cmp.Or(e.Within, takenOverWithin) }

// Account is what there is to know about one deployment.
type Account struct {
	Name  string
	Rate  float64 // requests a second that Owlat allows
	Burst float64 // and at once, after a rest

	Log      []owlattest.Arrival // Owlat's own log
	Requests []Request           // what came through the doors, in any order
	History  []owlattest.Entry
	Contacts []owlattest.ContactState
	Hooks    []Hook
	Syncs    []Rows
	Lost     []Span // when PostgreSQL may have lost what it had confirmed

	// What the program says.
	Made    []string // addresses of contacts that it confirmed to an outsider
	Runs    []Run
	Heard   []Heard
	Unsure  map[Place]bool // rows of which it does not know whether the person is on the topic, and says so
	Waiting int            // write-backs that are not done
	Quiet   int            // writes that were sent after everything had settled
}

// Place names a row.
type Place struct{ Sync, Key string }

// Hook is one webhook that Owlat sent, however often.
type Hook struct {
	Body  string
	Acked time.Time // when a node first acknowledged it; zero: none did
}

// Span is a stretch of time.
type Span struct{ From, To time.Time }

// has reports whether the span has the time.
func (s Span) has(t time.Time) bool { return !t.Before(s.From) && !t.After(s.To) }

// Request is one request as Owlat's door saw it.
type Request struct {
	Node      int // 0: an outsider
	At, Ended time.Time
	Method    string
	Path      string
	Status    int    // 0: nobody waited for the answer
	Event     string // what tells the event from all others; empty: it is none
}

// Rows are those of one sync, as they are at the end, and how they came to be so.
type Rows struct {
	Sync  string
	Topic string
	Rows  []Row // also those that have left
	Words []Word
	// Written has the write-backs, as the database wrote them down.
	Written []Written
}

// Row is one person in the source.
type Row struct {
	Key       string
	Addresses []string // all that it ever had; the last is the present one
	Name      string   // empty: the sync does not care
	Yes       bool
	Gone      bool
	Returned  bool // the person left, and said yes again when all was quiet
}

// email returns the present address.
func (r *Row) email() string { return r.Addresses[len(r.Addresses)-1] }

// Word is a person's own yes in the application. It was committed at some time in the span.
type Word struct {
	Key string
	Span
}

// Written is one write-back of a person's no.
type Written struct {
	Email string
	At    time.Time
}

// Run is the record of a run.
type Run struct {
	ID       int64
	Sync     string
	Status   string
	Epoch    int64
	PID      int
	From, To time.Time
	Balanced bool // its outcomes add up to its rows
}

// Heard is a feedback that the program has kept.
type Heard struct {
	Event, Email, ContactID string
}

// home is the kind of lease of who works for a deployment; that of its ledger is "run".
const home = "home"

// Lease is the right of one node to work for a deployment, or to write to its ledger.
type Lease struct {
	Deployment string
	Kind       string // home, or run
	Epoch      int64
	Node       int // 0: none of the nodes
	Span           // To is zero while nobody else has had it
}

// TroubleKind is what was done to a node.
type TroubleKind string

const (
	Killed     TroubleKind = "killed"
	Frozen     TroubleKind = "frozen"
	Stopped    TroubleKind = "stopped"
	CutLedger  TroubleKind = "cut off from the ledger"
	CutSource  TroubleKind = "cut off from the source"
	CutOwlat   TroubleKind = "cut off from Owlat"
	Crashed    TroubleKind = "without the ledger's server, which crashed" // as all nodes are
	FailedOver TroubleKind = "without the ledger's server, which failed over"
)

// Trouble is one thing that was done to a node.
type Trouble struct {
	Kind TroubleKind
	Node int // 0: all
	Cut  Cut
	Span
}

// lost reports whether a node could do nothing for its deployments meanwhile.
func (t *Trouble) lost() bool {
	switch t.Kind {
	case Killed, Frozen, Stopped:
		return true
	case CutLedger, CutOwlat, CutSource:
		return t.Cut != Delayed
	}
	return false
}
