package page

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"owlatsync/internal/api"
	"owlatsync/internal/words"
	"owlatsync/ledger"
)

// overviewView is how all syncs of a deployment stand.
type overviewView struct {
	NotReady string // why the service cannot do its work; empty: it can
	Needs    []need // what needs a person
	Syncs    []syncView
	Nodes    *nodesView    // nil: there is one process alone, or they are not for the viewer
	Begin    *help         // how to begin; nil: there are syncs
	Budget   *budgetView   // nil: nothing of it is known
	Round    *ledger.Round // nil: nobody is looked for who has left
}

// budgetView is how fast requests are sent to Owlat.
type budgetView struct {
	Used, Limit string // requests a second; empty: not known
	Share       string // in percent; empty: not known
	Keys        []keyView
}

// keyView is how fast requests are sent with one of several API keys.
type keyView struct {
	Place       int
	Used, Limit string // requests a second; empty: not known
	Refused     bool
}

func newBudgetView(b api.Budget, here bool) *budgetView {
	rate := func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
	var v budgetView
	if b.Limit > 0 {
		v.Limit = rate(b.Limit)
	}
	if here {
		v.Used = rate(math.Round(b.Used*10) / 10)
		if b.Limit > 0 {
			v.Share = rate(math.Round(100 * b.Used / b.Limit))
		}
	}
	for i, k := range b.Keys {
		one := keyView{Place: i + 1, Used: rate(math.Round(k.Used*10) / 10), Refused: k.Refused}
		if k.Limit > 0 {
			one.Limit = rate(k.Limit)
		}
		v.Keys = append(v.Keys, one)
	}
	if v.Used == "" && v.Limit == "" {
		return nil
	}
	return &v
}

// need is something that waits for a person.
type need struct {
	Sync, What, Do string
	Page, Link     string // where it is done, below the addresses of the deployment, and what leads there; empty: nowhere
	Command        string // that does it, too; empty: none
}

// syncView is a sync in the table.
type syncView struct {
	Name, Why, Schedule string
	Address             string
	State               api.State
	Next                time.Time // zero: none
	Last                *lastView // nil: it has never run
	Known               bool      // the ledger knows the sync

	Rows, InStep, Failing, Parked, Asked, OptedOut, Unsendable int
}

// lastView is the latest run of a sync.
type lastView struct {
	Run     int64
	Address string
	Status  ledger.Status
	At      time.Time // when it ended, or began if it goes on
}

func showOverview(c *call) error {
	states, err := c.d.Service.Syncs(c.r.Context())
	if err != nil {
		return err
	}
	v := overviewView{Syncs: make([]syncView, len(states)), Budget: newBudgetView(c.d.Service.Budget())}
	if why := c.d.Service.Ready(c.r.Context()); why != nil {
		v.NotReady = sentence(why.Error())
	}
	for i, s := range states {
		v.Syncs[i] = newSyncView(c.base, s)
		v.Needs = append(v.Needs, needsOf(c.typed(), s)...)
	}
	round, err := c.d.Ledger.Round(c.r.Context())
	if err != nil {
		return err
	}
	if !round.Ended.IsZero() || !round.Open.Began.IsZero() {
		v.Round = &round
	}
	given, err := needsOfWriteBacks(c)
	if err != nil {
		return err
	}
	v.Needs = append(v.Needs, given...)
	v.Nodes = nodesFor(c)
	if len(states) == 0 {
		v.Begin = noSync(c.typed())
	}
	title := "Overview"
	if c.d.Name != "" {
		title = c.d.Name
	}
	c.show(http.StatusOK, "overview", title, v)
	return nil
}

func newSyncView(base string, s api.SyncState) syncView {
	v := syncView{
		Name: s.Sync.Sync.Name, Address: base + "/syncs/" + url.PathEscape(s.Sync.Sync.Name), Why: s.Why, Schedule: s.Sync.Sync.Schedule.Text, State: s.State, Next: s.Next, Known: s.Known,
		Rows: s.Rows.Entries, InStep: s.InStep(), Failing: s.Rows.Failing, Parked: s.Rows.Parked, Asked: s.Rows.Asked, OptedOut: s.Rows.OptedOut, Unsendable: s.Unsendable(),
	}
	if len(s.Runs) > 0 {
		r := s.Runs[0]
		v.Last = &lastView{r.ID, base + "/runs/" + strconv.FormatInt(r.ID, 10), r.Status, r.Finished}
		if r.Finished.IsZero() {
			v.Last.At = r.Started
		}
	}
	return v
}

