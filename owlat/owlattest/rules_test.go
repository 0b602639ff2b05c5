package owlattest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync/owlat/owlattest"
)

// newRig returns a rig in process without a rate limit.
func newRig() *rig {
	s := &owlattest.Server{NoLimit: true}
	return &rig{s, s.AddKey(), &http.Client{Transport: s.Transport()}, "http://owlat.example", false}
}

// want sends one request and compares status and a part of the body.
func (r *rig) want(t *testing.T, method, path, body string, status int, part string) []byte {
	t.Helper()
	got, answer, err := r.do(t.Context(), method, path, body)
	if err != nil || got != status || !strings.Contains(string(answer), part) {
		t.Errorf("%s %s %.80s: %d %s %v, want %d %s", method, path, body, got, answer, err, status, part)
	}
	return answer
}

func (r *rig) made(t *testing.T, body string) string {
	t.Helper()
	var out struct{ Data struct{ ID string } }
	must(t, json.Unmarshal(r.want(t, http.MethodPost, "/contacts", body, http.StatusCreated, "id"), &out))
	return out.Data.ID
}

func TestOrderOfChecks(t *testing.T) {
	t.Parallel()
	r := newRig()
	id := r.made(t, `{"email":"ada@example.com"}`)
	topic, gone := r.s.AddTopic("News", false), r.s.AddTopic("Old", false)
	must(t, r.s.DeleteTopic(gone))
	long := strings.Repeat("l", 150) + "@" + strings.Repeat("d", 60) + ".example.com"
	name201 := strings.Repeat("n", 201)
	for _, c := range []struct {
		method, path, body string
		status             int
		part               string
	}{
		// A padded id works, a padded address does not; a blank segment is an empty one.
		{"GET", "/contacts/%20" + id + "%20", "", 200, id},
		{"GET", "/contacts/%20ada@example.com", "", 400, "Invalid contact ID or email format"},
		{"GET", "/contacts/%20", "", 400, "Contact ID or email is required"},
		{"HEAD", "/contacts/" + id, "", 200, ""},
		{"GET", "/contacts/x/../" + id, "", 200, id},
		{"GET", "/contacts/..", "", 404, "No HttpAction routed for /api/v1/"},
		// create: JSON, email, first name, last name, length, taken.
		{"POST", "/contacts", `{"email":"x","firstName":1}`, 400, "Invalid email format"},
		{"POST", "/contacts", `{"email":"ada@example.com","firstName":"` + name201 + `","lastName":1}`, 400, "firstName must be at most 200"},
		{"POST", "/contacts", `{"email":"ada@example.com","lastName":1}`, 400, "lastName must be a string"},
		{"POST", "/contacts", `{"email":"` + long + `","lastName":1}`, 400, "lastName must be a string"},
		{"POST", "/contacts", `{"email":"` + long + `"}`, 400, "Email must be at most 200"},
		{"POST", "/contacts", `{"email":0}`, 400, "Email is required"},
		{"POST", "/contacts", `{"email":"a@example.com","email":"b@example.com"}`, 201, "b@example.com"},
		{"POST", "/contacts", `{"email":"c\ud800@example.com"}`, 400, "Invalid email format"},
		{"POST", "/contacts", `{"email":"c@example.com","firstName":"\ud800"}`, 400, "invalid_input"},
		{"POST", "/contacts", `{"email":"İx@example.com"}`, 201, "i̇x@example.com"},
		{"POST", "/contacts", `{"email":"blank@example.com","firstName":"\u00a0\ufeff x \u2003"}`, 201, `"firstName":"x"`},
		// update: segment, JSON, fields, contact.
		{"PUT", "/contacts/nobody@example.com", `{"email":"x"}`, 400, "Invalid email format"},
		{"PUT", "/contacts/nobody@example.com", `{"lastName":1}`, 400, "lastName must be a string"},
		{"PUT", "/contacts/abc", `{`, 400, "Invalid JSON"},
		{"PUT", "/contacts/abc", `null`, 500, "internal"},
		{"PUT", "/contacts/abc", `{}`, 400, "Invalid contact ID or email format"},
		{"PUT", "/contacts/", `{`, 400, "Contact ID or email is required"},
		{"PUT", "/contacts/" + id, `{"email":"` + long + `"}`, 200, long},
		{"PUT", "/contacts/" + id, `{"email":"ada@example.com"}`, 200, "ada@example.com"},
		// topic add: topic id form, JSON, what is given, forms, topic, contact.
		{"POST", "/topics/bad/contacts", `{`, 400, "Invalid topic ID format"},
		{"POST", "/topics/%zz/contacts", `{`, 400, "Invalid topic ID format"},
		{"POST", "/topics/", `{`, 400, "Invalid topic ID format"},
		{"POST", "/topics//contacts", `{`, 400, "Invalid topic ID format"},
		{"POST", "/topics/" + gone + "/contacts", `{"email":"x"}`, 400, "Invalid email format"},
		{"POST", "/topics/" + gone + "/contacts", `{"email":["ada@example.com"]}`, 404, "Topic not found"},
		{"POST", "/topics/" + topic + "/contacts", `{"email":["ada@example.com"]}`, 500, "internal"},
		{"POST", "/topics/" + topic + "/contacts", `{"contactId":1234567890}`, 500, "internal"},
		{"POST", "/topics/" + topic + "/contacts", `{"contactId":123456789}`, 400, "Invalid contactId format"},
		{"POST", "/topics/" + topic + "/contacts", `{"contactId":1e21}`, 400, "Invalid contactId format"},
		{"POST", "/topics/" + topic + "/contacts", `{"contactId":["` + id + `"]}`, 500, "internal"},
		{"POST", "/topics/" + topic + "/contacts", `{"contactId":{}}`, 400, "Invalid contactId format"},
		{"POST", "/topics/" + topic + "/contacts", `{"contactId":0,"email":"ADA@example.com"}`, 201, id},
		{"POST", "/topics/" + topic + "/contacts", `{"contactId":"` + id + `","email":"x"}`, 400, "Invalid email format"},
		{"POST", "/topics/" + topic + "/contacts", `{"contactId":"` + id + `","email":false}`, 500, "internal"},
		{"POST", "/topics/" + topic + "/contacts", `{"contactId":"` + id + `","email":0}`, 500, "internal"},
		{"POST", "/topics/" + topic + "/contacts", `{"contactId":"` + id + `","email":-0.0}`, 500, "internal"},
		{"POST", "/topics/" + topic + "/contacts", `{"contactId":"` + id + `","email":""}`, 201, id},
		{"POST", "/topics/" + topic + "/contacts", `{"contactId":"` + id + `","email":["ada@example.com"]}`, 500, "internal"},
		{"POST", "/topics/" + gone + "/contacts", `{"contactId":"` + id + `","email":false}`, 404, "Topic not found"},
		{"POST", "/topics/" + topic + "/contacts", `{"email":false}`, 400, "Either email or contactId is required"},
		{"POST", "/topics/" + topic + "/contacts", `{"contactId":"` + id + `","email":"ghost@example.com"}`, 201, id},
		// topic remove: topic id form, segment, topic, contact.
		{"DELETE", "/topics/" + gone + "/contacts/abc", "", 404, "Topic not found"},
		{"DELETE", "/topics//contacts/" + id, "", 400, "Invalid topic ID format"},
		{"DELETE", "/topics//contacts/", "", 400, "Contact ID or email is required"},
		{"DELETE", "/topics//contacts", "", 400, "Contact ID or email is required"},
		{"DELETE", "/topics/", "", 400, "Contact ID or email is required"},
		{"DELETE", "/topics/" + gone + "/contacts/%zz", "", 400, "Invalid contact ID or email format"},
		{"DELETE", "/topics/" + topic + "/contacts/" + id + "/more", "", 200, `"removed":true`},
		// events: email, name, properties, flag, contact, property values.
		{"POST", "/events", `{"email":"ghost@example.com","eventName":"x","eventProperties":null}`, 404, "not_found"},
		{"POST", "/events", `{"email":"ghost@example.com","eventName":"x","eventProperties":null,"createContactIfNotExists":true}`, 400, "invalid_input"},
		{"GET", "/contacts/ghost@example.com", "", 200, "ghost@example.com"},
		{"POST", "/events", `{"email":"ada@example.com","eventName":"x","eventProperties":1,"createContactIfNotExists":1}`, 400, "eventProperties must be an object"},
		{"POST", "/events", `{"email":"ada@example.com","eventName":"x","createContactIfNotExists":null}`, 400, "must be a boolean"},
		{"POST", "/events", `{"email":"ada@example.com","eventName":"x","eventProperties":{"_a":1}}`, 400, "invalid_input"},
		{"POST", "/events", `{"email":"ada@example.com","eventName":"x","eventProperties":{"$a":1}}`, 400, "invalid_input"},
		{"POST", "/events", `{"email":"ada@example.com","eventName":"x","eventProperties":{"é":1}}`, 400, "invalid_input"},
		{"POST", "/events", `{"email":"ada@example.com","eventName":"x","eventProperties":{"":1}}`, 400, "invalid_input"},
		{"POST", "/events", `{"email":"` + long + `","eventName":"x","createContactIfNotExists":true}`, 500, "internal"},
	} {
		r.want(t, c.method, c.path, c.body, c.status, c.part)
	}
}

