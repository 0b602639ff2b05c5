package reconcile_test

import (
	"crypto/sha256"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
)

// hear takes in news about an address and waits until it is the past.
func (w *world) hear(n ledger.News) {
	w.t.Helper()
	n.Feedback.Hash = sha256.Sum256([]byte(time.Now().String()))
	n.Feedback.Event, n.Feedback.Received = "email.bounced", time.Now()
	if took, err := w.ledger.TakeIn(w.t.Context(), n); err != nil || !took.New {
		w.t.Fatalf("new %v: %v", took.New, err)
	}
	time.Sleep(time.Second + 500*time.Microsecond)
}

// people makes a contact in Owlat.
func (w *world) people(address string) (id string) {
	w.t.Helper()
	id, err := w.server.AddContact(owlattest.ContactState{Email: address})
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

func bounced(address string) ledger.News {
	return ledger.News{Suppressions: []ledger.Suppression{{Email: address, Reason: ledger.Bounced, At: time.Now()}}}
}

// TestNobodyIsPutOnATopicWhoseMailBounced plays every way to a yes with an address to which no mail may go.
func TestNobodyIsPutOnATopicWhoseMailBounced(t *testing.T) {
	t.Parallel()
	for _, existing := range []reconcile.Existing{reconcile.ExistingSkip, reconcile.ExistingAdd} {
		for _, before := range []struct {
			name string
			make func(*world)
		}{
			{"nothing", func(*world) {}},
			{"a no", func(w *world) { w.run(user("1", "a@example.com", "A", false)) }},
			{"a contact that was there", func(w *world) { w.people("a@example.com") }},
			{"a row that left", func(w *world) {
				w.sync.OnMissing = reconcile.MissingLeave
				w.run(user("1", "a@example.com", "A", true))
				w.run()
			}},
			{"another address", func(w *world) { w.run(user("1", "b@example.com", "A", false)) }},
		} {
			t.Run(before.name+" "+string(existing), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, reconcile.Topic{ID: "news", When: true, Existing: existing})
					defer w.ledger.Close()
					before.make(w)
					w.sync.Events = []reconcile.EventRule{{Name: "seen", On: ledger.OnAppears}, {Name: "made", On: ledger.OnCreated}, {Name: "changed", On: ledger.OnUpdated}}
					w.hear(bounced("a@example.com"))
					report := w.run(user("1", "a@example.com", "New", true))
					got := w.requests()
					if got["POST /topics/{topic}/contacts"] > 1 || got["POST /events"] != 0 || len(w.contact("a@example.com").Topics) != 0 || report.Memberships.Skipped != 1 {
						t.Errorf("requests %v, memberships %+v", got, report.Memberships)
					}
					if c := w.contact("a@example.com"); c.FirstName != "New" {
						t.Errorf("the contact is not kept equal: %+v", c)
					}
					then := w.requests()
					expect(t, w.run(user("1", "a@example.com", "New", true)), "unchanged 1")
					w.sent(then)
					w.run(user("1", "a@example.com", "New", false))
					w.run(user("1", "a@example.com", "New", true))
					if len(w.contact("a@example.com").Topics) != 0 {
						t.Error("a new yes puts the person on the topic")
					}
					if was, err := w.ledger.Lift(t.Context(), "a@example.com"); !was || err != nil {
						t.Fatalf("%v %v", was, err)
					}
					w.run(user("1", "a@example.com", "New", false))
					w.run(user("1", "a@example.com", "New", true))
					if len(w.contact("a@example.com").Topics) != 1 {
						t.Error("a new yes puts nobody on the topic although the suppression was lifted")
					}
				})
			})
		}
	}
}

