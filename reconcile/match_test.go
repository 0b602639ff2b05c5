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

// TestASyncThatOnlySendsEvents: it asks Owlat for nobody, creates and changes nobody, and sends an event to whoever has the address. Each of
// several rows with one address speaks for itself.
func TestASyncThatOnlySendsEvents(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.sync.Match, w.sync.Events = true, []reconcile.EventRule{changed, expiring}
	if _, err := w.server.AddContact(owlattest.ContactState{Email: "1@example.com", FirstName: "Ada"}); err != nil {
		t.Fatal(err)
	}
	second := subscriber("1b", "free", false)
	second.Email = owlatsync.Some("1@example.com")
	heard := w.heard()
	before := w.requests()
	expect(t, w.run(subscriber("1", "free", false), second, subscriber("2", "free", false)), "unchanged 3")
	w.sent(before)

	second.Properties[0].Value = "team"
	report := w.run(subscriber("1", "pro", false), second, subscriber("2", "pro", true))
	expect(t, report, "updated 2, skipped 1")
	if want := (owlatsync.EventCounts{Sent: 2, LeftOut: 2}); report.Events != want {
		t.Errorf("the report counts %+v, want %+v", report.Events, want)
	}
	same(t, "changes", heard(), `1 plan_changed {"new":"pro","old":"free"}`, `1 plan_changed {"new":"team","old":"free"}`)
	w.sent(before, "POST /events 4")
	if d := w.done("2"); d.Category != ledger.CategoryUnmatched {
		t.Errorf("somebody who is not in Owlat: %+v", d)
	}
	before = w.requests()
	expect(t, w.run(subscriber("1", "pro", false), second, subscriber("2", "pro", true)), "unchanged 3")
	w.sent(before)

	// From the next turn on the person is there.
	if _, err := w.server.AddContact(owlattest.ContactState{Email: "2@example.com"}); err != nil {
		t.Fatal(err)
	}
	moved := subscriber("1", "pro", false)
	moved.Email = owlatsync.Some("2@example.com")
	expect(t, w.run(moved, second, subscriber("2", "free", true)), "updated 1, unchanged 2")
	moved.Properties[0].Value = "free"
	w.run(moved, second, subscriber("2", "free", true))
	same(t, "later", heard(), `2 plan_changed {"new":"free","old":"pro"}`, `2 plan_changed {"new":"free","old":"pro"}`)
	if n := len(w.server.Contacts()); n != 2 {
		t.Errorf("%d contacts", n)
	}
	entries, err := w.ledger.Entries(t.Context(), "users", []string{"1"})
	if err != nil || entries["1"].Email != "2@example.com" || entries["1"].ContactID != "" {
		t.Errorf("the ledger has %+v, %v", entries["1"], err)
	}
}

// TestEventsBesideASyncOfContacts: rows that only send events tell nothing of contacts to other syncs, and people who get nothing get no event.
func TestEventsBesideASyncOfContacts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.ledger.Close()
		contacts := w.sync
		w.sync.Name, w.sync.Match, w.sync.Events = "events", true, []reconcile.EventRule{expiring}
		events := w.sync
		w.run(subscriber("1", "free", false), subscriber("2", "free", false))
		w.sync = contacts
		expect(t, w.run(subscriber("1", "free", false), subscriber("2", "free", false)), "created 2")
		if err := w.ledger.Suppress(t.Context(), ledger.Suppression{Email: "2@example.com", Reason: ledger.Bounced, At: time.Now()}); err != nil {
			t.Fatal(err)
		}
		w.sync = events
		heard := w.heard()
		expect(t, w.run(subscriber("1", "free", true), subscriber("2", "free", true)), "updated 1, unchanged 1")
		same(t, "events", heard(), `1 trial_expiring {"daysLeft":3}`)
		w.sync = contacts
		before := w.requests()
		expect(t, w.run(subscriber("1", "free", true), subscriber("2", "free", true)), "unchanged 2")
		w.sent(before)
		w.sync = events
		w.run(subscriber("1", "free", false), subscriber("2", "free", true))
		if err := w.server.InjectFaults(owlattest.Fault{Kind: owlattest.RateLimited, Route: owlattest.RouteEvents, Count: 1000}); err != nil {
			t.Fatal(err)
		}
		expect(t, w.run(subscriber("1", "free", true), subscriber("2", "free", true)), "unchanged 1, failed 1")
		w.server.ClearFaults()
		time.Sleep(time.Hour)
		expect(t, w.run(subscriber("1", "free", true), subscriber("2", "free", true)), "updated 1, unchanged 1")
		same(t, "tried again", heard(), `1 trial_expiring {"daysLeft":3}`)
	})
}

// TestASyncThatHadContactsLetsThemGo when it only sends events from now on, and takes them up again when it does more.
func TestASyncThatHadContactsLetsThemGo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.sync.Events = []reconcile.EventRule{changed}
	w.run(subscriber("1", "free", false))
	w.sync.Match = true
	before := w.requests()
	moved := subscriber("1", "free", false)
	moved.Email = owlatsync.Some("other@example.com")
	expect(t, w.run(moved), "unchanged 1")
	w.sent(before)
	w.sync.Match = false
	expect(t, w.run(subscriber("1", "free", false)), "adopted 1")
	heard := w.heard()
	expect(t, w.run(subscriber("1", "pro", false)), "updated 1")
	same(t, "afterwards", heard(), `1 plan_changed {"new":"pro","old":"free"}`)
}

// TestWhatOnlySendsEventsHasNothingElse asks for syncs that make no sense.
func TestWhatOnlySendsEventsHasNothingElse(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*reconcile.Sync){
		"topics":        func(s *reconcile.Sync) { s.Topics = []reconcile.Topic{{ID: "k57aaaaaaaaaa"}} },
		"never mail":    func(s *reconcile.Sync) { s.Suppressed = true },
		"absent rows":   func(s *reconcile.Sync) { s.OnMissing = reconcile.MissingDelete },
		"gone contacts": func(s *reconcile.Sync) { s.OnRemoteDelete = reconcile.RemoteDeleteRecreate },
		"no events":     func(s *reconcile.Sync) { s.Events = nil },
		"events of others": func(s *reconcile.Sync) {
			s.Events = append(s.Events, reconcile.EventRule{Name: "x", On: ledger.OnCreated})
		},
	} {
		s := reconcile.Sync{Name: "x", Match: true, Events: []reconcile.EventRule{changed}}
		if err := s.Policies().Validate(); err != nil {
			t.Fatal(err)
		}
		if change(&s); s.Policies().Validate() == nil {
			t.Errorf("%s is taken", name)
		}
	}
}
