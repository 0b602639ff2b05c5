package reconcile_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
)

func TestAnAddressChangeRenamesTheContact(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(user("1", "ada@example.com", "Ada"))
	id := w.contact("ada@example.com").ID
	before := w.requests()
	expect(t, w.run(user("1", "lovelace@example.com", "Augusta")), "renamed 1")
	w.sent(before, "PUT /contacts/{contact} 1")
	if c := w.contact("lovelace@example.com"); c.ID != id || c.FirstName != "Augusta" {
		t.Errorf("Owlat holds %+v", c)
	}
	before = w.requests()
	expect(t, w.run(user("1", "LOVELACE@example.com", "Augusta")), "unchanged 1")
	w.sent(before)
}

func TestRenamesFindTheirAddressesFree(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(user("1", "a@example.com", "A"), user("2", "b@example.com", "B"), user("3", "c@example.com", "C"))
	before := w.requests()
	expect(t, w.run(user("1", "b@example.com", "A"), user("2", "c@example.com", "B"), user("3", "d@example.com", "C")), "renamed 3")
	w.sent(before, "PUT /contacts/{contact} 3")
	for email, first := range map[string]string{"b@example.com": "A", "c@example.com": "B", "d@example.com": "C"} {
		if got := w.contact(email).FirstName; got != first {
			t.Errorf("%s is %s, want %s", email, got, first)
		}
	}
}

func TestRowsThatExchangeAddressesFailWithoutARequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconcile.Topic{ID: "news", When: true})
	w.run(user("1", "a@example.com", "A", true), user("2", "b@example.com", "B", true))
	before := w.requests()
	expect(t, w.run(user("1", "b@example.com", "A", true), user("2", "a@example.com", "B", false)), "failed 2")
	w.sent(before, "DELETE /topics/{topic}/contacts/{contact} 1") // a withdrawn consent does not wait
	for key, other := range map[string]string{"1": "key 2", "2": "key 1"} {
		if d := w.done(key); !strings.Contains(d.Reason, other) || d.Category != "exchange" {
			t.Errorf("category %q, reason %q", d.Category, d.Reason)
		}
	}
	failing := func() (keys []string) {
		for e, err := range w.ledger.All(t.Context(), "users") {
			if err != nil {
				t.Fatal(err)
			}
			for _, trouble := range reconcile.Troubles(e, "users", time.Now()) {
				keys = append(keys, trouble.Key+" "+string(trouble.Category))
			}
		}
		return keys
	}
	if diff := cmp.Diff([]string{"1 exchange", "2 exchange"}, failing()); diff != "" {
		t.Errorf("the ledger lists (-want +got):\n%s", diff)
	}
	// However long it lasts, it is looked at anew, and told once in the rows' history.
	for range 10 {
		expect(t, w.run(user("1", "b@example.com", "A", true), user("2", "a@example.com", "B", false)), "failed 2")
	}
	if history, err := w.ledger.History(t.Context(), "users", "1"); err != nil || len(history) != 3 { // created, topic, failed
		t.Errorf("history %+v, %v", history, err)
	}
	// The way out that the reason names.
	expect(t, w.run(user("1", "third@example.com", "A", true), user("2", "a@example.com", "B", false)), "renamed 2")
	expect(t, w.run(user("1", "b@example.com", "A", true), user("2", "a@example.com", "B", false)), "renamed 1, unchanged 1")
	if left := failing(); left != nil {
		t.Errorf("the ledger lists %q", left)
	}
	// Another is to think better of it.
	expect(t, w.run(user("1", "a@example.com", "A", true), user("2", "b@example.com", "B", false)), "failed 2")
	expect(t, w.run(user("1", "b@example.com", "A", true), user("2", "a@example.com", "B", false)), "unchanged 2")
	if left := failing(); left != nil {
		t.Errorf("the ledger lists %q", left)
	}
}

func TestANewAddressThatIsHeldFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(user("1", "a@example.com", "A"))
	w.call("POST", "/contacts", `{"email":"held@example.com"}`)
	expect(t, w.run(user("1", "held@example.com", "A")), "failed 1")
	if d := w.done("1"); d.Category != "taken" || !strings.Contains(d.Reason, "no row of the ledger") {
		t.Errorf("told %+v", d)
	}
	w.call("DELETE", "/contacts/held@example.com", "")
	expect(t, w.run(user("1", "held@example.com", "A")), "renamed 1")
}

