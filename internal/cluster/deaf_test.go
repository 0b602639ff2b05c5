package cluster

import (
	"slices"
	"testing"
	"time"

	"owlatsync/internal/turns"
)

// TestAHomeThatHearsNothingMoves has Owlat answer at one node no more, then at none, and then at one again.
func TestAHomeThatHearsNothingMoves(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	all := many(1, true)
	soon := func(o *Options) { o.Silent = time.Second }
	a := w.node("a", soon, all...)
	w.until(10*time.Second, "it is at home at the only node", func() bool { return len(a.Homes()) == 1 })
	w.setDeaf(true, "a")
	w.looksInVain(5)
	if len(a.Homes()) != 1 {
		t.Fatal("it has left the only node")
	}
	b := w.node("b", soon, all...)
	asked := time.Now()
	w.until(10*time.Second, "it is at home at the other node", func() bool { return len(b.Homes()) == 1 })
	t.Logf("it moved within %v", time.Since(asked).Round(time.Millisecond))

	w.setDeaf(false, "a", "b") // now that it has not heard anything there, it may be Owlat that is down
	w.until(20*time.Second, "it is back", func() bool { return len(a.Homes()) == 1 })
	opened := w.opened()
	w.looksInVain(10)
	if now := w.opened(); now > opened+1 {
		t.Errorf("it moved %d times more although it is deaf everywhere", now-opened)
	}
}

// looksInVain waits until homes have been found so many times more to have heard nothing for too long.
func (w *world) looksInVain(times int) {
	count := func() int {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.unheard
	}
	before := count()
	w.until(30*time.Second, "homes are asked what they hear", func() bool { return count() >= before+times })
}

// looks waits until each of the nodes has looked at the others so many times more.
func (w *world) looks(times int, nodes ...*member) {
	for range times {
		before := make(map[*member]time.Time)
		for _, n := range nodes {
			before[n] = n.crew.Seen()
		}
		for _, n := range nodes {
			w.until(10*time.Second, "a node looks", func() bool { return n.crew.Seen().After(before[n]) })
		}
	}
}

// settles waits for a while in which no home is opened: on a machine that is slow a node may be taken for dead once, and its homes move.
func (w *world) settles(although string, while func()) {
	w.t.Helper()
	for range 5 {
		opened := w.opened()
		if while(); w.opened() == opened {
			return
		}
	}
	w.t.Errorf("homes are opened again and again, although %s", although)
}

// unhurried is for tests that have nobody die: with it a node is taken for dead late.
func unhurried(o *Options) { o.Look, o.Silent = 2*time.Second, time.Second }

func (w *world) setDeaf(heard bool, nodes ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deaf, w.heard = make(map[string]bool), heard
	for _, n := range nodes {
		w.deaf[n] = true
	}
}

func (w *world) opened() int { return len(w.since(0)) }

// since returns the homes that were opened after so many.
func (w *world) since(opened int) []*fakeHome {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.homes[opened:])
}

// TestADeafNodeGetsNothingBack: a node that is cut off has no homes, and so looks as if it had the most room.
func TestADeafNodeGetsNothingBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	all := many(6, true)
	w.setDeaf(true, "a")
	a, b, c := w.node("a", unhurried, all...), w.node("b", unhurried, all...), w.node("c", unhurried, all...)
	elsewhere := func() bool { return len(a.Homes()) == 0 && len(b.Homes())+len(c.Homes()) == len(all) }
	w.until(30*time.Second, "all are at home where Owlat answers", elsewhere)
	w.until(30*time.Second, "the nodes that hear share", func() bool { return elsewhere() && len(b.Homes()) == 3 })
	w.settles("nothing is to be gained", func() { w.looks(3, a, b, c) })

	opened := w.opened()
	c.kill()
	w.until(30*time.Second, "those of a node that dies are at the other", func() bool { return len(b.Homes()) == len(all) })
	for _, h := range w.since(opened) {
		if h.m.ID() == "a" {
			t.Errorf("%s was opened at the node that does not hear", h.name)
		}
	}
}

// TestADeploymentThatIsDeafEverywhereStaysSomewhere, and those that are not are shared as ever.
func TestADeploymentThatIsDeafEverywhereStaysSomewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	all := many(9, true)
	broken := all[4].Name
	w.deafTo = broken
	nodes := []*member{w.node("a", unhurried, all...), w.node("b", unhurried, all...), w.node("c", unhurried, all...)}
	w.until(60*time.Second, "all nodes have tried it, and all are shared", func() bool {
		for _, n := range nodes {
			if !n.crew.Flights.Avoids(broken) || len(n.Homes()) != 3 {
				return false
			}
		}
		return true
	})
	w.settles("it is deaf everywhere", func() { w.looksInVain(6) })
}

// TestPlacesAreMadeWhereItIsHeard, if the only node with a free place is one that does not hear.
func TestPlacesAreMadeWhereItIsHeard(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	all := many(4, false)
	w.setDeaf(true, "a")
	few := func(o *Options) {
		unhurried(o)
		o.Slots, o.Linger = 2, time.Hour
	}
	a := w.node("a", few, all...)
	b := w.node("b", few, all...)
	if _, err := (lookout{a.Node}).look(t.Context()); err != nil { // now it knows the other
		t.Fatal(err)
	}
	for _, d := range all {
		a.crew.MayFlee(d.Name, "Owlat", false)
	}
	for _, d := range all {
		if err := b.Errands().Ask(t.Context(), d.Name, turns.Request{Sync: "users", Why: turns.Scheduled}); err != nil {
			t.Fatal(err)
		}
	}
	w.until(time.Minute, "each has its run", func() bool { return len(w.made()) == len(all) })
	for _, r := range w.made() {
		if r.node != "b" {
			t.Errorf("a run of %s was made at the node that does not hear", r.deployment)
		}
	}
}

// TestAStrangerIsNotGivenAHomeForEver: of two nodes one does not know the deployment, and the other cannot hear.
func TestAStrangerIsNotGivenAHomeForEver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.node("a", nil, many(1, false)...)
	w.node("b", nil)
	if _, err := (lookout{a.Node}).look(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.crew.MayFlee(many(1, false)[0].Name, "Owlat", false)
	if err := a.Errands().Ask(t.Context(), many(1, false)[0].Name, turns.Request{Sync: "users", Why: turns.Scheduled}); err != nil {
		t.Fatal(err)
	}
	w.until(2*time.Minute, "its run is made by the only node that knows it", func() bool { return len(w.made()) == 1 })
}
