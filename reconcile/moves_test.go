package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"owlatsync"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
)

// writes returns the writes since a number of requests, in the order of their answers.
func (w *world) writes(since int) (all []string) {
	for _, a := range w.server.Stats().Log[since:] {
		if a.Method != "GET" {
			all = append(all, a.Method+" "+a.Route)
		}
	}
	return all
}

const (
	deletion = "DELETE /contacts/{contact}"
	rename   = "PUT /contacts/{contact}"
	creation = "POST /contacts"
)

// TestAnAddressOfARowThatLeft has rows take addresses that contacts of departed rows still hold: with on_missing: delete the delete
// comes right before the change that needs it, in one run.
func TestAnAddressOfARowThatLeft(t *testing.T) {
	t.Parallel()
	a, b, c := user("1", "a@example.com", "A"), user("2", "b@example.com", "B"), user("3", "c@example.com", "C")
	at := func(row owlatsync.Row, email string) owlatsync.Row { row.Email = owlatsync.Some(email); return row }
	for _, tt := range []struct {
		name   string
		runs   [][]owlatsync.Row
		want   string
		writes []string
		holds  map[string]string
	}{
		{
			"one row", [][]owlatsync.Row{{a, b}, {at(a, "b@example.com")}},
			"renamed 1, removed 1", []string{deletion, rename}, map[string]string{"b@example.com": "A"},
		},
		{
			"a chain", [][]owlatsync.Row{{c, a, b}, {at(c, "a@example.com"), at(a, "b@example.com")}},
			"renamed 2, removed 1", []string{deletion, rename, rename}, map[string]string{"a@example.com": "C", "b@example.com": "A"},
		},
		{
			"the freed address goes on to a row that exists", [][]owlatsync.Row{{a, b, c}, {at(a, "c@example.com"), at(b, "a@example.com")}},
			"renamed 2, removed 1", []string{deletion, rename, rename}, map[string]string{"a@example.com": "B", "c@example.com": "A"},
		},
		{
			"a new row takes the address with which the contact was created", [][]owlatsync.Row{{a, b}, {at(a, "z@example.com"), b}, {b, at(c, "a@example.com")}},
			"created 1, unchanged 1, removed 1", []string{deletion, creation}, map[string]string{"a@example.com": "C", "b@example.com": "B"},
		},
		{
			"the contact that left has a row again under a new key", [][]owlatsync.Row{
				{a, b}, {at(a, "z@example.com"), b}, {b, at(c, "a@example.com"), user("9", "z@example.com", "A")},
			},
			"adopted 1, unchanged 1, failed 1", []string{creation}, map[string]string{"z@example.com": "A", "b@example.com": "B"},
		},
		{
			"two rows want it", [][]owlatsync.Row{{a, b, c}, {at(c, "b@example.com"), at(a, "b@example.com")}},
			"renamed 1, removed 1, duplicate 1", []string{deletion, rename}, map[string]string{"b@example.com": "C", "a@example.com": "A"},
		},
		{
			"others left too", [][]owlatsync.Row{{a, b, c}, {at(a, "b@example.com")}},
			"renamed 1, removed 2", []string{deletion, rename, deletion}, map[string]string{"b@example.com": "A"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.sync.OnMissing = reconcile.MissingDelete
			since := 0
			var last *owlatsync.Report
			for _, list := range tt.runs {
				since = w.server.Stats().Total
				last = w.run(list...)
			}
			expect(t, last, tt.want)
			if diff := cmp.Diff(tt.writes, w.writes(since)); diff != "" {
				t.Errorf("writes (-want +got):\n%s", diff)
			}
			got := make(map[string]string)
			for _, c := range w.server.Contacts() {
				got[c.Email] = c.FirstName
			}
			if diff := cmp.Diff(tt.holds, got); diff != "" {
				t.Errorf("contacts (-want +got):\n%s", diff)
			}
			if last.Outcomes[owlatsync.Failed] > 0 {
				return
			}
			since = w.server.Stats().Total
			w.run(tt.runs[len(tt.runs)-1]...)
			if more := w.writes(since); more != nil {
				t.Errorf("the next run sends %v", more)
			}
		})
	}
}

