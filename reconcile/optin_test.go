package reconcile_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile"
)

// confirming returns a world with a topic that asks people to confirm and, on request, another that does not.
func confirming(t *testing.T, plain bool) *world {
	w := newWorld(t)
	w.sync.Topics = []reconcile.Topic{{ID: w.server.AddTopic("news", true), When: true}}
	if plain {
		w.sync.Topics = append(w.sync.Topics, reconcile.Topic{ID: w.server.AddTopic("offers", false), When: true})
	}
	return w
}

// entryOf returns the ledger's entry of a row.
func (w *world) entryOf(key string) *ledger.Entry {
	w.t.Helper()
	found, err := w.ledger.Entries(w.t.Context(), "users", []string{key})
	if err != nil || found[key] == nil {
		w.t.Fatalf("no entry of %s: %v", key, err)
	}
	return found[key]
}

// TestWhoIsToConfirmIsCounted has ten people whose consents are new. Four are yet to confirm.
func TestWhoIsToConfirmIsCounted(t *testing.T) {
	t.Parallel()
	w := confirming(t, false)
	var list []owlatsync.Row
	for i := range 10 {
		key, email := fmt.Sprint(i), fmt.Sprintf("person%d@example.com", i)
		list = append(list, user(key, email, "Ada", false))
	}
	w.run(list...)
	other := w.server.AddTopic("other", true)
	for i := range 6 { // they have confirmed for another topic
		email := fmt.Sprintf("person%d@example.com", i)
		w.call("POST", "/topics/"+other+"/contacts", fmt.Sprintf(`{"email":%q}`, email))
		if err := w.server.ConfirmDoubleOptIn(email); err != nil {
			t.Fatal(err)
		}
	}
	for i := range list {
		list[i].Consents[0] = owlatsync.Yes
	}
	if plan := w.plan(list...); plan.Memberships != (owlatsync.MembershipCounts{Added: 10}) {
		t.Errorf("before an answer has shown it, the plan counts %+v", plan.Memberships)
	}
	report := w.run(list...)
	if want := (owlatsync.MembershipCounts{Added: 10, Pending: 4}); report.Memberships != want {
		t.Errorf("the report counts %+v, want %+v", report.Memberships, want)
	}
	if m := w.entryOf("9").Memberships[0]; m.State != ledger.MemberAdded || !m.Pending.Equal(m.At) || m.Unmailed {
		t.Errorf("the membership of somebody to be waited for is %+v", m)
	}
	if m := w.entryOf("0").Memberships[0]; !m.Pending.IsZero() {
		t.Errorf("the membership of somebody who has confirmed is %+v", m)
	}
	list = append(list, user("new", "new@example.com", "Ada", true), user("not", "not@example.com", "Ada", false))
	if want, plan := (owlatsync.MembershipCounts{Added: 1, Pending: 1}), w.plan(list...); plan.Memberships != want {
		t.Errorf("the plan counts %+v, want %+v", plan.Memberships, want)
	}
	if again := w.run(list...); again.Memberships.Pending != 1 {
		t.Errorf("the run counts %+v", again.Memberships)
	}
}

// TestOnlyTheTopicThatAsksIsShown joins a topic that asks and one that does not: the state is the contact's.
func TestOnlyTheTopicThatAsksIsShown(t *testing.T) {
	t.Parallel()
	w := confirming(t, true)
	w.run(user("1", "ada@example.com", "Ada", true, true), user("2", "bob@example.com", "Bob", false, true))
	e := w.entryOf("1")
	if asks, does := e.Memberships[0], e.Memberships[1]; asks.Pending.IsZero() || !does.Pending.IsZero() {
		t.Errorf("the memberships are %+v and %+v", asks, does)
	}
	if m := w.entryOf("2").Memberships[1]; !m.Pending.IsZero() {
		t.Errorf("the plain membership is %+v", m)
	}
	plan := w.plan(user("1", "ada@example.com", "Ada", true, true), user("2", "bob@example.com", "Bob", false, true),
		user("3", "cal@example.com", "Cal", true, true))
	if want := (owlatsync.MembershipCounts{Added: 2, Pending: 1}); plan.Memberships != want {
		t.Errorf("the plan counts %+v, want %+v", plan.Memberships, want)
	}
}

