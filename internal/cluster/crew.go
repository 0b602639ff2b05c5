package cluster

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/riverqueue/river"
)

// node is a row about a node.
type node struct {
	ID           string
	Homes, Slots int64
	Print        string   // of its configuration; see alike
	Doubts       bool     // nothing may work there
	Avoids       []string // deployments that are better off at another node, in their order
}

// fitness is how well off a deployment is at a node, as far as is known.
type fitness int

const (
	avoided  fitness = iota // something of it did not work there
	doubted                 // something of others did not, and nothing has since
	expected                // it is as good as any
)

// fit says how well off a deployment is at a node.
func (n *Node) fit(p node, deployment string) fitness {
	doubts, avoids := p.Doubts, false
	if p.ID == n.o.ID {
		doubts, avoids = n.flights.doubts(), n.flights.avoids(deployment)
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
func (n *Node) fittest(nodes []node, deployment string) (best []node) {
	most := avoided
	for _, p := range nodes {
		fit := n.fit(p, deployment)
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

// crew is what a node knows of the others.
type crew struct {
	mine    atomic.Int64 // homes here, also those that begin
	share   atomic.Int64 // how many homes each node should have; 0: this node is alone
	crowded atomic.Bool  // a home waits for a place

	mu     sync.Mutex
	peers  []node    // that live, and this one
	looked time.Time // when this was last known
}

// seen is when the node last saw the others.
func (c *crew) seen() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.looked
}

// another returns the queue of some other node, and how many there are.
func (c *crew) another(than string) (queue string, nodes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	others := slices.DeleteFunc(slices.Clone(c.peers), func(p node) bool { return p.ID == than })
	if len(others) == 0 {
		return homesQueue, 0
	}
	return homesQueueOf(others[rand.N(len(others))].ID), len(others)
}

// others is how many other nodes there are.
func (c *crew) others() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return max(len(c.peers)-1, 0)
}

// untried reports whether there is a node that is not among those that have worked a job.
func (c *crew) untried(by []string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(c.peers, func(p node) bool { return !slices.Contains(by, p.ID) })
}

func (c *crew) more(n int64) { c.mine.Add(n) }

// hasItsShare reports whether others should take the next home.
func (c *crew) hasItsShare() bool {
	share := c.share.Load()
	return share > 0 && c.mine.Load() >= share+share/8
}

// known returns the nodes that live, without one of them.
func (n *Node) known(but string) []node {
	n.crew.mu.Lock()
	defer n.crew.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(n.crew.peers), func(p node) bool { return p.ID == but })
}

// elsewhere reports whether there is another node at which the deployment is as well off as anywhere.
func (n *Node) elsewhere(deployment string) bool {
	return slices.ContainsFunc(n.known(n.o.ID), func(p node) bool { return n.fit(p, deployment) == expected })
}

// place returns the queue of the node that has the most room for a deployment, of those at which it is best off, and notes that it has one
// more home. But is left out; it may be empty. Several nodes that find places at the same time may give to the same; those that have more
// than their share let go.
func (n *Node) place(deployment, but string) string {
	all := n.fittest(n.known(but), deployment)
	if len(all) == 0 {
		return homesQueue
	}
	best := slices.MinFunc(all, func(a, b node) int { return cmp.Compare(a.Homes*b.Slots, b.Homes*a.Slots) })
	if best.Homes >= best.Slots {
		return homesQueue
	}
	n.crew.expect(best.ID)
	return homesQueueOf(best.ID)
}

// expect notes that a node is to have one more home.
func (c *crew) expect(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.IndexFunc(c.peers, func(p node) bool { return p.ID == id }); i >= 0 {
		c.peers[i].Homes++
	}
}

// homeAt is a job for a home at the node that has the most room for it.
func (n *Node) homeAt(deployment string, epoch int64) river.InsertManyParams {
	return river.InsertManyParams{Args: homeArgs{deployment, epoch}, InsertOpts: &river.InsertOpts{Queue: n.place(deployment, "")}}
}
