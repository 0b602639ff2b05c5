package reconcile_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net/http"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"owlatsync"
	"owlatsync/owlat"
	"owlatsync/reconcile"
	"owlatsync/reconcile/progress"
)

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
			row.Consents = []owlatsync.Consent{owlatsync.No}
		case 2:
			row.Fields[owlatsync.FirstName] = owlatsync.Some("Bea")
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
	before, after := crowd(300)
	var want []string
	for _, c := range []struct {
		name   string
		memory int
	}{
		{"in memory", math.MaxInt},
		{"through files", -1},
		{"midway", 50_000},
	} {
		w := newWorld(t, reconcile.Topic{ID: "news", When: true})
		w.workers, w.memory, w.sync.OnMissing = 1, c.memory, reconcile.MissingDelete
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

// TestEveryRowIsToldOnceWhereThePlanCannotBeKept has nowhere to put what is too much, be that found out while the rows are read or
// while their steps are planned.
func TestEveryRowIsToldOnceWhereThePlanCannotBeKept(t *testing.T) {
	t.Parallel()
	before, after := crowd(400)
	for _, c := range []struct {
		name        string
		first, then []owlatsync.Row
		enough      int // bytes of memory for all that is to be done
	}{
		{"a first run", nil, before, 400 * 1200},
		{"changes", before, after, 400 * 1200},
		{"exchanges", before, exchanged(before), 400 * 1200},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, reconcile.Topic{ID: "news", When: true})
			w.run(user("known", "known@example.com", "K", false)) // so that nothing need be listed
			if c.first != nil {
				w.run(c.first...)
			}
			w.scratch = filepath.Join(t.TempDir(), "missing")
			tries := 0
			for w.memory = 10_000; tellsWhereNothingCanBeKept(t, w, c.then); w.memory += w.memory / 4 {
				tries++
			}
			if tries < 5 || w.memory > c.enough {
				t.Errorf("it took %d tries, the last with %d bytes", tries, w.memory)
			}
		})
	}
}

// tellsWhereNothingCanBeKept reports whether the run ended for want of room.
func tellsWhereNothingCanBeKept(t *testing.T, w *world, list []owlatsync.Row) bool {
	t.Helper()
	before := w.server.Stats().Total
	report, err := w.try(t.Context(), runOptions{}, rows{list: list})
	if err == nil {
		return false
	}
	if !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("with %d bytes: %v", w.memory, err)
	}
	told := make(map[string]int)
	for _, ev := range w.events {
		if d, ok := ev.(progress.RowDone); ok {
			told[d.Key]++
		}
	}
	if len(told) != report.Rows-report.Outcomes[owlatsync.Unchanged] {
		t.Errorf("with %d bytes: of %d rows, %d of them unchanged, %d were told", w.memory, report.Rows, report.Outcomes[owlatsync.Unchanged], len(told))
	}
	for key, n := range told {
		if n != 1 {
			t.Errorf("with %d bytes: row %s was told %d times", w.memory, key, n)
		}
	}
	if n := w.server.Stats().Total - before; n != 0 {
		t.Errorf("with %d bytes: %d requests were sent", w.memory, n)
	}
	return true
}