// TestAConfirmationEndsTheWait learns of it with the next answer about the contact.
func TestAConfirmationEndsTheWait(t *testing.T) {
	t.Parallel()
	w := confirming(t, true)
	w.run(user("1", "ada@example.com", "Ada", true, false))
	if err := w.server.ConfirmDoubleOptIn("ada@example.com"); err != nil {
		t.Fatal(err)
	}
	if report := w.run(user("1", "ada@example.com", "Ada", true, true)); report.Memberships.Pending != 0 {
		t.Errorf("the report counts %+v", report.Memberships)
	}
	if at := w.entryOf("1").Asked(); !at.IsZero() {
		t.Errorf("she is still waited for since %s", at)
	}
}

// TestNoSecondMailIsItsOwnReason has somebody who did not confirm leave everything and consent again.
func TestNoSecondMailIsItsOwnReason(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		later     time.Duration
		confirms  bool // before they consent again
		elsewhere bool // the second consent is in another sync
		fails     bool
		says      string
	}{
		{"within the life of the link", time.Hour, false, false, true, "can follow its link until "},
		{"later", 8 * 24 * time.Hour, false, false, true, "its link was valid until "},
		{"in another sync", time.Hour, false, true, true, "can follow its link until "},
		{"after a confirmation", time.Hour, true, false, false, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := confirming(t, false)
				yes, no := user("1", "ada@example.com", "Ada", true), user("1", "ada@example.com", "Ada", false)
				w.run(yes)
				mailed := w.entryOf("1").Memberships[0].Pending
				if tt.elsewhere {
					w.sync.Name = "others"
					w.run(no)
					w.sync.Name = "users"
				}
				if tt.confirms {
					if err := w.server.ConfirmDoubleOptIn("ada@example.com"); err != nil {
						t.Fatal(err)
					}
				}
				if err := w.server.Unsubscribe("ada@example.com", ""); err != nil {
					t.Fatal(err)
				}
				w.run(no)
				time.Sleep(tt.later)
				if tt.elsewhere {
					w.sync.Name = "others"
				}
				report := w.run(yes)
				if want := map[bool]int{true: 1}[tt.fails]; report.Outcomes[owlatsync.Failed] != want {
					t.Fatalf("outcomes %v, want %d failed", report.Outcomes, want)
				}
				if !tt.fails {
					return
				}
				if report.Memberships.Pending != 0 || !w.contact("ada@example.com").Unsubscribed {
					t.Errorf("the report counts %+v, and Owlat has %+v", report.Memberships, w.contact("ada@example.com"))
				}
				d := w.done("1")
				if d.Category != ledger.CategoryUnconfirmed || !strings.Contains(d.Reason, tt.says) || !strings.Contains(d.Reason, "Owlat's dashboard") {
					t.Errorf("category %q, reason %q", d.Category, d.Reason)
				}
				found, err := w.ledger.Entries(t.Context(), w.sync.Name, []string{"1"})
				if err != nil {
					t.Fatal(err)
				}
				troubles := reconcile.Troubles(found["1"], w.sync.Name, time.Now())
				if len(troubles) != 1 || troubles[0].What != "topic" || troubles[0].Category != ledger.CategoryUnconfirmed || !strings.Contains(troubles[0].Reason, mailed.UTC().Format("2006-01-02 15:04")) {
					t.Errorf("troubles are %+v", troubles)
				}
				if again := w.run(yes); again.Requests.Total != 0 || again.Outcomes[owlatsync.Unchanged] != 1 {
					t.Errorf("the next run sends %d requests: %v", again.Requests.Total, again.Outcomes)
				}
				w.run(no)
				if found, _ := w.ledger.Entries(t.Context(), w.sync.Name, []string{"1"}); len(reconcile.Troubles(found["1"], w.sync.Name, time.Now())) != 0 {
					t.Error("a withdrawn consent is still a trouble")
				}
			})
		})
	}
}

