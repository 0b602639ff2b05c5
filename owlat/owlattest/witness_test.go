package owlattest_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
)

// TestWhatMovesUpdatedAt is the table of acts by which a client can tell from UpdatedAt that nobody has left since.
func TestWhatMovesUpdatedAt(t *testing.T) {
	t.Parallel()
	const ada = "ada@example.com"
	api := func(method, path, body string, status int) func(*testing.T, *rig, map[string]string) {
		return func(t *testing.T, r *rig, topics map[string]string) {
			for name, id := range topics {
				if path == name {
					path = "/topics/" + id + "/contacts"
				} else if path == name+"/ada" {
					path = "/topics/" + id + "/contacts/" + ada
				}
			}
			r.want(t, method, path, body, status, "")
		}
	}
	direct := func(act func(*owlattest.Server) error) func(*testing.T, *rig, map[string]string) {
		return func(t *testing.T, r *rig, _ map[string]string) {
			t.Helper()
			must(t, act(r.s))
		}
	}
	add := func(topic string) func(*testing.T, *rig, map[string]string) {
		return api(http.MethodPost, topic, `{"email":"`+ada+`"}`, 201)
	}
	type act = func(*testing.T, *rig, map[string]string)
	for _, c := range []struct {
		name  string
		given []act // before
		act   act
		moves bool
	}{
		{"an add to a topic", nil, add("open"), false},
		{"an add of a member", []act{add("open")}, add("open"), false},
		{"an add that lifts an opt-out", []act{direct(func(s *owlattest.Server) error { return s.Unsubscribe(ada, "") })}, add("open"), false},
		{"an add that makes pending", nil, add("doi"), true},
		{"an add of somebody who is pending already", []act{add("doi")}, add("doi2"), false},
		{"an add of somebody pending to a topic without opt-in", []act{add("doi")}, add("open"), false},
		{"an add of somebody who has confirmed", []act{add("doi"), direct(func(s *owlattest.Server) error { return s.ConfirmDoubleOptIn(ada) })}, add("doi2"), false},
		{"a confirmation", []act{add("doi")}, direct(func(s *owlattest.Server) error { return s.ConfirmDoubleOptIn(ada) }), true},
		{"a confirmation of nothing", nil, direct(func(s *owlattest.Server) error { return s.ConfirmDoubleOptIn(ada) }), false},
		{"a removal by the API", []act{add("open")}, api(http.MethodDelete, "open/ada", "", 200), true},
		{"a removal by the API of nobody", nil, api(http.MethodDelete, "open/ada", "", 200), false},
		{"a removal in the dashboard", []act{add("open")}, direct(func(s *owlattest.Server) error { return s.RemoveMember(ada, "open") }), true},
		{"a removal in the dashboard of nobody", nil, direct(func(s *owlattest.Server) error { return s.RemoveMember(ada, "open") }), false},
		{"the link of a mail", []act{add("open")}, direct(func(s *owlattest.Server) error { return s.Unsubscribe(ada, "open") }), true},
		{"the link of a mail to nobody", nil, direct(func(s *owlattest.Server) error { return s.Unsubscribe(ada, "open") }), false},
		{"an opt-out of everything", []act{add("open")}, direct(func(s *owlattest.Server) error { return s.Unsubscribe(ada, "") }), true},
		{"an opt-out while on no topic", nil, direct(func(s *owlattest.Server) error { return s.Unsubscribe(ada, "") }), false},
		{"an update that changes nothing", nil, api(http.MethodPut, "/contacts/"+ada, `{}`, 200), true},
		{"an update of a name", nil, api(http.MethodPut, "/contacts/"+ada, `{"firstName":"Ada"}`, 200), true},
		{"an update that is refused", nil, api(http.MethodPut, "/contacts/"+ada, `{"firstName":1}`, 400), false},
		{"an edit in the dashboard", nil, direct(func(s *owlattest.Server) error {
			return s.EditContact(ada, owlat.UpdateContactRequest{LastName: new("Lovelace")})
		}), true},
		{"a merge with another contact", nil, direct(func(s *owlattest.Server) error { return s.Merge(ada, "other@example.com") }), false},
		{"reading", nil, api(http.MethodGet, "/contacts/"+ada, "", 200), false},
		{"an event", nil, api(http.MethodPost, "/events", `{"email":"`+ada+`","eventName":"x"}`, 201), false},
		{"a refused create", nil, api(http.MethodPost, "/contacts", `{"email":"`+ada+`"}`, 409), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig()
				topics := map[string]string{"open": r.s.AddTopic("open", false), "doi": r.s.AddTopic("doi", true), "doi2": r.s.AddTopic("doi2", true)}
				id := r.made(t, `{"email":"`+ada+`"}`)
				r.made(t, `{"email":"other@example.com"}`)
				for _, given := range c.given {
					time.Sleep(time.Second)
					given(t, r, topics)
				}
				before, _ := r.s.Contact(id)
				time.Sleep(time.Second)
				c.act(t, r, topics)
				after, _ := r.s.Contact(id)
				if moved := !after.UpdatedAt.Equal(before.UpdatedAt); moved != c.moves {
					t.Errorf("updatedAt moved: %v, want %v", moved, c.moves)
				}
				if c.moves && !after.UpdatedAt.Equal(time.Now()) {
					t.Errorf("updatedAt is %v, want now", after.UpdatedAt)
				}
				// The API shows the same.
				r.want(t, http.MethodGet, "/contacts/"+id, "", 200, fmt.Sprintf(`"updatedAt":%q`, after.UpdatedAt.UTC().Format("2006-01-02T15:04:05.000Z")))
			})
		})
	}
}

