package reconcile_test

import (
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

func (w *world) verify(repair bool, list ...owlatsync.Row) (reconcile.Verified, []string) {
	w.t.Helper()
	e, client := w.engine()
	defer client.CloseIdleConnections()
	s := w.sync
	s.Source = rows{list: list}
	var told []string
	v, err := e.Verify(w.t.Context(), []reconcile.Sync{s}, reconcile.VerifyOptions{Repair: repair, Each: func(f reconcile.Finding) error {
		told = append(told, strings.Trim(fmt.Sprintf("%s %s %s %s>%s", f.Kind, f.Key, f.Field, f.Ledger, f.Owlat), "> "))
		return nil
	}})
	if err != nil {
		w.t.Fatal(err)
	}
	slices.Sort(told)
	return v, told
}

func TestVerifyFindsEveryDifferenceAndWritesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := people(6, "P")
	w.run(list...)
	if v, told := w.verify(false, list...); v.Differences() != 0 || len(told) != 0 || v.Contacts != 6 || v.Entries != 6 {
		t.Errorf("all is in step, and verify tells %+v %q", v, told)
	}
	w.call("PUT", "/contacts/p1@example.com", `{"firstName":"Other"}`)
	w.call("PUT", "/contacts/p2@example.com", `{"email":"moved@example.com"}`)
	w.call("DELETE", "/contacts/p3@example.com", "")
	w.call("POST", "/contacts", `{"email":"stranger@example.com"}`)
	w.call("POST", "/contacts", `{"email":"moved@example.com"}`) // a second contact with the address
	older := w.contact("moved@example.com").ID
	list[3].Fields[owlatsync.FirstName] = owlatsync.Some("Changed")
	before := w.requests()
	v, told := w.verify(false, list...)
	w.sent(before, "GET /contacts 1")
	want := []string{
		"address 2 email p2@example.com>moved@example.com",
		"changed 1 firstName P>Other",
		"missing 3",
		"source 4",
		"twin   >" + older,
		"unknown", "unknown",
	}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if v.Differences() != 5 || v.Repaired != 0 {
		t.Errorf("verified %+v", v)
	}
	expect(t, w.run(list...), "updated 1, unchanged 5") // only the source's own change
}

func TestRepairSendsWhatThePoliciesAllow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := people(4, "P")
	w.run(list...)
	w.call("PUT", "/contacts/p1@example.com", `{"firstName":"Other"}`)
	w.call("PUT", "/contacts/p2@example.com", `{"email":"moved@example.com"}`)
	w.call("DELETE", "/contacts/p3@example.com", "")
	if v, _ := w.verify(true, list...); v.Repaired != 3 {
		t.Errorf("verified %+v", v)
	}
	before := w.requests()
	expect(t, w.run(list...), "updated 1, renamed 1, unchanged 1, skipped 1")
	w.sent(before, "PUT /contacts/{contact} 2")
	if c := w.contact("p1@example.com"); c.FirstName != "P" {
		t.Errorf("Owlat holds %+v", c)
	}
	w.contact("p2@example.com")
	if v, told := w.verify(false, list...); v.Differences() != 0 {
		t.Errorf("after the repair verify tells %q", told)
	}
}

func TestAFullRunSetsRightWhatWasChangedInOwlat(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := people(3, "P")
	w.run(list...)
	w.call("PUT", "/contacts/p1@example.com", `{"firstName":"Other"}`)
	expect(t, w.run(list...), "unchanged 3")
	before := w.requests()
	report, err := w.try(t.Context(), runOptions{Full: true}, rows{list: list})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, report, "updated 1, unchanged 2")
	w.sent(before, "GET /contacts 1", "PUT /contacts/{contact} 1")
}

func TestRetryTakesUpWhatWasGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.ledger.Close()
		list := people(3, "P")
		w.run(list...)
		for i := range 2 {
			list[i].Fields[owlatsync.FirstName] = owlatsync.Some("X")
		}
		if err := w.server.InjectFaults(owlattest.Fault{Kind: owlattest.StatusError, Status: 503, Method: "PUT"}); err != nil {
			t.Fatal(err)
		}
		expect(t, w.run(list...), "unchanged 1, failed 2")
		expect(t, w.run(list...), "unchanged 1, failed 2") // the second attempt may come at once
		w.server.ClearFaults()
		before := w.requests()
		expect(t, w.run(list...), "unchanged 1, failed 2") // the third waits
		w.sent(before, "GET /contacts/{contact} 2")        // what became of the second is looked up, once
		expect(t, w.run(list...), "unchanged 1, failed 2")
		w.sent(before, "GET /contacts/{contact} 2")
		entries, err := w.ledger.Entries(t.Context(), "users", []string{"1"})
		if err != nil {
			t.Fatal(err)
		}
		if troubles := reconcile.Troubles(entries["1"], "users", time.Now()); len(troubles) != 1 || troubles[0].Attempts != 2 || troubles[0].Category != "internal" {
			t.Errorf("troubles %+v", troubles)
		}
		if n, err := w.ledger.Retry(t.Context(), "users", []string{"1"}, time.Now()); n != 1 || err != nil {
			t.Errorf("retry: %d, %v", n, err)
		}
		expect(t, w.run(list...), "updated 1, unchanged 1, failed 1")
		if n, err := w.ledger.Retry(t.Context(), "users", nil, time.Now()); n != 1 || err != nil {
			t.Errorf("retry: %d, %v", n, err)
		}
		expect(t, w.run(list...), "updated 1, unchanged 2")
	})
}

// TestVerifyCountsWhoIsMissingForAnInvalidRow has people whom no run can send, of whom some are in Owlat all the same.
func TestVerifyCountsWhoIsMissingForAnInvalidRow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := people(3, "P")
	w.run(list...)
	w.call("POST", "/contacts", `{"email":"There@example.com"}`)
	long := strings.Repeat("x", 201)
	list[0] = owlatsync.Row{Key: "1", Defect: "not UTF-8"} // its contact is in Owlat
	list = append(list, user("4", "there@example.com", long), user("5", "away@example.com", long), user("6", "nobody", "P"),
		owlatsync.Row{Key: "7", Defect: "not UTF-8"}, owlatsync.Row{Defect: `column "id" is NULL`})
	v, told := w.verify(false, list...)
	if v.Invalid != 4 || v.Differences() != 0 {
		t.Errorf("%+v, %q", v, told)
	}
}