// TestAnAddressThatARowThatLeftKeeps has a row want an address whose holder is not deleted: the reason says which row left, and what
// to do; the plan says it too.
func TestAnAddressThatARowThatLeftKeeps(t *testing.T) {
	t.Parallel()
	a, b := user("1", "a@example.com", "A"), user("2", "b@example.com", "B")
	moved := user("1", "b@example.com", "A")
	for _, tt := range []struct {
		name   string
		policy reconcile.MissingPolicy
		before func(w *world)
		list   []owlatsync.Row
		o      runOptions
		says   string
	}{
		{name: "keep", policy: reconcile.MissingKeep, says: "on_missing"},
		{name: "leave_topics", policy: reconcile.MissingLeave, says: "on_missing"},
		{
			name: "there before the sync", policy: reconcile.MissingDelete, says: "before the sync",
			before: func(w *world) { w.call("POST", "/contacts", `{"email":"b@example.com"}`) },
		},
		{
			name: "another sync has it", policy: reconcile.MissingDelete, says: `of sync "orders"`,
			before: func(w *world) {
				w.run(a, b)
				own := w.sync
				w.sync = reconcile.Sync{Name: "orders", Guards: unguarded}
				w.run(user("o", "b@example.com", "B"))
				w.sync = own
			},
		},
		{name: "a part", policy: reconcile.MissingDelete, o: runOptions{Only: []string{"1"}}, says: "--only"},
		{name: "a row without a key", policy: reconcile.MissingDelete, list: []owlatsync.Row{moved, user("", "nobody@example.com", "")}, says: "no key"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.sync.OnMissing = tt.policy
			if tt.before != nil {
				tt.before(w)
			}
			w.run(a, b)
			if tt.list == nil {
				tt.list = []owlatsync.Row{moved}
			}
			e, client := w.engine()
			defer client.CloseIdleConnections()
			s := w.sync
			s.Source = rows{list: tt.list}
			warned := ""
			if _, err := e.Plan(t.Context(), s, reconcile.PlanOptions{Each: func(d reconcile.Decision) error {
				if d.Key == "1" {
					warned = d.Reason
				}
				return nil
			}}); err != nil {
				t.Fatal(err)
			}
			if _, err := w.try(t.Context(), tt.o, rows{list: tt.list}); err != nil {
				t.Fatal(err)
			}
			d := w.done("1")
			if d.Outcome != owlatsync.Failed || d.Category != "taken" || !strings.Contains(d.Reason, "key 2 has left the source") || !strings.Contains(d.Reason, tt.says) {
				t.Errorf("told %s (%s): %s", d.Outcome, d.Category, d.Reason)
			}
			if tt.o.Only == nil && !strings.Contains(warned, "key 2 has left the source") {
				t.Errorf("the plan says %q", warned)
			}
			if _, there := w.server.Contact("b@example.com"); !there {
				t.Error("the contact was deleted")
			}
			// Done by hand in Owlat, the next run goes through.
			w.call("DELETE", "/contacts/b@example.com", "")
			if report := w.run(moved); report.Outcomes[owlatsync.Renamed] != 1 {
				t.Errorf("outcomes %v", report.Outcomes)
			}
		})
	}
}

// TestAGivenUpRenameIsTriedOnceItsAddressIsFreed has a rename refused until it is given up: when a delete may free the address, it is
// tried at once.
func TestAGivenUpRenameIsTriedOnceItsAddressIsFreed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run(user("1", "a@example.com", "A"), user("2", "b@example.com", "B"))
		moved := user("1", "b@example.com", "A")
		for range 9 {
			expect(t, w.run(moved), "failed 1")
			time.Sleep(3 * time.Hour)
		}
		before := w.requests()
		expect(t, w.run(moved), "failed 1")
		w.sent(before) // given up
		w.sync.OnMissing = reconcile.MissingDelete
		expect(t, w.run(moved), "renamed 1, removed 1")
	})
}

