package page

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"owlatsync"
	"owlatsync/internal/api"
	"owlatsync/internal/config"
	"owlatsync/internal/standing"
	"owlatsync/ledger"
)

// nasty is what a name or a message may be.
const nasty = "<script>alert(1)</script>\"'>\u202e\u200f&amp;`${x}"

// full returns how two syncs stand, one of which is in every trouble.
func full() []api.SyncState {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	report := owlatsync.NewReport("users", "7")
	report.Turned, report.Outcomes[owlatsync.Invalid] = 1, 4
	last := ledger.Run{ID: 7, Sync: nasty, Status: ledger.StatusFailedRows, Started: at, Finished: at.Add(time.Minute), Report: report, Summary: &owlatsync.Summary{}}
	held := ledger.Run{ID: 6, Sync: nasty, Status: ledger.StatusHeld, Message: nasty}
	review := ledger.Run{ID: 5, Sync: nasty, Status: ledger.StatusHeld, Mode: ledger.ModeReview, Message: nasty}
	return []api.SyncState{
		{
			Sync: standing.Sync{
				Sync: config.Sync{Name: nasty, Schedule: config.Schedule{Text: nasty}}, Known: true, Rows: ledger.Standing{Entries: 1234567, Applied: 1234001, Failing: 20, Parked: 12, Asked: 3, OptedOut: 4321},
				Runs: []ledger.Run{last}, Last: &last, Held: []standing.HeldRun{{Run: held}, {Run: held, Refused: errors.New(nasty)}, {Run: review}},
			},
			State: api.Failing, Why: nasty, Next: at.Add(time.Hour), Waits: 6,
		},
		{Sync: standing.Sync{Sync: config.Sync{Name: "leads"}}, State: api.NotScheduled},
	}
}

func TestTheOverview(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.all[""].states = full()
	got := w.browser().get("/")
	for _, want := range []string{
		"1,234,000 of 1,234,567", `<a href="/failures">20</a> <`, "12 given up", `data-label="To confirm">3<`, `data-label="Cannot be sent"><a href="/failures">4</a><`, `<a href="/feedback?event=topic.unsubscribed">4,321</a>`,
		"20 rows fail.", "12 of them have failed so often", "4 rows cannot be sent.", "See the rows that cannot be sent", "approve or dismiss", "owlat-sync dismiss 6", `waits for the approval of <a href="/runs/6">run 6</a>`, `data-state="failing"`, `data-state="not scheduled"`,
		`<time datetime="2026-03-01T12:01:00Z" title="2026-03-01 12:01:00 UTC" data-to="second">2026-03-01 12:01:00 UTC</time>`, `datetime="2026-03-01T13:00:00Z"`, "owlat-sync approve 6", "owlat-sync failures",
		"can no longer be approved", `<a href="/runs/6">Look at run 6</a>`, `<a href="/runs/7">Look at run 7</a>`, "A plan waits for you: somebody asked run 5", "never", "when somebody asks", `<html lang="en">`, `href="#main"`, `aria-current="page"`,
	} {
		if !strings.Contains(got.body, want) {
			t.Errorf("the overview lacks %s", want)
		}
	}
	if got.status != http.StatusOK || len(got.body) > 100<<10 || strings.Index(got.body, "Needs you") > strings.Index(got.body, ">Syncs<") {
		t.Errorf("%d, %d bytes", got.status, len(got.body))
	}
	if strings.Index(got.body, "Look at run 6") > strings.Index(got.body, "owlat-sync approve 6") {
		t.Error("the command comes before the page")
	}
	if t.Failed() {
		t.Log(got.body)
	}
}

// bare finds what the policy of the page would refuse, or what came through unescaped.
var bare = regexp.MustCompile(`(?i)<script>|<style|\sstyle=|\son[a-z]+=|javascript:|alert\(1\)</script>`)

func TestTextsAreEscaped(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.all[""].states, w.all[""].notReady = full(), errors.New(nasty)
	b := w.browser()
	w.all["closed"] = nil
	several := b.get("/")
	delete(w.all, "closed")
	whole := b.get("/")
	w.all[""].fails = errors.New(nasty)
	failed := b.get("/")
	for name, got := range map[string]reply{"overview": whole, "deployments": several, "error": failed} {
		if found := bare.FindString(got.body); found != "" || !strings.Contains(got.body, "&lt;") {
			t.Errorf("%s has %q:\n%s", name, found, got.body)
		}
		// A mark that turns the direction is always within <bdi>, so that it turns nothing else.
		for rest := got.body; ; {
			i := strings.Index(rest, "\u202e")
			if i < 0 {
				break
			}
			if open, end := strings.LastIndex(rest[:i], "<bdi>"), strings.LastIndex(rest[:i], "</bdi>"); open < 0 || end > open {
				t.Errorf("%s has a mark outside of <bdi>: …%s", name, rest[max(0, i-80):i])
			}
			rest = rest[i+len("\u202e"):]
		}
	}
	if failed.status != http.StatusInternalServerError {
		t.Errorf("a failure answers %d", failed.status)
	}
	if sentence("äb\u202ec") != "Äb\ufffdc." {
		t.Errorf("a mark within a sentence turns the rest of it: %q", sentence("äb\u202ec"))
	}
}

func TestHeadersOfPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t, []config.Token{token}, accountOf("ada", config.Viewer))
	b := w.browser()
	login := b.get("/")
	for name, want := range map[string]string{
		"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
		"Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
	} {
		if got := login.header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	for _, file := range regexp.MustCompile(`"(/static/[^"]+)"`).FindAllStringSubmatch(login.body, -1) {
		got := b.get(file[1])
		if got.status != http.StatusOK || got.header.Get("Cache-Control") != "public, max-age=31536000, immutable" || got.header.Get("Content-Type") == "" || got.body == "" {
			t.Errorf("%s: %d %v", file[1], got.status, got.header)
		}
	}
	if n := strings.Count(login.body, "/static/"); n != 3 {
		t.Errorf("the page has %d static files", n)
	}
	for _, path := range []string{"/static/page.css", "/static/page.000000000000.css", "/static/", "/static/../page.go"} {
		if got := b.get(path); got.status != http.StatusNotFound {
			t.Errorf("%s: %d", path, got.status)
		}
	}
}

// TestDeploymentsOfAPage: each is below its name, and nobody sees one that they do not reach.
func TestDeploymentsOfAPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, []config.Token{token})
	w.all = map[string]*stands{"acme": {states: full()}, "bolt": {states: full()[1:]}, "coil": nil}
	w.people.ReplaceAll([]config.Account{accountOf("ada", config.Operator)}, map[string][]config.Account{"acme": {accountOf("ada", config.Viewer)}, "coil": {accountOf("eve", config.Viewer)}})
	all, one, closed := w.browser(), w.browser(), w.browser()
	list := all.signIn("ada", password)
	for _, want := range []string{`href="/deployments/acme/"`, `href="/deployments/bolt/"`, "6 things wait", "in order", "not open"} {
		if !strings.Contains(list.body, want) {
			t.Errorf("the list lacks %s:\n%s", want, list.body)
		}
	}
	if got := all.get("/deployments/acme/"); !strings.Contains(flags.ReplaceAllString(got.body, "$1"), "owlat-sync approve 6 --deployment acme") {
		t.Errorf("a command does not name its deployment:\n%s", got.body)
	}
	if got := one.signIn("acme/ada", password); got.status != http.StatusOK || !strings.Contains(got.body, "leads") || strings.Contains(got.body, "bolt") || strings.Contains(got.body, ">Deployments<") {
		t.Errorf("who reaches one sees %d\n%s", got.status, got.body)
	}
	if got := closed.signIn("coil/eve", password); got.status != http.StatusServiceUnavailable {
		t.Errorf("who reaches one that is not open sees %d", got.status)
	}
	for _, test := range []struct {
		who    *browser
		path   string
		status int
	}{
		{all, "/deployments/acme/", 200}, {all, "/deployments/bolt/", 200}, {all, "/deployments/coil/", 503}, {all, "/deployments/dent/", 404},
		{one, "/deployments/acme/", 200}, {one, "/deployments/bolt/", 404}, {one, "/deployments/coil/", 404}, {one, "/deployments/acme/nothing", 404},
	} {
		got := test.who.get(test.path)
		if got.status != test.status || got.path != test.path || !strings.Contains(got.body, "<h1>") {
			t.Errorf("%s: %d at %s", test.path, got.status, got.path)
		}
	}
	w.all = map[string]*stands{}
	if got := all.get("/"); got.status != http.StatusOK || !strings.Contains(got.body, "No deployment yet") {
		t.Errorf("without any: %d", got.status)
	}
}

// TestThePageLeavesTheAPIAlone: the page is beside it, and not where everybody can reach.
func TestThePageLeavesTheAPIAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, []config.Token{token}, accountOf("ada", config.Operator))
	b := w.browser()
	b.signIn("ada", password)
	for path, status := range map[string]int{"/healthz": 200, "/readyz": 200, "/api/v1/status": 401, "/api/v1/deployments": 401, "/api/nothing": 404, "/webhooks/nothing": 404} {
		if got := b.get(path); got.status != status || !strings.HasPrefix(got.header.Get("Content-Type"), "application/json") {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
	public := api.New(api.Parts{Directory: w, Gate: w.gate, Page: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the page is asked at the public listener") })}).Public()
	for _, path := range []string{"/", "/login", "/static/page.css", "/deployments/acme/"} {
		r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, path, nil)
		if err != nil {
			t.Fatal(err)
		}
		answer := httptest.NewRecorder()
		public.ServeHTTP(answer, r)
		if answer.Code != http.StatusNotFound || !strings.HasPrefix(answer.Header().Get("Content-Type"), "application/json") {
			t.Errorf("%s: %d", path, answer.Code)
		}
	}
}
