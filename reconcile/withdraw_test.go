package reconcile_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
)

// on reports whether the contact is on the sync's first topic.
func (w *world) on(contact string) bool {
	w.t.Helper()
	c, ok := w.server.Contact(contact)
	if !ok {
		w.t.Fatalf("there is no contact %s", contact)
	}
	return slices.Contains(c.Topics, w.sync.Topics[0].ID)
}

// broken returns the row with something that keeps it from being applied, in its n-th form.
var broken = map[string]func(owlatsync.Row) owlatsync.Row{
	"no address":     func(r owlatsync.Row) owlatsync.Row { r.Email = owlatsync.Field{State: owlatsync.Null}; return r },
	"not an address": func(r owlatsync.Row) owlatsync.Row { r.Email = owlatsync.Some("anon"); return r },
	"a long name": func(r owlatsync.Row) owlatsync.Row {
		r.Fields[owlatsync.FirstName] = owlatsync.Some(strings.Repeat("x", 300))
		return r
	},
	"another's address": func(r owlatsync.Row) owlatsync.Row { r.Email = owlatsync.Some("winner@example.com"); return r },
	"a defect":          func(r owlatsync.Row) owlatsync.Row { r.Defect = `column "name" is not UTF-8`; return r },
	"a long name of key": func(r owlatsync.Row) owlatsync.Row {
		r.Fields[owlatsync.LastName] = owlatsync.Some(strings.Repeat("x", 300))
		return r
	},
}

// TestANoOfARowThatIsNotApplied takes people off a topic whatever is wrong with their rows. Plan and run tell it, and a second run sends
// nothing.
func TestANoOfARowThatIsNotApplied(t *testing.T) {
	t.Parallel()
	for name, breaks := range broken {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, reconcile.Topic{ID: "news", When: true})
			winner, good := user("0", "winner@example.com", "W", true), user("1", "a@example.com", "A", true)
			expect(t, w.run(winner, good), "created 2")
			before, list := w.requests(), []owlatsync.Row{winner, breaks(user("1", "a@example.com", "A", false))}
			outcome := "invalid 1"
			if name == "another's address" {
				outcome = "duplicate 1"
			}
			var told []reconcile.Decision
			e, client := w.engine()
			defer client.CloseIdleConnections()
			s := w.sync
			s.Source = rows{list: list}
			sum, err := e.Plan(t.Context(), s, reconcile.PlanOptions{Each: func(d reconcile.Decision) error { told = append(told, d); return nil }})
			if err != nil || sum.Removals != 1 || sum.Requests != 1 || sum.Memberships.Removed != 1 || sum.Duration < 0 {
				t.Errorf("plan %+v, %v", sum, err)
			}
			if len(told) != 1 || told[0].Reason == "" || len(told[0].Changes) != 1 || told[0].Changes[0].Kind != owlatsync.RemoveTopic {
				t.Errorf("the plan tells %+v", told)
			}
			report := w.run(list...)
			expect(t, report, "unchanged 1, "+outcome)
			w.sent(before, "DELETE /topics/{topic}/contacts/{contact} 1")
			if report.Memberships.Removed != 1 || w.on("a@example.com") || !w.on("winner@example.com") {
				t.Errorf("report %+v", report)
			}
			if d := w.done("1"); len(d.Changes) != 1 || d.Reason == "" || d.Category != ledger.CategorySource {
				t.Errorf("told %+v", d)
			}
			before = w.requests()
			expect(t, w.run(list...), "unchanged 1, "+outcome)
			w.sent(before)
			// The row is whole again, and consents: that is a new yes.
			expect(t, w.run(winner, good), "updated 1, unchanged 1")
			if !w.on("a@example.com") {
				t.Error("a new consent did not count")
			}
			// A word that is neither, or could not be read, takes nobody off.
			for _, consents := range [][]owlatsync.Consent{{owlatsync.Unclear}, nil} {
				unread := breaks(user("1", "a@example.com", "A"))
				unread.Consents = consents
				before = w.requests()
				expect(t, w.run(winner, unread), "unchanged 1, "+outcome)
				w.sent(before)
			}
		})
	}
}

