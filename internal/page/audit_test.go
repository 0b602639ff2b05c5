package page

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"owlatsync/internal/config"
)

// TestTheAuditOfSignIns: each deployment hears of those who reach it, and of refusals once a minute at most.
func TestTheAuditOfSignIns(t *testing.T) {
	t.Parallel()
	w := newWorld(t, []config.Token{token})
	w.all = map[string]*stands{"acme": {}, "bolt": {}, "coil": nil}
	w.people.ReplaceAll([]config.Account{accountOf("ada", config.Operator)}, map[string][]config.Account{"acme": {accountOf("eve", config.Viewer)}})
	b := w.browser()
	b.signIn("somebody", "secret as a name")
	b.signIn("ada", "wrong")
	b.signIn("ada", password)
	b.send("/", "/logout")
	b.signIn("acme/eve", password)
	if got, want := w.all["bolt"].audited(), []string{"unknown name sign-in refused by page 1", "ada sign-in by page 0", "ada sign-out by page 0"}; !slices.Equal(got, want) {
		t.Errorf("bolt has %q", got)
	}
	if got := w.all["acme"].audited(); len(got) != 4 || got[3] != "eve sign-in by page 0" {
		t.Errorf("acme has %q", got)
	}
}

// TestTheAuditIsShown to operators alone, a part at a time.
func TestTheAuditIsShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, []config.Token{token}, accountOf("ada", config.Operator), accountOf("wall", config.Viewer))
	w.all[""].states, w.all[""].lines = full(), listedLines+1
	b, viewer := w.browser(), w.browser()
	if got := b.signIn("ada", password); !strings.Contains(got.body, `href="/audit"`) {
		t.Error("nothing leads to the audit")
	}
	first, rest := b.get("/audit"), b.get("/audit?before=2")
	if n := strings.Count(first.body, `<tr role="row">`); first.status != http.StatusOK || n != listedLines+1 || !strings.Contains(first.body, `href="?before=2"`) || !strings.Contains(first.body, `<a href="/runs/7">7</a>`) || !strings.Contains(first.body, ">1,234<") || bare.MatchString(first.body) {
		t.Errorf("%d with %d rows", first.status, n)
	}
	if n := strings.Count(rest.body, `<tr role="row">`); n != 2 || strings.Contains(rest.body, "Older lines") {
		t.Errorf("the rest has %d rows", n)
	}
	if got := b.get("/audit?before=%3Cscript%3E"); got.status != http.StatusOK {
		t.Errorf("a wrong number: %d", got.status)
	}
	w.all[""].lines = 0
	if got := b.get("/audit"); !strings.Contains(got.body, "Nothing yet") {
		t.Error("an empty audit says nothing")
	}
	if got := viewer.signIn("wall", password); strings.Contains(got.body, `href="/audit"`) {
		t.Error("a viewer is led to the audit")
	}
	if got := viewer.get("/audit"); got.status != http.StatusForbidden || !strings.Contains(got.body, "role operator") {
		t.Errorf("a viewer sees it: %d", got.status)
	}
}

func TestRefusalsAreToldTogether(t *testing.T) {
	t.Parallel()
	var r refusals
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for i, test := range []struct {
		after time.Duration
		tell  int
	}{{0, 1}, {time.Second, 0}, {59 * time.Second, 0}, {time.Minute, 3}, {time.Minute + time.Second, 0}, {time.Hour, 2}} {
		if got := r.add(at.Add(test.after)); got != test.tell {
			t.Errorf("refusal %d after %s: %d are told, want %d", i, test.after, got, test.tell)
		}
	}
}
