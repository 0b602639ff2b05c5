package page

import (
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"owlatsync"
	"owlatsync/internal/api"
	"owlatsync/internal/config"
	"owlatsync/internal/page/begin"
	"owlatsync/internal/page/figures"
	"owlatsync/internal/page/glance"
	"owlatsync/internal/page/telling"
	"owlatsync/internal/standing"
	"owlatsync/ledger"
)

// syncPage is one sync: how it stands, its history and its runs.
type syncPage struct {
	Sync     glance.Sync
	LastGood time.Time // zero: there was none
	Needs    []need
	Windows  []link // how far the plots can look back
	Plots    []template.HTML
	Cut      int // how many runs the plots are of, where there are more; 0: of all
	Runs     []runView
	Begin    *begin.Help // how it has its first run; nil: it has had one
	Waits    bool        // a held run waits for approval
	Operator bool
	Settings []glance.Setting // of the configuration; empty: the viewer may not see them
}

// runView is a run in a list.
type runView struct {
	Run                  int64
	Address              string
	Status               ledger.Status
	Message              string
	Started              time.Time
	Took                 string // empty: it has not ended
	Changed, Failed, Bad int
	NotTried             int   // rows of Failed that it did not try, as they had failed before
	Approves             int64 // the held run whose plan it applies; 0: its own
}

// listedRuns is how many runs are looked at, and shownRuns how many of them the page of a sync lists.
const listedRuns, shownRuns = 30, 10

func showSync(c *call) error {
	state, err := c.named(c.r.PathValue("name"))
	if err != nil {
		return err
	}
	name := state.Sync.Sync.Name
	window := figures.Window(c.r.URL.Query().Get("window"))
	if !slices.Contains(figures.Windows, window) {
		window = figures.Windows[0]
	}
	now := c.d.Ledger.Now().UTC()
	runs, err := c.d.Ledger.Runs(c.r.Context(), name, listedRuns)
	if err != nil {
		return err
	}
	briefs, err := c.d.Ledger.Briefs(c.r.Context(), name, window.Since(now), figures.Most+1)
	if err != nil {
		return err
	}
	v := syncPage{Sync: c.glanceOf(state), LastGood: state.LastGood, Needs: glance.Needs(c.typed(), state), Operator: c.who.May(config.Operator)}
	v.Waits = state.State == api.Held || state.Waits != 0
	for _, w := range figures.Windows {
		v.Windows = append(v.Windows, link{w.Words(), "?window=" + url.QueryEscape(string(w)), w == window})
	}
	budget, _ := c.d.Service.Budget()
	if len(briefs) > figures.Most {
		briefs, v.Cut = briefs[:figures.Most], figures.Most
	}
	for _, p := range figures.Of(briefs, figures.Options{Window: window, Now: now, PerSecond: budget.Limit}).All() {
		v.Plots = append(v.Plots, p.HTML())
	}
	for _, r := range runs[:min(shownRuns, len(runs))] {
		if r, err = standing.Now(c.r.Context(), c.d.Ledger, r); err != nil {
			return err
		}
		v.Runs = append(v.Runs, newRunView(c, r))
	}
	if len(runs) == 0 {
		v.Begin = begin.NeverRun(c.typed(), name, state.Sync.Sync.Schedule.Text != "", v.Operator)
	}
	if c.who.May(config.Operator) {
		v.Settings = glance.Settings(&state.Sync.Sync)
	}
	c.show(http.StatusOK, "sync", name, v)
	return nil
}

func newRunView(c *call, r ledger.Run) runView {
	v := runView{Run: r.ID, Address: c.base + "/runs/" + strconv.FormatInt(r.ID, 10), Status: glance.Status(r, c.goesOn), Message: c.typed().Complete(r.Message), Started: r.Started, Approves: r.Approves}
	if telling.Asked(&r) {
		v.Message = "a plan that somebody asked to see; nothing of it was sent"
	}
	if !r.Finished.IsZero() {
		v.Took = telling.Took(r.Finished.Sub(r.Started))
	}
	if r.Report != nil {
		v.Changed, v.Failed, v.Bad = changed(r), r.Report.Outcomes[owlatsync.Failed], r.Report.Unsendable()
		v.NotTried = telling.Waited(&r)
	}
	return v
}

// changed counts the rows for which a run changed something in Owlat.
func changed(r ledger.Run) (n int) {
	for _, o := range []owlatsync.Outcome{owlatsync.Created, owlatsync.Updated, owlatsync.Renamed, owlatsync.Adopted, owlatsync.Removed} {
		n += r.Report.Outcomes[o]
	}
	return n
}