func TestEventPropertiesUpTo1024(t *testing.T) {
	t.Parallel()
	r := newRig()
	r.made(t, `{"email":"ada@example.com"}`)
	for n, status := range map[int]int{1024: 201, 1025: 400} {
		fields := make([]string, n)
		for i := range fields {
			fields[i] = fmt.Sprintf(`"k%d":1`, i)
		}
		r.want(t, "POST", "/events", `{"email":"ada@example.com","eventName":"x","eventProperties":{`+strings.Join(fields, ",")+`}}`, status, "")
	}
}

func TestTransactional(t *testing.T) {
	t.Parallel()
	r := newRig()
	id := r.s.AddTemplate("welcome", true, "en", "de")
	r.s.AddTemplate("draft", false)
	r.s.BlockAddress("Blocked@example.com")
	known := r.made(t, `{"email":"ada@example.com"}`)
	for _, c := range []struct {
		body   string
		status int
		part   string
	}{
		{`{"email":"ada@example.com","slug":"welcome"}`, 202, `"contactId":"` + known + `","contactCreated":false,"language":"en"`},
		{`{"email":"New@example.com","transactionalId":"` + id + `","language":"de"}`, 202, `"email":"New@example.com"`},
		{`{"email":"new@example.com","slug":"welcome","language":"fr"}`, 202, `"contactCreated":false,"language":"en"`},
		{`{"email":"ada@example.com","slug":"welcome","dataVariables":{"a":1,"b":null}}`, 202, "queued"},
		{`{"email":"ada@example.com","slug":"welcome","attachments":[{"filename":"a.txt","content":"aGk="},{"filename":"b","url":"https://example.com/b"}]}`, 202, "queued"},
		{`{"email":"ada@example.com","slug":"welcome","attachments":[{"filename":"a.txt","content":"aGk"}]}`, 202, "queued"},
		{`null`, 500, "internal"},
		{`{`, 400, "Invalid JSON"},
		{`{}`, 400, "email is required"},
		{`{"email":1}`, 400, "email must be a string"},
		{`{"email":"x"}`, 400, "Invalid email format"},
		{`{"email":"ada@example.com"}`, 400, "Either transactionalId or slug is required"},
		{`{"email":"ada@example.com","slug":"welcome","dataVariables":1}`, 400, "dataVariables must be an object"},
		{`{"email":"ada@example.com","slug":"welcome","dataVariables":{"a":{}}}`, 500, "internal"},
		{`{"email":"ada@example.com","slug":"welcome","language":1}`, 400, "language must be a string"},
		{`{"email":"ada@example.com","slug":"welcome","language":"english"}`, 400, "language must be a valid"},
		{`{"email":"ada@example.com","slug":"welcome","attachments":1}`, 400, "attachments must be an array"},
		{`{"email":"ada@example.com","slug":"welcome","attachments":[` + strings.Repeat(`{},`, 10) + `{}]}`, 400, "Maximum 10 attachments"},
		{`{"email":"ada@example.com","slug":"welcome","attachments":[{}]}`, 400, "attachments[0].filename is required"},
		{`{"email":"ada@example.com","slug":"welcome","attachments":[null]}`, 500, "internal"},
		{`{"email":"ada@example.com","slug":"welcome","attachments":[{"filename":"a/b"}]}`, 400, "path separators"},
		{`{"email":"ada@example.com","slug":"welcome","attachments":[{"filename":"a"}]}`, 400, "exactly one of"},
		{`{"email":"ada@example.com","slug":"welcome","attachments":[{"filename":"a","url":"http://example.com"}]}`, 400, "HTTPS URL"},
		{`{"email":"ada@example.com","slug":"welcome","attachments":[{"filename":"a","content":1}]}`, 400, "must be a base64"},
		{`{"email":"ada@example.com","slug":"welcome","attachments":[{"filename":"a","content":"!"}]}`, 400, "not valid base64"},
		{`{"email":"ada@example.com","slug":"welcome","attachments":[{"filename":"a","content":"` + strings.Repeat("AAAA", 3_500_000) + `"}]}`, 400, "exceeds 10MB"},
		{`{"email":"BLOCKED@example.com","slug":"welcome"}`, 422, "recipient_blocked"},
		{`{"email":"ada@example.com","slug":"draft"}`, 422, "template_not_published"},
		{`{"email":"ada@example.com","slug":"nope"}`, 404, "template_not_found"},
		{`{"email":"ada@example.com","transactionalId":"abcdefghij"}`, 500, "internal"},
	} {
		r.want(t, "POST", "/transactional", c.body, c.status, c.part)
	}
	if c, ok := r.s.Contact("new@example.com"); !ok || c.Source != "transactional" {
		t.Errorf("recipient %+v %v", c, ok)
	}
	r.s.SetDomainVerified(false)
	r.want(t, "POST", "/transactional", `{"email":"ada@example.com","slug":"welcome"}`, 422, "domain_unverified")
	if n := r.s.Stats().Messages; n != 6 {
		t.Errorf("%d messages", n)
	}
}

