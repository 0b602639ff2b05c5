package page

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"owlatsync/internal/config"
)

func TestSigningInAndOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, accountOf("ada", config.Operator))
	w.gate.Replace([]config.Token{token}, nil)
	b := w.browser()
	if got := b.get("/"); got.path != "/login" || got.status != http.StatusOK || !strings.Contains(got.body, "<h1>Sign in</h1>") || strings.Contains(got.body, "Sign out") {
		t.Errorf("at first %d at %s:\n%s", got.status, got.path, got.body)
	}
	if got := b.get("/nothing/a?b=%22%3E"); got.status != http.StatusNotFound {
		t.Errorf("an address that is not there: %d", got.status)
	}
	before := b.held()
	got := b.signIn("ada", password)
	if got.path != "/" || got.status != http.StatusOK || !strings.Contains(got.body, "Sign out") || !strings.Contains(got.body, "ada") || !strings.Contains(got.body, "operator") {
		t.Errorf("signed in %d at %s:\n%s", got.status, got.path, got.body)
	}
	if b.held() == before || before == "" {
		t.Error("the browser holds what it held before the sign-in")
	}
	if got := b.get("/login?next=/deployments/x/"); got.path != "/deployments/x/" {
		t.Errorf("who is signed in is asked again at %s", got.path)
	}
	if got := b.send("/", "/logout"); got.path != "/login" || got.status != http.StatusOK {
		t.Errorf("signed out %d at %s", got.status, got.path)
	}
	if got := b.get("/"); got.path != "/login" {
		t.Errorf("still signed in, at %s", got.path)
	}
	if log := w.log.String(); !strings.Contains(log, "account=ada") || strings.Contains(log, before) || strings.Contains(log, password) {
		t.Errorf("the log has %s", log)
	}
}

// TestFixation: an id that somebody planted before a sign-in is worth nothing after it.
func TestFixation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, []config.Token{token}, accountOf("ada", config.Operator))
	attacker, victim := w.browser(), w.browser()
	attacker.get("/login")
	at, err := url.Parse(w.url)
	if err != nil {
		t.Fatal(err)
	}
	victim.jar.SetCookies(at, []*http.Cookie{{Name: "owlat-sync", Value: attacker.held(), Path: "/"}})
	if got := victim.signIn("ada", password); got.status != http.StatusOK || got.path != "/" {
		t.Fatalf("%d at %s", got.status, got.path)
	}
	if got := attacker.get("/"); got.path != "/login" {
		t.Errorf("the attacker is at %s", got.path)
	}
}

func TestWrongPasswords(t *testing.T) {
	t.Parallel()
	w := newWorld(t, []config.Token{token}, accountOf("ada", config.Operator))
	b := w.browser()
	known, unknown := b.signIn("ada", "wrong"), b.signIn(`"><script>x</script>`, "wrong")
	for _, got := range []reply{known, unknown} {
		if got.status != http.StatusForbidden || !strings.Contains(got.body, "The name or the password is wrong.") || strings.Contains(got.body, "<script>x") {
			t.Errorf("%d:\n%s", got.status, got.body)
		}
	}
	if strings.Contains(w.log.String(), "script") {
		t.Errorf("what was typed as a name is in the log: %s", w.log)
	}
	last := reply{}
	for i := 0; i < 20 && last.status != http.StatusTooManyRequests; i++ {
		last = b.signIn(fmt.Sprintf("eve%d", i), "wrong")
	}
	if last.status != http.StatusTooManyRequests || last.header.Get("Content-Security-Policy") == "" {
		t.Errorf("after many: %d", last.status)
	}
	if got := b.signIn("ada", password); got.status != http.StatusTooManyRequests {
		t.Errorf("the right password after many: %d", got.status)
	}
}