// TestADeleteThatFreesAnAddressMeetsAFault has the delete, or the rename after it, fail or lose its answer, and the run end between
// them: nothing else is deleted, and the next run ends where an untroubled one would have.
func TestADeleteThatFreesAnAddressMeetsAFault(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"DELETE", "PUT"} {
		for _, fault := range []owlattest.Fault{
			{Kind: owlattest.StatusError, Status: 500}, {Kind: owlattest.ResetBefore}, {Kind: owlattest.ResetAfter},
			{Kind: owlattest.StatusError, Status: 502, After: true},
		} {
			t.Run(fmt.Sprint(method, " ", fault.Kind, " ", fault.Status, " ", fault.After), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t)
					w.sync.OnMissing = reconcile.MissingDelete
					w.run(user("1", "a@example.com", "A"), user("2", "b@example.com", "B"), user("3", "c@example.com", "C"))
					fault.Method, fault.Route, fault.Count = method, owlattest.RouteContact, 100
					if err := w.server.InjectFaults(fault); err != nil {
						t.Fatal(err)
					}
					moved := user("1", "b@example.com", "A")
					_, _ = w.try(t.Context(), runOptions{}, rows{list: []owlatsync.Row{moved}})
					w.server.ClearFaults()
					if _, there := w.server.Contact("c@example.com"); !there {
						t.Error("a row failed, and another contact was deleted")
					}
					time.Sleep(time.Hour)
					w.run(moved)
					if w.server.Len() != 1 || w.contact("b@example.com").FirstName != "A" {
						t.Errorf("Owlat holds %+v", w.server.Contacts())
					}
					before := w.requests()
					expect(t, w.run(moved), "unchanged 1")
					w.sent(before)
				})
			})
		}
	}
}

// TestARunIsKilledBetweenDeleteAndRename cancels a run after every request in turn.
func TestARunIsKilledBetweenDeleteAndRename(t *testing.T) {
	t.Parallel()
	for at := range 3 {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.sync.OnMissing = reconcile.MissingDelete
			w.run(user("1", "a@example.com", "A"), user("2", "b@example.com", "B"), user("3", "c@example.com", "C"))
			list := []owlatsync.Row{user("3", "a@example.com", "C"), user("1", "b@example.com", "A")}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			seen := 0
			w.server.OnRequest = func(owlattest.Request) {
				if seen++; seen == at+1 {
					cancel()
				}
			}
			_, _ = w.try(ctx, runOptions{}, rows{list: list})
			w.server.OnRequest = nil
			w.run(list...)
			got := []string{}
			for _, c := range w.server.Contacts() {
				got = append(got, c.Email+" "+c.FirstName)
			}
			slices.Sort(got)
			if diff := cmp.Diff([]string{"a@example.com C", "b@example.com A"}, got); diff != "" {
				t.Errorf("contacts after a kill at request %d (-want +got):\n%s", at+1, diff)
			}
		})
	}
}

// TestADeleteThatFreesAnAddressIsGuarded holds a run for its deletes, and approves it: the delete comes only then.
func TestADeleteThatFreesAnAddressIsGuarded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.sync.OnMissing, w.sync.Guards.Removals = reconcile.MissingDelete, reconcile.Limit{Rows: 0, Share: 0.01}
	w.run(user("1", "a@example.com", "A"), user("2", "b@example.com", "B"))
	moved := []owlatsync.Row{user("1", "b@example.com", "A")}
	before := w.requests()
	_, err := w.try(t.Context(), runOptions{}, rows{list: moved})
	held, ok := errors.AsType[*reconcile.HeldError](err)
	if !ok {
		t.Fatalf("the run is not held: %v", err)
	}
	w.sent(before)
	report, err := w.try(t.Context(), runOptions{Approve: held.Run}, rows{list: moved})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, report, "renamed 1, removed 1")
}

// TestNothingIsDeletedForARenameAfterAnError has a withdrawal fail before the delete that a rename needs.
func TestNothingIsDeletedForARenameAfterAnError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, reconcile.Topic{ID: "news", When: true})
		w.sync.OnMissing = reconcile.MissingDelete
		w.run(user("1", "a@example.com", "A", true), user("2", "b@example.com", "B", true), user("3", "c@example.com", "C", true))
		fault := owlattest.Fault{Kind: owlattest.StatusError, Status: 500, Method: "DELETE", Route: owlattest.RouteTopicContact, Count: 100}
		if err := w.server.InjectFaults(fault); err != nil {
			t.Fatal(err)
		}
		list := []owlatsync.Row{user("1", "b@example.com", "A", true), user("3", "c@example.com", "C", false)}
		expect(t, w.run(list...), "skipped 1, failed 2")
		if d := w.done("1"); !strings.Contains(d.Reason, "key 2") || !strings.Contains(d.Reason, "next run") {
			t.Errorf("told %q", d.Reason)
		}
		if _, there := w.server.Contact("b@example.com"); !there {
			t.Error("a row failed, and a contact was deleted")
		}
		w.server.ClearFaults()
		time.Sleep(time.Hour)
		expect(t, w.run(list...), "updated 1, renamed 1, removed 1")
	})
}

