package owlattest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
)

// ask sends one request to the sandbox and returns status and body.
func ask(t testing.TB, base, method, path, body string, header ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, base+path, strings.NewReader(body))
	must(t, err)
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
			continue
		}
		req.Header.Set(header[i], header[i+1])
	}
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	must(t, err)
	defer func() { _ = res.Body.Close() }()
	got, err := io.ReadAll(res.Body)
	must(t, err)
	return res.StatusCode, string(got)
}

func TestControlAPI(t *testing.T) {
	t.Parallel()
	s := &owlattest.Server{NoLimit: true}
	base := serve(t, s)
	post := func(path, body string) string {
		t.Helper()
		status, got := ask(t, base, "POST", "/__sandbox/"+path, body)
		if status != http.StatusOK {
			t.Fatalf("%s %s: %d %s", path, body, status, got)
		}
		return got
	}
	const key = "lm_live_0123456789abcdefghijABCDEFGHIJ0123456789"
	var made struct{ Keys, Topics map[string]string }
	must(t, json.Unmarshal([]byte(post("reset", `{"keys":{"all":{"scopes":["contacts:read","contacts:write","topics:write"],"value":"`+key+`"},"off":{"scopes":[],"active":false}},"topics":{"open":{"doubleOptIn":false},"doi":{"doubleOptIn":true,"name":"Product news"}}}`)), &made))
	if made.Keys["all"] != key || !strings.HasPrefix(made.Keys["off"], "lm_live_") || len(made.Topics) != 2 {
		t.Fatalf("made %+v", made)
	}
	if got := post("seed", `{"count":3,"prefix":"p"}`); got != "{\"made\":3}\n" {
		t.Errorf("seed: %s", got)
	}
	api := func(method, path, body string, want int) {
		t.Helper()
		if status, got := ask(t, base, method, "/api/v1"+path, body, "Authorization", "Bearer "+key); status != want {
			t.Fatalf("%s %s: %d %s", method, path, status, got)
		}
	}
	api("POST", "/topics/"+made.Topics["open"]+"/contacts", `{"email":"p1@seed.example"}`, 201)
	api("POST", "/topics/"+made.Topics["doi"]+"/contacts", `{"email":"p1@seed.example"}`, 201)
	post("confirm-double-opt-in", `{"email":"p1@seed.example"}`)
	post("unsubscribe", `{"email":"P1@seed.example","topic":"open"}`)
	post("unsubscribe", `{"email":"p2@seed.example"}`)
	post("soft-delete", `{"email":"p3@seed.example"}`)
	_, err := s.AddContact(owlattest.ContactState{Email: "tag+one@example.com"})
	must(t, err)
	tagged, _ := s.Contact("tag+one@example.com")
	plus := `[{"id":"` + tagged.ID + `","email":"tag+one@example.com","firstName":null,"lastName":null,"unsubscribed":false,"doiStatus":"not_required","topics":[]}]` + "\n"

	get := func(path string) string {
		t.Helper()
		status, got := ask(t, base, "GET", "/__sandbox/"+path, "")
		if status != http.StatusOK {
			t.Fatalf("%s: %d %s", path, status, got)
		}
		return got
	}
	one, ok := s.Contact("p1@seed.example")
	if !ok {
		t.Fatal("p1 is missing")
	}
	p1 := `[{"id":"` + one.ID + `","email":"p1@seed.example","firstName":"First1","lastName":"Last1","unsubscribed":false,"doiStatus":"confirmed","topics":["` + made.Topics["doi"] + `"]}]` + "\n"
	for path, want := range map[string]string{
		"contacts?email=P1@Seed.example":       p1,
		"contacts?id=" + one.ID:                p1,
		"contacts?email=tag+one@example.com":   plus,
		"contacts?email=tag%2Bone@example.com": plus,
		"contacts?id=nope":                     "[]\n",
		"contacts?email=p3@seed.example":       "[]\n",
		"contacts?email=nobody@seed.example":   "[]\n",
	} {
		if got := get(path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	if got := get("contacts"); !strings.Contains(got, `"email":"p2@seed.example","firstName":"First2","lastName":"Last2","unsubscribed":true,"doiStatus":"not_required","topics":[]`) {
		t.Errorf("contacts: %s", got)
	}
	post("remove-member", `{"email":"`+one.ID+`","topic":"Product news"}`)
	if one, _ := s.Contact(one.ID); slices.Contains(one.Topics, made.Topics["doi"]) {
		t.Errorf("still on %v", one.Topics)
	}
	post("edit-contact", `{"email":"p2@seed.example","to":{"email":"p2b@seed.example","lastName":"Edited"}}`)
	if got := get("contacts?email=p2b@seed.example"); !strings.Contains(got, `"firstName":"First2","lastName":"Edited"`) {
		t.Errorf("edited: %s", got)
	}
	post("edit-contact", `{"email":"p2b@seed.example","to":{"email":"p2@seed.example"}}`)
	post("merge", `{"winner":"`+one.ID+`","loser":"tag+one@example.com"}`)
	if got := get("contacts?email=tag%2Bone@example.com"); got != "[]\n" {
		t.Errorf("merged: %s", got)
	}
	post("delete-topic", `{"topic":"Product news"}`)
	api("POST", "/topics/"+made.Topics["doi"]+"/contacts", `{"email":"p1@seed.example"}`, 404)
	if one, _ := s.Contact(one.ID); len(one.Topics) != 0 {
		t.Errorf("topics %v", one.Topics)
	}
	if got := get("history?email=p2@seed.example"); !strings.Contains(got, `"action":"opted_out","by":"person"`) {
		t.Errorf("history: %s", got)
	}
	if got := get("webhooks"); got != "[]\n" {
		t.Errorf("webhooks: %s", got)
	}

	post("faults", `{"kind":"status","status":502,"html":true,"route":"/contacts","at":2}`)
	api("GET", "/contacts", "", 200)
	api("GET", "/contacts", "", 502)
	if got := get("faults"); !strings.Contains(got, `"seen":2,"hits":1`) {
		t.Errorf("faults: %s", got)
	}
	if status, _ := ask(t, base, "DELETE", "/__sandbox/faults", ""); status != http.StatusOK || get("faults") != "[]\n" {
		t.Error("faults were not cleared")
	}

	var stats struct {
		Total, Writes, Faults int
		Requests              []struct {
			Method, Route string
			Status, Count int
		}
		Log []struct{ At, Method, Route string }
	}
	must(t, json.Unmarshal([]byte(get("stats")), &stats))
	if stats.Total != 5 || stats.Writes != 3 || stats.Faults != 1 || len(stats.Log) != 5 || len(stats.Requests) != 4 || stats.Log[0].Route != owlattest.RouteTopicContacts {
		t.Errorf("stats %+v", stats)
	}
	if got := get("stats?log=false"); !strings.Contains(got, `"log":[]`) {
		t.Errorf("stats: %s", got)
	}
	post("reset", "")
	if got := get("stats"); !strings.Contains(got, `"total":0`) || s.Len() != 0 {
		t.Errorf("after the reset: %s", got)
	}
}

func TestControlRefuses(t *testing.T) {
	t.Parallel()
	s := &owlattest.Server{}
	base := serve(t, s)
	_, err := s.Seed(1, "keep")
	must(t, err)
	for _, c := range []struct {
		method, path, body string
		status             int
		part               string
	}{
		{"POST", "reset", `{"keyz":{}}`, 400, `unknown field \"keyz\"`},
		{"POST", "reset", `{`, 400, "not what /__sandbox/reset takes"},
		{"POST", "reset", `{} {}`, 400, "nothing after it"},
		{"POST", "reset", `[]`, 400, "cannot unmarshal"},
		{"POST", "reset", `{"keys":{"a":{}}}`, 400, "scopes is missing"},
		{"POST", "reset", `{"keys":{"a":{"scopes":["all"]}}}`, 400, `unknown scope`},
		{"POST", "reset", `{"keys":{"a":{"scopes":[],"value":"secret"}}}`, 400, "must be lm_live_"},
		{"POST", "reset", `{"keys":{"a":{"scopes":[],"value":"lm_live_` + strings.Repeat("a", 40) + `"},"b":{"scopes":[],"value":"lm_live_` + strings.Repeat("a", 40) + `"}}}`, 400, "the same value"},
		{"POST", "reset", `{"webhooks":{"h":{"url":"nope","secret":"whsec_a","events":[]}}}`, 400, "not an http"},
		{"POST", "reset", `{"webhooks":{"h":{"url":"http://127.0.0.1:1/","events":[]}}}`, 400, "secret is missing"},
		{"POST", "reset", `{"webhooks":{"h":{"url":"http://127.0.0.1:1/","secret":"whsec_a","events":["x"]}}}`, 400, "unknown event"},
		{"POST", "reset", `{"keys":{"` + strings.Repeat("x", 1<<20) + `":{}}}`, 400, "larger than"},
		{"POST", "unsubscribe", `{}`, 400, "email is missing"},
		{"POST", "unsubscribe", `{"email":"nobody@example.com"}`, 404, "no live contact"},
		{"POST", "unsubscribe", `{"email":"keep1@seed.example","topic":"nope"}`, 404, "no topic"},
		{"POST", "confirm-double-opt-in", `{"mail":"x"}`, 400, "unknown field"},
		{"POST", "confirm-double-opt-in", `{}`, 400, "email is missing"},
		{"POST", "soft-delete", `{"email":"nobody@example.com"}`, 404, "no live contact"},
		{"POST", "delete-topic", `{}`, 400, "topic is missing"},
		{"POST", "delete-topic", `{"topic":"nope"}`, 404, "no topic"},
		{"POST", "remove-member", `{"email":"keep1@seed.example"}`, 400, "topic is missing"},
		{"POST", "remove-member", `{"email":"nobody@example.com","topic":"nope"}`, 404, "no live contact"},
		{"POST", "bounce", `{"message":"x"}`, 400, "email is missing"},
		{"POST", "complain", `{}`, 400, "email is missing"},
		{"POST", "webhooks", `{"url":"ftp://x.example/"}`, 400, "is not an http or https URL"},
		{"POST", "webhooks", `{"url":"http://127.0.0.1/","events":["nope"]}`, 400, "unknown event"},
		{"POST", "edit-contact", `{"to":{}}`, 400, "email is missing"},
		{"POST", "edit-contact", `{"email":"keep1@seed.example","to":{"id":"x"}}`, 400, "unknown field"},
		{"POST", "edit-contact", `{"email":"keep1@seed.example","to":{"email":"x"}}`, 400, "not of a form"},
		{"POST", "merge", `{"winner":"keep1@seed.example"}`, 400, "loser is missing"},
		{"POST", "merge", `{"winner":"keep1@seed.example","loser":"nobody@example.com"}`, 404, "no live contact"},
		{"POST", "merge", `{"winner":"keep1@seed.example","loser":"keep1@seed.example"}`, 400, "one contact"},
		{"POST", "seed", `{}`, 400, "count must lie between"},
		{"POST", "seed", `{"count":1000001}`, 400, "count must lie between"},
		{"POST", "seed", `{"count":1,"prefix":"a b"}`, 400, "does not begin an address"},
		{"POST", "faults", `{}`, 400, "unknown kind of fault"},
		{"POST", "faults", `{"kind":"latency","hits":1}`, 400, "only shown"},
		{"POST", "faults", `{"kind":"latency","rate":2}`, 400, "rate must lie"},
		{"GET", "contacts?mail=x", "", 400, "unknown query parameter"},
		{"GET", "stats?x=1", "", 400, "unknown query parameter"},
		{"GET", "reset", "", 404, "no GET /__sandbox/reset"},
		{"POST", "nope", "", 404, "no POST /__sandbox/nope"},
		{"GET", "", "", 404, "no GET /__sandbox/"},
	} {
		status, got := ask(t, base, c.method, "/__sandbox/"+c.path, c.body)
		var envelope struct {
			Error struct{ Category, Message string }
		}
		if err := json.Unmarshal([]byte(got), &envelope); err != nil || status != c.status || envelope.Error.Category == "" || !strings.Contains(got, c.part) {
			t.Errorf("%s %s %.60s: %d %s, want %d %s", c.method, c.path, c.body, status, got, c.status, c.part)
		}
	}
	if s.Len() != 1 {
		t.Error("a refused request changed something")
	}
}

func TestControlTrustsOnlyItsOwnSite(t *testing.T) {
	t.Parallel()
	base := serve(t, &owlattest.Server{})
	host := strings.TrimPrefix(base, "http://")
	_, port, _ := strings.Cut(host, ":")
	for _, c := range []struct {
		header []string
		want   int
	}{
		{nil, 200},
		{[]string{"Host", "localhost:" + port}, 200},
		{[]string{"Host", "[::1]:" + port}, 200},
		{[]string{"Host", "LOCALHOST"}, 200},
		{[]string{"Origin", base}, 200},
		{[]string{"Host", "rebound.example"}, 403},
		{[]string{"Host", "rebound.example:" + port, "Origin", "http://rebound.example:" + port}, 403},
		{[]string{"Origin", "https://evil.example"}, 403},
		{[]string{"Origin", "null"}, 403},
		{[]string{"Origin", "http://localhost:1"}, 403},
	} {
		if status, got := ask(t, base, "POST", "/__sandbox/reset", "{}", c.header...); status != c.want {
			t.Errorf("%v: %d %s, want %d", c.header, status, got, c.want)
		}
	}
	if status, got := ask(t, base, "GET", "/api/v1/health", "", "Host", "rebound.example"); status != 200 {
		t.Errorf("the API itself must not care about the host: %d %s", status, got)
	}
	// On other than loopback addresses the host can be any name.
	req := httptest.NewRequest("GET", "http://sandbox.example/__sandbox/stats", nil)
	w := httptest.NewRecorder()
	(&owlattest.Server{}).Sandbox().ServeHTTP(w, req)
	if w.Code != http.StatusOK {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestSandboxWelcome(t *testing.T) {
	t.Parallel()
	base := serve(t, &owlattest.Server{})
	if status, got := ask(t, base, "GET", "/", ""); status != 200 || !strings.Contains(got, "/__sandbox/") || !strings.Contains(got, "/api/v1") {
		t.Errorf("%d %s", status, got)
	}
	if status, got := ask(t, base, "POST", "/", ""); status != 404 || got != "No HttpAction routed for /" {
		t.Errorf("%d %s", status, got)
	}
	if status, got := ask(t, base, "GET", "/__sandboxed", ""); status != 404 || got != "No HttpAction routed for /__sandboxed" {
		t.Errorf("%d %s", status, got)
	}
}

// A webhook that is added while the sandbox runs hears of bounces and complaints.
func TestControlAddsWebhooks(t *testing.T) {
	t.Parallel()
	s := &owlattest.Server{NoLimit: true}
	t.Cleanup(func() { _ = s.Close() })
	base := serve(t, s)
	heard := make(chan string, 3)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		event, err := owlat.VerifyWebhookRequest([]string{"whsec_0123456789"}, r)
		if err != nil {
			t.Error(err)
			return
		}
		heard <- event.Event + " " + string(event.Data)
	}))
	t.Cleanup(receiver.Close)
	for _, c := range []struct{ path, body string }{
		{"webhooks", `{"url":"` + receiver.URL + `","secret":"whsec_0123456789","events":["email.bounced","email.complained"]}`},
		{"bounce", `{"email":"ada@example.com","message":"no such user"}`},
		{"bounce", `{"email":"bob@example.com","soft":true}`},
		{"complain", `{"email":"eve@example.com"}`},
	} {
		if status, got := ask(t, base, "POST", "/__sandbox/"+c.path, c.body); status != 200 {
			t.Fatalf("%s: %d %s", c.path, status, got)
		}
	}
	all := []string{<-heard, <-heard, <-heard}
	for _, want := range []string{`"bounceType":"hard"`, `"bounceType":"soft"`, "email.complained"} {
		if !slices.ContainsFunc(all, func(h string) bool { return strings.Contains(h, want) }) {
			t.Errorf("no %s in %q", want, all)
		}
	}
}