// TestForgedForms: no form counts without the token of the browser's own page, or from another site.
func TestForgedForms(t *testing.T) {
	t.Parallel()
	w := newWorld(t, []config.Token{token}, accountOf("ada", config.Operator))
	b, other := w.browser(), w.browser()
	if got := b.signIn("ada", password); got.path != "/" {
		t.Fatal(got.path)
	}
	own := formToken.FindStringSubmatch(b.get("/").body)[1]
	foreign := formToken.FindStringSubmatch(other.get("/login").body)[1]
	for name, test := range map[string]struct {
		token  string
		header []string
	}{
		"no token":                             {"", nil},
		"a token of somebody else":             {foreign, nil},
		"a cut token":                          {own[1:], nil},
		"another site":                         {own, []string{"Origin", "https://evil.example"}},
		"another site, as new browsers say it": {own, []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"}},
		"a site beside it":                     {own, []string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "navigate"}},
		"no origin":                            {own, []string{"Origin", "null"}},
	} {
		if got := b.do(http.MethodPost, "/logout", url.Values{"form": {test.token}}, test.header...); got.status != http.StatusForbidden {
			t.Errorf("%s: %d at %s", name, got.status, got.path)
		}
		if got := b.get("/"); got.path != "/" {
			t.Fatalf("%s: the form counted", name)
		}
	}
	if got := b.do(http.MethodPost, "/logout", url.Values{"form": {own}, "more": {strings.Repeat("a", maxForm)}}); got.status != http.StatusBadRequest {
		t.Errorf("an enormous form: %d", got.status)
	}
	if got := b.do(http.MethodGet, "/logout", nil); got.status != http.StatusNotFound {
		t.Errorf("a link signs out: %d", got.status)
	}
	if got := b.do(http.MethodPost, "/logout", url.Values{"form": {own}}, "Origin", ""); got.path != "/login" {
		t.Errorf("the own form: %d at %s", got.status, got.path)
	}
}

func TestALoginLeadsOnlyHere(t *testing.T) {
	t.Parallel()
	for next, want := range map[string]string{
		"": "/", "/": "/", "/a?b=c": "/a?b=c", "/deployments/x/": "/deployments/x/", "https://evil.example/": "/", "//evil.example/": "/", `/\evil.example`: "/", `\\evil.example`: "/",
		"/\t/evil.example": "/", "javascript:alert(1)": "/", "a": "/", "/login": "/", "/logout": "/", "%2f%2fevil.example": "/", "http:/evil.example": "/",
	} {
		if got := local(next); got != want {
			t.Errorf("%q leads to %q, want %q", next, got, want)
		}
	}
	w := newWorld(t, []config.Token{token}, accountOf("ada", config.Operator))
	b := w.browser()
	if got := b.send("/login", "/login", "name", "ada", "password", password, "next", "//evil.example/"); got.path != "/" {
		t.Errorf("led to %s", got.path)
	}
}

// TestAnAccountThatIsTakenAway signs out whoever used it.
func TestAnAccountThatIsTakenAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t, []config.Token{token}, accountOf("ada", config.Operator), accountOf("bob", config.Viewer))
	ada, bob := w.browser(), w.browser()
	ada.signIn("ada", password)
	bob.signIn("bob", password)
	w.people.ReplaceAll([]config.Account{accountOf("bob", config.Viewer)}, nil)
	if got := ada.get("/"); got.path != "/login" {
		t.Errorf("ada is at %s", got.path)
	}
	if got := bob.get("/"); got.path != "/" || !strings.Contains(got.body, "viewer") {
		t.Errorf("bob is at %s", got.path)
	}
}

func TestWithoutAccountsThereIsNoPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, []config.Token{token})
	b := w.browser()
	for _, path := range []string{"/", "/login", "/deployments/x/"} {
		if got := b.get(path); got.status != http.StatusNotFound || !strings.Contains(got.body, "owlat-sync account NAME --role operator") {
			t.Errorf("%s: %d\n%s", path, got.status, got.body)
		}
	}
	if got := b.send("/api/v1/status", "/login", "name", "ada", "password", password); got.status != http.StatusForbidden {
		t.Errorf("signing in: %d", got.status)
	}
}

// TestAnOpenPage is for browsers of this machine that call it by its own name.
func TestAnOpenPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	b := w.browser()
	if got := b.get("/"); got.status != http.StatusOK || got.path != "/" || strings.Contains(got.body, "Sign out") {
		t.Errorf("%d at %s", got.status, got.path)
	}
	for name, test := range map[string]struct {
		header []string
		status int
	}{
		"a link of another site":      {[]string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"}, http.StatusOK},
		"its own address":             {[]string{"Sec-Fetch-Site", "none", "Sec-Fetch-Mode", "navigate"}, http.StatusOK},
		"a script of another site":    {[]string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors"}, http.StatusForbidden},
		"a site that names this host": {[]string{"Host", "evil.example:8420"}, http.StatusForbidden},
		"a proxy":                     {[]string{"X-Forwarded-For", "203.0.113.5"}, http.StatusForbidden},
	} {
		if got := b.do(http.MethodGet, "/", nil, test.header...); got.status != test.status {
			t.Errorf("%s: %d, want %d", name, got.status, test.status)
		}
	}
}
