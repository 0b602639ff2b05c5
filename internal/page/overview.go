package page

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"owlatsync/internal/api"
	"owlatsync/internal/page/begin"
	"owlatsync/internal/page/glance"
	"owlatsync/internal/words"
	"owlatsync/ledger"
)

// overviewView is how all syncs of a deployment stand.
type overviewView struct {
	NotReady string // why the service cannot do its work; empty: it can
	Needs    []need // what needs a person
	Syncs    []glance.Sync
	Nodes    *nodesView     // nil: there is one process alone, or they are not for the viewer
	Begin    *begin.Help    // how to begin; nil: there are syncs
	Budget   *glance.Budget // nil: nothing of it is known
	Round    *ledger.Round  // nil: nobody is looked for who has left
}

// need is something that waits for a person.
type need = glance.Need

func showOverview(c *call) error {
	states, err := c.d.Service.Syncs(c.r.Context())
	if err != nil {
		return err
	}
	v := overviewView{Syncs: make([]glance.Sync, len(states)), Budget: glance.BudgetOf(c.d.Service.Budget())}
	if why := c.d.Service.Ready(c.r.Context()); why != nil {
		v.NotReady = sentence(why.Error())
	}
	for i, s := range states {
		v.Syncs[i] = c.glanceOf(s)
		v.Needs = append(v.Needs, glance.Needs(c.typed(), s)...)
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
	glance.Sort(v.Needs)
	v.Nodes = nodesFor(c)
	if len(states) == 0 {
		v.Begin = begin.NoSync(c.typed())
	}
	title := "Overview"
	if c.d.Name != "" {
		title = c.d.Name
	}
	c.show(http.StatusOK, "overview", title, v)
	return nil
}

// glanceOf tells how a sync stands.
func (c *call) glanceOf(s api.SyncState) glance.Sync { return glance.Of(c.base, s, c.goesOn) }

// goesOn reports whether a run goes on, as far as this process knows.
func (c *call) goesOn(run int64) bool {
	_, here := c.d.Service.Progress(run)
	return here
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
		v.Needs += len(glance.Needs(words.Typed{}, s))
	}
	return v
}
