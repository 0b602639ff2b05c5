package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
	"owlatsync/reconcile/progress"
)

func TestFirstRunCreatesAndTheSecondSendsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconcile.Topic{ID: "news", When: true}, reconcile.Topic{ID: "all"})
	list := []owlatsync.Row{
		user("1", " Ada@Example.com ", "Ada ", true, true),
		user("2", "grace@example.com", "", false, true),
		{Key: "3", Email: owlatsync.Some("not an address"), Consents: []owlatsync.Consent{owlatsync.Yes, owlatsync.Yes}},
		{Key: "4", Email: owlatsync.Some("ADA@example.com"), Consents: []owlatsync.Consent{owlatsync.Yes, owlatsync.Yes}},
		{Key: "1", Email: owlatsync.Some("again@example.com"), Consents: []owlatsync.Consent{owlatsync.Yes, owlatsync.Yes}},
	}
	report := w.run(list...)
	expect(t, report, "created 2, invalid 1, duplicate 2")
	if diff := cmp.Diff(owlatsync.MembershipCounts{Added: 3}, report.Memberships); diff != "" {
		t.Errorf("memberships (-want +got):\n%s", diff)
	}
	w.sent(nil, "POST /contacts 2", "POST /topics/{topic}/contacts 3")
	ada := w.contact("ada@example.com")
	if ada.FirstName != "Ada" || len(ada.Topics) != 2 {
		t.Errorf("Owlat holds %+v", ada)
	}
	if grace := w.contact("grace@example.com"); len(grace.Topics) != 1 || grace.Topics[0] != w.sync.Topics[1].ID {
		t.Errorf("Owlat holds %+v", grace)
	}
	if d := w.done("4"); d.Outcome != owlatsync.Duplicate || !strings.Contains(d.Reason, "key 1 ") {
		t.Errorf("the duplicate's reason names no winner: %q", d.Reason)
	}
	if d := w.done("3"); d.Position != "row 3" || strings.Contains(d.Reason, "not an address") {
		t.Errorf("the invalid row is told as %+v", d)
	}

	before := w.requests()
	expect(t, w.run(list...), "unchanged 2, invalid 1, duplicate 2")
	w.sent(before)
}

func TestUpdateSendsExactlyWhatChanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	row := user("1", "ada@example.com", "Ada")
	row.Fields[owlatsync.LastName] = owlatsync.Some("Lovelace")
	w.run(row)
	var bodies []string
	w.server.OnRequest = func(r owlattest.Request) { bodies = append(bodies, r.Method+" "+strings.TrimSpace(string(r.Body))) }
	row.Fields[owlatsync.LastName] = owlatsync.Some("King")
	expect(t, w.run(row), "updated 1")
	row.Fields[owlatsync.FirstName] = owlatsync.Some("")
	expect(t, w.run(row), "updated 1")
	expect(t, w.run(row), "unchanged 1")
	if diff := cmp.Diff([]string{`PUT {"lastName":"King"}`, `PUT {"firstName":""}`}, bodies); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNullPolicy(t *testing.T) {
	t.Parallel()
	for policy, want := range map[reconcile.NullPolicy]string{"": "Ada", reconcile.NullsKeep: "Ada", reconcile.NullsClear: ""} {
		t.Run("nulls "+string(policy), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.sync.Nulls = policy
			w.run(user("1", "ada@example.com", "Ada"))
			w.run(owlatsync.Row{Key: "1", Email: owlatsync.Some("ada@example.com"), Fields: owlatsync.Fields{owlatsync.FirstName: owlatsync.Field{State: owlatsync.Null}}})
			if got := w.contact("ada@example.com").FirstName; got != want {
				t.Errorf("Owlat holds the first name %q, want %q", got, want)
			}
		})
	}
}

