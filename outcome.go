package owlatsync

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

// Report is the result of one run of one sync. It holds no address and no name.
type Report struct {
	Sync        string           `json:"sync"`
	Run         string           `json:"run"`
	Rows        int              `json:"rows"`
	Missing     int              `json:"missing"` // rows that left the source and that the run acted on
	Outcomes    map[Outcome]int  `json:"outcomes"`
	Memberships MembershipCounts `json:"memberships"`
	Requests    RequestCounts    `json:"requests"`
	Seconds     float64          `json:"seconds"`
	Reading     *Reading         `json:"reading,omitempty"` // nil if the source does not know when its rows changed
}

// MembershipCounts counts the topic memberships that a run added, removed and left alone on purpose, and those that a row is
// unclear about.
type MembershipCounts struct {
	Added int `json:"added"`
	// Pending counts the added ones that wait until the person confirms (double opt-in), as Owlat answered. In a plan, it counts
	// the adds to topics that are known to ask for that; of these, people who have confirmed before do not wait.
	Pending int `json:"pending,omitempty"`
	Removed int `json:"removed"`
	Skipped int `json:"skipped"`
	// Unclear counts consents that are neither yes nor no: nobody was added or removed because of them.
	Unclear int `json:"unclear,omitempty"`
}

// RequestCounts counts the requests that a run sent, including retries. Writes are all but GETs.
type RequestCounts struct {
	Total       int `json:"total"`
	Writes      int `json:"writes"`
	RateLimited int `json:"rate_limited"`
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
