package reconcile_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
)

// slowly is a transport on whose way to the server a request takes so long.
type slowly struct {
	http.RoundTripper
	each time.Duration
}

func (s slowly) RoundTrip(r *http.Request) (*http.Response, error) {
	time.Sleep(s.each)
	return s.RoundTripper.RoundTrip(r)
}

// TestWhoLeavesRightAfterWeMovedThemIsNotPutBack has the first add of a step move what Owlat tells of the contact, because it asks for a
// confirmation, and the person leave right after the second one, whose answer is lost. Answers tell Owlat's clock only to the second.
func TestWhoLeavesRightAfterWeMovedThemIsNotPutBack(t *testing.T) {
	t.Parallel()
	for _, each := range []time.Duration{0, 400 * time.Millisecond, 2 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			w := confirming(t, true)
			defer func() { w.ledger.Close() }()
			for i := range w.sync.Topics {
				w.sync.Topics[i].Existing = reconcile.ExistingAdd
			}
			w.options = []owlat.Option{owlat.WithTransport(slowly{w.server.Transport(), each})}
			if _, err := w.server.AddContact(owlattest.ContactState{Email: "a@example.com", FirstName: "A"}); err != nil {
				t.Fatal(err)
			}
			fault := owlattest.Fault{Kind: owlattest.ResetAfter, Method: "POST", Route: owlattest.RouteTopicContacts, At: 2}
			if err := w.server.InjectFaults(fault); err != nil {
				t.Fatal(err)
			}
			adds := 0
			w.server.OnAnswer = func(r owlattest.Request, _ int) {
				if r.Route != owlattest.RouteTopicContacts {
					return
				}
				if adds++; adds == 2 {
					time.AfterFunc(10*time.Millisecond, func() {
						if err := w.server.Unsubscribe("a@example.com", ""); err != nil {
							t.Error(err)
						}
					})
				}
			}
			expect(t, w.run(user("1", "a@example.com", "A", true, true)), "failed 1")
			if d := w.done("1"); d.Category != ledger.CategoryUnsure {
				t.Errorf("%v for each request: told %+v", each, d)
			}
			if c := w.contact("a@example.com"); len(c.Topics) > 0 || !c.Unsubscribed {
				t.Errorf("%v for each request: put back, %+v", each, c)
			}
		})
	}
}

// TestAnOptOutWhileTheTimeIsAskedForIsKept has the webhook come while a run asks for Owlat's time, right before its first add.
func TestAnOptOutWhileTheTimeIsAskedForIsKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := confirming(t, true)
		defer func() { w.ledger.Close() }()
		no := user("1", "a@example.com", "A", true, false)
		w.run(no) // the add asks for a confirmation: when Owlat last changed the contact is not known
		time.Sleep(time.Hour)
		plain := w.sync.Topics[1].ID
		w.call("POST", "/topics/"+plain+"/contacts", `{"email":"a@example.com"}`)
		left := false
		w.options = []owlat.Option{owlat.WithTransport(leaving{w.server.Transport(), func() {
			left = true
			if err := w.server.Unsubscribe("a@example.com", plain); err != nil {
				t.Error(err)
			}
			if err := reconcile.Unsubscribed(context.Background(), w.ledger, owlat.WebhookTopicUnsubscribedPayload{
				ContactID: w.contact("a@example.com").ID, Email: "a@example.com", UnsubscribedAt: time.Now(), Topics: []owlat.WebhookRemovedTopic{{ID: plain}},
			}); err != nil {
				t.Error(err)
			}
		}})}
		yes := user("1", "a@example.com", "A", true, true)
		w.run(yes)
		if !left {
			t.Fatal("the time was not asked for")
		}
		if c := w.contact("a@example.com"); len(c.Topics) != 1 {
			t.Errorf("put back: %+v", c)
		}
	})
}

// leaving lets something happen when the time is asked for.
type leaving struct {
	http.RoundTripper
	meanwhile func()
}

func (l leaving) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Path == "/base/api/v1/health" {
		time.Sleep(time.Second)
		l.meanwhile()
	}
	return l.RoundTripper.RoundTrip(r)
}
