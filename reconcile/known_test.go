package reconcile_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
)

// linkSecret signs the links of emulators that have a secret.
const linkSecret = "the secret of links"

// tellMemberships gives the world the unsubscribe secret of its deployment.
func (w *world) tellMemberships() {
	w.t.Helper()
	w.server.SetUnsubscribeSecret(linkSecret)
	w.options = append(slices.Clip(w.options), owlat.WithUnsubscribeSecret(linkSecret), owlat.WithPreferencesRate(math.Inf(1)))
}

// links returns how many memberships were read.
func (w *world) links() int { return w.server.Stats().Links.Total }

// lookAtTopic says whether the contact is on the topic, and what the ledger has of it.
func (w *world) lookAtTopic(key, email string, topic int) (on bool, state ledger.MembershipState) {
	w.t.Helper()
	id := w.sync.Topics[topic].ID
	if m := w.entryOf(key).Membership(id); m != nil {
		state = m.State
	}
	return slices.Contains(w.contact(email).Topics, id), state
}

// TestAnAddInDoubtIsRead: with the secret an add of unknown outcome that worked is not sent again, in the same step or in a later run, and
// takes no request of the API; one that did not is sent as without it. Neither double opt-in nor edits by others let a doubt stay about one
// that worked.
func TestAnAddInDoubtIsRead(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name        string
		doubleOptIn bool
		edited      bool // by somebody else since
		after       bool // the add took effect
		lost        int  // adds whose answers are lost
	}{
		{"worked", false, false, true, 1000}, {"worked, double opt-in", true, false, true, 1000}, {"worked, edited", false, true, true, 1000},
		{"lost", false, false, false, 1000}, {"lost once", false, false, false, 1}, {"worked once", true, false, true, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, reconcile.Topic{ID: "news", When: true})
			defer w.ledger.Close()
			w.sync.Topics[0].ID = w.server.AddTopic("news, too", tt.doubleOptIn)
			w.tellMemberships()
			w.run(user("1", "a@example.com", "A", false))
			time.Sleep(time.Hour)
			yes := user("1", "a@example.com", "A", true)
			faults := []owlattest.Fault{{Kind: owlattest.ResetBefore, Route: owlattest.RouteTopicContacts, Count: tt.lost}}
			if tt.after {
				faults[0].Kind = owlattest.ResetAfter
			}
			if tt.lost > 1 { // nor can memberships be read meanwhile, except before the add
				faults = append(faults, owlattest.Fault{Kind: owlattest.StatusError, Route: owlattest.RoutePreferences, At: 2, Count: 1000})
			}
			if err := w.server.InjectFaults(faults...); err != nil {
				t.Fatal(err)
			}
			before := w.requests()
			report := w.run(yes)
			if tt.lost == 1 {
				want := []string{"POST /topics/{topic}/contacts 1"}
				if !tt.after {
					want = []string{"GET /contacts/{contact} 1", "POST /topics/{topic}/contacts 2"}
				}
				w.sent(before, want...)
			} else {
				expect(t, report, "failed 1")
				w.server.ClearFaults()
				if tt.edited {
					w.call("PUT", "/contacts/a@example.com", `{"firstName":"Changed"}`)
				}
				time.Sleep(time.Hour)
				before = w.requests()
				read := w.links()
				report = w.run(yes)
				if tt.after {
					w.sent(before)
				} else {
					w.sent(before, "GET /contacts/{contact} 1", "POST /topics/{topic}/contacts 1")
				}
				if got := w.links() - read; got != 1 || report.Requests.Links != 1 {
					t.Errorf("%s: %d readings, the report has %d", tt.name, got, report.Requests.Links)
				}
			}
			if on, state := w.lookAtTopic("1", "a@example.com", 0); !on || state != ledger.MemberAdded || report.Memberships.Added != 1 || report.Outcomes[owlatsync.Failed] != 0 {
				t.Errorf("%s: on %v, the ledger has %s, %+v, %v", tt.name, on, state, report.Memberships, w.failed())
			}
			time.Sleep(time.Hour)
			before = w.requests()
			expect(t, w.run(yes), "unchanged 1")
			w.sent(before)
		})
	}
}