// TestANoInARunOfChanges: in one change the person withdraws, and the row becomes invalid or gets the address of another.
func TestANoInARunOfChanges(t *testing.T) {
	t.Parallel()
	for what, outcome := range map[string]string{
		"email = NULL": "unchanged 1 invalid 1", "email = 'anon'": "unchanged 1 invalid 1", "name = '" + strings.Repeat("x", 300) + "'": "unchanged 1 invalid 1",
		"email = 'b@example.com'": "unchanged 1 duplicate 1",
	} {
		u := newUsers(t, reconcile.Topic{ID: "news", When: true})
		u.put(1, "a@example.com", "A")
		u.put(2, "b@example.com", "B")
		u.synced("full: created 2")
		u.far()
		before := u.requests()
		u.exec("UPDATE users SET news = 0, v = ?, "+what+" WHERE id = 1", u.version)
		u.synced("changes: " + outcome)
		u.sent(before, "DELETE /topics/{topic}/contacts/{contact} 1")
		if u.on("a@example.com") || !u.on("b@example.com") {
			t.Errorf("%s: the wrong people are on the topic", what)
		}
	}
}

// TestTheFirstRowOfAKeySpeaks: of rows with one key the first counts, also if it is invalid.
func TestTheFirstRowOfAKeySpeaks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconcile.Topic{ID: "news", When: true})
	good := user("1", "a@example.com", "A", true)
	w.run(good)
	bad := user("1", "", "A", false)
	before := w.requests()
	expect(t, w.run(good, bad), "unchanged 1, invalid 1")
	w.sent(before)
	expect(t, w.run(bad, good), "invalid 1, duplicate 1")
	if w.on("a@example.com") {
		t.Error("the first row says no")
	}
}

// TestANoWithoutAKeyOfItsOwn: the address is the key, and a name is too long or a column has a defect.
func TestANoWithoutAKeyOfItsOwn(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a long name", "a defect"} {
		w := newWorld(t, reconcile.Topic{ID: "news", When: true})
		w.sync.KeyIsAddress, w.sync.OnMissing = true, reconcile.MissingDelete
		w.run(user("", "a@example.com", "A", true))
		expect(t, w.run(broken[name](user("", "A@example.com", "A", false))), "invalid 1")
		if w.on("a@example.com") {
			t.Errorf("%s: still on the topic", name)
		}
	}
}

// TestANoOfARowThatWaits: a row is parked or waits, with a withdrawal that could not be sent.
func TestANoOfARowThatWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconcile.Topic{ID: "news", When: true})
	w.run(user("1", "a@example.com", "A", true))
	if err := w.server.InjectFaults(owlattest.Fault{Kind: owlattest.StatusError, Status: 502}); err != nil {
		t.Fatal(err)
	}
	for range 3 { // the third is not tried, apart from its no
		expect(t, w.run(user("1", "b@example.com", "A", false)), "failed 1")
	}
	if w.on("a@example.com") == false {
		t.Fatal("the removal was to fail")
	}
	w.server.ClearFaults()
	before := w.requests()
	expect(t, w.run(user("1", "b@example.com", "A", false)), "failed 1")
	w.sent(before, "DELETE /topics/{topic}/contacts/{contact} 1", "GET /contacts/{contact} 1") // the read settles the lost update
	if w.on("a@example.com") || w.done("1").Category != ledger.CategoryWaiting {
		t.Errorf("told %+v", w.done("1"))
	}
	before = w.requests()
	expect(t, w.run(user("1", "b@example.com", "A", false)), "failed 1")
	w.sent(before)
}

// TestANoInAnExchangeOfAddresses takes a contact off a topic although its rename has no order.
func TestANoInAnExchangeOfAddresses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconcile.Topic{ID: "news", When: true})
	w.run(user("1", "a@example.com", "A", true), user("2", "b@example.com", "B", true))
	before := w.requests()
	expect(t, w.run(user("1", "b@example.com", "A", false), user("2", "a@example.com", "B", true)), "failed 2")
	w.sent(before, "DELETE /topics/{topic}/contacts/{contact} 1")
	if w.on("a@example.com") || !w.on("b@example.com") {
		t.Error("the wrong people are on the topic")
	}
}

// TestWithdrawalsComeFirst sends every removal before anything else of the run.
func TestWithdrawalsComeFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconcile.Topic{ID: "news", When: true})
	w.workers = 1
	var first, then []owlatsync.Row
	for i := range 6 {
		first = append(first, user(fmt.Sprint(i), fmt.Sprintf("p%d@example.com", i), "P", i%2 == 0))
		then = append(then, user(fmt.Sprint(i), fmt.Sprintf("p%d@example.com", i), "Q", i%2 != 0))
	}
	then[4].Email = owlatsync.Some("new@example.com")
	w.run(first...)
	var methods []string
	w.options = append(w.options, owlat.WithObserver(func(a owlat.Attempt) {
		w.mu.Lock()
		defer w.mu.Unlock()
		methods = append(methods, a.Method)
	}))
	expect(t, w.run(append(then, user("9", "p9@example.com", "N", true))...), "created 1, updated 5, renamed 1")
	want := []string{"DELETE", "DELETE", "DELETE"}
	if len(methods) < 10 || !slices.Equal(methods[:3], want) || slices.Contains(methods[3:], "DELETE") {
		t.Errorf("requests %q", methods)
	}
}