// TestADeletedContactIsWaitedForNoMore creates the person anew, whom Owlat then asks as anybody.
func TestADeletedContactIsWaitedForNoMore(t *testing.T) {
	t.Parallel()
	w := confirming(t, false)
	w.sync.OnMissing = reconcile.MissingDelete
	ada := user("1", "ada@example.com", "Ada", true)
	w.run(ada)
	w.run()
	if at := w.entryOf("1").Asked(); !at.IsZero() {
		t.Errorf("somebody deleted is waited for since %s", at)
	}
}

// TestWhoWasWaitedForBefore has people whom Owlat was waiting for before the sync met them: their adds send no mail, so that they are not
// counted as waiting for a confirmation, whether they have left everything since or not. An add that makes Owlat wait is counted.
func TestWhoWasWaitedForBefore(t *testing.T) {
	t.Parallel()
	for _, known := range []bool{false, true} { // that the topic asks
		synctest.Test(t, func(t *testing.T) {
			w := confirming(t, true)
			defer w.ledger.Close()
			w.workers = 1 // else the answer to one add may show that the topic asks before the other
			w.sync.Topics[0].Existing = reconcile.ExistingAdd
			other := w.server.AddTopic("other", true)
			var list []owlatsync.Row
			for i, name := range []string{"pending", "left", "plain", "fresh", "silent"} {
				email := name + "@example.com"
				w.call("POST", "/contacts", fmt.Sprintf(`{"email":%q,"firstName":"Ada"}`, email))
				if i < 2 {
					w.call("POST", "/topics/"+other+"/contacts", fmt.Sprintf(`{"email":%q}`, email))
				}
				list = append(list, user(name, email, "Ada", name != "plain", false))
			}
			if err := w.server.Unsubscribe("left@example.com", ""); err != nil {
				t.Fatal(err)
			}
			if known {
				list = append(list, user("new", "new@example.com", "Ada", true, false))
				w.run(list[len(list)-1])
			}
			time.Sleep(time.Hour)
			before := w.requests()["GET /contacts/{contact}"]
			report := w.run(list...)
			want := owlatsync.MembershipCounts{Added: 4, Pending: 2} // fresh and silent
			if report.Memberships.Added != want.Added || report.Memberships.Pending != want.Pending || report.Outcomes[owlatsync.Failed] != 0 {
				t.Errorf("known %v: the report counts %+v, outcomes %v, want %+v", known, report.Memberships, report.Outcomes, want)
			}
			if n := w.requests()["GET /contacts/{contact}"] - before; n > 9 {
				t.Errorf("known %v: %d reads", known, n)
			}
			for _, key := range []string{"pending", "left"} {
				e := w.entryOf(key)
				if !e.Asked().IsZero() || e.Witness.IsZero() {
					t.Errorf("known %v: the ledger has %+v", known, e)
				}
				troubles := reconcile.Troubles(e, "users", time.Now())
				if listed := len(troubles) == 1 && strings.Contains(troubles[0].Reason, "before the sync met them"); listed != known {
					t.Errorf("known %v: troubles %+v", known, troubles)
				}
			}
			if e := w.entryOf("fresh"); e.Asked().IsZero() {
				t.Errorf("the ledger has %+v", e)
			}
			for i := range list { // a plain topic: Owlat's answer is about the contact all the same
				list[i].Consents[1] = owlatsync.Yes
			}
			if report = w.run(list...); report.Outcomes[owlatsync.Failed] != 0 {
				t.Errorf("known %v: outcomes %v", known, report.Outcomes)
			}
			if w.contact("left@example.com").Unsubscribed {
				t.Error("the plain topic did not lift the opt-out")
			}
			if again := w.run(list...); again.Requests.Total != 0 {
				t.Errorf("known %v: the next run sends %d requests", known, again.Requests.Total)
			}
		})
	}
}