// TestAnAddInDoubtOfWhomHasMoved: who is read as off the topic, and may have left it since, is not put back. It is told what is known.
func TestAnAddInDoubtOfWhomHasMoved(t *testing.T) {
	t.Parallel()
	for _, after := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, reconcile.Topic{ID: "news", When: true})
			defer w.ledger.Close()
			w.tellMemberships()
			w.run(user("1", "a@example.com", "A", false))
			time.Sleep(time.Hour)
			w.lostAdds(after, 1)
			if err := w.server.InjectFaults(owlattest.Fault{Kind: owlattest.StatusError, Route: owlattest.RoutePreferences, At: 2, Count: 1000}); err != nil {
				t.Fatal(err)
			}
			yes := user("1", "a@example.com", "A", true)
			expect(t, w.run(yes), "failed 1")
			w.server.ClearFaults()
			time.Sleep(time.Hour)
			if w.call("PUT", "/contacts/a@example.com", `{"lastName":"Changed"}`); after {
				if err := w.server.Unsubscribe("a@example.com", ""); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(time.Hour)
			expect(t, w.run(yes), "failed 1")
			const want = "the contact is not on topic %s: the answer to an add was lost, and either the add was too, or the person has left since; `owlat-sync topic add` adds it again if you are sure"
			if d := w.done("1"); d.Category != ledger.CategoryUnsure || d.Reason != fmt.Sprintf(want, w.sync.Topics[0].ID) {
				t.Errorf("told %+v", d)
			}
			troubles := reconcile.Troubles(w.entryOf("1"), "users", time.Now())
			if len(troubles) != 1 || troubles[0].Reason != fmt.Sprintf("the contact is not on topic %s: an add was lost, or the person has left since; it is not added again", w.sync.Topics[0].ID) {
				t.Errorf("the failures say %+v", troubles)
			}
			before, read := w.requests(), w.links()
			expect(t, w.run(yes), "unchanged 1")
			if w.sent(before); w.links() != read {
				t.Error("the membership is read again in each run")
			}
		})
	}
}

// TestAnUnsureAddIsReadLater: what an earlier run could not know is known once there is the secret, or once memberships can be read again.
func TestAnUnsureAddIsReadLater(t *testing.T) {
	t.Parallel()
	for _, on := range []bool{false, true} {
		for _, early := range []bool{false, true} { // the secret was there before, but its requests failed
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, reconcile.Topic{ID: "news", When: true})
				defer w.ledger.Close()
				if early {
					w.tellMemberships()
				}
				w.run(user("1", "a@example.com", "A", false))
				time.Sleep(time.Hour)
				kind := owlattest.ResetBefore
				if on {
					kind = owlattest.ResetAfter
				}
				down := owlattest.Fault{Kind: owlattest.StatusError, Route: owlattest.RoutePreferences, Count: 1000}
				if err := w.server.InjectFaults(owlattest.Fault{Kind: kind, Route: owlattest.RouteTopicContacts, Count: 1000}, down); err != nil {
					t.Fatal(err)
				}
				yes := user("1", "a@example.com", "A", true)
				expect(t, w.run(yes), "failed 1")
				if err := w.server.InjectFaults(down); err != nil {
					t.Fatal(err)
				}
				w.call("PUT", "/contacts/a@example.com", `{"lastName":"Changed"}`)
				time.Sleep(time.Hour)
				expect(t, w.run(yes), "failed 1")
				if d := w.done("1"); d.Category != ledger.CategoryUnsure {
					t.Errorf("told %+v", d)
				}
				w.server.ClearFaults()
				if !early {
					w.tellMemberships()
				}
				time.Sleep(time.Hour)
				before, read := w.requests(), w.links()
				expect(t, w.run(yes), "unchanged 1")
				expect(t, w.run(yes), "unchanged 1")
				if w.sent(before); w.links() != read+1 {
					t.Errorf("%d readings", w.links()-read)
				}
				m := w.entryOf("1").Membership(w.sync.Topics[0].ID)
				if on && m.State != ledger.MemberAdded || !on && (m.State != ledger.MemberUnsure || m.Off.IsZero()) {
					t.Errorf("on %v: the ledger has %+v", on, m)
				}
			})
		}
	}
}