// needsOf returns what of a sync waits for a person.
func needsOf(typed words.Typed, s api.SyncState) (all []need) {
	name := s.Sync.Sync.Name
	command := func(command string) string { return typed.Command(command, "") }
	for _, r := range s.Held {
		n := need{Sync: name, What: fmt.Sprintf("Run %d is %s.", r.ID, straight(r.Message)), Do: "Look at its plan, and approve it if that is what you want.",
			Page: fmt.Sprintf("/runs/%d", r.ID), Link: fmt.Sprintf("Look at run %d", r.ID), Command: command(fmt.Sprintf("approve %d", r.ID))}
		if r.Mode == ledger.ModeReview {
			n.What = fmt.Sprintf("A plan waits for you: somebody asked run %d to show what it would do.", r.ID)
			n.Do = "Look at it, and approve or dismiss it. The next run takes its place."
		}
		if r.Refused != nil {
			n.Do, n.Command = fmt.Sprintf("It can no longer be approved (%s), so run the sync again.", straight(r.Refused.Error())), ""
		}
		all = append(all, n)
	}
	switch s.State {
	case api.Failing:
		n := need{Sync: name, What: sentence(s.Why), Do: "Look for the cause; the log of the service has more. The next run tries again."}
		if len(s.Runs) > 0 && !s.Runs[0].Finished.IsZero() {
			n.Page, n.Link = fmt.Sprintf("/runs/%d", s.Runs[0].ID), fmt.Sprintf("Look at run %d", s.Runs[0].ID)
		}
		all = append(all, n)
	case api.Stale:
		all = append(all, need{Sync: name, What: "It is stale: " + straight(s.Why) + ".", Do: "Look whether its runs fail, are held, or are never due."})
	}
	if s.Rows.Parked > 0 {
		all = append(all, need{
			Sync: name, What: "Rows have failed so often that they are not tried again: " + number(s.Rows.Parked) + ".",
			Do: "See why, and set them right or try them once more.", Page: "/failures", Link: "See the failures", Command: command("failures"),
		})
	}
	return all
}

// syncAddress returns the address of the page of a sync.
func syncAddress(c *call, name string) string { return c.base + "/syncs/" + url.PathEscape(name) }

// deploymentsView are several deployments, and the nodes that work for them.
type deploymentsView struct {
	All   []deploymentView
	Nodes *nodesView // nil: there is one process alone, or they are not for the viewer
}

// deploymentView is a deployment in the list of several.
type deploymentView struct {
	Name, Address string
	Closed        string // why it is not open; empty: it is
	Unknown       bool   // how it stands was not known in time
	Syncs, Needs  int
}

// How many deployments are asked at once, and how long they have to answer.
const (
	askedAtOnce = 8
	askedWithin = 2 * time.Second
)

// showDeployments lists several deployments.
func showDeployments(c *call, names []string) error {
	ctx, cancel := context.WithTimeout(c.r.Context(), askedWithin)
	defer cancel()
	all := make([]deploymentView, len(names))
	each(len(names), func(i int) { all[i] = newDeploymentView(ctx, c, names[i]) })
	c.show(http.StatusOK, "deployments", "Deployments", deploymentsView{all, nodesFor(c)})
	return nil
}

func newDeploymentView(ctx context.Context, c *call, name string) deploymentView {
	v := deploymentView{Name: name, Address: "/deployments/" + url.PathEscape(name) + "/"}
	d, err := c.parts.Directory.Find(name)
	if err != nil {
		v.Closed = sentence(c.parts.says(name, err.Error()))
		return v
	}
	states, err := d.Service.Syncs(ctx)
	v.Syncs, v.Unknown = len(states), err != nil
	for _, s := range states {
		v.Needs += len(needsOf(words.Typed{}, s))
	}
	return v
}
