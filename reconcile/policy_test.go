package reconcile_test

import (
	"errors"
	"fmt"
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

func people(n int, first string, consents ...bool) []owlatsync.Row {
	list := make([]owlatsync.Row, n)
	for i := range list {
		list[i] = user(fmt.Sprint(i+1), fmt.Sprintf("p%d@example.com", i+1), first, consents...)
	}
	return list
}

func TestARowThatLeftTheSource(t *testing.T) {
	t.Parallel()
	both := []owlatsync.Row{user("1", "a@example.com", "A", true), user("2", "b@example.com", "B", true)}
	for _, tt := range []struct {
		policy   reconcile.MissingPolicy
		outcomes string
		requests []string
		live     int // contacts afterwards
		members  int
		back     string // outcomes when the row comes back
		after    int    // members then
	}{
		{"", "unchanged 1", nil, 2, 2, "unchanged 2", 2},
		{reconcile.MissingKeep, "unchanged 1", nil, 2, 2, "unchanged 2", 2},
		{reconcile.MissingLeave, "unchanged 1, removed 1", []string{"DELETE /topics/{topic}/contacts/{contact} 1"}, 2, 1, "unchanged 2", 1},
		{reconcile.MissingDelete, "unchanged 1, removed 1", []string{"DELETE /contacts/{contact} 1"}, 1, 1, "created 1, unchanged 1", 1},
	} {
		t.Run("on_missing "+string(tt.policy), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, reconcile.Topic{ID: "all"})
			w.sync.OnMissing = tt.policy
			members := func() (n int) {
				for _, c := range w.server.Contacts() {
					n += len(c.Topics)
				}
				return n
			}
			w.run(both...)
			before := w.requests()
			expect(t, w.run(both[0]), tt.outcomes)
			w.sent(before, tt.requests...)
			if w.server.Len() != tt.live || members() != tt.members {
				t.Errorf("%d contacts, %d members; want %d, %d", w.server.Len(), members(), tt.live, tt.members)
			}
			before = w.requests()
			expect(t, w.run(both[0]), "unchanged 1")
			w.sent(before)
			// Coming back is no consent: who left a topic with the row stays off it.
			expect(t, w.run(both...), tt.back)
			if members() != tt.after {
				t.Errorf("%d members after the row came back, want %d", members(), tt.after)
			}
		})
	}
}

func TestOnlyWhatTheSyncCreatedIsDeleted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconcile.Topic{ID: "all", Existing: reconcile.ExistingAdd})
	w.sync.OnMissing = reconcile.MissingDelete
	w.call("POST", "/contacts", `{"email":"before@example.com"}`)
	w.run(user("1", "before@example.com", "B", true), user("2", "ours@example.com", "O", true))
	expect(t, w.run(), "removed 2")
	if c := w.contact("before@example.com"); len(c.Topics) != 0 {
		t.Errorf("Owlat holds %+v", c)
	}
	if _, there := w.server.Contact("ours@example.com"); there {
		t.Error("what the sync created was not deleted")
	}
	if d := w.done("1"); !strings.Contains(d.Reason, "before the sync") {
		t.Errorf("told %+v", d)
	}
}

func TestASyncTakesNothingFromAnother(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconcile.Topic{ID: "shared", Existing: reconcile.ExistingAdd}, reconcile.Topic{ID: "own", Existing: reconcile.ExistingAdd})
	w.sync.OnMissing = reconcile.MissingDelete
	w.run(user("1", "a@example.com", "A", true, true))
	users := w.sync
	w.sync.Name, w.sync.Topics = "orders", users.Topics[:1]
	w.run(user("o1", "a@example.com", "A", true))
	w.sync = users
	before := w.requests()
	expect(t, w.run(), "removed 1")
	w.sent(before, "DELETE /topics/{topic}/contacts/{contact} 1")
	if c := w.contact("a@example.com"); len(c.Topics) != 1 || c.Topics[0] != users.Topics[0].ID {
		t.Errorf("Owlat holds %+v", c)
	}
}

