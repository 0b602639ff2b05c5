package reconcile_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"owlatsync"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
)

// firstRun is a source that meets a deployment for the first time.
type firstRun struct {
	rows, contacts int
	shared         int // of the rows, those that have a contact
	different      int // of those, contacts with another name
}

// fewest is the number of requests that the first run needs at least, without topics: the listing or running into the
// contacts, whichever is cheaper in the worst case, and one for each contact to be created or changed. Kept here apart from
// the engine's own arithmetic.
func (f firstRun) fewest() int {
	needed := f.rows - f.shared + f.different
	listing := f.contacts/100 + 1 // a full page is never the last
	conflicts := 2 * f.shared     // a refused creation and a look each
	switch {
	case f.rows == 0:
		return 0
	case f.rows < 5: // not worth the first page of a listing
		return needed + conflicts
	case listing-1 > 2*f.rows:
		return 1 + needed + conflicts
	}
	return listing + needed
}

func TestAFirstRunSendsTheFewestRequests(t *testing.T) {
	t.Parallel()
	for _, contacts := range []int{0, 1, 100, 101, 1100, 1101} {
		for _, n := range []int{0, 4, 5, 101} {
			most := min(n, contacts)
			for _, f := range slices.Compact([]firstRun{
				{n, contacts, 0, 0}, {n, contacts, most / 2, most / 3}, {n, contacts, most, 0}, {n, contacts, most, most},
			}) {
				t.Run(fmt.Sprintf("%+v", f), func(t *testing.T) {
					t.Parallel()
					f.check(t)
				})
			}
		}
	}
}

func (f firstRun) check(t *testing.T) {
	topics := []reconcile.Topic{{ID: "news"}, {ID: "all", Existing: reconcile.ExistingAdd}}
	w, _ := inMemory(t, topics...) // counts requests alone
	var list []owlatsync.Row
	for i := range f.rows {
		list = append(list, user(fmt.Sprint(i), fmt.Sprintf("row%d@example.com", i), "First", i%2 == 0, true))
	}
	for i := range f.contacts {
		state := owlattest.ContactState{Email: fmt.Sprintf("other%d@example.com", i), FirstName: "Other"}
		if i < f.shared {
			state.Email, state.FirstName = fmt.Sprintf("row%d@example.com", i), "First"
		}
		if i < f.different {
			state.FirstName = "Before"
		}
		if _, err := w.server.AddContact(state); err != nil {
			t.Fatal(err)
		}
	}
	added := f.rows // to the topic that asks for existing contacts too
	for i := f.shared; i < f.rows; i++ {
		if i%2 == 0 {
			added++
		}
	}
	summary := w.plan(list...)
	report := w.run(list...)
	if want := f.fewest() + added; report.Requests.Total != want {
		t.Errorf("a first run sent %d requests, want %d", report.Requests.Total, want)
	}
	if listed := summary.Adoption.Requests; f.shared == 0 || summary.Adoption.Mode == owlatsync.AdoptListing {
		if planned := summary.Requests + listed; planned != report.Requests.Total {
			t.Errorf("the plan says %d requests and %d to list, the run sent %d", summary.Requests, listed, report.Requests.Total)
		}
	}
	if again := w.run(list...); again.Requests.Total != 0 {
		t.Errorf("a second run sent %d requests, want none", again.Requests.Total)
	}
}

// plan plans the sync over the rows.
func (w *world) plan(list ...owlatsync.Row) owlatsync.Summary {
	w.t.Helper()
	e, client := w.engine()
	defer client.CloseIdleConnections()
	s := w.sync
	s.Source = rows{list: list}
	summary, err := e.Plan(context.Background(), s, reconcile.PlanOptions{})
	if err != nil {
		w.t.Fatalf("plan: %v", err)
	}
	return summary
}

// edit is something that happens to a row between two runs, and the requests it is worth.
type edit struct {
	name  string
	cost  int
	apply func(r owlatsync.Row) *owlatsync.Row // nil: the row is gone
}

func edits() []edit {
	name := func(r *owlatsync.Row, s string) { r.Fields[owlatsync.FirstName] = owlatsync.Some(s) }
	rename := func(r *owlatsync.Row) { r.Email = owlatsync.Some("new-" + r.Email.Value) }
	return []edit{
		{"unchanged", 0, func(r owlatsync.Row) *owlatsync.Row { return &r }},
		{"blanks and letter case", 0, func(r owlatsync.Row) *owlatsync.Row {
			name(&r, " First ")
			r.Email = owlatsync.Some("  R" + r.Email.Value[1:])
			return &r
		}},
		{"a name", 1, func(r owlatsync.Row) *owlatsync.Row { name(&r, "Changed"); return &r }},
		{"both names", 1, func(r owlatsync.Row) *owlatsync.Row {
			name(&r, "Changed")
			r.Fields[owlatsync.LastName] = owlatsync.Some("Changed")
			return &r
		}},
		{"address", 1, func(r owlatsync.Row) *owlatsync.Row { rename(&r); return &r }},
		{"address and names", 1, func(r owlatsync.Row) *owlatsync.Row { rename(&r); name(&r, "Changed"); return &r }},
		{"consent given", 1, func(r owlatsync.Row) *owlatsync.Row {
			r.Consents = []owlatsync.Consent{owlatsync.Yes, owlatsync.Yes}
			return &r
		}},
		{"consent withdrawn", 1, func(r owlatsync.Row) *owlatsync.Row {
			r.Consents = []owlatsync.Consent{owlatsync.No, owlatsync.No}
			return &r
		}},
		{"consents exchanged", 2, func(r owlatsync.Row) *owlatsync.Row {
			r.Consents = []owlatsync.Consent{owlatsync.No, owlatsync.Yes}
			return &r
		}},
		{"address, names and consents", 3, func(r owlatsync.Row) *owlatsync.Row {
			rename(&r)
			name(&r, "Changed")
			r.Consents = []owlatsync.Consent{owlatsync.No, owlatsync.Yes}
			return &r
		}},
		{"gone", 1, func(owlatsync.Row) *owlatsync.Row { return nil }},
	}
}