// TestWhoHasLeftIsFoundBeforeAnAdd: without any webhook a run finds out who has left before it puts them on another topic, and keeps it. Only
// a new yes puts somebody on a topic who may have left everything.
func TestWhoHasLeftIsFoundBeforeAnAdd(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		existing bool // the second topic comes later, with existing: add
		leaves   string
		want     int // topics
	}{
		{"everything, and a new yes", false, "", 1}, {"everything, and existing: add", true, "", 0},
		{"one of two, and existing: add", true, "news", 2}, {"one of two, and a new yes", false, "news", 2},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, reconcile.Topic{ID: "news", When: true}, reconcile.Topic{ID: "daily", When: true})
			defer w.ledger.Close()
			w.tellMemberships()
			offers := reconcile.Topic{ID: w.server.AddTopic("offers", false), When: true}
			if !tt.existing {
				w.sync.Topics = append(w.sync.Topics, offers)
			}
			w.run(user("1", "a@example.com", "A", true, true, false))
			time.Sleep(time.Hour)
			if err := w.server.Unsubscribe("a@example.com", tt.leaves); err != nil {
				t.Fatal(err)
			}
			left := time.Now()
			time.Sleep(time.Hour)
			if tt.existing {
				offers.Existing = reconcile.ExistingAdd
				w.sync.Topics = append(w.sync.Topics, offers)
			}
			report := w.run(user("1", "a@example.com", "A", true, true, true))
			if got := w.members("a@example.com"); got != tt.want {
				t.Errorf("%s: on %d topics, want %d", tt.name, got, tt.want)
			}
			c := w.contact("a@example.com")
			optOuts, err := w.ledger.OptOuts(t.Context(), []string{c.ID})
			if err != nil {
				t.Fatal(err)
			}
			want := 2
			if tt.leaves != "" {
				want = 1
			}
			if len(optOuts) != want {
				t.Errorf("%s: the ledger has the opt-outs %+v", tt.name, optOuts)
			}
			for _, o := range optOuts {
				if o.Since.IsZero() || o.Since.After(left) || o.At.Before(left) {
					t.Errorf("%s: left at %s, and the ledger has %+v", tt.name, left, o)
				}
				if m := w.entryOf("1").Membership(o.Topic); m.State != ledger.MemberOptedOut {
					t.Errorf("%s: the ledger has %+v", tt.name, m)
				}
			}
			if alone := report.Memberships.Skipped; tt.want == 0 && alone != 1 {
				t.Errorf("%s: %d are left alone", tt.name, alone)
			}
			time.Sleep(time.Hour)
			before := w.requests()
			expect(t, w.run(user("1", "a@example.com", "A", true, true, true)), "unchanged 1")
			w.sent(before)
			if tt.want == 0 { // only a new yes
				w.run(user("1", "a@example.com", "A", true, true, false))
				w.run(user("1", "a@example.com", "A", true, true, true))
				if got := w.members("a@example.com"); got != 1 {
					t.Errorf("%s: on %d topics after a new yes", tt.name, got)
				}
			}
		})
	}
}

// TestADepartureOfASibling: what another sync has put the person on counts too, also beside a consent that is older or newer.
func TestADepartureOfASibling(t *testing.T) {
	t.Parallel()
	for _, first := range []string{"new to the sync", "a new yes after it", "a new yes before it"} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, reconcile.Topic{ID: "news", When: true})
			defer w.ledger.Close()
			w.tellMemberships()
			offers := reconcile.Topic{ID: w.server.AddTopic("offers", false), When: true}
			users, orders := w.sync, w.sync
			orders.Name, orders.Topics = "orders", []reconcile.Topic{offers, w.sync.Topics[0]}
			w.run(user("1", "a@example.com", "A", true))
			if first != "new to the sync" {
				w.sync = orders
				w.run(user("7", "a@example.com", "A", false, false))
				w.sync = users
			}
			time.Sleep(time.Hour)
			leave := func() {
				if err := w.server.Unsubscribe("a@example.com", ""); err != nil {
					t.Fatal(err)
				}
			}
			w.sync = orders
			if first != "a new yes before it" {
				leave()
				time.Sleep(time.Hour)
			} else { // between the plan and the reading
				w.server.OnRequest = func(r owlattest.Request) {
					if r.Route == owlattest.RoutePreferences {
						time.Sleep(2 * time.Second)
						leave()
					}
				}
			}
			w.run(user("7", "a@example.com", "A", true, true))
			topics := w.contact("a@example.com").Topics
			onOffers, onNews := slices.Contains(topics, offers.ID), slices.Contains(topics, users.Topics[0].ID)
			// Who consents to the very topic before the departure is not put back, and a consent to another one is the source's own word.
			if wantOffers, wantNews := first != "new to the sync", first == "a new yes after it"; onOffers != wantOffers || onNews != wantNews {
				t.Errorf("%s: on offers %v, on news %v", first, onOffers, onNews)
			}
		})
	}
}