func TestNothingIsRemovedAfterAnError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, reconcile.Topic{ID: "all"})
		defer w.ledger.Close()
		w.sync.OnMissing = reconcile.MissingDelete
		list := people(3, "P", true)
		w.run(list...)
		if err := w.server.InjectFaults(owlattest.Fault{Kind: owlattest.StatusError, Method: "PUT"}); err != nil {
			t.Fatal(err)
		}
		list[0].Fields[owlatsync.FirstName] = owlatsync.Some("X")
		before := w.requests()
		expect(t, w.run(list[0], list[1]), "unchanged 1, skipped 1, failed 1")
		w.sent(before, "PUT /contacts/{contact} 3")
		w.server.ClearFaults()
		expect(t, w.run(list[0], list[1]), "updated 1, unchanged 1, removed 1")
	})
}

// A row that is in doubt from an earlier run may fail for another reason as well.
func TestNothingIsRemovedAfterAnErrorOfARowInDoubt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, reconcile.Topic{ID: "news", When: true})
		defer w.ledger.Close()
		w.sync.OnMissing = reconcile.MissingDelete
		w.run(user("1", "a@example.com", "A", false), user("2", "b@example.com", "B", false))
		if err := w.server.InjectFaults(owlattest.Fault{Kind: owlattest.ResetAfter, Route: owlattest.RouteTopicContacts, Count: 3}); err != nil {
			t.Fatal(err)
		}
		expect(t, w.run(user("1", "a@example.com", "A", true), user("2", "b@example.com", "B", false)), "unchanged 1, failed 1")
		w.call("POST", "/contacts", `{"email":"taken@example.com"}`) // by somebody else
		before := w.requests()
		expect(t, w.run(user("1", "taken@example.com", "A", true)), "skipped 1, failed 1")
		w.sent(before, "GET /contacts/{contact} 1", "GET /health 1", "PUT /contacts/{contact} 1") // the time, by which the add stays settled
	})
}

func TestNothingIsRemovedWhenAKeyCannotBeRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconcile.Topic{ID: "all"})
	w.sync.OnMissing = reconcile.MissingDelete
	w.run(people(2, "P", true)...)
	before := w.requests()
	expect(t, w.run(people(1, "P", true)[0], owlatsync.Row{Defect: `column "id" is NULL`}), "unchanged 1, invalid 1")
	w.sent(before)
}

