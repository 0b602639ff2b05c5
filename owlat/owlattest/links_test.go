package owlattest_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"testing/quick"
	"testing/synctest"
	"time"

	"owlatsync/owlat/owlattest"
)

const linkSecret = "the secret of links"

// sign makes a token as the links in mails have it.
func sign(secret, prefix, contact string, at time.Time) string {
	text := contact + ":" + strconv.FormatInt(at.UnixMilli(), 10)
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte(prefix + text))
	return text + ":" + base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// linkRig is a rig whose requests go beside the API.
func linkRig() *rig {
	r := newRig()
	r.s.UnsubscribeSecret = linkSecret
	return r
}

func (r *rig) link(t *testing.T, method, target string) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "https://owlat.example/", nil)
	must(t, err)
	req.URL.Opaque = "//owlat.example" + target // as it stands, also where it is badly encoded
	res, err := (&http.Client{Transport: r.s.Transport()}).Do(req)
	must(t, err)
	defer func() { _ = res.Body.Close() }()
	var body bytes.Buffer
	_, err = body.ReadFrom(res.Body)
	must(t, err)
	return res.StatusCode, res.Header, body.String()
}

// TestLinksAsDocumented has an exchange for each line of the contract.
func TestLinksAsDocumented(t *testing.T) {
	t.Parallel()
	r := linkRig()
	open, doi := r.s.AddTopic("Open", false), r.s.AddTopic("Double", true)
	gone := r.s.AddTopic("Gone", false)
	must(t, r.s.DeleteTopic(gone))
	if doi < open { // by id, as the emulator has them
		open, doi = doi, open
	}
	names := map[string]string{}
	for _, topic := range r.s.Topics() {
		names[topic.ID] = topic.Name
	}
	ada := r.made(t, `{"email":"ada@example.com","firstName":"Ada"}`)
	nameless := r.made(t, `{"email":"nameless@example.com"}`)
	sms, err := r.s.AddContact(owlattest.ContactState{Source: "inbound"})
	must(t, err)
	deleted := r.made(t, `{"email":"deleted@example.com"}`)
	erased := r.made(t, `{"email":"erased@example.com"}`)
	loser := r.made(t, `{"email":"loser@example.com"}`)
	for _, who := range []string{ada, erased, loser} {
		for _, topic := range []string{open, doi} {
			r.want(t, "POST", "/topics/"+topic+"/contacts", `{"contactId":"`+who+`"}`, 201, "")
		}
	}
	r.want(t, "DELETE", "/contacts/"+deleted, "", 200, "")
	must(t, r.s.SoftDelete("erased@example.com"))
	must(t, r.s.Merge("nameless@example.com", loser))
	r.want(t, "DELETE", "/topics/"+open+"/contacts/"+ada, "", 200, "")

	now := time.Now()
	pref := func(id string) string { return sign(linkSecret, "pref:", id, now) }
	unsub := func(id string) string { return sign(linkSecret, "", id, now) }
	topics := func(first, second bool) string {
		return fmt.Sprintf(`"topics":[{"_id":%q,"name":%q,"subscribed":%v},{"_id":%q,"name":%q,"subscribed":%v}]`, open, names[open], first, doi, names[doi], second)
	}
	const internal = `{"error":{"category":"internal","message":"Internal server error"}}`
	bad := func(reason string) string { return `{"ok":false,"reason":"` + reason + `"}` }
	old := now.Add(-91 * 24 * time.Hour)
	for _, c := range []struct {
		method, target string
		status         int
		body           string // all of it; or, with the ellipsis, its end
	}{
		{"GET", "/prefs/verify/" + pref(ada), 200, `{"ok":true,"data":{"email":"ada@example.com","firstName":"Ada","teamName":"Example Team",` + topics(false, true) + `}}`},
		{"GET", "/prefs/verify/" + url.PathEscape(pref(ada)), 200, `…` + topics(false, true) + `}}`},
		{"GET", "/prefs/verify/" + strings.ReplaceAll(pref(ada), ":", "%3a"), 200, `…` + topics(false, true) + `}}`},
		{"GET", "/prefs/verify/?token=" + url.QueryEscape(pref(ada)), 200, `…` + topics(false, true) + `}}`},
		{"GET", "/prefs/verify/?token=" + pref(ada), 200, `…` + topics(false, true) + `}}`},
		{"GET", "/prefs/verify/" + pref(nameless), 200, `{"ok":true,"data":{"email":"nameless@example.com","teamName":"Example Team",` + topics(true, true) + `}}`},
		{"GET", "/prefs/verify/" + pref(sms), 200, `{"ok":true,"data":{"teamName":"Example Team",` + topics(false, false) + `}}`},
		{"GET", "/prefs/verify/" + pref(erased), 200, `{"ok":true,"data":{"email":"erased@example.com","teamName":"Example Team",` + topics(false, false) + `}}`},
		{"GET", "/prefs/verify/" + pref(loser), 200, `…` + topics(false, false) + `}}`},
		{"GET", "/prefs/verify/" + sign(linkSecret, "pref:", ada, now.Add(1000*time.Hour)), 200, `…` + topics(false, true) + `}}`},
		{"GET", "/prefs/verify/" + pref(deleted), 200, bad("contact_not_found")},
		{"GET", "/prefs/verify/" + pref(open), 500, internal},
		{"GET", "/prefs/verify/" + pref("k570000000"), 500, internal},
		{"GET", "/prefs/verify/" + pref("x"), 500, internal},
		{"GET", "/prefs/verify/" + unsub(ada), 200, bad("invalid_signature")},
		{"GET", "/prefs/verify/" + sign("another", "pref:", ada, now), 200, bad("invalid_signature")},
		{"GET", "/prefs/verify/" + pref(ada) + "A", 200, bad("invalid_signature")},
		{"GET", "/prefs/verify/" + sign(linkSecret, "pref:", ada, old), 200, bad("expired")},
		{"GET", "/prefs/verify/" + ada + ":soon:x", 200, bad("expired")},
		{"GET", "/prefs/verify/" + ada, 200, bad("invalid_format")},
		{"GET", "/prefs/verify/a:b", 200, bad("invalid_format")},
		{"GET", "/prefs/verify/a:b:c:d", 200, bad("invalid_format")},
		{"GET", "/prefs/verify/::", 200, bad("missing_parts")},
		{"GET", "/prefs/verify/" + ada + ":1:", 200, bad("missing_parts")},
		{"GET", "/prefs/verify/" + ada + "::x", 200, bad("missing_parts")},

		{"GET", "/unsub/verify/" + unsub(ada), 200, `{"ok":true,"data":{"email":"ada@example.com","firstName":"Ada","subscribed":true,"organizationName":"Example Team"}}`},
		{"GET", "/unsub/verify/" + unsub(sms), 200, `{"ok":true,"data":{"subscribed":false,"organizationName":"Example Team"}}`},
		{"GET", "/unsub/verify/" + unsub(erased), 200, `…"subscribed":false,"organizationName":"Example Team"}}`},
		{"GET", "/unsub/verify/" + unsub(deleted), 200, bad("contact_not_found")},
		{"GET", "/unsub/verify/" + pref(ada), 200, bad("invalid_signature")},
		{"GET", "/unsub/verify/" + unsub(open), 500, internal},

		{"POST", "/unsub/" + pref(ada), 400, `…"data":{"reason":"invalid_signature"}}}`},
		{"POST", "/unsub/x", 400, `…"data":{"reason":"invalid_format"}}}`},
		{"POST", "/unsub/::", 400, `…"data":{"reason":"missing_parts"}}}`},
		{"POST", "/unsub/" + sign(linkSecret, "", ada, old), 400, `…"data":{"reason":"expired"}}}`},
		{"POST", "/unsub/" + unsub(deleted), 404, `…"data":{"reason":"contact_not_found"}}}`},
		{"POST", "/unsub/" + unsub("k570000000"), 500, internal},
		{"POST", "/unsub/verify/" + unsub(ada), 400, `…`}, // no token in that place
		{"POST", "/unsub/" + unsub(ada), 200, `…"listsRemoved":1}}`},
		{"POST", "/unsub/" + url.PathEscape(unsub(ada)), 200, `…"listsRemoved":0}}`},
		{"POST", "/unsub/?token=" + url.QueryEscape(unsub(nameless)), 200, `…"listsRemoved":2}}`},
		{"POST", "/unsub/" + unsub(erased), 200, `…"listsRemoved":2}}`},
		{"GET", "/prefs/verify/" + pref(ada), 200, `…` + topics(false, false) + `}}`},
		{"GET", "/unsub/verify/" + unsub(ada), 200, `…"subscribed":false,"organizationName":"Example Team"}}`},

		{"GET", "/prefs/verify/", 400, `…`},
		{"GET", "/prefs/verify/%zz", 400, `…`},
		{"GET", "/unsub/" + unsub(ada), 404, "No HttpAction routed for /unsub/" + unsub(ada)},
		{"PUT", "/unsub/" + unsub(ada), 404, "…"},
		{"POST", "/prefs/verify/" + pref(ada), 404, "…"},
		{"DELETE", "/unsub/verify/" + unsub(ada), 404, "…"},
		{"GET", "/prefs/verify", 404, "No HttpAction routed for /prefs/verify"},
		{"GET", "/api/v1/prefs/verify/" + pref(ada), 404, "…"},
		{"POST", "/prefs/update/" + pref(ada), 404, "No HttpAction routed for /prefs/update/" + pref(ada)}, // the trap that is not offered
	} {
		status, header, body := r.link(t, c.method, c.target)
		end, some := strings.CutPrefix(c.body, "…")
		if status != c.status || !some && body != c.body || some && !strings.HasSuffix(body, end) {
			t.Errorf("%s %s: %d %s\nwant %d %s", c.method, c.target, status, body, c.status, c.body)
		}
		if status != 404 && (header.Get("Content-Type") != "application/json" || !json.Valid([]byte(body))) {
			t.Errorf("%s %s: %s %s", c.method, c.target, header.Get("Content-Type"), body)
		}
		if header.Get("X-RateLimit-Limit") != "" {
			t.Errorf("%s %s names the limit of a key", c.method, c.target)
		}
		var failure struct {
			Error struct{ Category string }
		}
		if status == 400 && (json.Unmarshal([]byte(body), &failure) != nil || failure.Error.Category != "invalid_input") {
			t.Errorf("%s %s: %s", c.method, c.target, body)
		}
	}
}