func TestAdoptionByListing(t *testing.T) {
	t.Parallel()
	for existing, members := range map[reconcile.Existing]int{"": 10, reconcile.ExistingSkip: 10, reconcile.ExistingAdd: 310} {
		t.Run("existing "+string(existing), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, reconcile.Topic{ID: "all", Existing: existing})
			w.server.Seed(300, "p")
			var list []owlatsync.Row
			for i := range 310 {
				email := fmt.Sprintf("p%d@seed.example", i+1)
				row := owlatsync.Row{Key: fmt.Sprint(i), Email: owlatsync.Some(email), Consents: []owlatsync.Consent{owlatsync.Yes}}
				if i < 5 {
					row.Fields[owlatsync.FirstName] = owlatsync.Some("Changed")
				}
				list = append(list, row)
			}
			before := w.requests()
			report := w.run(list...)
			expect(t, report, "created 10, adopted 300")
			w.sent(before, "GET /contacts 3", "POST /contacts 10", fmt.Sprintf("POST /topics/{topic}/contacts %d", members), "PUT /contacts/{contact} 5")
			if report.Memberships.Added != members || report.Memberships.Skipped != 310-members {
				t.Errorf("memberships %+v", report.Memberships)
			}
			before = w.requests()
			expect(t, w.run(list...), "unchanged 310")
			w.sent(before)
		})
	}
}

func TestAdoptionOfFewRowsMeetsConflicts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		scopes []string
		want   []string
	}{
		{"reading", owlattest.AllScopes(), []string{"GET /contacts/{contact} 2", "POST /contacts 3", "POST /topics/{topic}/contacts 1", "PUT /contacts/{contact} 1"}},
		{"without contacts:read", []string{owlattest.ScopeContactsWrite, owlattest.ScopeTopicsWrite},
			[]string{"GET /contacts/{contact} 2", "POST /contacts 3", "POST /topics/{topic}/contacts 1", "PUT /contacts/{contact} 2"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, reconcile.Topic{ID: "all"})
			w.call("POST", "/contacts", `{"email":"equal@example.com","firstName":"E"}`)
			w.call("POST", "/contacts", `{"email":"differs@example.com","firstName":"D"}`)
			w.key = w.server.AddKey(tt.scopes...)
			before := w.requests()
			list := []owlatsync.Row{user("1", "equal@example.com", "E", true), user("2", "differs@example.com", "X", true), user("3", "new@example.com", "N", true)}
			report := w.run(list...)
			expect(t, report, "created 1, adopted 2")
			w.sent(before, tt.want...)
			if c := w.contact("differs@example.com"); c.FirstName != "X" || len(c.Topics) != 0 {
				t.Errorf("Owlat holds %+v", c)
			}
			before = w.requests()
			expect(t, w.run(list...), "unchanged 3")
			w.sent(before)
		})
	}
}

func TestAdoptionTakesTheOlderOfTwins(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.call("POST", "/contacts", `{"email":"was@example.com"}`)
	older := w.contact("was@example.com").ID
	w.call("PUT", "/contacts/"+older, `{"email":"twin@example.com"}`)
	w.call("POST", "/contacts", `{"email":"twin@example.com"}`)
	var list []owlatsync.Row
	for i := range 6 {
		list = append(list, user(fmt.Sprint(i), fmt.Sprintf("p%d@example.com", i), "P"))
	}
	list = append(list, user("t", "twin@example.com", "T"))
	expect(t, w.run(list...), "created 6, adopted 1")
	if c := w.contact(older); c.FirstName != "T" {
		t.Errorf("the older contact holds %+v", c)
	}
	if a := planned(w).Adoption; a.Twins != 1 || a.Mode != owlatsync.AdoptListing {
		t.Errorf("adoption %+v", a)
	}
}

func planned(w *world) owlatsync.Summary {
	for _, ev := range w.events {
		if p, ok := ev.(progress.Planned); ok {
			return p.Summary
		}
	}
	w.t.Fatal("no plan was told")
	return owlatsync.Summary{}
}

func TestALargeDeploymentIsNotListedForFewRows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.server.Seed(2000, "p")
	var list []owlatsync.Row
	for i := range 9 {
		list = append(list, user(fmt.Sprint(i), fmt.Sprintf("new%d@example.com", i), "N"))
	}
	before := w.requests()
	expect(t, w.run(list...), "created 9")
	w.sent(before, "GET /contacts 1", "POST /contacts 9")
}