func TestGuards(t *testing.T) {
	t.Parallel()
	consent := reconcile.Topic{ID: "news", When: true}
	for _, tt := range []struct {
		name   string
		first  []owlatsync.Row
		then   []owlatsync.Row
		policy reconcile.MissingPolicy
		guard  owlatsync.Guard
	}{
		{name: "first run", then: people(3, "P", true), guard: owlatsync.GuardFirstRun},
		{name: "a source without rows", first: people(3, "P", true), guard: owlatsync.GuardEmptySource},
		{name: "too many leave", first: people(200, "P", true), then: people(179, "P", true), policy: reconcile.MissingLeave, guard: owlatsync.GuardRemovals},
		{name: "too many deleted", first: people(200, "P", true), then: people(179, "P", true), policy: reconcile.MissingDelete, guard: owlatsync.GuardRemovals},
		{name: "too many withdraw", first: people(200, "P", true), then: append(people(21, "P", false), people(200, "P", true)[21:]...), guard: owlatsync.GuardRemovals},
		{name: "few enough leave", first: people(200, "P", true), then: people(180, "P", true), policy: reconcile.MissingLeave},
		{name: "many absent and kept", first: people(200, "P", true), then: people(10, "P", true)},
		{name: "a swapped column", first: people(180, "P", true), then: people(180, "X", true), guard: owlatsync.GuardUpdates},
		{name: "swapped names of few", first: people(90, "P", true), then: people(90, "X", true), guard: owlatsync.GuardUpdates},
		{name: "few enough updates", first: people(200, "P", true), then: append(people(100, "X", true), people(200, "P", true)[100:]...)},
		{name: "most of few deleted", first: people(20, "P", true), then: people(1, "P", true), policy: reconcile.MissingDelete, guard: owlatsync.GuardRemovals},
		{name: "half of few deleted", first: people(30, "P", true), then: people(15, "P", true), policy: reconcile.MissingDelete},
		{name: "five of five deleted but one", first: people(6, "P", true), then: people(1, "P", true), policy: reconcile.MissingDelete},
		{name: "many new who do not consent", first: people(30, "P", true), then: append(people(30, "P", true), people(51, "P", false)[30:]...), guard: owlatsync.GuardCreates},
		{name: "few enough new", first: people(30, "P", true), then: people(50, "P", true)},
		{name: "many consent", first: people(30, "P", false), then: people(30, "P", true), guard: owlatsync.GuardTopicAdds},
		{name: "half consent", first: people(30, "P", false), then: append(people(15, "P", true), people(30, "P", false)[15:]...)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, consent)
			w.sync.OnMissing = tt.policy
			if tt.first != nil {
				w.run(tt.first...)
			}
			w.sync.Guards = reconcile.Guards{}
			before := w.requests()
			report, err := w.try(t.Context(), runOptions{}, rows{list: tt.then})
			if tt.guard == "" {
				if err != nil {
					t.Errorf("held: %v", err)
				}
				return
			}
			var held *reconcile.HeldError
			if !errors.As(err, &held) || !errors.Is(err, reconcile.ErrHeld) || len(held.Hits) != 1 || held.Hits[0].Guard != tt.guard {
				t.Fatalf("error %v", err)
			}
			w.sent(before)
			if runs, err := w.ledger.Runs(t.Context(), "users", 1); err != nil || runs[0].Status != ledger.StatusHeld || runs[0].ID != held.Run {
				t.Errorf("runs %+v, %v", runs, err)
			}
			if report.Outcomes[owlatsync.Created]+report.Outcomes[owlatsync.Updated]+report.Outcomes[owlatsync.Removed] > 0 {
				t.Errorf("outcomes %v of a held run", report.Outcomes)
			}
			// Approved, exactly that plan is applied; and then there is nothing left to do.
			if _, err := w.try(t.Context(), runOptions{Approve: held.Run}, rows{list: tt.then}); err != nil {
				t.Fatalf("approve: %v", err)
			}
			if runs, err := w.ledger.Runs(t.Context(), "users", 2); err != nil || runs[1].Status != ledger.StatusApproved {
				t.Errorf("runs %+v, %v", runs, err)
			}
			w.sync.Guards = unguarded
			before = w.requests()
			w.run(tt.then...)
			w.sent(before)
			if _, err := w.try(t.Context(), runOptions{Approve: held.Run}, rows{list: tt.then}); err == nil || !strings.Contains(err.Error(), "not held") {
				t.Errorf("approved twice: %v", err)
			}
		})
	}
}

func TestAMovedPlanIsNotApproved(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconcile.Topic{ID: "all"})
	w.sync.Guards = reconcile.Guards{}
	list := people(3, "P", true)
	_, err := w.try(t.Context(), runOptions{}, rows{list: list})
	var held *reconcile.HeldError
	if !errors.As(err, &held) {
		t.Fatalf("error %v", err)
	}
	list[1].Fields[owlatsync.FirstName] = owlatsync.Some("X")
	_, err = w.try(t.Context(), runOptions{Approve: held.Run}, rows{list: list})
	var moved *reconcile.MovedError
	if !errors.As(err, &moved) || moved.Rows != 1 || moved.Keys[0] != "the row with key 2" {
		t.Errorf("error %v", err)
	}
	if w.server.Len() != 0 {
		t.Error("a moved plan was applied")
	}
	list = append(list[1:], user("9", "new@example.com", "N", true)) // one row is gone, one differs, one is new
	asked := ""
	_, err = w.try(t.Context(), runOptions{Approve: held.Run, MayMove: func(m reconcile.Move) bool {
		asked = fmt.Sprintf("%+v", m)
		return false
	}}, rows{list: list})
	if !errors.As(err, &moved) || asked != "{Held:3 New:1 Changed:1 Gone:1}" || w.server.Len() != 0 {
		t.Errorf("error %v, asked about %q", err, asked)
	}
	if _, err := w.try(t.Context(), runOptions{Approve: 999}, rows{list: list}); err == nil || !strings.Contains(err.Error(), "no run 999") {
		t.Errorf("error %v", err)
	}
}

