package reconcile_test

import (
	"testing"
	"testing/synctest"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
)

// TestDoubtsAreSettledBeforeTheLedgerIsCorrected: an update whose answer was lost makes its event due, and a delete in doubt is looked
// up, in every path that reads what Owlat holds.
func TestDoubtsAreSettledBeforeTheLedgerIsCorrected(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"run", "run --full", "verify --repair", "verify, then run"} {
		for _, back := range []bool{false, true} { // the row is as before
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				defer func() { w.ledger.Close() }()
				w.workers = 1
				w.sync.OnMissing = reconcile.MissingDelete
				w.sync.Events = []reconcile.EventRule{{Name: "changed", On: ledger.OnUpdated}}
				a, b := user("1", "a@example.com", "A"), user("2", "b@example.com", "B")
				w.run(a, b)
				changed := user("1", "a@example.com", "Changed")
				w.killedAt(1, true, changed, b)
				row := changed
				if back {
					row = a
				}
				switch how {
				case "run --full":
					if _, err := w.try(t.Context(), runOptions{Full: true}, rows{list: []owlatsync.Row{row, b}}); err != nil {
						t.Fatal(err)
					}
				case "verify --repair":
					w.verify(true, row, b)
				case "verify, then run":
					w.verify(false, row, b)
				}
				w.run(row, b)
				if n := w.requests()["POST /events"]; n != 1 {
					t.Errorf("%s, back %v: %d events", how, back, n)
				}
			})
		}
	}
}

// TestADeleteInDoubtIsLookedUpFirst: one that did not take effect is sent again.
func TestADeleteInDoubtIsLookedUpFirst(t *testing.T) {
	t.Parallel()
	for _, after := range []bool{false, true} {
		for _, how := range []string{"run", "run --full", "verify --repair"} {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				defer func() { w.ledger.Close() }()
				w.sync.OnMissing = reconcile.MissingDelete
				a, b := user("1", "a@example.com", "A"), user("2", "b@example.com", "B")
				w.run(a, b)
				w.killedAt(1, after, b)
				w.call("PUT", "/contacts/a@example.com", `{"firstName":"Changed"}`)
				switch how {
				case "run --full":
					if _, err := w.try(t.Context(), runOptions{Full: true}, rows{list: []owlatsync.Row{b}}); err != nil {
						t.Fatal(err)
					}
				case "verify --repair":
					w.verify(true, b)
				}
				w.run(b)
				if _, there := w.server.Contact("a@example.com"); there {
					t.Errorf("%s, took effect %v: the contact is still there", how, after)
				}
				if e := w.entries()[0]; e.Origin != ledger.OriginDeleted || e.Doubt {
					t.Errorf("%s, took effect %v: the ledger has %+v", how, after, e)
				}
			})
		}
	}
}

// TestADoubtThatCannotBeSettledStays where a correction of the ledger would take it away.
func TestADoubtThatCannotBeSettledStays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer func() { w.ledger.Close() }()
		w.sync.Events = []reconcile.EventRule{{Name: "changed", On: ledger.OnUpdated}}
		w.run(user("1", "a@example.com", "A"))
		changed := user("1", "a@example.com", "Changed")
		w.killedAt(1, true, changed)
		if err := w.server.InjectFaults(owlattest.Fault{Kind: owlattest.StatusError, Method: "GET", Route: owlattest.RouteContact}); err != nil {
			t.Fatal(err)
		}
		if report, err := w.try(t.Context(), runOptions{Full: true}, rows{list: []owlatsync.Row{changed}}); err != nil || report.Outcomes[owlatsync.Failed] != 1 {
			t.Errorf("%v, %v", report, err)
		}
		if e := w.entries()[0]; !e.Doubt {
			t.Errorf("the doubt is gone: %+v", e)
		}
		w.server.ClearFaults()
		time.Sleep(time.Hour)
		w.run(changed)
		if n := w.requests()["POST /events"]; n != 1 {
			t.Errorf("%d events", n)
		}
	})
}
