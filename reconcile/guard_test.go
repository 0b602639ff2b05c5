package reconcile_test

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
)

// heldBy checks that guards hold the run, and returns its number.
func heldBy(t testing.TB, err error, want ...owlatsync.Guard) int64 {
	t.Helper()
	held, ok := errors.AsType[*reconcile.HeldError](err)
	if !ok {
		t.Fatalf("error %v, want the run held by %v", err, want)
	}
	var got []owlatsync.Guard
	for _, hit := range held.Hits {
		got = append(got, hit.Guard)
	}
	if !slices.Equal(got, want) {
		t.Errorf("held by %v, want %v", got, want)
	}
	return held.Run
}

// TestALostConditionIsHeld drops the condition of a query after the first run: nobody is created or mailed unasked, in parts neither.
func TestALostConditionIsHeld(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconcile.Topic{ID: "all"})
	w.run(people(30, "P")...)
	w.sync.Guards = reconcile.Guards{}
	all := rows{list: people(1000, "P")}
	before := w.requests()
	_, err := w.try(t.Context(), runOptions{}, all)
	run := heldBy(t, err, owlatsync.GuardCreates, owlatsync.GuardTopicAdds)
	for _, part := range []runOptions{{Limit: 10}, {Limit: 10}, {Only: []string{"500"}}} {
		_, err := w.try(t.Context(), part, all)
		heldBy(t, err, owlatsync.GuardCreates, owlatsync.GuardTopicAdds)
	}
	w.sent(before)
	report, err := w.try(t.Context(), runOptions{Approve: run}, all)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, report, "created 970, unchanged 30")
	if s := w.summary(); s.Creates != 970 || s.TopicAdds != 970 || s.KnownAdds != 0 {
		t.Errorf("planned %+v", s)
	}
}

// TestPartsOfAFirstRunAreOne applies a first run in parts: none of them makes the rest a second run.
func TestPartsOfAFirstRunAreOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconcile.Topic{ID: "all"})
	all := rows{list: people(60, "P")}
	w.sync.Guards = reconcile.Guards{}
	yes := func(owlatsync.Summary) (bool, error) { return true, nil }
	for range 2 {
		if _, err := w.try(t.Context(), runOptions{Limit: 5, Confirm: yes}, all); err != nil {
			t.Fatal(err)
		}
	}
	_, err := w.try(t.Context(), runOptions{}, all)
	heldBy(t, err, owlatsync.GuardFirstRun)
	report, err := w.try(t.Context(), runOptions{Confirm: yes}, all)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, report, "created 50, unchanged 10")
}

// TestANewTopicForEverybodyIsHeld adds a topic with `existing: add`.
func TestANewTopicForEverybodyIsHeld(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := people(30, "P")
	w.run(list...)
	w.sync.Guards = reconcile.Guards{}
	w.sync.Topics = []reconcile.Topic{{ID: w.server.AddTopic("new", false), Existing: reconcile.ExistingAdd}}
	before := w.requests()
	_, err := w.try(t.Context(), runOptions{}, rows{list: list})
	run := heldBy(t, err, owlatsync.GuardTopicAdds)
	w.sent(before)
	if _, err := w.try(t.Context(), runOptions{Approve: run}, rows{list: list}); err != nil {
		t.Fatal(err)
	}
	w.sent(before, "POST /topics/{topic}/contacts 30")
}

// TestContactsThatWereThereAreHeldToo widens a query to people whom Owlat has already.
func TestContactsThatWereThereAreHeldToo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconcile.Topic{ID: "all", Existing: reconcile.ExistingAdd})
	list := people(60, "P")
	w.run(list[:20]...)
	other := w.sync
	w.sync.Name, w.sync.Topics = "others", nil
	w.run(list...)
	w.sync = other
	w.sync.Guards = reconcile.Guards{}
	_, err := w.try(t.Context(), runOptions{}, rows{list: list})
	heldBy(t, err, owlatsync.GuardTopicAdds)
}

// TestWhatPassedTheGuardsIsNotHeldAgain repeats creates and adds that failed: a schedule goes on by itself after an outage.
func TestWhatPassedTheGuardsIsNotHeldAgain(t *testing.T) {
	t.Parallel()
	for _, route := range []string{owlattest.RouteContacts, owlattest.RouteTopicContacts} {
		t.Run(route, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, reconcile.Topic{ID: "all"})
				defer w.ledger.Close()
				list := people(21, "P")
				if err := w.server.InjectFaults(owlattest.Fault{Kind: owlattest.RateLimited, Method: "POST", Route: route}); err != nil {
					t.Fatal(err)
				}
				expect(t, w.run(list...), "failed 21")
				w.server.ClearFaults()
				time.Sleep(24 * time.Hour)
				w.sync.Guards = reconcile.Guards{}
				report, err := w.try(t.Context(), runOptions{}, rows{list: list})
				if err != nil {
					t.Fatal(err)
				}
				if report.Outcomes[owlatsync.Failed] > 0 || report.Memberships.Added != 21 {
					t.Errorf("outcomes %v, %v, %v", report.Outcomes, report.Memberships, w.done("1"))
				}
			})
		})
	}
}

// TestRecreatedContactsAreCreates deletes most contacts in Owlat under `on_remote_delete: recreate`.
func TestRecreatedContactsAreCreates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.sync.OnRemoteDelete = reconcile.RemoteDeleteRecreate
	list := people(40, "P")
	w.run(list...)
	for _, c := range w.server.Contacts()[:30] {
		w.call("DELETE", "/contacts/"+c.ID, "")
	}
	w.sync.Guards = reconcile.Guards{}
	_, err := w.try(t.Context(), runOptions{Full: true}, rows{list: list})
	heldBy(t, err, owlatsync.GuardCreates)
	if runs, err := w.ledger.Runs(t.Context(), "users", 1); err != nil || runs[0].Status != ledger.StatusHeld {
		t.Errorf("runs %+v, %v", runs, err)
	}
}