func TestAFirstRunAsks(t *testing.T) {
	t.Parallel()
	for _, yes := range []bool{true, false} {
		w := newWorld(t, reconcile.Topic{ID: "all"})
		w.sync.Guards = reconcile.Guards{}
		asked := 0
		_, err := w.try(t.Context(), runOptions{Confirm: func(s owlatsync.Summary) (bool, error) {
			asked++
			if s.Outcomes[owlatsync.Created] != 3 || s.Memberships.Added != 3 || s.Requests != 6 {
				t.Errorf("asked about %+v", s)
			}
			return yes, nil
		}}, rows{list: people(3, "P", true)})
		if asked != 1 || (err == nil) != yes || !yes && !errors.Is(err, reconcile.ErrHeld) {
			t.Errorf("said %v, asked %d times: %v", yes, asked, err)
		}
	}
}

func TestOnlySomeRows(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconcile.Topic{ID: "all"})
	w.sync.OnMissing = reconcile.MissingDelete
	w.run(people(10, "P", true)...)
	changed := people(9, "X", true)
	report, err := w.try(t.Context(), runOptions{Only: []string{"3", "5"}}, rows{list: changed})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, report, "updated 2, skipped 7")
	report, err = w.try(t.Context(), runOptions{Limit: 3}, rows{list: changed})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, report, "updated 3, unchanged 2, skipped 4")
	if w.server.Len() != 10 {
		t.Error("a partial run removed something")
	}
	expect(t, w.run(changed...), "updated 4, unchanged 5, removed 1")
}

func TestADeletedContactIsRecreatedWhereAskedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconcile.Topic{ID: "all"})
	w.sync.OnRemoteDelete = reconcile.RemoteDeleteRecreate
	w.run(user("1", "a@example.com", "A", true))
	if err := w.server.SoftDelete("a@example.com"); err != nil {
		t.Fatal(err)
	}
	expect(t, w.run(user("1", "a@example.com", "Changed", true)), "skipped 1") // found out
	expect(t, w.run(user("1", "a@example.com", "Changed", true)), "created 1")
	if c := w.contact("a@example.com"); c.FirstName != "Changed" || len(c.Topics) != 0 {
		t.Errorf("Owlat holds %+v: the deletion may have been an opt-out", c)
	}
	expect(t, w.run(user("1", "a@example.com", "Changed", true)), "unchanged 1")
}

// Another sync that has not noticed yet still knows the deleted contact, and somebody else holds the address.
func TestADeletedContactIsNotAdoptedFromAnotherSyncAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.ledger.Close()
		w.run(user("1", "a@example.com", "A"))
		w.call("DELETE", "/contacts/a@example.com", "")
		w.call("POST", "/contacts", `{"email":"a@example.com"}`)
		w.call("PUT", "/contacts/a@example.com", `{"email":"b@example.com"}`)
		w.sync.Name, w.sync.OnRemoteDelete = "orders", reconcile.RemoteDeleteRecreate
		expect(t, w.run(user("1", "a@example.com", "B")), "skipped 1") // found out
		for range 2 {
			expect(t, w.run(user("1", "a@example.com", "B")), "failed 1")
			if d := w.done("1"); d.Category != "drift" {
				t.Errorf("%s: %s", d.Category, d.Reason)
			}
		}
	})
}

func eventRow(key, email, first, plan string) owlatsync.Row {
	row := user(key, email, first, true)
	row.Properties = []owlatsync.Property{{Name: "plan", Value: plan}, {Name: "seats", Value: int64(9007199254740993)}}
	return row
}

