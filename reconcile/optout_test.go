package reconcile_test

import (
	"testing"
	"testing/synctest"
	"time"

	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
)

// Whoever leaves between an add whose answer was lost and its repetition is not put back, once the webhook says so.
func TestAnOptOutBeforeAnAddIsRepeatedIsKept(t *testing.T) {
	t.Parallel()
	for _, kind := range []owlattest.FaultKind{owlattest.ResetAfter, owlattest.RateLimited} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, reconcile.Topic{ID: "news", When: true}, reconcile.Topic{ID: "more", When: true})
				defer w.ledger.Close()
				news, more := w.sync.Topics[0].ID, w.sync.Topics[1].ID
				w.run(user("1", "a@example.com", "A", false, false))
				c := w.contact("a@example.com")
				time.Sleep(time.Second + 500*time.Microsecond) // Owlat tells whole milliseconds
				w.server.OnRequest = func(r owlattest.Request) {
					if r.Route != owlattest.RouteTopicContacts {
						return
					}
					w.server.OnRequest = nil
					left := time.Now().Truncate(time.Millisecond)
					time.AfterFunc(time.Millisecond, func() { // when the add has taken effect
						if err := w.server.Unsubscribe(c.ID, ""); err != nil {
							t.Error(err)
						}
						// It tells also of topics that the sync does not have.
						err := reconcile.Unsubscribed(t.Context(), w.ledger, owlat.WebhookTopicUnsubscribedPayload{
							ContactID: c.ID, Email: c.Email, UnsubscribedAt: left, Topics: []owlat.WebhookRemovedTopic{{ID: news}, {ID: "another"}},
						})
						if err != nil {
							t.Error(err)
						}
					})
				}
				fault := owlattest.Fault{Kind: kind, Route: owlattest.RouteTopicContacts, Count: 3} // as often as the client repeats by itself
				if kind == owlattest.ResetAfter {
					fault.Count = 1
				}
				if err := w.server.InjectFaults(fault); err != nil {
					t.Fatal(err)
				}
				report := w.run(user("1", "a@example.com", "A", true, true))
				expect(t, report, "updated 1")
				if report.Memberships.Added != 1 || report.Memberships.Skipped != 1 {
					t.Errorf("memberships %+v", report.Memberships)
				}
				if got := w.contact("a@example.com").Topics; len(got) != 1 || got[0] != more {
					t.Errorf("on %q, want only %q", got, more)
				}
				before := w.requests()
				expect(t, w.run(user("1", "a@example.com", "A", true, true)), "unchanged 1")
				w.sent(before)
				time.Sleep(time.Second)
				w.run(user("1", "a@example.com", "A", false, true))
				time.Sleep(time.Second)
				w.run(user("1", "a@example.com", "A", true, true))
				if got := w.contact("a@example.com").Topics; len(got) != 2 {
					t.Errorf("on %q after a new consent", got)
				}
			})
		})
	}
}

// Whoever leaves between an add whose answer was lost and its repetition, and is told of only when the repetition was lost
// too, may have been put back by it: that is taken off when the source withdraws the consent.
func TestAWithdrawalTakesOffWhomARepeatedAddPutBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, reconcile.Topic{ID: "news", When: true})
		defer w.ledger.Close()
		w.run(user("1", "a@example.com", "A", false))
		c := w.contact("a@example.com")
		if err := w.server.InjectFaults(owlattest.Fault{Kind: owlattest.ResetAfter, Route: owlattest.RouteTopicContacts, Count: 2}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		adds := 0
		w.server.OnRequest = func(r owlattest.Request) {
			if r.Route != owlattest.RouteTopicContacts {
				return
			}
			if adds++; adds != 2 {
				return
			}
			left := time.Now().Add(-time.Millisecond) // after the first add and before this one
			time.AfterFunc(time.Millisecond, func() {
				if err := reconcile.Unsubscribed(t.Context(), w.ledger, owlat.WebhookTopicUnsubscribedPayload{
					ContactID: c.ID, Email: c.Email, UnsubscribedAt: left, Topics: []owlat.WebhookRemovedTopic{{ID: w.sync.Topics[0].ID}},
				}); err != nil {
					t.Error(err)
				}
			})
		}
		expect(t, w.run(user("1", "a@example.com", "A", true)), "updated 1")
		if on := w.contact("a@example.com").Topics; adds != 2 || len(on) != 1 {
			t.Fatalf("%d adds, on %q", adds, on)
		}
		before := w.requests()
		expect(t, w.run(user("1", "a@example.com", "A", true)), "unchanged 1")
		w.sent(before)
		expect(t, w.run(user("1", "a@example.com", "A", false)), "updated 1")
		if got := w.contact("a@example.com").Topics; len(got) != 0 {
			t.Errorf("on %q after the consent was withdrawn", got)
		}
	})
}

