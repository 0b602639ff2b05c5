package owlatsync

import "fmt"

// Outcome is what became of a row in a run. Every row read ends in exactly one.
type Outcome string

const (
	Created   Outcome = "created"   // the contact did not exist and was created
	Updated   Outcome = "updated"   // the contact, its names or its memberships were changed
	Renamed   Outcome = "renamed"   // the contact got the row's new address (and perhaps other changes)
	Adopted   Outcome = "adopted"   // the contact existed in Owlat before and now belongs to the row
	Unchanged Outcome = "unchanged" // nothing to do, no request sent
	Removed   Outcome = "removed"   // the row left the source and the removal policy was applied
	Invalid   Outcome = "invalid"   // Owlat would refuse the row; no request sent
	Duplicate Outcome = "duplicate" // another row of the source has the same address and won
	Skipped   Outcome = "skipped"   // left alone on purpose; the reason says why
	Failed    Outcome = "failed"    // something could not be done yet; the reason says why
)

// Outcomes lists all outcomes in the order in which reports show them.
var Outcomes = []Outcome{Created, Updated, Renamed, Adopted, Unchanged, Removed, Invalid, Duplicate, Skipped, Failed}

// InStep reports whether Owlat holds what a row with the outcome asks for.
func (o Outcome) InStep() bool {
	switch o {
	case Created, Updated, Renamed, Adopted, Unchanged:
		return true
	}
	return false
}

// Report is the result of one run of one sync. It holds no address and no name of a person.
type Report struct {
	Sync        string           `json:"sync"`
	Run         string           `json:"run"`
	Rows        int              `json:"rows"`              // different rows that the run read
	Missing     int              `json:"missing"`           // rows that left the source and that the run acted on
	InStep      int              `json:"in_step,omitempty"` // rows that were in step before; only counted if Turned is above 0
	Turned      int              `json:"turned,omitempty"`  // rows of InStep that are invalid now
	Outcomes    map[Outcome]int  `json:"outcomes"`
	Kept        int              `json:"kept,omitempty"` // values that stay as Owlat has them although rows say something else; each is told in one run
	Memberships MembershipCounts `json:"memberships"`
	Events      EventCounts      `json:"events,omitzero"`
	Requests    RequestCounts    `json:"requests"`
	Seconds     float64          `json:"seconds"`
	Reading     *Reading         `json:"reading,omitempty"` // nil if the source does not know when its rows changed
	Topics      []NamedTopic     `json:"topics,omitempty"`  // those that the configuration names
	// UnsureRead says that the memberships of all adds that are unsure have been read: no later run need look for such adds.
	UnsureRead bool `json:"unsure_read,omitempty"`
	// LinksEnded says why the run went on as without the unsubscribe secret: the deployment refused it, or did not answer; empty: it did not.
	LinksEnded string `json:"links_ended,omitempty"`
	// NotImported counts rows that were exported for Owlat's importer, and for which Owlat has no contact.
	NotImported int `json:"not_imported,omitempty"`
	// KeysRefused are the places, from 1 on, of those of several API keys that Owlat refused, at all or for what needs a scope, so that others did their work.
	KeysRefused []int `json:"keys_refused,omitempty"`
}

// NamedTopic is a topic that the configuration knows by its name, with the id that the name stood for.
type NamedTopic struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Spoiled says why the run does not count as healthy although it ended: so many rows that were in step are invalid now. It is empty
// if that is not so.
func (r *Report) Spoiled() string { return spoiled(r.Turned, r.InStep) }

// Unsendable counts the rows that were read and cannot be sent: invalid ones and duplicates.
func (r *Report) Unsendable() int { return r.Outcomes[Invalid] + r.Outcomes[Duplicate] }

// spoiled says what is wrong with a source of whose rows in step more than a tenth, and more than 5, have turned invalid.
func spoiled(turned, inStep int) string {
	if turned <= 5 || 10*turned <= inStep {
		return ""
	}
	return fmt.Sprintf("%d of the %d rows that were in step are invalid now: has the form of the source changed?", turned, inStep)
}

// MembershipCounts counts the topic memberships that a run added, removed and left alone on purpose, and those that a row is
// unclear about.
type MembershipCounts struct {
	Added int `json:"added"`
	// Pending counts the added ones that wait until the person confirms (double opt-in), as Owlat answered, without those for whom it is
	// known that Owlat sent no mail. In a plan, it counts
	// the adds to topics that are known to ask for that; of these, people who have confirmed before do not wait.
	Pending int `json:"pending,omitempty"`
	Removed int `json:"removed"`
	Skipped int `json:"skipped"`
	// OptedOut counts the people who were opted out of everything, because no mail may go to them.
	OptedOut int `json:"opted_out,omitempty"`
	// Unclear counts consents that are neither yes nor no: nobody was added or removed because of them.
	Unclear int `json:"unclear,omitempty"`
}

// EventCounts counts the events that a run sent, those of which nobody knows whether they arrived, and those that it left out because nobody
// was to get them.
type EventCounts struct {
	Sent    int `json:"sent"`
	Unknown int `json:"unknown,omitempty"`
	LeftOut int `json:"left_out,omitempty"`
}

// RequestCounts counts the requests that a run sent, including retries. Writes are all but GETs.
type RequestCounts struct {
	Total       int `json:"total"`
	Writes      int `json:"writes"`
	RateLimited int `json:"rate_limited"`
	// Links are those with the unsubscribe secret. They take nothing of the key's budget, and the others do not count them.
	Links int `json:"links,omitempty"`
}

// NewReport returns an empty report with every outcome present.
func NewReport(sync, run string) *Report {
	r := &Report{Sync: sync, Run: run, Outcomes: make(map[Outcome]int, len(Outcomes))}
	for _, o := range Outcomes {
		r.Outcomes[o] = 0
	}
	return r
}

// Balanced reports whether the outcomes add up to the rows read plus Missing (Invariant 2).
func (r *Report) Balanced() bool {
	sum := 0
	for _, n := range r.Outcomes {
		sum += n
	}
	return sum == r.Rows+r.Missing
}