func TestEventsFollowWhatBecameOfARow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconcile.Topic{ID: "all"})
	w.sync.Events = []reconcile.EventRule{
		{Name: "user_created", On: ledger.OnCreated, Properties: map[string]string{"Plan": "plan", "seats": "seats"}},
		{Name: "user_changed", On: ledger.OnUpdated},
		{Name: "user_met", On: ledger.OnAppears},
	}
	w.call("POST", "/contacts", `{"email":"before@example.com","firstName":"B"}`)
	var sent []string
	w.server.OnRequest = func(r owlattest.Request) {
		if r.Route == owlattest.RouteEvents {
			sent = append(sent, strings.TrimSpace(string(r.Body)))
		}
	}
	want := func(what ...string) {
		t.Helper()
		if got := strings.Join(sent, "\n"); got != strings.Join(what, "\n") {
			t.Errorf("events\n%s\nwant\n%s", got, strings.Join(what, "\n"))
		}
		sent = nil
	}
	w.workers = 1
	expect(t, w.run(eventRow("1", "a@example.com", "A", "pro"), eventRow("2", "before@example.com", "B", "free")), "created 1, adopted 1")
	want(`{"email":"a@example.com","eventName":"user_created","eventProperties":{"Plan":"pro","seats":9007199254740993}}`,
		`{"email":"a@example.com","eventName":"user_met"}`, `{"email":"before@example.com","eventName":"user_met"}`)
	expect(t, w.run(eventRow("1", "a@example.com", "A", "other"), eventRow("2", "before@example.com", "B", "other")), "unchanged 2")
	want()
	expect(t, w.run(eventRow("1", "a@example.com", "X", "pro"), eventRow("2", "c@example.com", "B", "free")), "updated 1, renamed 1")
	want(`{"email":"c@example.com","eventName":"user_changed"}`, `{"email":"a@example.com","eventName":"user_changed"}`)
	expect(t, w.run(eventRow("1", "a@example.com", "X", "pro"), eventRow("2", "c@example.com", "B", "free")), "unchanged 2")
	want()
}

func TestAnEventOfUnknownOutcomeIsReportedAndNotRepeated(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]owlattest.Fault{
		"it arrived":         {Kind: owlattest.ResetAfter, Route: owlattest.RouteEvents},
		"it did not arrive":  {Kind: owlattest.ResetBefore, Route: owlattest.RouteEvents},
		"a gateway answered": {Kind: owlattest.StatusError, Status: 504, HTML: true, Route: owlattest.RouteEvents},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.sync.Events = []reconcile.EventRule{{Name: "user_created", On: ledger.OnCreated}}
			if err := w.server.InjectFaults(fault); err != nil {
				t.Fatal(err)
			}
			expect(t, w.run(user("1", "a@example.com", "A")), "failed 1")
			if d := w.done("1"); d.Category != "event" || !strings.Contains(d.Reason, "user_created") {
				t.Errorf("told %+v", d)
			}
			w.server.ClearFaults()
			before := w.requests()
			expect(t, w.run(user("1", "a@example.com", "A")), "unchanged 1")
			w.sent(before)
			entries, err := w.ledger.Entries(t.Context(), "users", []string{"1"})
			if err != nil || len(entries["1"].Events) != 1 || entries["1"].Events[0].State != ledger.EventUnknown {
				t.Errorf("the ledger holds %+v, %v", entries["1"], err)
			}
		})
	}
}

// What a webhook tells of an opt-out holds back every add that is due, until the source's consent is newer.
func TestAnOptOutKnownFromAWebhookIsKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, reconcile.Topic{ID: "news", When: true, Existing: reconcile.ExistingAdd})
		defer w.ledger.Close()
		news := w.sync.Topics[0].ID
		w.call("POST", "/contacts", `{"email":"a@example.com","firstName":"A"}`)
		c := w.contact("a@example.com")
		tell := func() {
			err := reconcile.Unsubscribed(t.Context(), w.ledger, owlat.WebhookTopicUnsubscribedPayload{
				ContactID: c.ID, Email: c.Email, UnsubscribedAt: time.Now(), Topics: []owlat.WebhookRemovedTopic{{ID: news}},
			})
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		members := func(want int, when string) {
			t.Helper()
			if got := len(w.contact("a@example.com").Topics); got != want {
				t.Errorf("%s: on %d topics, want %d", when, got, want)
			}
		}
		tell()
		expect(t, w.run(user("1", "a@example.com", "A", true)), "adopted 1")
		members(0, "existing: add")
		w.run(user("1", "a@example.com", "A", false))
		time.Sleep(time.Second)
		w.run(user("1", "a@example.com", "A", true))
		members(1, "the source's consent went from no to yes")

		// An add that failed is due; the person leaves meanwhile by a link in an older mail.
		w.run(user("1", "a@example.com", "A", false))
		if err := w.server.InjectFaults(owlattest.Fault{Kind: owlattest.RateLimited, Route: owlattest.RouteTopicContacts, Method: "POST"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		expect(t, w.run(user("1", "a@example.com", "A", true)), "failed 1")
		w.server.ClearFaults()
		time.Sleep(time.Second)
		tell()
		before := w.requests()
		w.run(user("1", "a@example.com", "A", true))
		w.sent(before)
		members(0, "an add was due")
		before = w.requests()
		expect(t, w.run(user("1", "a@example.com", "A", true)), "unchanged 1")
		w.sent(before)
	})
}