// TestNobodyGoneCountsAsDeparted: a contact that was deleted in the dashboard or merged seems to be on no topic, and has not left one.
func TestNobodyGoneCountsAsDeparted(t *testing.T) {
	t.Parallel()
	for name, vanish := range map[string]func(w *world, id string) error{
		"deleted in the dashboard": func(w *world, id string) error { return w.server.SoftDelete(id) },
		"merged": func(w *world, id string) error {
			into, err := w.server.AddContact(owlattest.ContactState{Email: "b@example.com"})
			if err != nil {
				return err
			}
			return w.server.Merge(into, id)
		},
		"deleted by the API": func(w *world, id string) error { w.call("DELETE", "/contacts/"+id, ""); return nil },
		"taken off by us":    func(w *world, id string) error { return nil },
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, reconcile.Topic{ID: "news", When: true}, reconcile.Topic{ID: "offers", When: true})
			defer w.ledger.Close()
			w.tellMemberships()
			w.run(user("1", "a@example.com", "A", true, false))
			id := w.contact("a@example.com").ID
			time.Sleep(time.Hour)
			if err := vanish(w, id); err != nil {
				t.Fatal(err)
			}
			news := name != "taken off by us"
			w.run(user("1", "a@example.com", "A", news, true))
			optOuts, err := w.ledger.OptOuts(t.Context(), []string{id})
			if err != nil || len(optOuts) > 0 {
				t.Errorf("%s: %+v, %v", name, optOuts, err)
			}
		})
	}
}

// TestARemovalInDoubtIsRead: a removal that worked, of a contact that is known to be there, is not sent again.
func TestARemovalInDoubtIsRead(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		worked  bool
		another bool // the contact is on another topic
		want    []string
	}{
		{"worked", true, true, nil}, {"worked, and on no other topic", true, false, []string{"DELETE /topics/{topic}/contacts/{contact} 1"}},
		{"lost", false, true, []string{"DELETE /topics/{topic}/contacts/{contact} 1"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, reconcile.Topic{ID: "news", When: true}, reconcile.Topic{ID: "offers", When: true})
			defer w.ledger.Close()
			w.tellMemberships()
			w.run(user("1", "a@example.com", "A", true, tt.another))
			time.Sleep(time.Hour)
			kind := owlattest.ResetBefore
			if tt.worked {
				kind = owlattest.ResetAfter
			}
			if err := w.server.InjectFaults(owlattest.Fault{Kind: kind, Route: owlattest.RouteTopicContact, Count: 1000},
				owlattest.Fault{Kind: owlattest.StatusError, Route: owlattest.RoutePreferences, Count: 1000}); err != nil {
				t.Fatal(err)
			}
			no := user("1", "a@example.com", "A", false, tt.another)
			expect(t, w.run(no), "failed 1")
			w.server.ClearFaults()
			time.Sleep(time.Hour)
			before := w.requests()
			expect(t, w.run(no), "updated 1")
			w.sent(before, tt.want...)
			if on, state := w.lookAtTopic("1", "a@example.com", 0); on || state != ledger.MemberOut {
				t.Errorf("%s: on %v, the ledger has %s", tt.name, on, state)
			}
			expect(t, w.run(no), "unchanged 1")
		})
	}
}

// TestWhoIsOnATopicIsNotAdded: an add for somebody who is on the topic already needs no request.
func TestWhoIsOnATopicIsNotAdded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, reconcile.Topic{ID: "news", When: true})
		defer w.ledger.Close()
		w.tellMemberships()
		w.run(user("1", "a@example.com", "A", false))
		w.call("POST", "/topics/"+w.sync.Topics[0].ID+"/contacts", `{"email":"a@example.com"}`)
		time.Sleep(time.Hour)
		before := w.requests()
		if report := w.run(user("1", "a@example.com", "A", true)); report.Memberships.Added != 1 {
			t.Errorf("%+v", report.Memberships)
		}
		w.sent(before)
		if on, state := w.lookAtTopic("1", "a@example.com", 0); !on || state != ledger.MemberAdded {
			t.Errorf("on %v, the ledger has %s", on, state)
		}
		w.run(user("1", "a@example.com", "A", false))
		if on, _ := w.lookAtTopic("1", "a@example.com", 0); on {
			t.Error("a no does not take the contact off")
		}
	})
}

