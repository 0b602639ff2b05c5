package owlatsync

import (
	"fmt"
	"time"
)

// Part says which rows a run applies; the zero value means all rows.
type Part struct {
	Only  []string `json:"only,omitempty"`  // keys; empty: any key
	Limit int      `json:"limit,omitempty"` // the most rows; 0: no limit
}

// Whole reports whether the part is all rows.
func (p Part) Whole() bool { return len(p.Only) == 0 && p.Limit <= 0 }

// Summary is a plan in numbers. Its outcomes are what is expected.
type Summary struct {
	Sync      string `json:"sync"`
	Run       int64  `json:"run"`
	Rows      int    `json:"rows"`
	Entries   int    `json:"entries"`            // rows that the ledger knew before
	Absent    int    `json:"absent"`             // rows of Entries that the source no longer has
	Removals  int    `json:"removals"`           // rows whose contact leaves a topic or is deleted
	Updates   int    `json:"updates"`            // known rows whose address or names change
	Creates   int    `json:"creates"`            // rows whose contact is created, apart from creates that an earlier run began
	TopicAdds int    `json:"topic_adds"`         // rows whose contact is put on a topic, apart from adds that an earlier run began
	KnownAdds int    `json:"known_adds"`         // rows of TopicAdds that the ledger knew before
	OptOuts   int    `json:"opt_outs,omitempty"` // known rows whose contact is opted out of everything
	Sought    int    `json:"sought,omitempty"`   // rows that say that no mail may go to the person, and whose contact is looked for, to opt it out
	Fires     int    `json:"fires,omitempty"`    // rows that send an event because of what a column says
	InStep    int    `json:"in_step"`            // rows that were in step; of a run of changes only counted if Turned is above 0
	Turned    int    `json:"turned"`             // rows of InStep that are invalid now
	FirstRun  bool   `json:"first_run"`          // the sync has never been compared with Owlat before
	// SetBack says that the ledger was found to be older than what was done, and no run has come to its end since: consents that
	// it did not know of count as old ones, and events that may have been sent are not sent.
	SetBack bool `json:"set_back,omitempty"`
	// Kept counts the values that stay as Owlat has them although rows say something else, because they may not be overwritten, and of which no run has
	// told yet. Looks counts the contacts that are read right before they are changed: somebody may have changed them in Owlat, and what is found so is
	// kept too.
	Kept        int              `json:"kept,omitempty"`
	Looks       int              `json:"looks,omitempty"`
	Looking     *Looking         `json:"looking,omitempty"` // how these contacts are looked at; nil: there are few, or none
	Outcomes    map[Outcome]int  `json:"outcomes"`
	Memberships MembershipCounts `json:"memberships"`
	Events      int              `json:"events"`   // events to be sent
	Requests    int              `json:"requests"` // writes to be sent, if no contact that is to be created exists
	Lookups     int              `json:"lookups"`  // requests spent on looking up single contacts before the plan was made
	Duration    time.Duration    `json:"duration"` // time that the requests take within the budget, in JSON as nanoseconds; a plan alone includes the listing and the look-ups that its run needs
	Longest     time.Duration    `json:"longest"`  // time that Most.Requests take, counted like Duration
	// Links are the requests with the unsubscribe secret at most, which take nothing of the budget: memberships to be read, and people to be opted
	// out of everything. LinksLast is how long they take at the pace for them. They go on beside the Requests.
	Links     int           `json:"links,omitempty"`
	LinksLast time.Duration `json:"links_last,omitempty"`
	MayExist  int           `json:"may_exist"` // rows of Outcomes[Created] whose contact may exist already: then it is adopted
	Least     Ends          `json:"least"`     // the least that is sent if nothing fails
	Most      Ends          `json:"most"`      // the most; it differs from Least only where contacts may exist already
	Adoption  Adoption      `json:"adoption"`
	Reading   *Reading      `json:"reading,omitempty"` // nil: the source does not know when its rows changed, so all are always read
}

// Ends is one end of what a plan sends.
type Ends struct {
	Requests int `json:"requests"` // reads included
	Added    int `json:"added"`    // memberships
	Events   int `json:"events"`
}

// Add returns the sum of two ends.
func (e Ends) Add(o Ends) Ends {
	return Ends{e.Requests + o.Requests, e.Added + o.Added, e.Events + o.Events}
}

// Times returns the ends n times.
func (e Ends) Times(n int) Ends { return Ends{e.Requests * n, e.Added * n, e.Events * n} }

// OfChanges reports whether only some rows were read, those that changed or that were asked for, so that absence says nothing.
func (s Summary) OfChanges() bool { return s.Reading != nil && s.Reading.Mode != ReadAll }

// Spoiled says why a run would not count as healthy, as Report.Spoiled does.
func (s Summary) Spoiled() string { return spoiled(s.Turned, s.InStep) }

// Looking tells how a run looks at contacts that it is to change, and that somebody may have changed in Owlat.
type Looking struct {
	Mode     LookingMode `json:"mode"`
	Reason   string      `json:"reason"`   // the arithmetic, for people
	Contacts int         `json:"contacts"` // contacts to be looked at
	Requests int         `json:"requests"` // requests spent on listing
}

// LookingMode is how a run looks at contacts.
type LookingMode string

const (
	LookSingly  LookingMode = "singly" // each is read right before its change
	LookListing LookingMode = "list"   // all contacts were listed before the plan was made
)

// Adoption tells how a sync finds contacts that were in Owlat before.
type Adoption struct {
	Mode     AdoptionMode `json:"mode"`
	Reason   string       `json:"reason"`   // the arithmetic, for people
	Contacts int          `json:"contacts"` // contacts listed
	Matched  int          `json:"matched"`  // listed contacts that rows of the source adopt
	Twins    int          `json:"twins"`    // addresses that several live contacts have; the oldest counts
	Requests int          `json:"requests"` // requests spent on listing; of a plan with SetBack also those that a run needs at least
}

// AdoptionMode is how a sync finds contacts that were there before.
type AdoptionMode string

const (
	AdoptNothing AdoptionMode = "none"   // every row's contact is known
	AdoptListing AdoptionMode = "list"   // all contacts were listed and compared
	AdoptCreate  AdoptionMode = "create" // contacts are created blindly; those that exist answer with a conflict
)

// Guard names a guard that holds a run.
type Guard string

// The guards, by the names that reports have.
const (
	GuardFirstRun    Guard = "first run"
	GuardEmptySource Guard = "empty source"
	GuardRemovals    Guard = "removals"
	GuardUpdates     Guard = "updates"
	GuardCreates     Guard = "creates"
	GuardTopicAdds   Guard = "topic adds"
	GuardOptOuts     Guard = "opt-outs"
	GuardEvents      Guard = "events"
	GuardReview      Guard = "review" // the run was asked to hold whatever it plans
)

// Hit is a guard that holds a plan, and the reason.
type Hit struct {
	Guard  Guard  `json:"guard"`
	Reason string `json:"reason"`
}

// Counted returns a number with its noun for people, such as "1 row" and "2 rows". The plural of the noun must end in s.
func Counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