func TestAnErasedContactStaysErasedUnderAnotherKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconcile.Topic{ID: "all"})
	w.run(user("1", "a@example.com", "A", true))
	if err := w.server.SoftDelete("a@example.com"); err != nil {
		t.Fatal(err)
	}
	expect(t, w.run(user("1", "a@example.com", "X", true)), "skipped 1")
	before := w.requests()
	expect(t, w.run(user("101", "a@example.com", "X", true)), "skipped 1")
	w.sent(before)
}

// A topic id that was wrong at first costs nobody the consent that was given with the contact's creation.
func TestACorrectedTopicGetsTheConsentOfNewContacts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconcile.Topic{ID: "mistaken", When: true})
	if err := w.server.DeleteTopic(w.sync.Topics[0].ID); err != nil {
		t.Fatal(err)
	}
	w.call("POST", "/contacts", `{"email":"before@example.com","firstName":"P"}`)
	list := []owlatsync.Row{user("1", "a@example.com", "P", true), user("2", "b@example.com", "P", false), user("3", "before@example.com", "P", true)}
	expect(t, w.run(list...), "created 1, adopted 1, failed 1")
	w.sync.Topics[0].ID = w.server.AddTopic("right", false)
	report := w.run(list...)
	if report.Memberships.Added != 1 || len(w.contact("a@example.com").Topics) != 1 {
		t.Errorf("memberships %+v, %+v", report.Memberships, w.contact("a@example.com"))
	}
	// Spent once, it counts for no topic that comes later.
	for i := range list {
		list[i].Consents = []owlatsync.Consent{list[i].Consents[0], owlatsync.Yes}
	}
	w.sync.Topics = append(w.sync.Topics, reconcile.Topic{ID: w.server.AddTopic("later", false)})
	if report := w.run(list...); report.Memberships.Added != 0 {
		t.Errorf("memberships %+v", report.Memberships)
	}
}

func TestAConsentThatTheSourceDoesNotGiveIsNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconcile.Topic{ID: "news", When: true}, reconcile.Topic{ID: "all"})
	w.run(owlatsync.Row{Key: "1", Email: owlatsync.Some("a@example.com")})
	if c := w.contact("a@example.com"); len(c.Topics) != 1 || c.Topics[0] != w.sync.Topics[1].ID {
		t.Errorf("Owlat holds %+v", c)
	}
}

// TestAPlanThatMayMove is applied as it is now, once it is approved.
func TestAPlanThatMayMove(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconcile.Topic{ID: "all"})
	w.sync.Guards = reconcile.Guards{}
	_, err := w.try(t.Context(), runOptions{}, rows{list: people(3, "P", true)})
	var held *reconcile.HeldError
	if !errors.As(err, &held) {
		t.Fatalf("error %v", err)
	}
	report, err := w.try(t.Context(), runOptions{Approve: held.Run, MayMove: func(m reconcile.Move) bool { return m == reconcile.Move{Held: 3, New: 1} }}, rows{list: people(4, "P", true)})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, report, "created 4")
	if r, err := w.ledger.Run(t.Context(), held.Run); err != nil || r.Status != ledger.StatusApproved {
		t.Errorf("the held run: %+v, %v", r, err)
	}
}
