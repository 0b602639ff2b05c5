package crew

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestRoomOfADeafNode: what it gave away is not brought back, and nothing else for a while.
func TestRoomOfADeafNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		deaf, busy, other := New("deaf"), New("busy"), New("other")
		homes := map[string]int64{"deaf": 1, "busy": 6, "other": 2}
		meet := func() {
			var nodes []Node
			for name, c := range map[string]*Crew{"deaf": deaf, "busy": busy, "other": other} {
				c.Add(homes[name] - c.Mine())
				nodes = append(nodes, Node{ID: name, Homes: homes[name], Slots: 10, Doubts: c.Flights.Doubts(), Avoids: c.Flights.Avoided()})
			}
			for _, c := range []*Crew{deaf, busy, other} {
				c.Meet(nodes)
			}
		}
		placed := func(when, deployment, want string) {
			t.Helper()
			meet()
			if got := busy.Place(deployment); got != want {
				t.Errorf("%s: %s is placed at %q, not at %q", when, deployment, got, want)
			}
		}
		placed("at first", "acme", "deaf")
		meet()
		if !deaf.MayFlee("acme", "Owlat", false) {
			t.Fatal("it may not flee")
		}
		homes["deaf"] = 0
		meet()
		if got := deaf.PlaceElsewhere("acme"); got != "other" {
			t.Errorf("it flees to %q", got)
		}
		placed("after the flight", "acme", "other")
		placed("after the flight", "beta", "other")
		homes["other"] = 7 // and not as many as the other, so that there is no draw
		meet()
		if busy.HasRoom("beta") || !deaf.Elsewhere("acme") || !deaf.Elsewhere("beta") {
			t.Error("there is room where nothing may work")
		}
		time.Sleep(doubtful)
		placed("after a while", "acme", "busy")
		placed("after a while", "beta", "deaf")
		if meet(); !busy.HasRoom("beta") || busy.HasRoom("acme") {
			t.Error("another may not try, or the same may")
		}
		deaf.Flights.Began()
		meet()
		if busy.HasRoom("beta") {
			t.Error("a second one may try beside the first")
		}
		deaf.Flights.Worked("beta", "users")
		if meet(); !busy.HasRoom("beta") || busy.HasRoom("acme") {
			t.Error("what worked there has no room there, or what did not has")
		}
		time.Sleep(fleeAgain)
		placed("long after the flight", "acme", "deaf")
	})
}

func TestRoomThatNobodyWants(t *testing.T) {
	c := New("a")
	c.Meet([]Node{{ID: "a", Homes: 5, Slots: 5}, {ID: "b", Homes: 5, Slots: 5}, {ID: "c", Slots: 5, Avoids: []string{"acme"}}, {ID: "visitor"}})
	c.Add(5)
	if got := c.Place("acme"); got != "" {
		t.Errorf("it is placed at %q, which is full, or avoids it", got)
	}
	if c.Weigh(Waiting{Count: 1, First: []string{"acme"}}); !c.Crowded() {
		t.Error("no place is made where it may work")
	}
	if c.Weigh(Waiting{Count: 1, First: []string{"beta"}}); c.Crowded() {
		t.Error("a place is made although there is one")
	}
	if got := c.Place("beta"); got != "c" {
		t.Errorf("another is placed at %q", got)
	}

	c.Meet([]Node{{ID: "a", Homes: 5, Slots: 5, Avoids: []string{"acme"}}, {ID: "b", Homes: 3, Slots: 5, Avoids: []string{"acme"}}})
	c.Flights.may("acme", "Owlat", false, true)
	if got := c.Place("acme"); got != "b" || c.Elsewhere("acme") {
		t.Errorf("what works nowhere is placed at %q", got)
	}
	if excess := c.Weigh(Waiting{}); excess != 0 || c.HasRoom("acme") { // 5 and 4 by now
		t.Errorf("%d homes are too many, or what works nowhere is moved for nothing", excess)
	}
}

// TestHomesPlacedAtTheSameMomentSpread, as those do that flee from a node that is cut off.
func TestHomesPlacedAtTheSameMomentSpread(t *testing.T) {
	c := New("a")
	c.Meet([]Node{{ID: "a", Slots: 100}, {ID: "b", Slots: 100}, {ID: "c", Slots: 100}})
	var mu sync.Mutex
	var placing sync.WaitGroup
	placed := make(map[string]int)
	for range 100 {
		placing.Go(func() {
			id := c.PlaceElsewhere("acme")
			mu.Lock()
			defer mu.Unlock()
			placed[id]++
		})
	}
	placing.Wait()
	if placed["b"] != 50 || placed["c"] != 50 {
		t.Errorf("placed %v", placed)
	}
}
