package reconcile_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/ledger/sqlite"
	"owlatsync/ledger/transfer"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
	"owlatsync/reconcile/progress"
)

// comebacks are the ways in which an older ledger comes back. Each returns what puts back the state of the ledger now.
var comebacks = map[string]func(*world) (back func()){
	"a copy of the file": func(w *world) func() { return w.copied(true) },
	"a copy of the file, and the file beside it is lost": func(w *world) func() { return w.copied(false) },
	"ledger backup and restore": func(w *world) func() {
		backup := filepath.Join(w.t.TempDir(), "backup.db")
		if err := w.ledger.Backup(w.t.Context(), backup); err != nil {
			w.t.Fatal(err)
		}
		return func() {
			w.close()
			if _, err := sqlite.Restore(w.t.Context(), "sqlite", w.path, backup); err != nil {
				w.t.Fatal(err)
			}
			w.open()
		}
	},
	"ledger export and import": func(w *world) func() {
		var export bytes.Buffer
		if err := transfer.Export(w.t.Context(), w.ledger, &export); err != nil {
			w.t.Fatal(err)
		}
		return func() {
			w.loseLedger()
			if err := transfer.Import(w.t.Context(), w.ledger, &export); err != nil {
				w.t.Fatal(err)
			}
		}
	},
}

func (w *world) close() {
	w.t.Helper()
	if err := w.ledger.Close(); err != nil {
		w.t.Fatal(err)
	}
}

// copied copies the ledger's file; back puts the copy in its place. The file beside it stays, or is lost.
func (w *world) copied(beside bool) (back func()) {
	w.t.Helper()
	w.close()
	copied, err := os.ReadFile(w.path)
	if err != nil {
		w.t.Fatal(err)
	}
	w.open()
	return func() {
		w.close()
		err := os.WriteFile(w.path, copied, 0o600)
		if !beside {
			err = errors.Join(err, os.Remove(w.path+".age"))
		}
		if err != nil {
			w.t.Fatal(err)
		}
		w.open()
	}
}

// inNumbers returns the plan of the latest run in numbers.
func (w *world) inNumbers() (s owlatsync.Summary) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.events {
		if p, ok := e.(progress.Planned); ok {
			s = p.Summary
		}
	}
	return s
}

// After an older ledger came back, nobody who left is put back, no event is sent twice, and it is said.
func TestAnOlderLedgerPutsNobodyBack(t *testing.T) {
	t.Parallel()
	for name, copyNow := range comebacks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, reconcile.Topic{ID: "news", When: true})
				defer func() { w.close() }()
				w.sync.Events = []reconcile.EventRule{
					{Name: "user_created", On: ledger.OnCreated}, {Name: "user_changed", On: ledger.OnUpdated}, {Name: "user_met", On: ledger.OnAppears},
				}
				no, yes, later := false, true, user("5", "e@example.com", "E", true)
				w.run(user("1", "a@example.com", "A", no), user("2", "b@example.com", "B", no), user("3", "c@example.com", "C", no), user("4", "d@example.com", "D", no))
				back := copyNow(w)

				time.Sleep(time.Minute)
				now := []owlatsync.Row{
					user("1", "a@example.com", "A", yes), user("2", "b@example.com", "B", yes), user("3", "c@example.com", "New", yes),
					user("4", "d@example.com", "D", no), later,
				}
				w.run(now...)
				for _, email := range []string{"a@example.com", "b@example.com", "c@example.com", "e@example.com"} {
					if len(w.contact(email).Topics) != 1 {
						t.Fatalf("%s was not added", email)
					}
				}
				time.Sleep(time.Minute)
				leave := func(email, topic string) {
					t.Helper()
					if err := w.server.Unsubscribe(w.contact(email).ID, topic); err != nil {
						t.Fatal(err)
					}
				}
				leave("a@example.com", w.sync.Topics[0].ID)
				leave("b@example.com", "") // everything
				leave("e@example.com", w.sync.Topics[0].ID)

				back()
				events := w.requests()["POST /events"]
				report := w.run(now...)
				if !w.inNumbers().SetBack {
					t.Error("the plan does not say that the ledger is older")
				}
				mustBeOut := func() {
					t.Helper()
					for _, email := range []string{"a@example.com", "b@example.com", "e@example.com"} {
						if c := w.contact(email); len(c.Topics) > 0 || email == "b@example.com" && !c.Unsubscribed {
							t.Errorf("%s was put back: %+v", email, c)
						}
					}
				}
				mustBeOut()
				if report.Memberships.Added > 0 || report.Memberships.Skipped != 4 {
					t.Errorf("memberships %+v", report.Memberships)
				}
				if n := w.requests()["POST /events"] - events; n > 0 {
					t.Errorf("%d events were sent twice", n)
				}

				before := w.requests()
				expect(t, w.run(now...), "unchanged 5")
				w.sent(before)
				if w.inNumbers().SetBack {
					t.Error("the next plan still says that the ledger is older")
				}

				// A consent that is new counts again, also one whose no the older ledger had.
				now[0].Consents, now[3].Consents = []owlatsync.Consent{owlatsync.No}, []owlatsync.Consent{owlatsync.Yes}
				w.run(now...)
				now[0].Consents = []owlatsync.Consent{owlatsync.Yes}
				w.run(now...)
				for _, email := range []string{"a@example.com", "d@example.com"} {
					if on := w.contact(email).Topics; !slices.Equal(on, []string{w.sync.Topics[0].ID}) {
						t.Errorf("%s is on %q after a new consent", email, on)
					}
				}
			})
		})
	}
}