// TestLinkPrefixesAreNotInterchangeable holds for any secret, contact and time.
func TestLinkPrefixesAreNotInterchangeable(t *testing.T) {
	t.Parallel()
	r := linkRig()
	ada := r.made(t, `{"email":"ada@example.com"}`)
	now := time.Now()
	holds := func(secret []byte, ahead uint32) bool {
		if len(secret) == 0 {
			secret = []byte{0}
		}
		r.s.SetUnsubscribeSecret(string(secret))
		at := now.Add(time.Duration(ahead) * time.Second) // times in the future are taken
		pref, unsub := sign(string(secret), "pref:", ada, at), sign(string(secret), "", ada, at)
		for target, want := range map[string]string{
			"/prefs/verify/" + pref: `{"ok":true`, "/prefs/verify/" + unsub: `{"ok":false,"reason":"invalid_signature"}`,
			"/unsub/verify/" + unsub: `{"ok":true`, "/unsub/verify/" + pref: `{"ok":false,"reason":"invalid_signature"}`,
		} {
			if _, _, body := r.link(t, "GET", target); !strings.HasPrefix(body, want) {
				return false
			}
		}
		bad, _, _ := r.link(t, "POST", "/unsub/"+pref)
		good, _, _ := r.link(t, "POST", "/unsub/"+unsub)
		return bad == 400 && good == 200
	}
	if err := quick.Check(holds, &quick.Config{MaxCount: 30}); err != nil {
		t.Error(err)
	}
}