func TestALaterRunSendsTheFewestRequests(t *testing.T) {
	t.Parallel()
	all := edits()
	for i, e := range all {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			laterRun(t, 2, all[i:i+1])
		})
	}
	for _, n := range []int{1, 60} {
		t.Run(fmt.Sprintf("everything %d", n), func(t *testing.T) {
			t.Parallel()
			laterRun(t, n, all)
		})
	}
}

// laterRun syncs n rows for each edit, edits them twice, of which only the second time counts, and adds n new rows.
func laterRun(t *testing.T, n int, edits []edit) {
	w := newWorld(t, reconcile.Topic{ID: "news", When: true}, reconcile.Topic{ID: "offers", When: true})
	w.sync.OnMissing = reconcile.MissingLeave
	var before, after []owlatsync.Row
	want := 0
	for i, e := range edits {
		for j := range n {
			key := fmt.Sprintf("%d-%d", i, j)
			row := user(key, fmt.Sprintf("r%s@example.com", key), "First", true, false)
			before = append(before, row)
			if edited := e.apply(row); edited != nil {
				after = append(after, *edited)
			}
			want += e.cost
		}
	}
	for j := range n {
		after = append(after, user(fmt.Sprintf("new-%d", j), fmt.Sprintf("fresh%d@example.com", j), "New", true, false))
		want += 2
	}
	w.run(before...)
	if s := w.plan(after...); s.Requests != want {
		t.Errorf("the plan says %d requests, want %d", s.Requests, want)
	}
	report := w.run(after...)
	if report.Requests.Total != want || report.Requests.Writes != want {
		t.Errorf("the run sent %d requests, %d of them writes, want %d", report.Requests.Total, report.Requests.Writes, want)
	}
	if again := w.run(after...); again.Requests.Total != 0 {
		t.Errorf("one more run sent %d requests, want none", again.Requests.Total)
	}
}

// What matters most comes first, so that a run cut short anywhere has done it: consents that were withdrawn, renames in an
// order that frees the addresses others need, updates, then creations, each followed by its memberships, and last what
// follows from absence.
func TestTheOrderOfARun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconcile.Topic{ID: "news", When: true})
	w.sync.OnMissing, w.workers = reconcile.MissingDelete, 4
	const n = 20
	row := func(kind string, i int, first string, consent bool) owlatsync.Row {
		return user(fmt.Sprintf("%s-%02d", kind, i), fmt.Sprintf("%s%d@example.com", kind, i), first, consent)
	}
	var before, after []owlatsync.Row
	for i := range n {
		before = append(before, row("gone", i, "G", true), row("update", i, "U", true), row("withdraw", i, "W", true), row("chain", i, "C", true))
		after = append(after, row("new", i, "N", true), row("update", i, "Changed", true), row("withdraw", i, "W", false))
		moved := row("chain", i, "C", true)
		moved.Email = owlatsync.Some(fmt.Sprintf("chain%d@example.com", i+1)) // the one that the next row has
		after = append(after, moved)
	}
	w.run(before...)
	var mu sync.Mutex
	var order []string
	w.server.OnRequest = func(r owlattest.Request) {
		mu.Lock()
		defer mu.Unlock()
		order = append(order, r.Method+" "+r.Route)
	}
	renamed := w.contact("chain0@example.com").ID
	report := w.run(after...)
	expect(t, report, fmt.Sprintf("created %d, updated %d, renamed %d, removed %d", n, 2*n, n, n))
	if got := w.contact("chain1@example.com").ID; got != renamed {
		t.Errorf("the first of the chain has contact %s, want %s", got, renamed)
	}
	withdraw, put, create, add, remove := "DELETE /topics/{topic}/contacts/{contact}", "PUT /contacts/{contact}", "POST /contacts",
		"POST /topics/{topic}/contacts", "DELETE /contacts/{contact}"
	stages := []struct {
		requests int
		kinds    []string
	}{{n, []string{withdraw}}, {2 * n, []string{put}}, {2 * n, []string{create, add}}, {n, []string{remove}}}
	for _, stage := range stages {
		if len(order) < stage.requests {
			t.Fatalf("%d requests are left, want %d of %v", len(order), stage.requests, stage.kinds)
		}
		for i, what := range order[:stage.requests] {
			if !slices.Contains(stage.kinds, what) {
				t.Errorf("request %d of the stage %v is %s", i, stage.kinds, what)
			}
		}
		if slices.Contains(stage.kinds, add) { // a creation waits for the memberships of those before it
			open := 0
			for _, what := range order[:stage.requests] {
				if open++; what == add {
					open -= 2
				}
				if open > w.workers {
					t.Fatalf("%d contacts wait for their membership while another is created", open-1)
				}
			}
		}
		order = order[stage.requests:]
	}
	if len(order) > 0 {
		t.Errorf("%d requests too many: %v", len(order), order)
	}
}