// A plan says what a run would do with an older ledger.
func TestAPlanOfAnOlderLedger(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconcile.Topic{ID: "news", When: true})
	defer func() { w.close() }()
	w.run(user("1", "a@example.com", "A", false))
	back := w.copied(true)
	w.run(user("1", "a@example.com", "A", true))
	back()
	e, client := w.engine()
	defer client.CloseIdleConnections()
	s := w.sync
	s.Source = rows{list: []owlatsync.Row{user("1", "a@example.com", "A", true)}}
	plan, err := e.Plan(t.Context(), s, reconcile.PlanOptions{})
	if err != nil || !plan.SetBack || plan.Memberships.Added > 0 || plan.Memberships.Skipped != 1 {
		t.Errorf("plan %+v: %v", plan, err)
	}
	before := w.requests()["GET /contacts"]
	w.run(s.Source.(rows).list...)
	if listed := w.requests()["GET /contacts"] - before; listed == 0 || plan.Adoption.Requests != listed {
		t.Errorf("the plan has %d requests to list the contacts, a run made %d", plan.Adoption.Requests, listed)
	}
}

// A part of the rows leaves the ledger an older one, and so does a run that ends early.
func TestAnOlderLedgerStaysOneUntilARunOfAllRows(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconcile.Topic{ID: "news", When: true})
	defer func() { w.close() }()
	list := []owlatsync.Row{user("1", "a@example.com", "A", false), user("2", "b@example.com", "B", false)}
	w.run(list...)
	if err := w.ledger.SetBack(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.close()
	w.open()
	for _, o := range []runOptions{{Only: []string{"1"}}, {}} {
		if _, err := w.try(t.Context(), o, rows{list: list}); err != nil || !w.inNumbers().SetBack {
			t.Errorf("%+v: %v, set back: %v", o, err, w.inNumbers().SetBack)
		}
	}
	w.run(list...)
	if w.inNumbers().SetBack {
		t.Error("it stays an older ledger")
	}
}