// TestABounceWhileARunGoesOn tells of a bounce after the plan, right before the add, and then before the event.
func TestABounceWhileARunGoesOn(t *testing.T) {
	t.Parallel()
	for _, at := range []string{owlattest.RouteContacts, owlattest.RouteTopicContacts} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, reconcile.Topic{ID: "news", When: true})
				defer w.ledger.Close()
				w.sync.Events = []reconcile.EventRule{{Name: "made", On: ledger.OnCreated}}
				w.server.OnRequest = func(r owlattest.Request) {
					if r.Route != at {
						return
					}
					w.server.OnRequest = nil
					n := bounced("a@example.com")
					n.Feedback.Hash, n.Feedback.Event, n.Feedback.Received = [ledger.HashSize]byte{1}, "email.bounced", time.Now()
					if _, err := w.ledger.TakeIn(t.Context(), n); err != nil {
						t.Error(err)
					}
				}
				expect(t, w.run(user("1", "a@example.com", "A", true)), "created 1")
				on, want := len(w.contact("a@example.com").Topics), 0
				if at == owlattest.RouteTopicContacts { // the add was on its way
					want = 1
				}
				if on != want || w.requests()["POST /events"] != 0 {
					t.Errorf("on %d topics; requests %v", on, w.requests())
				}
				before := w.requests()
				expect(t, w.run(user("1", "a@example.com", "A", true)), "unchanged 1")
				w.sent(before)
			})
		})
	}
}

// TestAContactThatOwlatToldOf is met by its id: one read in place of a refused create.
func TestAContactThatOwlatToldOf(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, reconcile.Topic{ID: "news", When: true})
		defer w.ledger.Close()
		w.run(user("1", "z@example.com", "Z", false)) // nothing is listed any more
		made, gone := w.people("a@example.com"), w.people("b@example.com")
		w.hear(ledger.News{Known: map[string]string{"a@example.com": made, "b@example.com": gone}})
		w.call("DELETE", "/contacts/"+gone, "").Body.Close()
		before := w.requests()
		report := w.run(user("1", "z@example.com", "Z", false), user("2", "a@example.com", "A", true), user("3", "b@example.com", "B", true))
		expect(t, report, "created 1, adopted 1, unchanged 1")
		w.sent(before, "GET /contacts/{contact} 2", "POST /contacts 1", "POST /topics/{topic}/contacts 1", "PUT /contacts/{contact} 1")
		if on := w.contact("a@example.com").Topics; len(on) != 0 || report.Memberships.Skipped != 1 {
			t.Errorf("a contact that was there is on %q; memberships %+v", on, report.Memberships)
		}
	})
}

// TestTheEchoOfAWriteBackIsNoWord: the source says no because a write-back wrote it. Nothing is sent, and a later yes counts.
func TestTheEchoOfAWriteBackIsNoWord(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, reconcile.Topic{ID: "news", When: true})
		defer w.ledger.Close()
		news := w.sync.Topics[0].ID
		w.run(user("1", "a@example.com", "A", true))
		c := w.contact("a@example.com")
		time.Sleep(time.Second)
		if err := w.server.Unsubscribe(c.ID, ""); err != nil {
			t.Fatal(err)
		}
		_, err := w.ledger.TakeIn(t.Context(), ledger.News{
			Feedback:   ledger.Feedback{Hash: [ledger.HashSize]byte{7}, Event: owlat.WebhookTopicUnsubscribed, ContactID: c.ID, Email: c.Email, At: time.Now(), Received: time.Now()},
			OptOuts:    []ledger.OptOut{{ContactID: c.ID, Topic: news, At: time.Now()}},
			Deliveries: []ledger.Delivery{{Target: "statement users", Person: c.ID, Topic: news, Due: time.Now()}},
		})
		if err != nil {
			t.Fatal(err)
		}
		due, err := w.ledger.DueDeliveries(t.Context(), "statement users", time.Now(), 10)
		if err != nil || len(due) != 1 {
			t.Fatalf("%d deliveries, %v", len(due), err)
		}
		if err := w.ledger.Writes(t.Context(), []int64{due[0].ID}, time.Now()); err != nil {
			t.Fatal(err)
		}
		before := w.requests()
		for range 3 {
			expect(t, w.run(user("1", "a@example.com", "A", false)), "unchanged 1")
		}
		w.sent(before)
		time.Sleep(time.Second)
		expect(t, w.run(user("1", "a@example.com", "A", true)), "updated 1")
		if on := w.contact("a@example.com").Topics; len(on) != 1 {
			t.Errorf("a new yes of the person puts them on %q", on)
		}
		expect(t, w.run(user("1", "a@example.com", "A", false)), "updated 1")
		if on := w.contact("a@example.com").Topics; len(on) != 0 {
			t.Errorf("the person's own no leaves them on %q", on)
		}
	})
}