func TestAnotherSyncsContactIsKnown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconcile.Topic{ID: "all"})
	w.run(user("1", "ada@example.com", "Ada", true))
	w.sync.Name, w.sync.Topics = "orders", nil
	before := w.requests()
	expect(t, w.run(user("o1", "ada@example.com", "Ada"), user("o2", "ada@example.com", "Ada")), "adopted 1, duplicate 1")
	w.sent(before)
}

func TestLostAnswers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		fault owlattest.Fault
	}{
		{"create took effect", owlattest.Fault{Kind: owlattest.ResetAfter, Method: "POST", Route: owlattest.RouteContacts, At: 1}},
		{"create took no effect", owlattest.Fault{Kind: owlattest.ResetBefore, Method: "POST", Route: owlattest.RouteContacts, At: 1}},
		{"create answered 502 afterwards", owlattest.Fault{Kind: owlattest.StatusError, Status: 502, After: true, Method: "POST", Route: owlattest.RouteContacts, At: 1}},
		{"create answered in half", owlattest.Fault{Kind: owlattest.TruncatedBody, Method: "POST", Route: owlattest.RouteContacts, At: 1}},
		{"topic add took effect", owlattest.Fault{Kind: owlattest.ResetAfter, Method: "POST", Route: owlattest.RouteTopicContacts, At: 1}},
		{"topic add took no effect", owlattest.Fault{Kind: owlattest.ResetBefore, Method: "POST", Route: owlattest.RouteTopicContacts, At: 1}},
		{"rate limit", owlattest.Fault{Kind: owlattest.RateLimited, At: 1, Count: 9}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, reconcile.Topic{ID: "all"})
				defer w.ledger.Close()
				if err := w.server.InjectFaults(tt.fault); err != nil {
					t.Fatal(err)
				}
				report := w.run(user("1", "ada@example.com", "Ada", true))
				expect(t, report, "created 1")
				if w.server.Len() != 1 || len(w.contact("ada@example.com").Topics) != 1 || report.Memberships.Added != 1 {
					t.Errorf("%d contacts, %+v, memberships %+v", w.server.Len(), w.contact("ada@example.com"), report.Memberships)
				}
				before := w.requests()
				expect(t, w.run(user("1", "ada@example.com", "Ada", true)), "unchanged 1")
				w.sent(before)
			})
		})
	}
}

func TestASourceThatBreaksOffAppliesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	broken := errors.New("connection lost")
	_, err := w.try(context.Background(), runOptions{}, rows{list: []owlatsync.Row{user("1", "ada@example.com", "Ada")}, err: broken})
	var source *reconcile.SourceError
	if !errors.As(err, &source) || !errors.Is(err, broken) || source.Rows != 1 {
		t.Errorf("error %v", err)
	}
	w.sent(nil)
	expect(t, w.run(user("1", "ada@example.com", "Ada")), "created 1")
}

func TestAStoppedRunGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconcile.Topic{ID: "all"})
	w.workers = 1
	var list []owlatsync.Row
	for i := range 20 {
		list = append(list, user(fmt.Sprint(i), fmt.Sprintf("p%d@example.com", i), "P", true))
	}
	stop := make(chan struct{})
	w.server.OnRequest = func(r owlattest.Request) {
		if r.Method == "POST" && r.Route == owlattest.RouteContacts && strings.Contains(string(r.Body), "p6@") {
			close(stop)
		}
	}
	report, err := w.try(context.Background(), runOptions{Stop: stop}, rows{list: list})
	if !errors.Is(err, reconcile.ErrInterrupted) {
		t.Errorf("error %v", err)
	}
	if n := report.Outcomes[owlatsync.Created]; n < 7 || n > 8 || report.Outcomes[owlatsync.Skipped] != 20-n {
		t.Errorf("outcomes %v", report.Outcomes)
	}
	if report.Memberships.Added != report.Outcomes[owlatsync.Created] {
		t.Errorf("what was in flight was not finished: %+v", report)
	}
	w.server.OnRequest = nil
	done := report.Outcomes[owlatsync.Created]
	expect(t, w.run(list...), fmt.Sprintf("created %d, unchanged %d", 20-done, done))
	if w.server.Stats().Count("POST", owlattest.RouteTopicContacts, 201) != 20 {
		t.Error("not every contact was added to the topic exactly once")
	}
}

func TestARefusedKeyStopsTheRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconcile.Topic{ID: "all"})
	w.key = w.server.AddKey(owlattest.ScopeContactsRead, owlattest.ScopeContactsWrite)
	w.workers = 1
	list := []owlatsync.Row{user("1", "a@example.com", "A", true), user("2", "b@example.com", "B", true), user("3", "c@example.com", "C", true)}
	report, err := w.try(context.Background(), runOptions{}, rows{list: list})
	var stopped *reconcile.StoppedError
	if !errors.As(err, &stopped) || !errors.Is(err, owlat.ErrForbidden) {
		t.Errorf("error %v", err)
	}
	if report.Outcomes[owlatsync.Failed] < 1 || report.Outcomes[owlatsync.Skipped] < 1 {
		t.Errorf("outcomes %v", report.Outcomes)
	}
	w.key = w.server.AddKey()
	w.run(list...)
	for _, email := range []string{"a@example.com", "b@example.com", "c@example.com"} {
		if len(w.contact(email).Topics) != 1 {
			t.Errorf("%s is not on the topic", email)
		}
	}
}

// A refusal that every request would meet ends the run at once: what waits for the limiter by then is not sent.
func TestNothingIsSentAfterARefusedScope(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.ledger.Close()
		w.server.NoLimit = false
		w.options = nil
		w.key = w.server.AddKey(owlattest.ScopeContactsRead)
		if err := w.server.InjectFaults(owlattest.Fault{Kind: owlattest.Latency, Delay: 80 * time.Millisecond}); err != nil {
			t.Fatal(err)
		}
		var list []owlatsync.Row
		for i := range 200 {
			list = append(list, user(fmt.Sprint(i), fmt.Sprintf("p%d@example.com", i), "P"))
		}
		report, err := w.try(context.Background(), runOptions{}, rows{list: list})
		if !errors.Is(err, owlat.ErrForbidden) {
			t.Errorf("error %v", err)
		}
		failed := report.Outcomes[owlatsync.Failed]
		// Eight may go at once from rest. Any further one waits, and by then the refusal is known.
		if sent := w.server.Stats().Count("POST", "", 0); sent != failed || sent < 1 || sent > 8 {
			t.Errorf("%d requests for %d failed rows; want only those that were on their way, at most 8", sent, failed)
		}
		if report.Outcomes[owlatsync.Skipped] != 200-failed {
			t.Errorf("outcomes %v", report.Outcomes)
		}
	})
}

func TestADeadDeploymentEndsTheRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.ledger.Close()
		if err := w.server.InjectFaults(owlattest.Fault{Kind: owlattest.StatusError, Status: 503, HTML: true, Method: "POST"}); err != nil {
			t.Fatal(err)
		}
		var list []owlatsync.Row
		for i := range 200 {
			list = append(list, user(fmt.Sprint(i), fmt.Sprintf("p%d@example.com", i), "P"))
		}
		report, err := w.try(context.Background(), runOptions{}, rows{list: list})
		if !errors.Is(err, reconcile.ErrUnavailable) {
			t.Errorf("error %v", err)
		}
		if failed := report.Outcomes[owlatsync.Failed]; failed < 25 || failed > 60 || report.Outcomes[owlatsync.Skipped] != 200-failed {
			t.Errorf("outcomes %v", report.Outcomes)
		}
		w.server.ClearFaults()
		expect(t, w.run(list...), "created 200")
	})
}

func TestOneFailureDoesNotStopTheOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.ledger.Close()
		w.workers = 1
		list := []owlatsync.Row{user("1", "a@example.com", "A"), user("2", "b@example.com", "B"), user("3", "c@example.com", "C")}
		w.run(list...)
		for i := range list {
			list[i].Fields[owlatsync.FirstName] = owlatsync.Some("X")
		}
		if err := w.server.InjectFaults(owlattest.Fault{Kind: owlattest.StatusError, Method: "PUT", At: 1, Count: 3}); err != nil {
			t.Fatal(err)
		}
		report := w.run(list...)
		expect(t, report, "updated 2, failed 1")
		standing, err := w.ledger.Standing(t.Context(), "users")
		if err != nil || standing.Failing != 1 || standing.Applied != 2 {
			t.Errorf("standing %+v, %v", standing, err)
		}
		expect(t, w.run(list...), "updated 1, unchanged 2")
	})
}