func TestLinksWithoutASecret(t *testing.T) {
	t.Parallel()
	r := newRig()
	ada := r.made(t, `{"email":"ada@example.com"}`)
	for _, secret := range []string{"", "any"} {
		if status, _, body := r.link(t, "GET", "/prefs/verify/"+sign(secret, "pref:", ada, time.Now())); status != 200 || body != `{"ok":false,"reason":"invalid_signature"}` {
			t.Errorf("%q: %d %s", secret, status, body)
		}
	}
}

// TestLinksAMinute lets one token in 30 times a minute, at all three places together.
func TestLinksAMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := linkRig()
		r.s.NoLimit = false
		ada := r.made(t, `{"email":"ada@example.com"}`)
		token := sign(linkSecret, "", ada, time.Now())
		for i := range 30 {
			method, target := "POST", "/unsub/"+token
			if i%2 == 0 {
				method, target = "GET", "/unsub/verify/"+token
			}
			if status, _, body := r.link(t, method, target); status != 200 {
				t.Fatalf("request %d: %d %s", i+1, status, body)
			}
			time.Sleep(time.Second)
		}
		for range 2 {
			status, header, body := r.link(t, "POST", "/unsub/"+token)
			if status != 429 || header.Get("Retry-After") != "30" || !strings.Contains(body, `"category":"rate_limited"`) {
				t.Errorf("the 31st: %d, Retry-After %q, %s", status, header.Get("Retry-After"), body)
			}
		}
		if status, _, _ := r.link(t, "POST", "/unsub/"+sign(linkSecret, "", ada, time.Now())); status != 200 {
			t.Errorf("a fresh token: %d", status)
		}
		time.Sleep(29*time.Second + 500*time.Millisecond)
		if status, header, _ := r.link(t, "GET", "/unsub/verify/"+token); status != 429 || header.Get("Retry-After") != "1" {
			t.Errorf("half a second before: %d, Retry-After %q", status, header.Get("Retry-After"))
		}
		time.Sleep(500 * time.Millisecond)
		if status, _, _ := r.link(t, "GET", "/unsub/verify/"+token); status != 200 {
			t.Errorf("a minute after the first: %d", status)
		}
		stats := r.s.Stats()
		if stats.Total != 1 || stats.RateLimited != 0 || stats.Writes != 1 || len(stats.Log) != 1 {
			t.Errorf("requests by links count for the API: %+v", stats)
		}
		if stats.Links.Total != 35 || stats.Links.RateLimited != 3 || len(stats.Links.Log) != 35 || stats.Count("POST", owlattest.RouteUnsubscribe, 200) != 16 ||
			stats.Count("", owlattest.RouteUnsubscribing, 429) != 1 || stats.Count("", owlattest.RoutePreferences, 0) != 0 {
			t.Errorf("%+v", stats.Links)
		}
	})
}

