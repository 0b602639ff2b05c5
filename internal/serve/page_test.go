package serve

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"owlatsync/internal/account"
)

// TestThePageOfAService: an account lets in, at the listener for administration alone, until it is taken away.
func TestThePageOfAService(t *testing.T) {
	t.Parallel()
	const password = "correct horse battery"
	hash, err := account.New(password)
	if err != nil {
		t.Fatal(err)
	}
	h := newHouse(t)
	configure := func(name string) {
		h.configure(`stop_within: 10s → stop_within: 10s, public: "localhost:0", accounts: [{name: ` + name + `, role: viewer, hash: "` + hash.Text() + `"}]`)
	}
	configure("ada")
	l := h.begin()
	l.until("the first run", func() bool { return h.member("ann@example.com") })
	v := l.visitor()
	browser := v.http
	show := func(answer *http.Response, err error) (at, text string) {
		t.Helper()
		at, _, text = v.see(answer, err)
		return at, text
	}
	at, text := show(browser.Get("http://" + l.at.Listen + "/"))
	form := regexp.MustCompile(`name="form" value="([^"]*)"`).FindStringSubmatch(text)
	if at != "/login" || form == nil {
		t.Fatalf("at %s:\n%s", at, text)
	}
	at, text = show(browser.PostForm("http://"+l.at.Listen+"/login", url.Values{"form": {form[1]}, "name": {"ada"}, "password": {password}}))
	if at != "/" || !strings.Contains(text, "users") || !strings.Contains(text, "2 of 2") {
		t.Errorf("at %s:\n%s", at, text)
	}
	if status, _ := l.ask("GET", "/api/v1/status", ""); status != http.StatusUnauthorized {
		t.Errorf("with accounts and no tokens the API answers %d to everybody", status)
	}
	answer, err := caller.Get("http://" + l.at.Public + "/login")
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusNotFound {
		t.Errorf("the public listener answers %d", answer.StatusCode)
	}
	configure("eve")
	l.reloads("the configuration was taken over")
	if at, _ := show(browser.Get("http://" + l.at.Listen + "/")); at != "/login" {
		t.Errorf("after the account went, the browser is at %s", at)
	}
	if log := h.log.String(); !strings.Contains(log, "account=ada") || strings.Contains(log, password) || strings.Contains(log, form[1]) {
		t.Errorf("the log:\n%s", log)
	}
}
