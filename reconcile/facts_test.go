package reconcile_test

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
)

// order is a fact of a person, at a time.
func order(key, person string, at any, total int64) owlatsync.Row {
	return owlatsync.Row{Key: key, Email: owlatsync.Some(person + "@example.com"), Properties: []owlatsync.Property{{Name: "at", Value: at}, {Name: "total", Value: total}}}
}

func newShop(t *testing.T, people ...string) *world {
	t.Helper()
	w := newWorld(t)
	for _, p := range people {
		if _, err := w.server.AddContact(owlattest.ContactState{Email: p + "@example.com"}); err != nil {
			t.Fatal(err)
		}
	}
	w.sync.Name, w.sync.Match = "orders", true
	w.sync.Events = []reconcile.EventRule{{Name: "order_placed", On: ledger.OnFact, Column: "at", Properties: map[string]string{"total": "total"}}}
	return w
}

const day = "2026-11-0%dT12:00:00Z"

// TestFacts: each fact that comes after the first run is sent once, however often it is read, and whatever becomes of its row.
func TestFacts(t *testing.T) {
	t.Parallel()
	w := newShop(t, "a", "b")
	heard := w.heard()
	old := order("1", "a", "2026-11-01", 10)
	before := w.requests()
	expect(t, w.run(old), "unchanged 1")
	expect(t, w.run(old, order("2", "a", fmt.Sprintf(day, 2), 20), order("3", "a", "2026-11-03 08:00:00", 30), order("4", "nobody", int64(1793620800000), 40)), "updated 2, unchanged 1, skipped 1")
	same(t, "new facts", heard(), `a order_placed {"total":20}`, `a order_placed {"total":30}`)
	w.sent(before, "POST /events 3")
	before = w.requests()
	list := []owlatsync.Row{order("1", "b", "2026-11-09", 11), order("2", "b", fmt.Sprintf(day, 8), 21), order("3", "a", "2026-11-03 08:00:00", 30), order("4", "nobody", 1793620800.5, 40)}
	expect(t, w.run(list...), "unchanged 4") // a fact that is corrected is no new one
	w.run(list[2:]...)
	expect(t, w.run(list...), "unchanged 4") // nor one whose row was away
	w.sent(before)
	expect(t, w.run(append(list, order("5", "a", "soon", 50))...), "unchanged 4, invalid 1")
	w.sent(before)
}

// TestFactsSince: from the given time on facts of the first run are sent, too, and older ones cost nothing.
func TestFactsSince(t *testing.T) {
	t.Parallel()
	w := newShop(t, "a")
	w.sync.Since = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)
	heard := w.heard()
	list := []owlatsync.Row{order("1", "a", "2026-11-01", 10), order("2", "a", fmt.Sprintf(day, 2), 20), order("3", "a", fmt.Sprintf(day, 3), 30)}
	expect(t, w.run(list...), "updated 2, unchanged 1")
	same(t, "facts since then", heard(), `a order_placed {"total":20}`, `a order_placed {"total":30}`)
	entries, err := w.ledger.Entries(t.Context(), "orders", []string{"1", "2", "3"})
	if err != nil || len(entries) != 2 {
		t.Errorf("the ledger has %d entries, %v", len(entries), err)
	}
	before := w.requests()
	expect(t, w.run(append(list, order("0", "a", "2026-10-31", 5))...), "unchanged 4")
	w.sent(before)
}

// TestFactsAreSentOnceWhateverGoesWrong: a lost answer is told and not repeated, a refusal is tried again, and an older ledger sends nothing that it
// does not know.
func TestFactsAreSentOnceWhateverGoesWrong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newShop(t, "a")
		defer w.ledger.Close()
		w.run()
		if err := w.server.InjectFaults(
			owlattest.Fault{Kind: owlattest.ResetAfter, Route: owlattest.RouteEvents},
			owlattest.Fault{Kind: owlattest.StatusError, Status: http.StatusServiceUnavailable, Route: owlattest.RouteEvents, At: 2, Count: 1000},
		); err != nil {
			t.Fatal(err)
		}
		w.workers = 1
		first, second := order("1", "a", fmt.Sprintf(day, 1), 1), order("2", "a", fmt.Sprintf(day, 2), 2)
		expect(t, w.run(first), "failed 1")
		w.server.ClearFaults()
		before := w.requests()
		expect(t, w.run(first), "unchanged 1")
		w.sent(before)
		if err := w.server.InjectFaults(owlattest.Fault{Kind: owlattest.RateLimited, Route: owlattest.RouteEvents, Count: 1000}); err != nil {
			t.Fatal(err)
		}
		expect(t, w.run(first, second), "unchanged 1, failed 1")
		w.server.ClearFaults()
		time.Sleep(time.Hour)
		heard := w.heard()
		expect(t, w.run(first, second), "updated 1, unchanged 1")
		same(t, "tried again", heard(), `a order_placed {"total":2}`)
	})
}

// TestFactsWithACursor reads what is new since the last run, and no other facts of the same people.
func TestFactsWithACursor(t *testing.T) {
	t.Parallel()
	w := newShop(t, "a")
	w.sync.FullEvery = 24 * time.Hour
	heard := w.heard()
	list := []owlatsync.Row{order("1", "a", fmt.Sprintf(day, 1), 1), order("2", "a", fmt.Sprintf(day, 3), 2)}
	source := func(days ...int) modelChanges {
		s := &modelRows{list: list, given: make([]bool, len(list)), breaks: -1}
		for _, d := range days {
			s.stamps = append(s.stamps, time.Date(2026, 11, d, 12, 0, 0, 0, time.UTC))
		}
		return modelChanges{s}
	}
	if _, err := w.try(t.Context(), runOptions{}, source(1, 3)); err != nil {
		t.Fatal(err)
	}
	list = append(list, order("3", "a", fmt.Sprintf(day, 4), 3))
	s := source(1, 3, 4)
	report, err := w.try(t.Context(), runOptions{}, s)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, report, "updated 1, unchanged 1") // the last one of before is within the overlap
	same(t, "new facts", heard(), `a order_placed {"total":3}`)
	if s.given[0] {
		t.Error("a fact of before was read")
	}
}