// Somebody pending who opts out of everything is not brought back by adds, and gets no second mail.
func TestPendingAndOptedOutIsADeadEndForTheAPI(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		topic := r.s.AddTopic("doi", true)
		id := r.made(t, `{"email":"ada@example.com"}`)
		add := func() ([]string, bool, string, time.Time) {
			t.Helper()
			r.want(t, http.MethodPost, "/topics/"+topic+"/contacts", `{"contactId":"`+id+`"}`, 201, `"doiStatus":"pending"`)
			c, _ := r.s.Contact(id)
			return c.Topics, c.Unsubscribed, c.DOIStatus, c.UpdatedAt
		}
		add()
		must(t, r.s.Unsubscribe(id, ""))
		left, _ := r.s.Contact(id)
		time.Sleep(time.Hour)
		topics, out, status, updated := add()
		if !slices.Equal(topics, []string{topic}) || !out || status != "pending" || !updated.Equal(left.UpdatedAt) {
			t.Errorf("after the second add: topics %v, opted out %v, %s, updated %v", topics, out, status, updated)
		}
		must(t, r.s.ConfirmDoubleOptIn(id))
		if c, _ := r.s.Contact(id); c.Unsubscribed || c.DOIStatus != "confirmed" {
			t.Errorf("after the confirmation: %+v", c)
		}
	})
}

func TestMergeInTheDashboard(t *testing.T) {
	t.Parallel()
	r := newRig()
	one, two := r.s.AddTopic("one", false), r.s.AddTopic("two", false)
	winner, loser := r.made(t, `{"email":"ada@example.com"}`), r.made(t, `{"email":"lovelace@example.com"}`)
	for _, m := range [][2]string{{one, winner}, {one, loser}, {two, loser}} {
		r.want(t, http.MethodPost, "/topics/"+m[0]+"/contacts", `{"contactId":"`+m[1]+`"}`, 201, "")
	}
	must(t, r.s.Merge("ada@example.com", loser))
	if c, ok := r.s.Contact(winner); !ok || !slices.Equal(c.Topics, []string{one, two}) || c.Email != "ada@example.com" {
		t.Errorf("the winner is %+v", c)
	}
	for _, path := range []string{"/contacts/" + loser, "/contacts/lovelace@example.com", "/topics/" + one + "/contacts/" + loser} {
		method := http.MethodGet
		if path[1] == 't' {
			method = http.MethodDelete
		}
		r.want(t, method, path, "", 404, "not_found")
	}
	r.want(t, http.MethodPost, "/topics/"+one+"/contacts", `{"contactId":"`+loser+`"}`, 404, "not_found")
	r.want(t, http.MethodPost, "/contacts", `{"email":"lovelace@example.com"}`, 201, "lovelace@example.com")
	last := r.s.History(loser)
	if e := last[len(last)-1]; e.Action != owlattest.Merged || e.By != owlattest.ByDashboard {
		t.Errorf("the loser's history ends with %+v", e)
	}
	for _, bad := range [][2]string{{"ghost@example.com", winner}, {winner, loser}, {winner, "ada@example.com"}} {
		if err := r.s.Merge(bad[0], bad[1]); err == nil {
			t.Errorf("merged %v", bad)
		}
	}
}

func TestEditInTheDashboardDrifts(t *testing.T) {
	t.Parallel()
	r := newRig()
	id := r.made(t, `{"email":"old@example.com","firstName":"Ada"}`)
	r.made(t, `{"email":"other@example.com"}`)
	must(t, r.s.EditContact(id, owlat.UpdateContactRequest{Email: new("New@example.com")}))
	r.want(t, http.MethodGet, "/contacts/new@example.com", "", 200, id)
	r.want(t, http.MethodGet, "/contacts/new@example.com", "", 200, `"firstName":"Ada"`)
	r.want(t, http.MethodGet, "/contacts/old@example.com", "", 404, "")
	r.want(t, http.MethodPost, "/contacts", `{"email":"old@example.com"}`, 409, "already_exists")
	for name, to := range map[string]owlat.UpdateContactRequest{"taken": {Email: new("other@example.com")}, "none": {Email: new("x")}} {
		if err := r.s.EditContact(id, to); err == nil {
			t.Errorf("edited to an address that is %s", name)
		}
	}
	if err := r.s.EditContact("ghost@example.com", owlat.UpdateContactRequest{}); err == nil {
		t.Error("edited nobody")
	}
}

func TestOnlyAFormTellsWebhooksOfItsContact(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var server owlattest.Server
		defer func() { _ = server.Close() }()
		server.WebhookClient = &http.Client{Transport: sink(http.StatusNoContent)}
		_, err := server.AddWebhook("https://hook.example/", "whsec_x", owlattest.WebhookContactCreated)
		must(t, err)
		for _, source := range []string{"import", "", "form"} {
			_, err := server.AddContact(owlattest.ContactState{Email: "a" + source + "@example.com", Source: source})
			must(t, err)
		}
		must(t, server.WaitWebhooks(t.Context()))
		if d := server.Deliveries(); len(d) != 1 {
			t.Errorf("%d deliveries, want that of the form: %+v", len(d), d)
		}
	})
}

// sink answers every delivery with the status.
type sink int

func (status sink) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: int(status), Header: http.Header{}, Body: http.NoBody, Request: r}, nil
}
