package cluster

import (
	"testing"
	"time"
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

func (w *world) setDeaf(heard bool, nodes ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deaf, w.heard = make(map[string]bool), heard
	for _, n := range nodes {
		w.deaf[n] = true
	}
}

func (w *world) opened() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.homes)
}
