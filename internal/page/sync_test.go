package page

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"owlatsync"
	"owlatsync/internal/api"
	"owlatsync/internal/config"
	"owlatsync/internal/page/figures"
	"owlatsync/ledger"
)

// runsBefore returns this many runs, newest first, one every minute.
func runsBefore(at time.Time, n int) (runs []ledger.Run) {
	report := owlatsync.NewReport("users", "1")
	report.Outcomes[owlatsync.Created], report.Outcomes[owlatsync.Failed] = 1234, 2
	for i := range n {
		began := at.Add(-time.Duration(i+1) * time.Minute)
		runs = append(runs, ledger.Run{ID: int64(n - i), Status: ledger.StatusOK, Message: nasty, Started: began, Finished: began.Add(2 * time.Second), Report: report})
	}
	return runs
}

func TestASync(t *testing.T) {
	t.Parallel()
	w := newWorld(t, []config.Token{token}, accountOf("ada", config.Operator), accountOf("wall", config.Viewer))
	all := w.all[""]
	all.budget = api.Budget{Limit: 10}
	all.states, all.runs = full(), runsBefore(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), 200)
	all.states[0].Sync.Sync.Query, all.states[0].Sync.Sync.DSN = "SELECT "+nasty, "postgres://user:secretpart@db/app"
	b, viewer := w.browser(), w.browser()
	list := b.signIn("ada", password)
	viewer.signIn("wall", password)
	path := "/syncs/" + url.PathEscape(nasty)
	if !strings.Contains(list.body, `href="`+strings.ReplaceAll(path, "&", "&amp;")) && !strings.Contains(list.body, `href="/syncs/leads"`) {
		t.Errorf("the overview leads to no sync:\n%s", list.body)
	}
	got := b.get(path)
	for _, want := range []string{"Latest runs", ">200<", `<a href="/runs/200#decisions">1,234</a>`, `<a href="/runs/200?what=failed#decisions">2</a>`, ">2s<", "Opted out", "4,321", "Configuration", "SELECT", "24 hours", `href="?window=7d"`, `aria-current="true"`, "1,234,000 of 1,234,567", "<svg", "<table"} {
		if !strings.Contains(got.body, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if n := strings.Count(got.body, `<figure class="plot"`); got.status != http.StatusOK || n != 6 || strings.Contains(got.body, "secretpart") || bare.MatchString(got.body) {
		t.Errorf("%d with %d plots, %q", got.status, n, bare.FindString(got.body))
	}
	if strings.Index(got.body, "Latest runs") > strings.Index(got.body, "<svg") || strings.Contains(got.body, `href="/runs/190"`) || strings.Index(got.body, "Needs you") > strings.Index(got.body, "Run now") {
		t.Error("the plots come before the runs, there are many runs before them, or an order comes before what needs a person")
	}
	if len(got.body) > 150<<10 {
		t.Errorf("the page has %d bytes", len(got.body))
	}
	if got := viewer.get(path); got.status != http.StatusOK || strings.Contains(got.body, "SELECT") {
		t.Errorf("a viewer sees the configuration, or nothing: %d", got.status)
	}
	for _, window := range []string{"7d", "90d", "<script>"} {
		if got := b.get(path + "?window=" + url.QueryEscape(window)); got.status != http.StatusOK || bare.MatchString(got.body) {
			t.Errorf("%s: %d", window, got.status)
		}
	}
	if got := b.get("/syncs/leads"); got.status != http.StatusOK {
		t.Errorf("a sync that has never run: %d", got.status)
	}
	if got := b.get("/syncs/nobody"); got.status != http.StatusNotFound || !strings.Contains(got.body, "<h1>Not found</h1>") {
		t.Errorf("a sync that is not there: %d", got.status)
	}
	all.runs = nil
	if got := b.get(path); got.status != http.StatusOK || !strings.Contains(got.body, "has never run") {
		t.Errorf("without runs: %d", got.status)
	}
}

// TestHowMuchIsRead: a page reads the records of the runs that it lists, and of others what plots need, no more than it can bear.
func TestHowMuchIsRead(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	w := newWorld(t, nil)
	all := w.all[""]
	all.states, all.budget = full(), api.Budget{Limit: 10}
	for _, test := range []struct {
		there         int
		window        string
		listed, drawn int
		cut           bool
	}{{0, "24h", 0, 0, false}, {5000, "24h", listedRuns, 1380, false}, {5000, "90d", listedRuns, 5000, false}, {figures.Most + 5, "90d", listedRuns, figures.Most + 1, true}} {
		all.runs = runsBefore(at, test.there)
		all.listed, all.drawn = 0, 0
		got := w.browser().get("/syncs/leads?window=" + test.window)
		if got.status != http.StatusOK || all.listed != test.listed || all.drawn != test.drawn || strings.Contains(got.body, "the latest 10,000") != test.cut {
			t.Errorf("of %d in %s: %d, %d listed, %d drawn", test.there, test.window, got.status, all.listed, all.drawn)
		}
		if n := strings.Count(got.body, "<figure"); n != 6 || len(got.body) > 100_000 {
			t.Errorf("of %d in %s: %d plots, %d bytes", test.there, test.window, n, len(got.body))
		}
	}
}