// Whom an add put back before anybody knew of the opt-out is taken off when the source withdraws the consent.
func TestAWithdrawalTakesOffWhomAnAddPutBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, reconcile.Topic{ID: "news", When: true, Existing: reconcile.ExistingAdd})
		defer w.ledger.Close()
		w.call("POST", "/contacts", `{"email":"a@example.com","firstName":"A"}`)
		c := w.contact("a@example.com")
		left := time.Now()
		time.Sleep(time.Second)
		expect(t, w.run(user("1", "a@example.com", "A", true)), "adopted 1")
		time.Sleep(time.Second)
		if err := reconcile.Unsubscribed(t.Context(), w.ledger, owlat.WebhookTopicUnsubscribedPayload{
			ContactID: c.ID, Email: c.Email, UnsubscribedAt: left, Topics: []owlat.WebhookRemovedTopic{{ID: w.sync.Topics[0].ID}},
		}); err != nil {
			t.Fatal(err)
		}
		expect(t, w.run(user("1", "a@example.com", "A", false)), "updated 1")
		if got := w.contact("a@example.com").Topics; len(got) != 0 {
			t.Errorf("on %q after the consent was withdrawn", got)
		}
	})
}

// TestAnOptOutThatLacksSomething: without a time it counts as of now, and without its person or topic it is told.
func TestAnOptOutThatLacksSomething(t *testing.T) {
	t.Parallel()
	for _, at := range []time.Time{{}, time.UnixMilli(0), time.UnixMilli(-1)} {
		w := newWorld(t, reconcile.Topic{ID: "news", When: true, Existing: reconcile.ExistingAdd})
		w.run(user("1", "a@example.com", "A", true))
		topics := []owlat.WebhookRemovedTopic{{ID: w.sync.Topics[0].ID}}
		c := w.contact("a@example.com")
		if err := w.server.Unsubscribe(c.ID, ""); err != nil {
			t.Fatal(err)
		}
		for _, lacking := range []owlat.WebhookTopicUnsubscribedPayload{
			{UnsubscribedAt: at, Topics: topics}, {ContactID: c.ID, UnsubscribedAt: at, Topics: append([]owlat.WebhookRemovedTopic{{}}, topics...)},
		} {
			if err := reconcile.Unsubscribed(t.Context(), w.ledger, lacking); err == nil {
				t.Errorf("%+v is recorded", lacking)
			}
		}
		if err := reconcile.Unsubscribed(t.Context(), w.ledger, owlat.WebhookTopicUnsubscribedPayload{ContactID: c.ID, UnsubscribedAt: at, Topics: topics}); err != nil {
			t.Fatal(err)
		}
		w.run(user("1", "a@example.com", "Changed", true))
		for e, err := range w.ledger.All(t.Context(), "users") {
			if err != nil {
				t.Fatal(err)
			}
			if m := e.Membership(topics[0].ID); m.State != ledger.MemberOptedOut {
				t.Errorf("after an opt-out at %v: %+v", at, m)
			}
		}
		if got := w.contact("a@example.com").Topics; len(got) > 0 {
			t.Errorf("on %q", got)
		}
	}
}
