package reconcile_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync"
	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
)

// TestAContactThatAnotherSyncCreated has a second sync meet contacts that the first one created: they were not there before the
// syncs, so the second's first consent counts as new. What is known of opt-outs, and an earlier add to the same topic, counts too.
func TestAContactThatAnotherSyncCreated(t *testing.T) {
	t.Parallel()
	for _, met := range []string{"ledger", "listing", "conflict"} {
		for _, tt := range []struct {
			name    string
			says    bool // what the first sync's row says about news
			before  func(w *world, id string)
			created bool // by the first sync
			on      string
		}{
			{name: "new to both topics", created: true, on: "news offers"},
			{name: "on the topic already", says: true, created: true, on: "news offers"},
			{
				name: "left the topic, and nobody knows", says: true, created: true, on: "offers",
				before: func(w *world, id string) { w.leave(id, w.sync.Topics[0].ID, false) },
			},
			{
				name: "left, and a webhook told", says: true, created: true, on: "",
				before: func(w *world, id string) { w.leave(id, w.sync.Topics[0].ID, true) },
			},
			{name: "there before", on: ""},
		} {
			t.Run(met+" "+tt.name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, reconcile.Topic{ID: "news", When: true}, reconcile.Topic{ID: "offers", When: true})
					defer w.ledger.Close()
					all := w.sync.Topics
					first := w.sync
					first.Topics = all[:1]
					var others []owlatsync.Row
					for i := range 9 { // enough that a first run lists the contacts
						others = append(others, user(fmt.Sprint("x", i), fmt.Sprintf("x%d@example.com", i), "X", false, false))
					}
					if !tt.created {
						w.call("POST", "/contacts", `{"email":"a@example.com","firstName":"A"}`)
					}
					w.sync = first
					w.run(user("1", "a@example.com", "A", tt.says))
					w.sync.Topics = all
					c := w.contact("a@example.com")
					time.Sleep(time.Minute)
					if tt.before != nil {
						tt.before(w, c.ID)
					}
					email := "a@example.com"
					switch met {
					case "listing": // the ledger knows the contact under another address
						email = "edited@example.com"
					case "conflict": // and a create meets it
						w.sync.Topics = all[:1]
						w.run(user("1", "renamed@example.com", "A", tt.says))
						w.sync.Topics = all
					}
					if err := w.server.EditContact(c.ID, owlat.UpdateContactRequest{Email: &email}); err != nil {
						t.Fatal(err)
					}
					w.sync.Name = "orders"
					list := []owlatsync.Row{user("o", email, "A", true, true)}
					if met == "listing" {
						list = append(list, others...)
					}
					w.run(list...)
					if d := w.done("o"); d.Outcome != owlatsync.Adopted {
						t.Errorf("told %s: %s", d.Outcome, d.Reason)
					}
					on := ""
					for i, name := range []string{"news", "offers"} {
						if slices.Contains(w.contact(c.ID).Topics, all[i].ID) {
							on += " " + name
						}
					}
					if want := tt.on; want != "" && on != " "+want || want == "" && on != "" {
						t.Errorf("on%q, want %q", on, want)
					}
					before := w.requests()
					expect(t, w.run(list...), fmt.Sprintf("unchanged %d", len(list)))
					w.sent(before)
					// What another sync created is never deleted by this one.
					w.sync.OnMissing = reconcile.MissingDelete
					w.run(list[1:]...)
					if _, there := w.server.Contact(c.ID); !there {
						t.Error("the contact was deleted by a sync that did not create it")
					}
				})
			})
		}
	}
}

// leave has a person leave a topic; told says whether a webhook tells so.
func (w *world) leave(id, topic string, told bool) {
	w.t.Helper()
	left := time.Now()
	if err := w.server.Unsubscribe(id, topic); err != nil {
		w.t.Fatal(err)
	}
	if !told {
		return
	}
	err := reconcile.Unsubscribed(w.t.Context(), w.ledger, owlat.WebhookTopicUnsubscribedPayload{
		ContactID: id, UnsubscribedAt: left, Topics: []owlat.WebhookRemovedTopic{{ID: topic}},
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// TestAContactThatAnotherSyncMayHaveCreated has the first sync's create take effect and its answer get lost, and the run end: the
// second sync meets the contact before the first has looked it up.
func TestAContactThatAnotherSyncMayHaveCreated(t *testing.T) {
	t.Parallel()
	for _, rowsThere := range []int{1, 9} { // created without looking, or after a listing
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, reconcile.Topic{ID: "news", When: true})
			defer w.ledger.Close()
			fault := owlattest.Fault{Kind: owlattest.ResetAfter, Method: "POST", Route: owlattest.RouteContacts}
			if err := w.server.InjectFaults(fault, owlattest.Fault{Kind: owlattest.ResetBefore, Method: "GET"}); err != nil {
				t.Fatal(err)
			}
			expect(t, w.run(user("1", "a@example.com", "A", false)), "failed 1")
			w.server.ClearFaults()
			w.sync.Name = "orders"
			list := []owlatsync.Row{user("o", "a@example.com", "A", true)}
			for i := 1; i < rowsThere; i++ {
				list = append(list, user(fmt.Sprint("x", i), fmt.Sprintf("x%d@example.com", i), "X", false))
			}
			w.run(list...)
			if d := w.done("o"); d.Outcome != owlatsync.Adopted || len(w.contact("a@example.com").Topics) != 1 {
				t.Errorf("told %s: %s; Owlat holds %+v", d.Outcome, d.Reason, w.contact("a@example.com"))
			}
			w.sync.Name = "users"
			w.sync.OnMissing = reconcile.MissingDelete
			expect(t, w.run(user("1", "a@example.com", "A", false)), "created 1")
		})
	}
}