func TestRateLimitExactly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s owlattest.Server
		r := &rig{&s, s.AddKey(), &http.Client{Transport: s.Transport()}, "http://owlat.example", true}
		refused := func(n int, every time.Duration) int {
			count := 0
			for range n {
				status, _, err := r.do(t.Context(), "GET", "/contacts", "")
				must(t, err)
				if status == http.StatusTooManyRequests {
					count++
				}
				<-time.After(every)
			}
			return count
		}
		if n := refused(20, 0); n != 5 {
			t.Errorf("of 20 at once %d were refused, want 5", n)
		}
		if n := refused(600, 100*time.Millisecond); n != 1 { // the first comes before the first token
			t.Errorf("of 600 at ten a second from an empty bucket %d were refused, want 1", n)
		}
		if n := refused(105, time.Second*2/21); n != 5 {
			t.Errorf("of 105 at 10.5 a second %d were refused, want 5", n)
		}
		<-time.After(1500 * time.Millisecond)
		if n := refused(16, 0); n != 1 {
			t.Errorf("of 16 after a rest %d were refused, want 1", n)
		}
		if st := s.Stats(); st.RateLimited != 12 || st.Total != 741 || st.Writes != 0 || len(st.Log) != 741 {
			t.Errorf("stats %d %d %d %d", st.RateLimited, st.Total, st.Writes, len(st.Log))
		}
	})
}