func TestPlanWritesNothingAndTellsEverything(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconcile.Topic{ID: "news", When: true})
	w.run(user("1", "a@example.com", "A", false), user("2", "b@example.com", "B", true))
	e, client := w.engine()
	defer client.CloseIdleConnections()
	s := w.sync
	s.Source = rows{list: []owlatsync.Row{user("1", "a@example.com", "Anna", true), user("2", "b@example.com", "B", true), user("3", "c@example.com", "C", false), {Key: "4"}}}
	before := w.requests()
	told := make(map[string]reconcile.Decision)
	summary, err := e.Plan(t.Context(), s, reconcile.PlanOptions{Each: func(d reconcile.Decision) error {
		told[d.Key] = d
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	w.sent(before)
	if summary.Rows != 4 || summary.Requests != 3 || summary.FirstRun || summary.Outcomes[owlatsync.Unchanged] != 1 {
		t.Errorf("summary %+v", summary)
	}
	want := []owlatsync.Change{{Kind: owlatsync.SetField, Field: "firstName", From: "A", To: "Anna"}, {Kind: owlatsync.AddTopic, Topic: s.Topics[0].ID}}
	if diff := cmp.Diff(want, told["1"].Changes); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(told) != 3 || told["3"].Outcome != owlatsync.Created || told["4"].Outcome != owlatsync.Invalid {
		t.Errorf("told %+v", told)
	}
	failure := errors.New("no room")
	if _, err := e.Plan(t.Context(), s, reconcile.PlanOptions{Each: func(reconcile.Decision) error { return failure }}); !errors.Is(err, failure) {
		t.Errorf("error %v", err)
	}
}

func TestALedgerServesOneDeployment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(user("1", "a@example.com", "A"))
	client, err := owlat.NewClient("https://elsewhere.example", w.key, owlat.WithTransport(w.server.Transport()))
	if err != nil {
		t.Fatal(err)
	}
	s := w.sync
	s.Source = rows{}
	_, err = reconcile.New(client, w.ledger, reconcile.Options{}).Run(t.Context(), s, reconcile.RunOptions{})
	var other *ledger.DeploymentError
	if !errors.As(err, &other) || !strings.Contains(err.Error(), "https://owlat.example/base") {
		t.Errorf("error %v", err)
	}
}

func TestConfirmHoldsTheRunBeforeTheFirstWrite(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.sync.Guards = reconcile.Guards{}
	no := errors.New("no")
	_, err := w.try(t.Context(), runOptions{Confirm: func(s owlatsync.Summary) (bool, error) {
		if !s.FirstRun || s.Outcomes[owlatsync.Created] != 1 || s.Requests != 1 {
			t.Errorf("summary %+v", s)
		}
		return false, no
	}}, rows{list: []owlatsync.Row{user("1", "a@example.com", "A")}})
	if !errors.Is(err, no) {
		t.Errorf("error %v", err)
	}
	w.sent(nil)
}

// 300 people, each a contact and a topic member, at the real limits: no request is refused, and none waits too long.
func TestRealLimitsArePacedWithoutARefusal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, reconcile.Topic{ID: "all"})
		defer w.ledger.Close()
		w.server.NoLimit = false
		w.options = nil
		if err := w.server.InjectFaults(owlattest.Fault{Kind: owlattest.Latency, Delay: 80 * time.Millisecond}); err != nil {
			t.Fatal(err)
		}
		var list []owlatsync.Row
		for i := range 300 {
			list = append(list, user(fmt.Sprint(i), fmt.Sprintf("p%d@example.com", i), "P", true))
		}
		start := time.Now()
		report := w.run(list...)
		took := time.Since(start)
		expect(t, report, "created 300")
		if report.Memberships.Added != 300 || report.Requests.Total != 601 || report.Requests.RateLimited != 0 {
			t.Errorf("report %+v", report)
		}
		if took < 59*time.Second || took > 60*time.Second {
			t.Errorf("601 requests at 10 a second with a burst of 10 took %v", took)
		}
	})
}
