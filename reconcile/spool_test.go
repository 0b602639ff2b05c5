package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile"
)

// countedPlans counts the steps and rows that go through the ledger.
type countedPlans struct {
	ledger.Store
	items  int
	failAt int // the item on which the disk is full; 0: none
}

var errFull = errors.New("the disk is full")

func (c *countedPlans) Spool(ctx context.Context, run int64, items []ledger.PlanItem) error {
	if c.failAt > 0 && c.items+len(items) >= c.failAt {
		return errFull
	}
	c.items += len(items)
	return c.Store.Spool(ctx, run, items)
}

// crowd is n people, of whom the second list renames some to addresses that others of them free, withdraws consents, changes
// names, adds and removes rows.
func crowd(n int) (before, after []owlatsync.Row) {
	for i := range n {
		before = append(before, user(fmt.Sprint(i), fmt.Sprintf("user%d@example.com", i), "Ann", true))
	}
	for i := range n - 20 {
		row := before[i]
		switch i % 4 {
		case 0: // takes the address that the fourth row after it leaves
			row.Email = owlatsync.Some(fmt.Sprintf("user%d@example.com", i+4))
			if i+4 >= n-20 {
				row.Email = owlatsync.Some("new@example.com")
			}
		case 1:
			row.Consents = []bool{false}
		case 2:
			row.FirstName = owlatsync.Some("Bea")
		}
		after = append(after, row)
	}
	return before, append(after, user("x", "x@example.com", "Cleo", true))
}

// exchanged is the list with every two rows' addresses exchanged, which Owlat's API cannot do.
func exchanged(list []owlatsync.Row) []owlatsync.Row {
	out := slices.Clone(list)
	for i := 1; i < len(out); i += 2 {
		out[i-1].Email, out[i].Email = out[i].Email, out[i-1].Email
	}
	return out
}

// listening records what is sent, in its order.
type listening struct {
	http.RoundTripper
	sent *[]string
}

func (l listening) RoundTrip(r *http.Request) (*http.Response, error) {
	*l.sent = append(*l.sent, fmt.Sprint(r.Method, " ", r.URL.Path, " ", r.ContentLength))
	return l.RoundTripper.RoundTrip(r)
}

// TestALargePlanIsCarriedOutLikeASmallOne runs the same with plans that stay in memory, that go through the ledger at once, and
// that go there midway.
func TestALargePlanIsCarriedOutLikeASmallOne(t *testing.T) {
	t.Parallel()
	before, after := crowd(600)
	var want []string
	for _, c := range []struct {
		name   string
		memory int
		spools bool
	}{
		{"in memory", math.MaxInt, false},
		{"through the ledger", 1, true},
		{"midway", 100_000, true},
	} {
		w := newWorld(t, reconcile.Topic{ID: "news", When: true})
		w.workers, w.spoolMemory, w.sync.OnMissing = 1, c.memory, reconcile.MissingDelete
		plans := &countedPlans{Store: w.ledger}
		w.through = plans
		var sent []string
		w.options = append(w.options, owlat.WithTransport(listening{w.server.Transport(), &sent}))
		for _, list := range [][]owlatsync.Row{before, after, after, exchanged(after), exchanged(after)} {
			report := w.run(list...)
			sent = append(sent, fmt.Sprint(report.Outcomes, report.Memberships), fmt.Sprint(w.failed()))
		}
		for e, err := range w.ledger.All(t.Context(), w.sync.Name) {
			if err != nil {
				t.Fatal(err)
			}
			if e.Failure != nil {
				sent = append(sent, e.Key+" "+e.Failure.Reason)
			}
		}
		if spools := plans.items > 0; spools != c.spools {
			t.Errorf("%s: %d items went through the ledger", c.name, plans.items)
		}
		if want == nil {
			want = sent
		}
		if diff := cmp.Diff(want, sent); diff != "" {
			t.Errorf("%s: the requests (-in memory +now):\n%s", c.name, diff)
		}
	}
	if n := len(want); n < 2*len(before) {
		t.Errorf("there were only %d requests", n)
	}
}

// TestEveryRowIsToldOnceWhereThePlanCannotBeKept lets the disk of the ledger fill up while the rows or their steps go there.
func TestEveryRowIsToldOnceWhereThePlanCannotBeKept(t *testing.T) {
	t.Parallel()
	before, after := crowd(1200)
	for _, c := range []struct {
		name        string
		first, then []owlatsync.Row
		atMost      int // items that the plan has
	}{
		{"a first run", nil, before, 2 * len(before)},
		{"changes", before, after, 3 * len(after)},
		{"exchanges", before, exchanged(before), 3 * len(before)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, reconcile.Topic{ID: "news", When: true})
			if err := w.ledger.SetAdopted(t.Context(), w.sync.Name); err != nil { // so that nothing need be listed
				t.Fatal(err)
			}
			if c.first != nil {
				w.run(c.first...)
			}
			w.spoolMemory = 60_000
			fullAt := 1
			for ; tellsWhereTheDiskIsFull(t, w, c.then, fullAt); fullAt += 97 {
			}
			if fullAt < len(c.then) || fullAt > c.atMost {
				t.Errorf("the plan had about %d items", fullAt)
			}
		})
	}
}

// tellsWhereTheDiskIsFull reports whether the disk was full before the run ended.
func tellsWhereTheDiskIsFull(t *testing.T, w *world, list []owlatsync.Row, failAt int) bool {
	t.Helper()
	w.through = &countedPlans{Store: w.ledger, failAt: failAt}
	w.events = nil
	before := w.server.Stats().Total
	report, err := w.try(t.Context(), reconcile.RunOptions{}, rows{list: list})
	if err == nil {
		return false
	}
	if !errors.Is(err, errFull) {
		t.Fatalf("item %d: %v", failAt, err)
	}
	told := make(map[string]int)
	for _, ev := range w.events {
		if d, ok := ev.(reconcile.RowDone); ok {
			told[d.Key]++
		}
	}
	if len(told) != report.Rows-report.Outcomes[owlatsync.Unchanged] {
		t.Errorf("item %d: of %d rows, %d of them unchanged, %d were told", failAt, report.Rows, report.Outcomes[owlatsync.Unchanged], len(told))
	}
	for key, n := range told {
		if n != 1 {
			t.Errorf("item %d: row %s was told %d times", failAt, key, n)
		}
	}
	if n := w.server.Stats().Total - before; n != 0 {
		t.Errorf("item %d: %d requests were sent", failAt, n)
	}
	return true
}