func TestRateAndBurstAreConfigurable(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := owlattest.Server{Rate: 50, Burst: 3}
		key := s.AddKey()
		var statuses []int
		for range 5 {
			req, err := http.NewRequestWithContext(t.Context(), "GET", "http://owlat.example/api/v1/contacts", nil)
			must(t, err)
			req.Header.Set("Authorization", key)
			res, err := s.Transport().RoundTrip(req)
			must(t, err)
			if res.Header.Get("X-RateLimit-Limit") != "50" || res.Header.Get("X-RateLimit-Reset") == "" {
				t.Errorf("headers %v", res.Header)
			}
			must(t, res.Body.Close())
			statuses = append(statuses, res.StatusCode)
			if len(statuses) == 4 {
				<-time.After(20 * time.Millisecond)
			}
		}
		if fmt.Sprint(statuses) != "[200 200 200 429 200]" {
			t.Errorf("statuses %v", statuses)
		}
	})
}

func TestBasePath(t *testing.T) {
	t.Parallel()
	r := newRig()
	r.s.BasePath = "/some/where/"
	r.base = "http://owlat.example/some/where"
	id := r.made(t, `{"email":"ada@example.com"}`)
	r.want(t, "GET", "/contacts/%zz", "", 400, "Invalid contact ID or email format")
	r.base = "http://owlat.example"
	r.want(t, "GET", "/contacts/"+id, "", 404, "No HttpAction routed for /api/v1/contacts/"+id)
	if n := r.s.Stats().Count("GET", "", 404); n != 1 {
		t.Errorf("%d", n)
	}
}