// TestOptOutByLink is an opt-out of everything by the person, as the model has it.
func TestOptOutByLink(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := linkRig()
		heard := make(chan string, 9)
		r.s.WebhookClient = &http.Client{Transport: roundTrip(func(req *http.Request) (*http.Response, error) {
			var body bytes.Buffer
			_, _ = body.ReadFrom(req.Body)
			heard <- body.String()
			return &http.Response{StatusCode: 204, Body: http.NoBody, Header: http.Header{}, Request: req}, nil
		})}
		t.Cleanup(func() { _ = r.s.Close() })
		_, err := r.s.AddWebhook("http://127.0.0.1:1/", "whsec_x", owlattest.WebhookTopicUnsubscribed)
		must(t, err)
		one, two := r.s.AddTopic("One", false), r.s.AddTopic("Two", true)
		ada := r.made(t, `{"email":"ada@example.com"}`)
		for _, topic := range []string{one, two} {
			r.want(t, "POST", "/topics/"+topic+"/contacts", `{"contactId":"`+ada+`"}`, 201, "")
		}
		before, _ := r.s.Contact(ada)
		revision := r.s.Revision()
		time.Sleep(time.Second)
		r.link(t, "GET", "/prefs/verify/"+sign(linkSecret, "pref:", ada, time.Now()))
		r.link(t, "GET", "/unsub/verify/"+sign(linkSecret, "", ada, time.Now()))
		if same, _ := r.s.Contact(ada); !same.UpdatedAt.Equal(before.UpdatedAt) || r.s.Revision() != revision {
			t.Error("looking changed something")
		}
		for range 2 {
			if status, _, body := r.link(t, "POST", "/unsub/"+sign(linkSecret, "", ada, time.Now())); status != 200 {
				t.Errorf("%d %s", status, body)
			}
		}
		after, _ := r.s.Contact(ada)
		if !after.Unsubscribed || len(after.Topics) != 0 || !after.UpdatedAt.After(before.UpdatedAt) || r.s.Revision() == revision {
			t.Errorf("%+v", after)
		}
		must(t, r.s.WaitWebhooks(t.Context()))
		if len(heard) != 1 {
			t.Fatalf("%d webhooks, want one for the first opt-out", len(heard))
		}
		if got := <-heard; !strings.Contains(got, one) || !strings.Contains(got, two) || !strings.Contains(got, ada) {
			t.Errorf("webhook %s", got)
		}
		history := r.s.History(ada)
		if last := history[len(history)-1]; last.Action != owlattest.OptedOut || last.By != owlattest.ByPerson {
			t.Errorf("history ends with %+v", last)
		}
		r.want(t, "POST", "/topics/"+one+"/contacts", `{"contactId":"`+ada+`"}`, 201, "")
		if c, _ := r.s.Contact(ada); c.Unsubscribed {
			t.Error("an add to a topic without double opt-in lifts the opt-out")
		}
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestLinkSecretIsKept with the rest of the state, and given by each way.
func TestLinkSecretIsKept(t *testing.T) {
	t.Parallel()
	works := func(s *owlattest.Server, secret string) bool {
		t.Helper()
		id, err := s.AddContact(owlattest.ContactState{})
		must(t, err)
		r := &rig{s: s}
		_, _, body := r.link(t, "GET", "/prefs/verify/"+sign(secret, "pref:", id, time.Now()))
		return strings.HasPrefix(body, `{"ok":true`)
	}
	saved := &owlattest.Server{UnsubscribeSecret: "first"}
	saved.SetUnsubscribeSecret("second")
	var file, bare bytes.Buffer
	must(t, saved.Save(&file))
	must(t, new(owlattest.Server).Save(&bare))
	for name, c := range map[string]struct {
		prepare func(*owlattest.Server) error
		want    string
	}{
		"the field":            {func(*owlattest.Server) error { return nil }, "first"},
		"SetUnsubscribeSecret": {func(s *owlattest.Server) error { s.SetUnsubscribeSecret("second"); return nil }, "second"},
		"a setup without one": {func(s *owlattest.Server) error {
			s.SetUnsubscribeSecret("x")
			_, err := s.Setup(owlattest.Given{})
			return err
		}, "first"},
		"a setup with one": {func(s *owlattest.Server) error {
			_, err := s.Setup(owlattest.Given{UnsubscribeSecret: "second"})
			return err
		}, "second"},
		"a saved state":           {func(s *owlattest.Server) error { return s.Load(&file) }, "second"},
		"a saved state with none": {func(s *owlattest.Server) error { return s.Load(&bare) }, "first"},
	} {
		s := &owlattest.Server{UnsubscribeSecret: "first"}
		must(t, c.prepare(s))
		for _, secret := range []string{"first", "second"} {
			if got := works(s, secret); got != (secret == c.want) {
				t.Errorf("%s: the secret %q works: %v", name, secret, got)
			}
		}
	}
}

// TestLinksOverSocket goes through the sandbox, its control API and faults.
func TestLinksOverSocket(t *testing.T) {
	t.Parallel()
	s := &owlattest.Server{NoLimit: true, BasePath: "/owlat"}
	base := serve(t, s)
	for body, want := range map[string]int{`{}`: 400, `{"secret":1}`: 400, `{"secret":"` + linkSecret + `"}`: 200} {
		if status, got := ask(t, base, "POST", "/__sandbox/unsubscribe-secret", body); status != want {
			t.Errorf("%s: %d %s", body, status, got)
		}
	}
	if status, got := ask(t, base, "POST", "/__sandbox/reset", `{"unsubscribeSecret":"`+linkSecret+`","topics":{"open":{"doubleOptIn":false}}}`); status != 200 {
		t.Fatalf("%d %s", status, got)
	}
	ada, err := s.AddContact(owlattest.ContactState{Email: "ada@example.com"})
	must(t, err)
	target := "/owlat/prefs/verify/" + url.PathEscape(sign(linkSecret, "pref:", ada, time.Now()))
	get := func(want int) string {
		t.Helper()
		status, got := ask(t, base, "GET", target, "")
		if status != want {
			t.Errorf("%d %s, want %d", status, got, want)
		}
		return got
	}
	if got := get(200); !strings.Contains(got, `"name":"open","subscribed":false`) {
		t.Errorf("%s", got)
	}
	for fault, want := range map[string]int{
		`{"kind":"rate_limited","route":"/prefs/verify/{token}","count":1}`:     429,
		`{"kind":"status","status":502,"route":"/prefs/verify/{token}","at":1}`: 502,
	} {
		if status, got := ask(t, base, "POST", "/__sandbox/faults", fault); status != 200 {
			t.Fatalf("%d %s", status, got)
		}
		get(want)
		if status, _ := ask(t, base, "DELETE", "/__sandbox/faults", ""); status != 200 {
			t.Error("faults were not cleared")
		}
	}
	if status, got := ask(t, base, "GET", "/prefs/verify/x", ""); status != 404 || got != "No HttpAction routed for /prefs/verify/x" {
		t.Errorf("beside the base path: %d %s", status, got)
	}
	var stats struct {
		Total, Faults int
		Links         struct {
			Total, RateLimited int
			Log                []owlattest.Arrival
		}
	}
	_, got := ask(t, base, "GET", "/__sandbox/stats", "")
	must(t, json.Unmarshal([]byte(got), &stats))
	if stats.Total != 1 || stats.Faults != 2 || stats.Links.Total != 3 || stats.Links.RateLimited != 1 || len(stats.Links.Log) != 3 { // the one is not routed
		t.Errorf("%+v", stats)
	}
	if _, got := ask(t, base, "GET", "/__sandbox/stats?log=false", ""); strings.Contains(got, `"at"`) {
		t.Errorf("a log: %s", got)
	}
}
