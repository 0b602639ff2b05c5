package crew

import (
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Node is what a node tells others of itself.
type Node struct {
	ID           string
	Homes, Slots int64    // it has and may have
	Print        string   // of its configuration; empty: an older program says nothing
	Doubts       bool     // nothing may work there
	Avoids       []string // deployments that are better off at another node, in their order
}

// Waiting is what waits for a home.
type Waiting struct {
	Count int64
	First []string // names some of the deployments, those that have waited for longest
}

// Crew is what a node knows of the others, and of itself. It is safe for concurrent use.
type Crew struct {
	Flights Flights // of this node

	me      string       // the ID of this node
	mine    atomic.Int64 // homes here, also those that begin
	share   atomic.Int64 // how many homes each node should have; 0: this node is alone
	crowded atomic.Bool  // a home waits for a place

	mu     sync.Mutex
	peers  []Node    // that live, and this one
	looked time.Time // when this was last known
}

// New returns the crew of a node that knows nobody yet.
func New(me string) *Crew { return &Crew{me: me} }

// Meet takes in who lives, this node among them.
func (c *Crew) Meet(nodes []Node) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.peers, c.looked = slices.Clone(nodes), time.Now()
}

// Seen is when the node last saw the others.
func (c *Crew) Seen() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.looked
}

// all returns the nodes that live, and others those but this one.
func (c *Crew) all() []Node {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.peers)
}

func (c *Crew) others() []Node {
	return slices.DeleteFunc(c.all(), func(p Node) bool { return p.ID == c.me })
}

// Others is how many other nodes there are.
func (c *Crew) Others() int { return len(c.others()) }

// Another names some other node, and tells how many there are; empty if there is none.
func (c *Crew) Another() (id string, nodes int) {
	others := c.others()
	if len(others) == 0 {
		return "", 0
	}
	return others[rand.N(len(others))].ID, len(others)
}

// Untried reports whether there is a node that is not among those that have worked a job.
func (c *Crew) Untried(by []string) bool {
	return slices.ContainsFunc(c.all(), func(p Node) bool { return !slices.Contains(by, p.ID) })
}

// Add counts homes that begin here, or, below zero, that have ended. Mine is how many there are.
func (c *Crew) Add(homes int64) { c.mine.Add(homes) }

// Mine is how many homes are here.
func (c *Crew) Mine() int64 { return c.mine.Load() }

// Crowded reports whether a home waits because there is no place for it.
func (c *Crew) Crowded() bool { return c.crowded.Load() }

// Weigh works out the share of each node from what waits, and returns how many homes more than its share this node has.
func (c *Crew) Weigh(w Waiting) (excess int64) {
	nodes, homes := c.all(), w.Count
	for _, p := range nodes {
		homes += p.Homes
	}
	count := int64(max(len(nodes), 1))
	c.crowded.Store(slices.ContainsFunc(w.First, c.isFullFor))
	if count == 1 {
		c.share.Store(0)
		return 0
	}
	share := max((homes+count-1)/count, 1)
	c.share.Store(share)
	return c.mine.Load() - share
}

// HasItsShare reports whether others should take the next home.
func (c *Crew) HasItsShare() bool {
	share := c.share.Load()
	return share > 0 && c.mine.Load() >= share+share/8
}

// MayFlee reports whether the home of a deployment is to go to another node, because what failed may work there, and notes that it is. What
// has worked in this very home may always be tried elsewhere.
func (c *Crew) MayFlee(deployment, why string, workedHere bool) bool {
	return c.Flights.may(deployment, why, workedHere, c.Elsewhere(deployment))
}
