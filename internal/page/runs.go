package page

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"owlatsync"
	"owlatsync/internal/access"
	"owlatsync/internal/api"
	"owlatsync/internal/config"
	"owlatsync/internal/page/decided"
	"owlatsync/internal/page/rowlist"
	"owlatsync/internal/page/telling"
	"owlatsync/internal/standing"
	"owlatsync/ledger"
)

// runRoutes are the addresses of runs, and of what is done with them.
var runRoutes = []route{
	{method: http.MethodGet, path: "/syncs/{name}/runs", role: config.Viewer, of: showRuns},
	{method: http.MethodPost, path: "/syncs/{name}/run", role: config.Operator, of: func(c *call) error { return ask(c, false) }},
	{method: http.MethodPost, path: "/syncs/{name}/plan", role: config.Operator, of: func(c *call) error { return ask(c, true) }},
	{method: http.MethodGet, path: "/runs/{id}", role: config.Viewer, of: showRun},
	{method: http.MethodGet, path: "/runs/{id}/live", role: config.Viewer, of: follow},
	{method: http.MethodGet, path: "/runs/{id}/decisions.csv", role: config.Viewer, of: downloadDecisions},
	{method: http.MethodGet, path: "/runs/{id}/plan", role: config.Viewer, of: showPlan},
	{method: http.MethodGet, path: "/runs/{id}/plan.csv", role: config.Viewer, of: downloadPlan},
	{method: http.MethodGet, path: "/runs/{id}/{order}", role: config.Operator, of: confirm},
	{method: http.MethodPost, path: "/runs/{id}/{order}", role: config.Operator, of: carryOut},
}

// runsPage is a part of the runs of a sync, newest first.
type runsPage struct {
	Sync, SyncAddress string
	Runs              []runView
	Older, Newest     string // empty: there are none
}

// runsOnPage is how many runs a page lists.
const runsOnPage = 100

func showRuns(c *call) error {
	s, err := c.named(c.r.PathValue("name"))
	if err != nil {
		return err
	}
	name := s.Sync.Sync.Name
	v := runsPage{Sync: name, SyncAddress: syncAddress(c, name)}
	before, err := strconv.ParseInt(c.r.URL.Query().Get("before"), 10, 64)
	var runs []ledger.Run
	if err != nil || before < 1 {
		runs, err = c.d.Ledger.Runs(c.r.Context(), name, runsOnPage+1)
	} else {
		v.Newest = v.SyncAddress + "/runs"
		runs, err = c.d.Ledger.RunsBefore(c.r.Context(), name, before, runsOnPage+1)
	}
	if err != nil {
		return err
	}
	if len(runs) > runsOnPage {
		runs = runs[:runsOnPage]
		v.Older = "?before=" + strconv.FormatInt(runs[runsOnPage-1].ID, 10)
	}
	for _, r := range runs {
		if r, err = standing.Now(c.r.Context(), c.d.Ledger, r); err != nil {
			return err
		}
		v.Runs = append(v.Runs, newRunView(c, r))
	}
	c.show(http.StatusOK, "runs", "Runs of "+straight(name), v)
	return nil
}

// named returns how a sync of the configuration stands.
func (c *call) named(name string) (api.SyncState, error) {
	states, err := c.d.Service.Syncs(c.r.Context())
	if err != nil {
		return api.SyncState{}, err
	}
	i := slices.IndexFunc(states, func(s api.SyncState) bool { return s.Sync.Sync.Name == name })
	if i < 0 {
		return api.SyncState{}, &access.Refusal{Status: http.StatusNotFound, Code: "sync", Message: "the configuration has no such sync", Hint: "the overview lists the syncs that there are"}
	}
	return states[i], nil
}

// run returns the record of the run in the address, as it is.
func (c *call) run() (ledger.Run, error) {
	id, err := strconv.ParseInt(c.r.PathValue("id"), 10, 64)
	if err != nil || id < 1 {
		return ledger.Run{}, &access.Refusal{Status: http.StatusNotFound, Code: "run", Message: "the address names no run by its number", Hint: "the page of a sync lists its runs"}
	}
	r, err := c.d.Ledger.Run(c.r.Context(), id)
	if err != nil {
		return ledger.Run{}, err
	}
	return standing.Now(c.r.Context(), c.d.Ledger, *r)
}

// sees reports whether the caller sees what names persons in a sync: keys that are or hold addresses, among others.
func (c *call) sees(sync string) bool {
	return c.who.May(config.Operator) || !c.d.Service.Personal(sync)
}

