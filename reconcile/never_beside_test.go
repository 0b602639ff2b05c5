package reconcile_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
	"owlatsync/reconcile/bar"
)

// TestNeverMailOfAMergedContact opts out the contact that stays.
func TestNeverMailOfAMergedContact(t *testing.T) {
	t.Parallel()
	w := newNever(t, true, reconcile.Topic{ID: "news"})
	w.run(user("1", "a@example.com", "A", true))
	id, into := w.contact("a@example.com").ID, w.people("heir@example.com")
	if err := w.server.Merge(into, id); err != nil {
		t.Fatal(err)
	}
	if resp := w.call("PUT", "/contacts/"+into, `{"email":"a@example.com"}`); resp.StatusCode != 200 {
		t.Fatal(resp.Status)
	}
	report := w.run(neverMail(user("1", "a@example.com", "A", true)))
	w.wantOut(into)
	if report.Memberships.OptedOut != 1 {
		t.Errorf("%+v", report)
	}
	before := w.requests()
	w.run(neverMail(user("1", "a@example.com", "A", true)))
	w.sent(before)
}

// TestNeverMailAndAnHeir: another sync is about to put the contact on a topic into which that of a marked person was merged, before any run has met the merge. The address tells
// who that is: that of the mark, also after a rename, or what the preference page shows.
func TestNeverMailAndAnHeir(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		address string // of the marked row when it is merged
		first   string // of the other sync's contact before it is given that address
		lifted  bool   // the row has said no since
	}{
		"it has the address":                                {"a@example.com", "a@example.com", false},
		"the row was renamed":                               {"new@example.com", "new@example.com", false},
		"the row was renamed once its column had gone back": {"new@example.com", "new@example.com", true},
		"it got the address by the merge":                   {"a@example.com", "heir@example.com", false},
	} {
		w := newNever(t, true, reconcile.Topic{ID: "news", When: true})
		mine, other := w.sync, w.sync
		other.Name, other.Suppressed = "others", false
		w.run(user("1", "a@example.com", "A", true))
		marked := neverMail(user("1", "a@example.com", "A", true))
		w.run(marked)
		if test.lifted {
			marked.Suppressed = false
		}
		marked.Email = owlatsync.Some(test.address)
		w.run(marked)
		if found, err := w.ledger.Suppressions(t.Context(), []string{test.address}); err != nil || found[test.address].Reason != ledger.NeverMail {
			t.Errorf("%s: the address is not suppressed: %+v, %v", name, found, err)
		}
		old := w.contact(test.address).ID
		w.call("PUT", "/contacts/"+old, `{"email":"elsewhere@example.com"}`)
		heir := ""
		if test.first == test.address {
			heir = w.people("fresh@example.com") // Owlat refuses an address with which another contact was made
			w.call("PUT", "/contacts/"+heir, `{"email":"`+test.first+`"}`)
		} else {
			heir = w.people(test.first)
		}
		w.sync = other
		w.run(user("9", test.first, "A", false))
		if test.first != test.address {
			w.call("PUT", "/contacts/"+heir, `{"email":"`+test.address+`"}`)
		}
		if err := w.server.Merge(heir, old); err != nil {
			t.Fatal(err)
		}
		w.run(user("9", test.first, "A", true))
		if _, topics := w.optedOut(heir); topics > 0 {
			t.Errorf("%s: the heir was put on a topic", name)
		}
		w.sync = mine
		w.run(marked)
	}
}

// away answers opt-outs in place of the server, which counts what a run sends.
type away struct{}

func (away) RoundTrip(r *http.Request) (*http.Response, error) {
	answer := httptest.NewRecorder()
	answer.Header().Set("Content-Type", "application/json")
	_, _ = answer.WriteString(`{"ok":true,"data":{"message":"","listsRemoved":1}}`)
	resp := answer.Result()
	resp.Request = r
	return resp, nil
}

// TestOptOutBesideARun: a run that goes on puts nobody on a topic any more to whom a list says, meanwhile, that no mail may go.
func TestOptOutBesideARun(t *testing.T) {
	t.Parallel()
	w := newNever(t, true, reconcile.Topic{ID: "news", When: true})
	var list, all []owlatsync.Row
	for i := range 6 {
		list = append(list, user(fmt.Sprint(i), fmt.Sprintf("p%d@example.com", i), "P", false))
		all = append(all, user(fmt.Sprint(i), fmt.Sprintf("p%d@example.com", i), "P", true))
	}
	w.run(list...)
	w.workers = 1
	client, err := owlat.NewClient("https://owlat.example/base", w.key, append(slices.Clone(w.options), owlat.WithTransport(away{}), owlat.WithoutLimiter())...)
	if err != nil {
		t.Fatal(err)
	}
	bars := &bar.Bars{Ledger: w.ledger, Links: client}
	barred := false
	w.server.OnAnswer = func(r owlattest.Request, _ int) {
		if r.Route != owlattest.RouteTopicContacts || barred {
			return
		}
		barred = true
		for i := range 6 {
			contact := w.contact(fmt.Sprintf("p%d@example.com", i))
			if len(contact.Topics) > 0 {
				continue
			}
			if became, err := bars.Bar(t.Context(), client, contact.Email); err != nil || became != bar.Now {
				t.Errorf("%s, %v", became, err)
			}
		}
	}
	if _, err := w.try(t.Context(), runOptions{}, rows{list: all}); err != nil {
		t.Fatal(err)
	}
	on := 0
	for _, c := range w.server.Contacts() {
		on += len(c.Topics)
	}
	if !barred || on != 1 {
		t.Errorf("%d people are on the topic, want the first one alone", on)
	}
}
