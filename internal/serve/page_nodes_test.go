package serve

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"owlatsync/internal/account"
	"owlatsync/internal/testdb"
)

// TestThePageOfTwoNodes: who signs in at one node is signed in at the other, which shows both, takes its forms, and knows the addresses of its persons.
func TestThePageOfTwoNodes(t *testing.T) {
	t.Parallel()
	const password = "correct horse battery"
	hash := account.Hash{Memory: 7 << 10, Passes: 1, Threads: 1}.Of(password)
	h := newHouse(t)
	h.configure("syncs: → ledger: "+testdb.Postgres(t)+"&schema=owlat_sync\nsyncs:", `stop_within: 10s → stop_within: 10s, accounts: [{name: ada, role: operator, hash: "`+hash.Text()+`"}]`)
	a := h.begin()
	defer a.end()
	b := h.begin()
	defer b.end()
	v := a.visitor() // its cookies tell no ports apart
	browser := v.http
	show := func(answer *http.Response, err error) (at, text string) {
		t.Helper()
		at, _, text = v.see(answer, err)
		return at, text
	}
	form := func(text string) string {
		t.Helper()
		found := regexp.MustCompile(`name="form" value="([^"]*)"`).FindStringSubmatch(text)
		if found == nil {
			t.Fatalf("no form:\n%s", text)
		}
		return found[1]
	}
	_, text := show(browser.Get("http://" + a.at.Listen + "/"))
	if at, text := show(browser.PostForm("http://"+a.at.Listen+"/login", url.Values{"form": {form(text)}, "name": {"ada"}, "password": {password}})); at != "/" {
		t.Fatalf("at %s:\n%s", at, text)
	}
	h.until("the other node shows both", func() bool {
		var at string
		at, text = show(browser.Get("http://" + b.at.Listen + "/"))
		return at == "/" && strings.Count(text, ">alive<") == 2
	})
	person, _ := show(browser.PostForm("http://"+a.at.Listen+"/people", url.Values{"form": {form(text)}, "word": {"nobody@example.com"}}))
	if at, text := show(browser.Get("http://" + b.at.Listen + person)); !strings.HasPrefix(at, "/people/") || !strings.Contains(text, "nobody@example.com") {
		t.Errorf("the other node does not know the person at %s:\n%s", person, text)
	}
	if at, _ := show(browser.PostForm("http://"+b.at.Listen+"/logout", url.Values{"form": {form(text)}})); at != "/login" {
		t.Errorf("signed out, at %s", at)
	}
	if at, _ := show(browser.Get("http://" + a.at.Listen + "/")); at != "/login" {
		t.Errorf("the browser is still signed in at the first node, at %s", at)
	}
}