// ofRun is a request that shows a run.
type ofRun struct{ *call }

// runPage is one run.
type runPage struct {
	Run         runView
	Sync        string
	SyncAddress string
	Status      ledger.Status
	Says        string // how it is, in a sentence, where the status does not say it; empty: nothing more
	Facts       []telling.Fact
	Outcomes    []telling.Fact
	Unsendable  *unsendableView // nil: every row that it read could be sent
	Guards      []owlatsync.Hit
	Sums        *telling.Beside   // its plan, if that waits for somebody or did; nil: it did not
	Held        *heldView         // nil: it is not held
	Later       *laterView        // nil: no other run took its place, or is to apply its plan
	Decided     *decided.Decision // nil: nobody decided about its plan
	Approved    *approvedView     // whose plan it applies; nil: its own
	Live        *liveView         // nil: it has ended
	Operator    bool
	May         []link // what the viewer may do with it
	Decisions   rowlist.Decisions
	Lost        bool // it did something with single rows, and nothing of that is known
}

// AskedFor is what is said of a plan that no guard holds.
func (*runPage) AskedFor() string { return telling.AskedFor }

// laterView is the run that took the place of one that was held, or applies its plan.
type laterView struct {
	Run     int64 // 0: it is not known any more
	Address string
	ended   time.Time // zero: it has not
}

// unsendableView is the rows that a run read and could not send. The ledger has their number alone.
type unsendableView struct {
	Count  int
	Latest bool // no later run has read the source
}

func showRun(c *call) error {
	r, err := c.run()
	if err != nil {
		return err
	}
	of := ofRun{c}
	address := of.address(r.ID)
	v := runPage{
		Run: newRunView(c, r), Sync: r.Sync, SyncAddress: syncAddress(c, r.Sync), Says: telling.Waits(&r),
		Guards: r.Guards, Facts: telling.Facts(&r), Outcomes: telling.Outcomes(&r), Operator: c.who.May(config.Operator),
	}
	v.Status = v.Run.Status
	switch r.Status {
	case ledger.StatusHeld, ledger.StatusSuperseded, ledger.StatusApproved, ledger.StatusDismissed:
		if err := of.fillHeld(&r, &v); err != nil {
			return err
		}
	case ledger.StatusQueued, ledger.StatusRunning, ledger.StatusWaiting:
		v.Live = &liveView{Address: address + "/live", Snapshot: telling.Now(c.d, &r)}
		v.Status = v.Live.Status
		v.May = append(v.May, link{Text: "Cancel", Address: address + "/cancel"})
	}
	if v.Approved, err = of.approved(&r); err != nil {
		return err
	}
	if !v.Operator {
		v.May = nil
	}
	if v.Unsendable, err = of.unsendable(&r); err != nil {
		return err
	}
	if v.Decisions, err = rowlist.ListDecisions(c.r.Context(), of.rows(&r, address)); err != nil {
		return err
	}
	v.Outcomes = listed(v.Outcomes, &v.Decisions)
	v.Lost = len(v.Decisions.Lines) == 0 && !v.Decisions.Narrowed && v.Live == nil && v.Run.Changed+v.Run.Failed-v.Run.NotTried > 0
	c.show(http.StatusOK, "run", "Run "+strconv.FormatInt(r.ID, 10)+" of "+straight(r.Sync), &v)
	return nil
}

// listed takes the link from numbers of which the list of a run has no row.
func listed(outcomes []telling.Fact, has *rowlist.Decisions) []telling.Fact {
	for i := range outcomes {
		query, _, _ := strings.Cut(outcomes[i].List, "#")
		what, narrow := strings.CutPrefix(query, "?what=")
		if narrow && !has.Offers(what) && !(what == string(owlatsync.Failed) && has.NotTried > 0) {
			outcomes[i].List = ""
		}
	}
	return outcomes
}

// unsendable counts the rows that a run could not send.
func (c ofRun) unsendable(r *ledger.Run) (*unsendableView, error) {
	if r.Report == nil || r.Report.Unsendable() == 0 {
		return nil, nil
	}
	v := &unsendableView{Count: r.Report.Unsendable()}
	runs, err := c.d.Ledger.Runs(c.r.Context(), r.Sync, listedRuns)
	if i := slices.IndexFunc(runs, hasRead); i >= 0 {
		v.Latest = runs[i].ID == r.ID
	}
	return v, err
}

// hasRead reports whether a run has read its source to the end.
func hasRead(r ledger.Run) bool { return r.Report != nil && r.Summary != nil }
