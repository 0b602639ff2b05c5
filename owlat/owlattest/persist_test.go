package owlattest_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
)

func TestSaveAndLoad(t *testing.T) {
	t.Parallel()
	r := newRig()
	open, doi, gone := r.s.AddTopic("Open", false), r.s.AddTopic("Double", true), r.s.AddTopic("Gone", false)
	r.s.AddTemplate("welcome", true, "en", "de")
	r.s.BlockAddress("blocked@example.com")
	_, err := r.s.AddWebhook("http://127.0.0.1:1/", "whsec_x", owlattest.WebhookEmailComplained)
	must(t, err)
	ada := r.made(t, `{"email":"ada@example.com","firstName":"Ada"}`)
	drifted := r.made(t, `{"email":"old@example.com"}`)
	twin := r.made(t, `{"email":"twin@example.com"}`)
	deleted := r.made(t, `{"email":"deleted@example.com"}`)
	erased := r.made(t, `{"email":"erased@example.com"}`)
	for _, topic := range []string{doi, open, gone} {
		r.want(t, "POST", "/topics/"+topic+"/contacts", `{"email":"ada@example.com"}`, 201, "")
		r.want(t, "POST", "/topics/"+topic+"/contacts", `{"email":"erased@example.com"}`, 201, "")
	}
	r.want(t, "PUT", "/contacts/"+drifted, `{"email":"new@example.com","lastName":""}`, 200, "")
	r.want(t, "POST", "/contacts", `{"email":"new@example.com"}`, 201, "")
	r.want(t, "DELETE", "/contacts/"+deleted, "", 200, "")
	must(t, r.s.SoftDelete("erased@example.com"))
	must(t, r.s.ConfirmDoubleOptIn("ada@example.com"))
	must(t, r.s.Unsubscribe("twin@example.com", ""))
	must(t, r.s.DeleteTopic("Gone"))

	var file bytes.Buffer
	must(t, r.s.Save(&file))
	text := file.String()
	back := &owlattest.Server{NoLimit: true}
	before := back.Revision()
	must(t, back.Load(&file))
	if back.Revision() == before {
		t.Error("the revision did not grow")
	}
	if diff := cmp.Diff(r.s.Contacts(), back.Contacts()); diff != "" {
		t.Errorf("contacts (-saved +loaded):\n%s", diff)
	}
	if diff := cmp.Diff(r.s.History(""), back.History("")); diff != "" {
		t.Errorf("history (-saved +loaded):\n%s", diff)
	}
	var again bytes.Buffer
	must(t, back.Save(&again))
	if again.String() != text {
		t.Errorf("saved again:\n%s\nfirst:\n%s", again.String(), text)
	}

	// Both go on alike: what is taken, deleted, drifted and unknown is so after the restart too.
	loaded := &rig{back, r.key, &http.Client{Transport: back.Transport()}, r.base, false}
	for _, x := range []*rig{r, loaded} {
		x.want(t, "GET", "/contacts?limit=2", "", 200, `"totalItems":4`)
		x.want(t, "GET", "/contacts/new@example.com", "", 200, drifted)
		x.want(t, "GET", "/contacts/"+deleted, "", 404, "")
		x.want(t, "GET", "/contacts/"+erased, "", 404, "")
		x.want(t, "POST", "/contacts", `{"email":"old@example.com"}`, 409, "")
		x.want(t, "POST", "/contacts", `{"email":"erased@example.com"}`, 201, "")
		x.want(t, "POST", "/topics/"+gone+"/contacts", `{"contactId":"`+ada+`"}`, 404, "Topic not found")
		x.want(t, "POST", "/topics/"+doi+"/contacts", `{"contactId":"`+ada+`"}`, 201, "confirmed")
		x.want(t, "DELETE", "/topics/"+open+"/contacts/"+ada, "", 200, `"removed":true`)
		x.want(t, "POST", "/topics/"+open+"/contacts", `{"contactId":"`+twin+`"}`, 201, "")
		x.want(t, "POST", "/transactional", `{"email":"blocked@example.com","slug":"welcome"}`, 422, "")
	}
	if a, b := r.s.Contacts(), back.Contacts(); a[len(a)-1].ID != b[len(b)-1].ID {
		t.Error("the ids did not go on as they would have")
	}
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":               "EOF",
		"{":              "unexpected EOF",
		"[]":             "cannot unmarshal",
		`{}`:             "version 0",
		`{"version":99}`: "version 99",
		`{"version":1,"seq":1,"contacts":[{"id":"a","seq":2}]}`:                      "out of order",
		`{"version":1,"seq":2,"contacts":[{"id":"a","seq":1},{"id":"b","seq":1}]}`:   "out of order",
		`{"version":1,"seq":1,"contacts":[{"id":"a","seq":1,"topics":["nowhere"]}]}`: "topic that does not exist",
	} {
		var s owlattest.Server
		_, err := s.Seed(1, "")
		must(t, err)
		if err := s.Load(strings.NewReader(in)); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "load the sandbox") {
			t.Errorf("%s: error %v, want one about %q", in, err, want)
		}
		if s.Len() != 1 {
			t.Errorf("%s: a refused file changed something", in)
		}
	}
}

func TestRevisionFollowsChanges(t *testing.T) {
	t.Parallel()
	r := newRig()
	topic := r.s.AddTopic("Open", false)
	grows := func(name string, want bool, run func()) {
		t.Helper()
		before := r.s.Revision()
		if run(); (r.s.Revision() > before) != want {
			t.Errorf("%s: revision went from %d to %d", name, before, r.s.Revision())
		}
	}
	grows("create", true, func() { r.made(t, `{"email":"ada@example.com"}`) })
	grows("read", false, func() { r.want(t, "GET", "/contacts/ada@example.com", "", 200, "") })
	grows("list", false, func() { r.s.Contacts() })
	grows("add", true, func() { r.want(t, "POST", "/topics/"+topic+"/contacts", `{"email":"ada@example.com"}`, 201, "") })
	grows("unsubscribe", true, func() { must(t, r.s.Unsubscribe("ada@example.com", "")) })
	grows("erase", true, func() { must(t, r.s.SoftDelete("ada@example.com")) })
	grows("key", true, func() { r.s.AddKey() })
	grows("topic", true, func() { r.s.AddTopic("Another", true) })
	grows("template", true, func() { r.s.AddTemplate("welcome", true) })
	grows("webhook", true, func() { _, err := r.s.AddWebhook("http://127.0.0.1:9/", "whsec_x"); must(t, err) })
	grows("block an address", true, func() { r.s.BlockAddress("bo@example.com") })
	grows("domain", true, func() { r.s.SetDomainVerified(false) })
	grows("seed", true, func() { _, err := r.s.Seed(2, "p"); must(t, err) })
	grows("contact", true, func() { _, err := r.s.AddContact(owlattest.ContactState{Email: "cy@example.com"}); must(t, err) })
	grows("edit", true, func() {
		must(t, r.s.EditContact("cy@example.com", owlat.UpdateContactRequest{LastName: new("Example")}))
	})
	grows("merge", true, func() { must(t, r.s.Merge("cy@example.com", "p1@seed.example")) })
	grows("member", true, func() { r.want(t, "POST", "/topics/"+topic+"/contacts", `{"email":"cy@example.com"}`, 201, "") })
	grows("remove a member", true, func() { must(t, r.s.RemoveMember("cy@example.com", topic)) })
	grows("delete a topic", true, func() { must(t, r.s.DeleteTopic(topic)) })
	grows("setup", true, func() { _, err := r.s.Setup(owlattest.Given{}); must(t, err) })
}