// TestGuardsCountEveryNo holds a run in which many rows are invalid and say no.
func TestGuardsCountEveryNo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconcile.Topic{ID: "news", When: true})
	w.run(people(100, "P", true)...)
	w.sync.Guards = reconcile.Guards{}
	list := people(100, "P", true)
	for i := range 30 {
		list[i].Email, list[i].Consents = owlatsync.Some("anon"), []owlatsync.Consent{owlatsync.No}
	}
	before := w.requests()
	_, err := w.try(t.Context(), runOptions{}, rows{list: list})
	held := new(reconcile.HeldError)
	if !errors.As(err, &held) || held.Hits[0].Guard != owlatsync.GuardRemovals {
		t.Fatalf("error %v", err)
	}
	w.sent(before)
	report, err := w.try(t.Context(), runOptions{Approve: held.Run}, rows{list: list})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, report, "unchanged 70, invalid 30")
	w.sent(before, "DELETE /topics/{topic}/contacts/{contact} 30")
}

// TestANoAfterAnOptOut: the person left, came back by themselves, and then the source withdraws.
func TestANoAfterAnOptOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconcile.Topic{ID: "news", When: true})
	topic := w.sync.Topics[0].ID
	w.run(user("1", "a@example.com", "A", true))
	id := w.contact("a@example.com").ID
	if err := w.server.Unsubscribe("a@example.com", topic); err != nil {
		t.Fatal(err)
	}
	if err := w.ledger.NoteOptOuts(t.Context(), ledger.OptOut{ContactID: id, Topic: topic, At: w.plannedAt.Add(1 << 40)}); err != nil {
		t.Fatal(err)
	}
	expect(t, w.run(user("1", "a@example.com", "B", true)), "updated 1")
	w.call("POST", "/topics/"+topic+"/contacts", `{"contactId":"`+id+`"}`) // Owlat tells nobody
	before := w.requests()
	expect(t, w.run(user("1", "a@example.com", "B", false)), "updated 1")
	w.sent(before, "DELETE /topics/{topic}/contacts/{contact} 1")
	if w.on("a@example.com") {
		t.Error("still on the topic")
	}
	before = w.requests()
	expect(t, w.run(user("1", "a@example.com", "C", false)), "updated 1")
	w.sent(before, "PUT /contacts/{contact} 1")
}

// TestANoOfAContactThatWasThere: on a first run, and after a lost ledger, the source rules under existing: add. Otherwise the contact is
// left as it is, and the ledger says that it does not know.
func TestANoOfAContactThatWasThere(t *testing.T) {
	t.Parallel()
	for _, existing := range []reconcile.Existing{reconcile.ExistingAdd, reconcile.ExistingSkip} {
		for _, n := range []int{1, 30} { // met by a conflict, and listed
			w := newWorld(t, reconcile.Topic{ID: "news", When: true, Existing: existing})
			w.run(people(n, "P", true)...)
			w.loseLedger()
			w.sync.Guards = reconcile.Guards{FirstRun: true}
			list := people(n, "P", false)
			add := existing == reconcile.ExistingAdd
			e, client := w.engine()
			s := w.sync
			s.Source = rows{list: list}
			if sum, err := e.Plan(t.Context(), s, reconcile.PlanOptions{}); err != nil || n > 1 && sum.Memberships.Removed != map[bool]int{true: n}[add] {
				t.Errorf("plan %+v, %v", sum, err)
			}
			client.CloseIdleConnections()
			report := w.run(list...)
			expect(t, report, fmt.Sprintf("adopted %d", n))
			email := list[0].Email.Value
			if w.on(email) == add || report.Memberships.Removed != map[bool]int{true: n}[add] {
				t.Errorf("%s, %d rows: report %+v", existing, n, report)
			}
			entries, err := w.ledger.Entries(t.Context(), "users", []string{list[0].Key})
			if err != nil {
				t.Fatal(err)
			}
			want := map[bool]ledger.MembershipState{true: ledger.MemberOut, false: ledger.MemberUnknown}[add]
			if m := entries[list[0].Key].Memberships[0]; m.State != want || m.Consent {
				t.Errorf("%s: the ledger has %+v", existing, m)
			}
			before := w.requests()
			expect(t, w.run(list...), fmt.Sprintf("unchanged %d", n))
			w.sent(before)
		}
	}
}