// TestARunDoesWithoutMemberships: whatever is wrong with the secret or with what answers, a run does what one without the secret does, after
// a minute of waiting at most, and its report says so.
func TestARunDoesWithoutMemberships(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(w *world){
		"another secret": func(w *world) { w.server.SetUnsubscribeSecret("that of another deployment") },
		"no secret":      func(w *world) { w.server.SetUnsubscribeSecret("") },
		"refused later":  nil,
		"500":            faulty(owlattest.Fault{Kind: owlattest.StatusError, Status: 500}),
		"429":            faulty(owlattest.Fault{Kind: owlattest.RateLimited}),
		"nothing":        faulty(owlattest.Fault{Kind: owlattest.ResetBefore}),
		"slow":           faulty(owlattest.Fault{Kind: owlattest.Latency, Delay: time.Hour}),
		"slow answers":   faulty(owlattest.Fault{Kind: owlattest.Latency, Delay: 5 * time.Second}),
		"a clock off":    func(w *world) { w.server.ClockAhead = 100 * 24 * time.Hour },
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, reconcile.Topic{ID: "news", When: true})
			defer w.ledger.Close()
			w.workers = 1
			w.tellMemberships()
			const n = 30
			w.run(people(n, "P", false)...)
			time.Sleep(time.Hour)
			if spoil != nil {
				spoil(w)
			} else {
				readings := 0
				w.server.OnRequest = func(r owlattest.Request) {
					if readings++; r.Route == owlattest.RouteTopicContacts && readings == 10 {
						go w.server.SetUnsubscribeSecret("changed")
					}
				}
			}
			began, before, read := time.Now(), w.requests(), w.links()
			report := w.run(people(n, "P", true)...)
			expect(t, report, "updated 30")
			if w.sent(before, "POST /topics/{topic}/contacts 30"); report.Memberships.Added != n {
				t.Errorf("%s: %+v", name, report.Memberships)
			}
			if got := w.links() - read; got > 30 {
				t.Errorf("%s: memberships were read %d times", name, got)
			}
			if took := time.Since(began); took > 90*time.Second { // a minute of patience, and the run
				t.Errorf("%s: it took %s", name, took)
			}
			if why := report.LinksEnded; why == "" || strings.Contains(why, ":17") || strings.Contains(why, linkSecret) {
				t.Errorf("%s: the report says %q", name, why)
			}
			if w.server.SetUnsubscribeSecret(linkSecret); w.server.ClockAhead != 0 {
				return
			}
			w.server.ClearFaults()
			if report = w.run(people(n, "Q", true)...); report.LinksEnded != "" {
				t.Errorf("%s: the next report says %q", name, report.LinksEnded)
			}
		})
	}
}

// faulty lets every reading of memberships meet a fault.
func faulty(f owlattest.Fault) func(w *world) {
	return func(w *world) {
		f.Route = owlattest.RoutePreferences
		f.Count = 1 << 20
		if err := w.server.InjectFaults(f); err != nil {
			w.t.Fatal(err)
		}
	}
}

// TestAPlanTellsHowManyMembershipsAreRead before anything is read.
func TestAPlanTellsHowManyMembershipsAreRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, reconcile.Topic{ID: "news", When: true})
		defer w.ledger.Close()
		for _, secret := range []bool{false, true} {
			w.run(people(3, "P", false)...)
			if secret {
				w.tellMemberships()
			}
			e, client := w.engine()
			s := w.sync
			s.Source = rows{list: append(people(3, "P", true), user("new", "new@example.com", "N", true))}
			summary, err := e.Plan(context.Background(), s, reconcile.PlanOptions{})
			client.CloseIdleConnections()
			if want := map[bool]int{true: 3}[secret]; err != nil || summary.Links != want || w.links() > 0 {
				t.Errorf("secret %v: %d readings are planned, %d made, %v", secret, summary.Links, w.links(), err)
			}
		}
	})
}