func TestListHundredThousand(t *testing.T) {
	t.Parallel()
	const count = 100_000
	r := newRig()
	if made, err := r.s.Seed(count, ""); made != count || err != nil {
		t.Fatal(made, err)
	}
	seen, cursor, pages := map[string]bool{}, "", 0
	for {
		var page struct {
			Data       []struct{ ID, Email string }
			Pagination struct {
				TotalItems int
				Cursor     *string
				IsDone     bool
			}
		}
		must(t, json.Unmarshal(r.want(t, "GET", "/contacts?limit=100"+cursor, "", 200, ""), &page))
		pages++
		for _, c := range page.Data {
			if seen[c.ID] {
				t.Fatalf("%s twice", c.ID)
			}
			seen[c.ID] = true
		}
		if page.Pagination.TotalItems != count || page.Pagination.IsDone != (page.Pagination.Cursor == nil) {
			t.Fatalf("%+v", page.Pagination)
		}
		if page.Pagination.IsDone {
			break
		}
		cursor = "&cursor=" + url.QueryEscape(*page.Pagination.Cursor)
	}
	if len(seen) != count || pages != count/100+1 {
		t.Errorf("%d contacts on %d pages", len(seen), pages)
	}
}

func TestCursors(t *testing.T) {
	t.Parallel()
	r := newRig()
	_, err := r.s.Seed(5, "zoe")
	must(t, err)
	next := func(query string) string {
		var page struct{ Pagination struct{ Cursor string } }
		must(t, json.Unmarshal(r.want(t, "GET", "/contacts?"+query, "", 200, ""), &page))
		return "&cursor=" + page.Pagination.Cursor
	}
	first := next("limit=2")
	must(t, r.s.SoftDelete("zoe3@seed.example"))
	r.want(t, "GET", "/contacts?limit=2"+first, "", 200, `"email":"zoe2@seed.example"`)
	r.want(t, "GET", "/contacts?limit=2&search=first1"+first, "", 500, "internal")
	r.want(t, "GET", "/contacts?limit=2&cursor=", "", 500, "internal")
	search := next("limit=3&search=seed")
	r.want(t, "GET", "/contacts?limit=3&search=seed"+search, "", 200, `"isDone":true`)
	r.want(t, "GET", "/contacts?limit=3"+search, "", 500, "internal")
}

func TestContactWithoutAddress(t *testing.T) {
	t.Parallel()
	r := newRig()
	id, err := r.s.AddContact(owlattest.ContactState{FirstName: "Sam", Source: "inbound"})
	must(t, err)
	if body := r.want(t, "GET", "/contacts/"+id, "", 200, `"source":"inbound"`); strings.Contains(string(body), "email") {
		t.Errorf("%s", body)
	}
	r.want(t, "PUT", "/contacts/"+id, `{"email":"sam@example.com"}`, 200, `"email":"sam@example.com"`)
	r.want(t, "POST", "/contacts", `{"email":"sam@example.com"}`, 201, "")
	if _, err := r.s.AddContact(owlattest.ContactState{Email: "sam@example.com"}); err == nil {
		t.Error("a taken address was accepted")
	}
	if _, err := r.s.AddContact(owlattest.ContactState{Email: "sam"}); err == nil {
		t.Error("what is no address was accepted")
	}
}

func TestHistoryOutlivesContacts(t *testing.T) {
	t.Parallel()
	r := newRig()
	topic := r.s.AddTopic("News", false)
	body := `{"email":"ada@example.com"}`
	r.made(t, body)
	r.want(t, "POST", "/topics/"+topic+"/contacts", body, 201, "")
	must(t, r.s.Unsubscribe("ADA@example.com", ""))
	r.want(t, "DELETE", "/contacts/ada@example.com", "", 200, "")
	second := r.made(t, body)
	r.want(t, "POST", "/topics/"+topic+"/contacts", body, 201, "")
	must(t, r.s.Unsubscribe("ada@example.com", "News"))
	must(t, r.s.Unsubscribe("ada@example.com", ""))
	r.want(t, "POST", "/topics/"+topic+"/contacts", body, 201, "")
	must(t, r.s.DeleteTopic("News"))
	var got []string
	for _, e := range r.s.History("ada@example.com") {
		got = append(got, string(e.Action)+" by "+string(e.By))
	}
	want := "created by api, added by api, unsubscribed by person, opted_out by person, deleted by api, " +
		"created by api, added by api, unsubscribed by person, opted_out by person, added by api, opt_out_lifted by api, topic_deleted by dashboard"
	if strings.Join(got, ", ") != want {
		t.Errorf("history %s", strings.Join(got, ", "))
	}
	if n := len(r.s.History(second)); n != 7 {
		t.Errorf("%d entries of the second contact", n)
	}
	if err := r.s.Unsubscribe("nobody@example.com", ""); err == nil {
		t.Error("no error for an unknown contact")
	}
	if err := r.s.Unsubscribe("ada@example.com", "News"); err == nil {
		t.Error("no error for a deleted topic")
	}
}