// TestTheFirstRunAsksBeforeItTakesPeopleOff: only a person may let a first run end memberships.
func TestTheFirstRunAsksBeforeItTakesPeopleOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconcile.Topic{ID: "news", When: true, Existing: reconcile.ExistingAdd})
	w.run(people(30, "P", true)...)
	w.loseLedger()
	w.sync.Guards = reconcile.Guards{}
	_, err := w.try(t.Context(), runOptions{}, rows{list: people(30, "P", false)})
	held := new(reconcile.HeldError)
	if !errors.As(err, &held) || len(held.Hits) != 1 || held.Hits[0].Guard != owlatsync.GuardFirstRun || !strings.Contains(held.Hits[0].Reason, "30 memberships of contacts") {
		t.Fatalf("error %v", err)
	}
}

// TestALimitCountsWithdrawals: five rows are renamed and withdraw, and one is asked for.
func TestALimitCountsWithdrawals(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconcile.Topic{ID: "news", When: true})
	w.run(people(6, "P", true)...)
	list := people(6, "P", false)
	for i := range 5 {
		list[i].Email = owlatsync.Some(fmt.Sprintf("new%d@example.com", i))
	}
	list[5] = people(6, "P", true)[5]
	before := w.requests()
	report, err := w.try(t.Context(), runOptions{Limit: 1}, rows{list: list})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, report, "renamed 1, unchanged 1, skipped 4")
	w.sent(before, "DELETE /topics/{topic}/contacts/{contact} 1", "PUT /contacts/{contact} 1")
	if report.Memberships.Removed != 1 {
		t.Errorf("report %+v", report)
	}
	for _, r := range list[:5] {
		if d := w.done(r.Key); d.Outcome == owlatsync.Skipped && !strings.Contains(d.Reason, "beyond the limit of 1 row") {
			t.Errorf("told %+v", d)
		}
	}
}

// TestALimitTakesWithdrawalsFirst: a row that only the ledger knows of does not use up the limit before a no.
func TestALimitTakesWithdrawalsFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconcile.Topic{ID: "news", When: true})
	w.run(user("1", "a@example.com", "A", true), user("2", "b@example.com", "B", true))
	w.call("PUT", "/contacts/b@example.com", `{"firstName":"B"}`)
	report, err := w.try(t.Context(), runOptions{Limit: 1}, rows{list: []owlatsync.Row{
		user("3", "c@example.com", "C", true), user("2", "b@example.com", "Changed", true), user("1", "anon", "A", false),
	}})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, report, "invalid 1, skipped 2")
	if w.on("a@example.com") {
		t.Error("the withdrawal was not chosen")
	}
}

// TestAMergedContactIsAdopted: Owlat merges the row's contact into another one with its address. The row goes on with that one: nobody is
// added, and a no goes to it.
func TestAMergedContactIsAdopted(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		row    owlatsync.Row
		member bool
		want   string
		sent   []string
	}{
		"a name changes": {user("1", "a@example.com", "Changed", true), true, "adopted 1",
			[]string{"GET /contacts/{contact} 1", "PUT /contacts/{contact} 2"}},
		"a no": {user("1", "a@example.com", "A", false), true, "adopted 1",
			[]string{"DELETE /topics/{topic}/contacts/{contact} 2", "GET /contacts/{contact} 2"}},
		"a no and a name": {user("1", "a@example.com", "Changed", false), true, "adopted 1",
			[]string{"DELETE /topics/{topic}/contacts/{contact} 2", "GET /contacts/{contact} 2", "PUT /contacts/{contact} 1"}},
		"a new yes": {user("1", "a@example.com", "A", true), false, "adopted 1",
			[]string{"GET /contacts/{contact} 2", "POST /topics/{topic}/contacts 1"}},
		"an invalid row": {user("1", "anon", "A", false), true, "invalid 1",
			[]string{"DELETE /topics/{topic}/contacts/{contact} 2", "GET /contacts/{contact} 2"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, reconcile.Topic{ID: "news", When: true})
			w.run(user("1", "a@example.com", "A", tt.member))
			old := w.contact("a@example.com").ID
			w.call("PUT", "/contacts/"+old, `{"email":"old@example.com"}`)
			w.call("POST", "/contacts", `{"email":"new@example.com","firstName":"A"}`)
			w.call("PUT", "/contacts/new@example.com", `{"email":"a@example.com"}`)
			heir := w.contact("a@example.com").ID
			if err := w.server.Merge(heir, old); err != nil {
				t.Fatal(err)
			}
			if w.on(heir) != tt.member {
				t.Fatal("the membership was to go to the other contact")
			}
			before := w.requests()
			expect(t, w.run(tt.row), tt.want)
			w.sent(before, tt.sent...)
			if d := w.done("1"); d.Outcome == owlatsync.Adopted && !strings.Contains(d.Reason, "merged") {
				t.Errorf("told %+v", d)
			}
			if tt.member != (name == "a name changes") && w.on(heir) {
				t.Error("on the topic")
			}
			entries, err := w.ledger.Entries(t.Context(), "users", []string{"1"})
			if err != nil || entries["1"].ContactID != heir || entries["1"].Origin != ledger.OriginAdopted {
				t.Errorf("the ledger has %+v, %v", entries["1"], err)
			}
			before = w.requests()
			if report := w.run(tt.row); report.Outcomes[owlatsync.Unchanged]+report.Outcomes[owlatsync.Invalid] != 1 {
				t.Errorf("the next run: %+v", report.Outcomes)
			}
			w.sent(before)
			expect(t, w.run(user("1", "a@example.com", "A", false)), map[bool]string{true: "unchanged 1", false: "updated 1"}[name == "a no" || name == "an invalid row"])
			if w.on(heir) {
				t.Error("a no after the merge takes nobody off")
			}
		})
	}
}