func TestAnOldAddressTakenOverNamesItsHolder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(user("1", "old@example.com", "A"))
	w.run(user("1", "new@example.com", "A"))
	id := w.contact("new@example.com").ID
	expect(t, w.run(user("1", "new@example.com", "A"), user("2", "old@example.com", "B")), "unchanged 1, failed 1")
	d := w.done("2")
	if d.Category != "drift" || !strings.Contains(d.Reason, "key 1 ") || !strings.Contains(d.Reason, id) {
		t.Errorf("told %+v", d)
	}
	w.call("DELETE", "/contacts/"+id, "")
	expect(t, w.run(user("1", "new@example.com", "A"), user("2", "old@example.com", "B")), "created 1, unchanged 1")
}

func TestARekeyedRowKeepsItsContact(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconcile.Topic{ID: "all"})
	w.run(user("1", "a@example.com", "A", true), user("2", "b@example.com", "B", true))
	before := w.requests()
	expect(t, w.run(user("uuid-1", "a@example.com", "A", true), user("uuid-2", "b@example.com", "New", true)), "adopted 2")
	w.sent(before, "PUT /contacts/{contact} 1")
	before = w.requests()
	expect(t, w.run(user("uuid-1", "a@example.com", "A", true), user("uuid-2", "b@example.com", "New", true)), "unchanged 2")
	w.sent(before)
	if standing, err := w.ledger.Standing(t.Context(), "users"); err != nil || standing.Entries != 2 {
		t.Errorf("standing %+v, %v: the old keys are still there", standing, err)
	}
}

func TestTheHolderOfAContactWinsOverANewRow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(user("5", "a@example.com", "A"))
	before := w.requests()
	expect(t, w.run(user("1", "a@example.com", "Impostor"), user("5", "a@example.com", "A")), "unchanged 1, duplicate 1")
	expect(t, w.run(user("1", "a@example.com", "Impostor"), user("5", "a@example.com", "Changed")), "updated 1, duplicate 1")
	w.sent(before, "PUT /contacts/{contact} 1")
	if c := w.contact("a@example.com"); c.FirstName != "Changed" {
		t.Errorf("Owlat holds %+v", c)
	}
}

func TestAContactDeletedInOwlatIsLeftAlone(t *testing.T) {
	t.Parallel()
	for name, remove := range map[string]func(*world){
		"erased in the dashboard": func(w *world) {
			if err := w.server.SoftDelete("a@example.com"); err != nil {
				w.t.Fatal(err)
			}
		},
		"deleted by the API": func(w *world) { w.call("DELETE", "/contacts/a@example.com", "") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, reconcile.Topic{ID: "news", When: true})
			w.run(user("1", "a@example.com", "A", false))
			remove(w)
			before := w.requests()
			expect(t, w.run(user("1", "a@example.com", "Changed", false)), "skipped 1")
			w.sent(before, "GET /contacts/{contact} 1", "PUT /contacts/{contact} 1") // nobody has the address
			before = w.requests()
			expect(t, w.run(user("1", "a@example.com", "Again", true)), "skipped 1")
			w.sent(before)
		})
		t.Run(name+", found by a topic add", func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, reconcile.Topic{ID: "news", When: true})
			w.run(user("1", "a@example.com", "A", false))
			remove(w)
			expect(t, w.run(user("1", "a@example.com", "A", true)), "skipped 1")
			if w.server.Len() != 0 {
				t.Error("the contact was made again")
			}
		})
	}
}

func TestAMissingTopicIsNamedAndAskedForOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconcile.Topic{ID: "all"})
	w.workers = 1
	if err := w.server.DeleteTopic(w.sync.Topics[0].ID); err != nil {
		t.Fatal(err)
	}
	list := []owlatsync.Row{user("1", "a@example.com", "A", true), user("2", "b@example.com", "B", true), user("3", "c@example.com", "C", true)}
	expect(t, w.run(list...), "failed 3")
	w.sent(nil, "GET /contacts/{contact} 1", "POST /contacts 3", "POST /topics/{topic}/contacts 1")
	if d := w.done("2"); d.Category != "topic" || !strings.Contains(d.Reason, w.sync.Topics[0].ID) {
		t.Errorf("told %+v", d)
	}
}