// A key that cannot read contacts applies an older ledger without looking.
func TestAnOlderLedgerWithoutTheRightToRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconcile.Topic{ID: "news", When: true})
	defer func() { w.close() }()
	w.run(user("1", "a@example.com", "A", false))
	if err := w.ledger.SetBack(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.key = w.server.AddKey("contacts:write", "topics:write")
	report := w.run(user("1", "a@example.com", "New", true))
	if c := w.contact("a@example.com"); len(c.Topics) > 0 || c.FirstName != "New" || report.Memberships.Skipped != 1 {
		t.Errorf("%+v, %+v", c, report.Memberships)
	}
}

// A contact that a sibling sync created is not new to a sync whose row the older ledger does not know, or knows with a no.
func TestAnOlderLedgerMakesNobodyNewToASibling(t *testing.T) {
	t.Parallel()
	for _, known := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, reconcile.Topic{ID: "news", When: true})
			defer func() { w.close() }()
			orders := w.sync
			orders.Name = "orders"
			run := func(s reconcile.Sync, list ...owlatsync.Row) {
				t.Helper()
				users := w.sync
				defer func() { w.sync = users }()
				w.sync = s
				w.run(list...)
			}
			run(w.sync, user("1", "a@example.com", "A", false))
			if known {
				run(orders, user("o1", "a@example.com", "A", false))
			}
			back := w.copied(true)
			time.Sleep(time.Minute)
			run(orders, user("o1", "a@example.com", "A", true))
			if len(w.contact("a@example.com").Topics) != 1 {
				t.Fatal("it was not added")
			}
			time.Sleep(time.Minute)
			if err := w.server.Unsubscribe(w.contact("a@example.com").ID, ""); err != nil {
				t.Fatal(err)
			}
			back()
			for range 2 {
				run(orders, user("o1", "a@example.com", "A", true))
				if c := w.contact("a@example.com"); len(c.Topics) > 0 || !c.Unsubscribed {
					t.Errorf("known %v: put back: %+v", known, c)
				}
			}
		})
	}
}

// A create that fails with an older ledger is tried again by runs that no longer count the ledger as older. They still do not repeat
// the event of a row that appears, and a consent counts as old. So is it with a create that failed before the backup was made.
func TestACreateThatFailsWithAnOlderLedger(t *testing.T) {
	t.Parallel()
	for _, failedBefore := range []bool{false, true} {
		for _, there := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, reconcile.Topic{ID: "news", When: true})
				defer func() { w.close() }()
				w.sync.Events = []reconcile.EventRule{{Name: "user_met", On: ledger.OnAppears}}
				old, list := user("1", "a@example.com", "A", true), []owlatsync.Row{user("1", "a@example.com", "A", true), user("2", "b@example.com", "B", true)}
				refuse := func() {
					t.Helper()
					if err := w.server.InjectFaults(owlattest.Fault{Kind: owlattest.RateLimited, Method: "POST", Route: owlattest.RouteContacts}); err != nil {
						t.Fatal(err)
					}
				}
				w.run(old)
				if failedBefore {
					refuse()
					w.run(list...)
					w.server.ClearFaults()
				}
				back := w.copied(true)
				time.Sleep(24 * time.Hour)
				w.run(list...)
				if err := w.server.Unsubscribe(w.contact("b@example.com").ID, ""); err != nil {
					t.Fatal(err)
				}
				if !there {
					if err := w.server.SoftDelete("b@example.com"); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(time.Minute)
				back()
				events := w.requests()["POST /events"]
				refuse()
				expect(t, w.run(list...), "unchanged 1, failed 1")
				w.server.ClearFaults()
				if !w.inNumbers().SetBack {
					t.Error("the ledger is not noticed to be older")
				}
				time.Sleep(24 * time.Hour)
				w.run(list...)
				if w.inNumbers().SetBack {
					t.Error("the ledger still counts as older")
				}
				sent, on := w.requests()["POST /events"]-events, len(w.contact("b@example.com").Topics)
				if there && (sent > 0 || on > 0) || !there && (sent != 1 || on != 1) {
					t.Errorf("failed before: %v, there: %v: %d events sent, on %d topics", failedBefore, there, sent, on)
				}
			})
		}
	}
}