// TestNothingIsDeletedForARenameAfterAnotherFailed has a rename fail that needs no delete, right before one that does.
func TestNothingIsDeletedForARenameAfterAnotherFailed(t *testing.T) {
	t.Parallel()
	for _, workers := range []int{1, 16} {
		w := newWorld(t)
		w.workers = workers
		w.sync.OnMissing = reconcile.MissingDelete
		w.run(user("1", "a@example.com", "A"), user("2", "b@example.com", "B"), user("3", "c@example.com", "C"))
		w.call("POST", "/contacts", `{"email":"taken@example.com"}`)
		expect(t, w.run(user("3", "taken@example.com", "C"), user("1", "b@example.com", "A")), "skipped 1, failed 2")
		if _, there := w.server.Contact("b@example.com"); !there {
			t.Errorf("%d workers: a row failed, and a contact was deleted", workers)
		}
	}
}

// TestARunOfChangesLeavesTheDeleteToTheNext reads only changes: it deletes nothing, and the next run reads all rows although its time
// has not come.
func TestARunOfChangesLeavesTheDeleteToTheNext(t *testing.T) {
	t.Parallel()
	u := newUsers(t)
	u.sync.OnMissing = reconcile.MissingDelete
	u.put(1, "a@example.com", "A")
	u.put(2, "b@example.com", "B")
	u.synced("full: created 2")
	u.far()
	u.exec("DELETE FROM users WHERE id = 2")
	u.put(1, "b@example.com", "A")
	u.synced("changes: failed 1")
	if d := u.done("1"); !strings.Contains(d.Reason, "the next run reads all rows") {
		t.Errorf("told %q", d.Reason)
	}
	u.synced("full: renamed 1 removed 1")
	u.synced("changes: unchanged 1")
}

// TestTheWayOutOfAnExchange follows what the reason, the README and docs/faults.md say: a third address, a run, the final address, a
// run.
func TestTheWayOutOfAnExchange(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconcile.Topic{ID: "news"})
	w.run(user("1", "a@example.com", "A", true), user("2", "b@example.com", "B", true))
	two := user("2", "a@example.com", "B", true)
	expect(t, w.run(user("1", "b@example.com", "A", true), two), "failed 2")
	if d := w.done("1"); !strings.Contains(d.Reason, "a third address, run, then its final one") {
		t.Errorf("told %q", d.Reason)
	}
	expect(t, w.run(user("1", "third@example.com", "A", true), two), "renamed 2")
	expect(t, w.run(user("1", "b@example.com", "A", true), two), "renamed 1, unchanged 1")
	for email, first := range map[string]string{"b@example.com": "A", "a@example.com": "B"} {
		if c := w.contact(email); c.FirstName != first || len(c.Topics) != 1 {
			t.Errorf("Owlat holds %+v", c)
		}
	}
	before := w.requests()
	expect(t, w.run(user("1", "b@example.com", "A", true), two), "unchanged 2")
	w.sent(before)
}

// TestARecreatedRowDoesNotMakeATwin has a row whose contact was deleted in Owlat take the address that another row's contact has by a
// rename: Owlat would create a second contact with it.
func TestARecreatedRowDoesNotMakeATwin(t *testing.T) {
	t.Parallel()
	for _, there := range []bool{false, true} {
		t.Run(fmt.Sprint("the other row is there ", there), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.sync.OnRemoteDelete = reconcile.RemoteDeleteRecreate
			w.run(user("1", "a@example.com", "A"), user("2", "b@example.com", "B"))
			w.call("DELETE", "/contacts/a@example.com", "")
			moved := user("2", "a@example.com", "B")
			expect(t, w.run(user("1", "z@example.com", "A"), moved), "renamed 1, skipped 1")
			list, want := []owlatsync.Row{user("1", "a@example.com", "A")}, "adopted 1"
			if there {
				list, want = append(list, moved), "unchanged 1, duplicate 1"
			}
			report := w.run(list...)
			expect(t, report, want)
			if w.server.Len() != 1 {
				t.Errorf("Owlat holds %+v", w.server.Contacts())
			}
		})
	}
}