// Whoever leaves is not put back, however the source and the configuration move, until the source's consent is news.
func TestAnOptOutIsNotUndone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconcile.Topic{ID: "news", When: true})
	news := w.sync.Topics[0].ID
	onTopic := func(want bool, when string) {
		t.Helper()
		if got := len(w.contact("a@example.com").Topics) == 1; got != want {
			t.Errorf("%s: on the topic is %v, want %v", when, got, want)
		}
	}
	w.run(user("1", "a@example.com", "A", true))
	onTopic(true, "created with consent")
	if err := w.server.Unsubscribe("a@example.com", ""); err != nil {
		t.Fatal(err)
	}
	w.run(user("1", "a@example.com", "Changed", true))
	onTopic(false, "the row changed")
	w.loseLedger()
	w.run(user("1", "a@example.com", "Changed", true))
	onTopic(false, "the ledger was lost")
	w.sync.Topics = append(w.sync.Topics, reconcile.Topic{ID: w.server.AddTopic("later", false)})
	w.run(user("1", "a@example.com", "Changed", true, true))
	onTopic(false, "a topic was added to the configuration")
	w.sync.Topics = w.sync.Topics[:1]
	w.run(user("1", "a@example.com", "Changed", false))
	w.run(user("1", "a@example.com", "Changed", true))
	onTopic(true, "the source's consent went from no to yes")
	if !w.contact("a@example.com").Unsubscribed {
		for _, e := range w.server.History("a@example.com") {
			if e.Action == owlattest.Added && e.TopicID == news && e.By != owlattest.ByAPI {
				t.Errorf("history %+v", e)
			}
		}
	}
}

func TestAWithdrawnConsentIsSentFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconcile.Topic{ID: "news", When: true})
	w.workers = 1
	w.run(user("1", "a@example.com", "A", true), user("2", "b@example.com", "B", true), user("3", "c@example.com", "C", true))
	var order []string
	w.server.OnRequest = func(r owlattest.Request) { order = append(order, r.Method+" "+r.Route) }
	report := w.run(user("0", "new@example.com", "N", true), user("1", "a@example.com", "Changed", true), user("2", "b2@example.com", "B", false), user("3", "c@example.com", "C", false))
	expect(t, report, "created 1, updated 2, renamed 1")
	if report.Memberships.Removed != 2 || report.Memberships.Added != 1 {
		t.Errorf("memberships %+v", report.Memberships)
	}
	remove, put, create, add := "DELETE /topics/{topic}/contacts/{contact}", "PUT /contacts/{contact}", "POST /contacts", "POST /topics/{topic}/contacts"
	if got, want := strings.Join(order, ", "), strings.Join([]string{remove, remove, put, put, create, add}, ", "); got != want {
		t.Errorf("sent %s, want %s", got, want)
	}
	expect(t, w.run(user("0", "new@example.com", "N", true), user("1", "a@example.com", "Changed", true), user("2", "b2@example.com", "B", false), user("3", "c@example.com", "C", false)), "unchanged 4")
}

// An add whose answer was lost is not sent again by a later run: the person may have opted out since.
func TestAnUnknownAddIsReportedAndNotRepeated(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, reconcile.Topic{ID: "all"})
		defer w.ledger.Close()
		if err := w.server.InjectFaults(owlattest.Fault{Kind: owlattest.ResetAfter, Route: owlattest.RouteTopicContacts}); err != nil {
			t.Fatal(err)
		}
		expect(t, w.run(user("1", "a@example.com", "A", true)), "failed 1")
		w.server.ClearFaults()
		if err := w.server.Unsubscribe("a@example.com", "all"); err != nil {
			t.Fatal(err)
		}
		before := w.requests()
		expect(t, w.run(user("1", "a@example.com", "A", true)), "failed 1")
		if d := w.done("1"); d.Category != "unsure" || !strings.Contains(d.Reason, w.sync.Topics[0].ID) {
			t.Errorf("told %+v", d)
		}
		expect(t, w.run(user("1", "a@example.com", "A", true)), "unchanged 1")
		w.sent(before, "GET /contacts/{contact} 1")
		if len(w.contact("a@example.com").Topics) != 0 {
			t.Error("an opt-out was undone")
		}
	})
}

