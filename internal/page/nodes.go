package page

import (
	"context"
	"strconv"
	"strings"
	"time"

	"owlatsync/internal/cluster/roll"
)

// nodesWithin is how long the page waits for the nodes: it shows the rest without them.
const nodesWithin = time.Second

// nodesView are the nodes of a cluster.
type nodesView struct {
	Unknown bool // they cannot be read now
	Nodes   []nodeView
}

// nodeView is a node in the table.
type nodeView struct {
	ID, Where, Version string
	Does               string
	Homes              string
	State              string
	Look               string // of the state
	Since, Seen        time.Time
}

// nodesFor returns the nodes for those whose account reaches the whole service; nil for others, and where there is no cluster.
func nodesFor(c *call) *nodesView {
	if c.parts.Nodes == nil || c.who.Deployment != "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(c.r.Context(), nodesWithin)
	defer cancel()
	all, err := c.parts.Nodes(ctx)
	if err != nil {
		c.log.WarnContext(c.r.Context(), "the nodes cannot be shown", "error", err)
		return &nodesView{Unknown: true}
	}
	v := &nodesView{Nodes: make([]nodeView, len(all))}
	for i, n := range all {
		v.Nodes[i] = newNodeView(n)
	}
	return v
}

func newNodeView(n roll.Node) nodeView {
	v := nodeView{ID: n.ID, Where: n.Host + ", process " + strconv.FormatInt(n.PID, 10), Version: n.Version, Since: n.Since, Seen: n.Seen, Homes: number(int(n.Homes))}
	if n.Slots > 0 {
		v.Homes += " of " + number(int(n.Slots))
	}
	switch {
	case n.Silent:
		v.State, v.Look = "silent", "failing"
	case n.Doubts:
		v.State, v.Look = "in doubt", "stale"
	default:
		v.State, v.Look = "alive", "healthy"
	}
	switch {
	case len(n.Runs) == 1 && n.Runs[0] == "": // the only deployment has no name
		v.Does = "makes a run"
	case len(n.Runs) > 0:
		v.Does = "makes runs of " + straight(strings.Join(n.Runs, ", "))
	case n.Homes > 0:
		v.Does = "waits for what is due"
	default:
		v.Does = "stands by"
	}
	return v
}
