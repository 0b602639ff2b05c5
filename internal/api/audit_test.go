package api

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"owlatsync/internal/access"
	"owlatsync/ledger"
)

func TestActionsLeaveAnAuditLine(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	full(w)
	c := start(t, w.api.Handler())
	golden(t, "nothing to retry", c.ask(http.MethodPost, "/api/v1/write-backs/retry", `{"all": true}`).body, `{"retried": 0}`)
	w.mu.Lock()
	w.retryMany = 2
	w.mu.Unlock()
	golden(t, "nothing was done", c.ask(http.MethodGet, "/api/v1/audit", "").body, `{"audit": []}`)
	for _, done := range []struct{ path, body string }{
		{"/api/v1/syncs/users/runs", `{"only": ["4711", "ada@example.com"]}`},
		{"/api/v1/runs/6/approve", ""}, {"/api/v1/runs/8/cancel", ""}, {"/api/v1/write-backs/retry", `{"all": true}`},
	} {
		if got := c.ask(http.MethodPost, done.path, done.body); got.status >= 300 {
			t.Errorf("POST %s: %+v", done.path, got)
		}
	}
	const first = `{"number": 1, "at": "2026-03-01T12:00:00Z", "who": "ci", "by": "api", "what": "run", "sync": "users", "run": 41, "count": 2}`
	golden(t, "what was done", c.ask(http.MethodGet, "/api/v1/audit", "").body, `{"audit": [
		{"number": 4, "at": "2026-03-01T12:00:00Z", "who": "ci", "by": "api", "what": "write-back retry", "count": 2},
		{"number": 3, "at": "2026-03-01T12:00:00Z", "who": "ci", "by": "api", "what": "cancel", "run": 8},
		{"number": 2, "at": "2026-03-01T12:00:00Z", "who": "ci", "by": "api", "what": "approve", "run": 6}, `+first+`]}`)
	golden(t, "page by page", c.ask(http.MethodGet, "/api/v1/audit?before=3&limit=1", "").body,
		`{"audit": [{"number": 2, "at": "2026-03-01T12:00:00Z", "who": "ci", "by": "api", "what": "approve", "run": 6}], "before": 2}`)
	golden(t, "the last page", c.ask(http.MethodGet, "/api/v1/audit?before=2", "").body, `{"audit": [`+first+`]}`)

	// Looking, what a viewer is refused, and what fails leave none.
	for _, path := range []string{"/api/v1/audit", "/api/v1/audit?limit=1"} {
		if got := c.ask(http.MethodGet, path, "", asViewer...); got.status != http.StatusForbidden {
			t.Errorf("a viewer gets %s: %+v", path, got)
		}
	}
	c.ask(http.MethodPost, "/api/v1/runs/6/approve", "", asViewer...)
	c.ask(http.MethodGet, "/api/v1/audit?before=0", "")
	w.mu.Lock()
	w.fails = &ledger.NoRunError{Run: 99}
	w.mu.Unlock()
	if got := c.ask(http.MethodPost, "/api/v1/runs/99/approve", ""); got.status != http.StatusNotFound {
		t.Errorf("a run that is not there: %+v", got)
	}
	if len(w.noted) != 4 {
		t.Errorf("lines %+v", w.noted)
	}
}

func TestAnActionStandsWithoutItsAuditLine(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	full(w)
	w.deaf = errors.New("the disk is full")
	c := start(t, w.api.Handler())
	if got := c.ask(http.MethodPost, "/api/v1/runs/6/approve", ""); got.status != http.StatusAccepted {
		t.Errorf("approved: %+v", got)
	}
	if log := w.logged(); !strings.Contains(log, "level=ERROR") || !strings.Contains(log, "did not take its audit line") || !strings.Contains(log, "the disk is full") ||
		!strings.Contains(log, "who=ci by=api what=approve") {
		t.Errorf("log %s", log)
	}
}

func TestWithoutTokensItIsThisMachine(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.gate = access.NewGate(nil, nil)
	w.api.parts.Gate = w.gate
	c := start(t, w.api.Handler())
	if got := c.ask(http.MethodPost, "/api/v1/syncs/users/runs", "", "Authorization", ""); got.status != http.StatusAccepted || len(w.noted) != 1 || w.noted[0].Who != ledger.WhoMachine {
		t.Errorf("%+v, lines %+v", got, w.noted)
	}
}
