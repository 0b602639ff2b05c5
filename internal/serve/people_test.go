package serve

import (
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"owlatsync/owlat/owlattest"
)

// visitor is somebody at the page of an open service.
type visitor struct {
	*serving
	http *http.Client
}

func (l *serving) visitor() *visitor {
	l.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		l.t.Fatal(err)
	}
	return &visitor{l, &http.Client{Jar: jar, Transport: caller.Transport, Timeout: caller.Timeout}}
}

// see returns where a request leads, and what the page says without its tags.
func (v *visitor) see(answer *http.Response, err error) (at, text, raw string) {
	v.t.Helper()
	if err != nil {
		v.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	said := html.UnescapeString(regexp.MustCompile(`(?s)<[^>]*>`).ReplaceAllString(string(body), " "))
	return answer.Request.URL.Path, strings.Join(strings.Fields(said), " "), string(body)
}

// send sends a form, with the token of a page, and returns where that leads and what is said there.
func (v *visitor) send(page, action string, fields ...string) (at, text string) {
	v.t.Helper()
	_, _, raw := v.see(v.http.Get("http://" + v.at.Listen + page))
	token := regexp.MustCompile(`name="form" value="([^"]*)"`).FindStringSubmatch(raw)
	if token == nil {
		v.t.Fatalf("%s has no form", page)
	}
	form := url.Values{"form": {token[1]}}
	for i := 0; i < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	at, text, _ = v.see(v.http.PostForm("http://"+v.at.Listen+action, form))
	return at, text
}

func TestPeopleOfAService(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.configure()
	h.people()
}

func TestPeopleOfANode(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.shared()
	h.people()
}

// people answers why somebody gets no newsletter, asks Owlat and the source, and forgets a person, with everything real but Owlat.
func (h *house) people() {
	t := h.t
	l := h.begin()
	l.until("the first run", func() bool { return h.member("ann@example.com") && h.member("bob@example.com") })
	v := l.visitor()
	expect := func(what, text string, wants ...string) {
		t.Helper()
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("%s: %q is not said:\n%s", what, want, text)
			}
		}
	}
	l.until("the run has ended", func() bool {
		_, text := v.send("/people", "/people", "word", "1")
		return strings.Contains(text, "was put on the topic")
	})
	ann, text := v.send("/people", "/people", "word", "Ann@example.com")
	expect("before", text, "Do they get mail? Yes, as far as is known here. The contact is in Owlat, and was put on the topic", `column "news" said yes`, "Created the contact.")

	if _, err := h.server.AddWebhook("http://"+l.at.Listen+"/webhooks/owlat", "whsec_0123456789abcdef", owlattest.WebhookTopicUnsubscribed); err != nil {
		t.Fatal(err)
	}
	if err := h.server.Unsubscribe("ann@example.com", ""); err != nil {
		t.Fatal(err)
	}
	l.until("the write-back", func() bool {
		written, _ := os.ReadFile(filepath.Join(h.dir, "lines.ndjson"))
		_, text, _ = v.see(v.http.Get("http://" + l.at.Listen + ann))
		return strings.Contains(string(written), "ann@example.com") && strings.Contains(text, "“lines” was told")
	})
	expect("after she left", text, "Do they get mail? No. Topic “news”: The person left it, as one of Owlat's webhooks told.", "The person left news. A webhook told so.", "“lines” was told of an opt-out.")

	before := h.server.Stats().Total
	if _, text = v.send(ann, ann+"/now"); h.server.Stats().Total != before+1 {
		t.Errorf("it took %d requests", h.server.Stats().Total-before)
	}
	expect("now", text, "Owlat has the contact as it is recorded here.")
	if err := h.server.SoftDelete("bob@example.com"); err != nil {
		t.Fatal(err)
	}
	bob, _ := v.send("/people", "/people", "word", "2")
	_, text = v.send(bob, bob+"/now")
	expect("gone", text, "No. Owlat has no such contact any more.")

	h.write("users.csv", "id,email,news\n1,ann@example.com,true\n2,bob@example.com,true\n3,nonsense,true\n4,ANN@example.com,true\n")
	if r := l.run(); r["status"] != "ok" && r["status"] != "failed rows" {
		t.Errorf("%v", r)
	}
	_, text, _ = v.see(v.http.Get("http://" + l.at.Listen + "/failures"))
	expect("failures", text, "2 rows that cannot be sent", "Row Counts instead 4 row 1", "Correct the address in the source")
	_, text = v.send("/failures", "/failures/unsendable", "sync", "users")
	expect("unsendable", text, "Such rows: 2.", "nonsense", "counts instead")

	lost, text := v.send("/people", "/people", "word", "nonsense")
	expect("not known", text, "No. Every run that reads all rows reads this one, and cannot send it.", "users , row 3 , cannot be sent")
	_, text = v.send(lost, lost+"/sources")
	expect("in the source", text, "No. A source has the row", "users , row 3 It cannot be sent:", "nonsense · news: yes")

	l.until("forgetting, between runs", func() bool {
		at, said := v.send(ann+"/forget", ann+"/forget")
		text = said
		return at == "/people"
	})
	expect("forgotten", text, "The person is forgotten.")
	_, text = v.send("/people", "/people", "word", "ann@example.com")
	expect("afterwards", text, "asked to forget the person")
	_, text, _ = v.see(v.http.Get("http://" + l.at.Listen + "/audit"))
	expect("the audit", text, "this machine forget")
	l.end()
	if log := h.log.String(); strings.Contains(log, "@example.com") || strings.Contains(log, h.key) {
		t.Errorf("the log names a person or the key:\n%s", log)
	}
}