// Aborting at every request of a run loses nothing and doubles nothing.
func TestARunAbortedAnywhereConverges(t *testing.T) {
	t.Parallel()
	list := []owlatsync.Row{user("1", "a@example.com", "A", true), user("2", "b@example.com", "B", false), user("3", "c@example.com", "C", true)}
	changed := []owlatsync.Row{user("1", "a2@example.com", "A", false), user("2", "b@example.com", "B2", true), user("3", "c@example.com", "C", true), user("4", "d@example.com", "D", true)}
	for _, stage := range []struct {
		name          string
		first, second []owlatsync.Row
		requests      int
	}{{"first run", nil, list, 5}, {"later run", list, changed, 6}} {
		for at := 1; at <= stage.requests; at++ {
			for _, effect := range []bool{false, true} {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, reconcile.Topic{ID: "all", When: true})
					defer w.ledger.Close()
					w.workers = 1
					if stage.first != nil {
						w.run(stage.first...)
					}
					ctx, abort := context.WithCancel(t.Context())
					defer abort()
					n := 0
					meet := func() {
						if n++; n == at {
							abort()
						}
					}
					if effect {
						w.server.OnAnswer = func(owlattest.Request, int) { meet() }
					} else {
						w.server.OnRequest = func(owlattest.Request) { meet() }
					}
					_, err := w.try(ctx, runOptions{}, rows{list: stage.second})
					if !errors.Is(err, context.Canceled) {
						t.Errorf("%s, request %d: error %v", stage.name, at, err)
					}
					w.server.OnRequest, w.server.OnAnswer = nil, nil
					w.run(stage.second...)
					unsure := w.failed() // an add of unknown outcome is reported, not repeated
					for key, category := range unsure {
						if category != "unsure" {
							t.Errorf("%s, request %d: row %s failed: %s", stage.name, at, key, category)
						}
					}
					before := w.requests()
					if report := w.run(stage.second...); report.Outcomes[owlatsync.Unchanged] != len(stage.second) {
						t.Errorf("%s, request %d: then %v", stage.name, at, report.Outcomes)
					}
					w.sent(before)
					if w.server.Len() != len(stage.second) {
						t.Errorf("%s, request %d: %d contacts", stage.name, at, w.server.Len())
					}
					added := make(map[string]int)
					for _, e := range w.server.History("") {
						if e.Action == owlattest.Added {
							added[e.ContactID+e.TopicID]++
						}
					}
					for _, row := range stage.second {
						c := w.contact(row.Email.Value)
						if c.FirstName != row.Fields[owlatsync.FirstName].Value || (len(c.Topics) == 1) != (row.Consents[0] == owlatsync.Yes) && unsure[row.Key] == "" {
							t.Errorf("%s, request %d: row %s is %+v", stage.name, at, row.Key, c)
						}
						if added[c.ID+w.sync.Topics[0].ID] > 1 {
							t.Errorf("%s, request %d: row %s was put on the topic twice", stage.name, at, row.Key)
						}
					}
				})
			}
		}
	}
}

// A row with a new key keeps the contact that had its address last, not one of an earlier row that was deleted since.
func TestARekeyedRowKeepsTheLatestContactOfItsAddress(t *testing.T) {
	t.Parallel()
	for _, missing := range []reconcile.MissingPolicy{reconcile.MissingKeep, reconcile.MissingLeave} {
		for _, stays := range []string{"1", "2"} { // whichever of the two the ledger has first
			t.Run(string(missing)+stays, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, reconcile.Topic{ID: "news", When: true})
				w.sync.OnMissing, w.sync.OnRemoteDelete = missing, reconcile.RemoteDeleteRecreate
				addresses := map[string]string{"1": "b@example.com", "2": "b@example.com"}
				addresses[stays] = "a@example.com"
				expect(t, w.run(user("1", addresses["1"], "A", true), user("2", addresses["2"], "A", true)), "created 2")
				id := w.contact("a@example.com").ID
				w.call("DELETE", "/contacts/"+w.contact("b@example.com").ID, "")
				w.run(user(stays, "b@example.com", "A", true))
				before := w.requests()
				expect(t, w.run(user("3", "b@example.com", "C", true)), "adopted 1")
				w.sent(before, "PUT /contacts/{contact} 1")
				if c := w.contact("b@example.com"); c.ID != id || c.FirstName != "C" || len(c.Topics) != 1 {
					t.Errorf("the contact is %+v, want %s", c, id)
				}
			})
		}
	}
}