// TestARemovalOfAContactThatIsGone is no update, and one from a topic that is not there fails.
func TestARemovalOfAContactThatIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconcile.Topic{ID: "news", When: true})
	w.run(user("1", "a@example.com", "A", true), user("2", "b@example.com", "B", true))
	w.call("DELETE", "/contacts/a@example.com", "")
	report := w.run(user("1", "a@example.com", "A", false), user("2", "b@example.com", "B", true))
	expect(t, report, "unchanged 1, skipped 1")
	if report.Memberships.Removed != 0 {
		t.Errorf("report %+v", report)
	}
	if err := w.server.DeleteTopic("news"); err != nil {
		t.Fatal(err)
	}
	expect(t, w.run(user("1", "a@example.com", "A", false), user("2", "b@example.com", "B", false)), "skipped 1, failed 1")
	if d := w.done("2"); d.Category != ledger.CategoryTopic {
		t.Errorf("told %+v", d)
	}
}

// TestWhoHoldsADriftedAddress names a row only if its contact exists and once had the address.
func TestWhoHoldsADriftedAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(user("1", "a@example.com", "A"))
	w.run(user("1", "b@example.com", "A"))
	expect(t, w.run(user("1", "b@example.com", "A"), user("2", "a@example.com", "B")), "unchanged 1, failed 1")
	if d := w.done("2"); d.Category != ledger.CategoryDrift || !strings.Contains(d.Reason, "the row with key 1") {
		t.Errorf("told %+v", d)
	}
	w.call("POST", "/contacts", `{"email":"c@example.com"}`)
	w.call("PUT", "/contacts/c@example.com", `{"email":"d@example.com"}`)
	expect(t, w.run(user("1", "b@example.com", "A"), user("3", "c@example.com", "C")), "unchanged 1, failed 1")
	if d := w.done("3"); d.Category != ledger.CategoryDrift || !strings.Contains(d.Reason, "no row of the ledger") {
		t.Errorf("told %+v", d)
	}
}

// TestARowThatReturnsInvalidWithdraws has a row leave and the person join again on their own. Then the row comes back, says no, and is
// invalid, like one of an anonymised account.
func TestARowThatReturnsInvalidWithdraws(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconcile.Topic{ID: "news", When: true})
	w.sync.OnMissing = reconcile.MissingLeave
	stays := user("2", "b@example.com", "B", true)
	w.run(user("1", "a@example.com", "A", true), stays)
	w.run(stays)
	w.call("POST", "/topics/"+w.sync.Topics[0].ID+"/contacts", `{"email":"a@example.com"}`)
	back, twin := user("1", "anon", "A", false), user("1", "anon again", "A", false)
	before := w.requests()
	expect(t, w.run(stays, back, twin), "unchanged 1, invalid 2")
	if w.sent(before, "DELETE /topics/{topic}/contacts/{contact} 1"); w.members("a@example.com") > 0 {
		t.Error("the row says no, and the contact is still on the topic")
	}
	before = w.requests()
	expect(t, w.run(stays, back, twin), "unchanged 1, invalid 2")
	w.sent(before)
}
