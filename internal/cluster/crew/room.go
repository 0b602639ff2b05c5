package crew

import (
	"cmp"
	"slices"
)

// fitness is how well off a deployment is at a node, as far as is known.
type fitness int

const (
	avoided  fitness = iota // something of it did not work there
	doubted                 // something of others did not, and nothing has since
	expected                // it is as good as any
)

// fit says how well off a deployment is at a node.
func (c *Crew) fit(p Node, deployment string) fitness {
	doubts, avoids := p.Doubts, false
	if p.ID == c.me {
		doubts, avoids = c.Flights.Doubts(), c.Flights.Avoids(deployment)
	} else {
		_, avoids = slices.BinarySearch(p.Avoids, deployment)
	}
	switch {
	case avoids:
		return avoided
	case doubts:
		return doubted
	}
	return expected
}

// fittest returns those of some nodes at which a deployment is best off.
func (c *Crew) fittest(nodes []Node, deployment string) (best []Node) {
	most := avoided
	for _, p := range nodes {
		fit := c.fit(p, deployment)
		if p.Slots == 0 || fit < most {
			continue
		}
		if fit > most {
			most, best = fit, nil
		}
		best = append(best, p)
	}
	return best
}

// isFullFor reports whether all nodes at which the deployment is best off are full.
func (c *Crew) isFullFor(deployment string) bool {
	return !slices.ContainsFunc(c.fittest(c.all(), deployment), func(p Node) bool { return p.Homes < p.Slots })
}

// Elsewhere reports whether there is another node at which nothing is known to stand in the way of the deployment.
func (c *Crew) Elsewhere(deployment string) bool {
	return slices.ContainsFunc(c.others(), func(p Node) bool { return c.fit(p, deployment) == expected })
}

// HasRoom reports whether another node has clearly fewer homes than this one, and the deployment is no worse off there.
func (c *Crew) HasRoom(deployment string) bool {
	here, mine := c.fit(Node{ID: c.me}, deployment), c.mine.Load()
	return slices.ContainsFunc(c.others(), func(p Node) bool {
		return p.Homes+1 < mine && p.Homes < p.Slots && c.fit(p, deployment) >= here
	})
}

// Place names the node that has the most room for a deployment, of those at which it is best off, and notes that it has one more home; empty
// if none is known to have room. Several nodes that find places at the same time may give to the same; those that have more than their share
// let go.
func (c *Crew) Place(deployment string) (id string) { return c.place(deployment, "") }

// PlaceElsewhere is like Place, but leaves this node out.
func (c *Crew) PlaceElsewhere(deployment string) (id string) { return c.place(deployment, c.me) }

// place chooses and notes under one lock, so that of several homes each knows of those before it.
func (c *Crew) place(deployment, but string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	nodes := c.fittest(slices.DeleteFunc(slices.Clone(c.peers), func(p Node) bool { return p.ID == but }), deployment)
	if len(nodes) == 0 {
		return ""
	}
	best := slices.MinFunc(nodes, func(a, b Node) int { return cmp.Compare(a.Homes*b.Slots, b.Homes*a.Slots) })
	if best.Homes >= best.Slots {
		return ""
	}
	c.peers[slices.IndexFunc(c.peers, func(p Node) bool { return p.ID == best.ID })].Homes++
	return best.ID
}