// TestTheNoOfAnotherRowMakesNoYesNews has a contact get, in Owlat, the address of a row whose creation failed, and its own row
// a new key: the other row takes the contact over, and its consent is as old as it was.
func TestTheNoOfAnotherRowMakesNoYesNews(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, reconcile.Topic{ID: "news", When: true})
		defer w.ledger.Close()
		w.run(user("1", "a@example.com", "A", false))
		if err := w.server.InjectFaults(owlattest.Fault{Kind: owlattest.StatusError, Status: 502, Method: "POST", Route: owlattest.RouteContacts}); err != nil {
			t.Fatal(err)
		}
		expect(t, w.run(user("1", "a@example.com", "A", false), user("2", "b@example.com", "B", true)), "unchanged 1, failed 1")
		w.server.ClearFaults()
		w.call("PUT", "/contacts/a@example.com", `{"email":"b@example.com"}`)
		report, err := w.try(t.Context(), runOptions{Full: true}, rows{list: []owlatsync.Row{
			user("3", "c@example.com", "C", false), user("2", "b@example.com", "B", true),
		}})
		if err != nil {
			t.Fatal(err)
		}
		expect(t, report, "created 1, adopted 1")
		if c := w.contact("b@example.com"); c.FirstName != "B" || len(c.Topics) != 0 || report.Memberships.Skipped != 1 {
			t.Errorf("the contact is %+v, %d memberships were left as they are", c, report.Memberships.Skipped)
		}
		// What the row itself takes back and says again is news.
		w.run(user("3", "c@example.com", "C", false), user("2", "b@example.com", "B", false))
		w.run(user("3", "c@example.com", "C", false), user("2", "b@example.com", "B", true))
		if c := w.contact("b@example.com"); len(c.Topics) != 1 {
			t.Errorf("the contact is on the topics %v", c.Topics)
		}
	})
}

// TestAContactThatAnotherSyncRenamedStaysItsRows has another sync change the address of a contact that this one has too.
func TestAContactThatAnotherSyncRenamedStaysItsRows(t *testing.T) {
	t.Parallel()
	start := func(t *testing.T) *world {
		w := newWorld(t, reconcile.Topic{ID: "news", When: true})
		users := w.sync
		w.run(user("1", "a@example.com", "A", true))
		w.sync.Name, w.sync.Topics = "orders", nil
		w.run(user("o", "a@example.com", "A"))
		expect(t, w.run(user("o", "b@example.com", "A")), "renamed 1")
		w.sync = users
		return w
	}
	t.Run("under a new key, which does not consent", func(t *testing.T) {
		t.Parallel()
		w := start(t)
		before := w.requests()
		expect(t, w.run(user("2", "b@example.com", "A", false)), "renamed 1")
		w.sent(before, "DELETE /topics/{topic}/contacts/{contact} 1", "PUT /contacts/{contact} 1")
		if c := w.contact("b@example.com"); len(c.Topics) != 0 || w.server.Len() != 1 {
			t.Errorf("the contact is %+v, one of %d", c, w.server.Len())
		}
		expect(t, w.run(user("2", "b@example.com", "A", false)), "unchanged 1")
	})
	t.Run("beside a row with the address", func(t *testing.T) {
		t.Parallel()
		w := start(t)
		expect(t, w.run(user("1", "a@example.com", "A", true), user("2", "b@example.com", "B", false)), "unchanged 1, duplicate 1")
		if c := w.contact("b@example.com"); c.FirstName != "A" || len(c.Topics) != 1 || w.server.Len() != 1 {
			t.Errorf("the contact is %+v, one of %d", c, w.server.Len())
		}
		if reason := w.done("2").Reason; !strings.Contains(reason, "key 1: another sync") {
			t.Errorf("the reason is %q", reason)
		}
	})
}

// TestAnExchangeIsNotSettledByALostEvent has the answer to an event lost that is due of a row whose address is exchanged: the
// row is no more in step for that.
func TestAnExchangeIsNotSettledByALostEvent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, reconcile.Topic{ID: "news", When: true})
		defer w.ledger.Close()
		w.sync.Events = []reconcile.EventRule{{Name: "joined", On: ledger.OnCreated}}
		fault := func(kind owlattest.FaultKind) {
			w.server.ClearFaults()
			if err := w.server.InjectFaults(owlattest.Fault{Kind: kind, Route: owlattest.RouteEvents}); err != nil {
				t.Fatal(err)
			}
		}
		fault(owlattest.RateLimited)
		expect(t, w.run(user("1", "a@example.com", "A", true), user("2", "b@example.com", "B", true)), "failed 2")
		exchanged := []owlatsync.Row{user("1", "b@example.com", "A", false), user("2", "a@example.com", "B", true)}
		fault(owlattest.ResetAfter)
		expect(t, w.run(exchanged...), "failed 2")
		if d := w.done("1"); d.Category != "event" {
			t.Errorf("told %+v", d)
		}
		if c := w.contact("a@example.com"); len(c.Topics) != 0 || c.FirstName != "A" {
			t.Errorf("the contact is %+v", c)
		}
		w.server.ClearFaults()
		for range 2 {
			expect(t, w.run(exchanged...), "failed 2")
			if d := w.done("1"); d.Category != "exchange" {
				t.Errorf("told %+v", d)
			}
		}
	})
}
