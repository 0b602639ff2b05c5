package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"owlatsync/internal/problem"
	"owlatsync/internal/turns"
	"owlatsync/ledger"
	"owlatsync/reconcile"
)

// gets lists every address that is read, but for streams.
var gets = []string{
	"/api/v1/status", "/api/v1/syncs", "/api/v1/syncs/users", "/api/v1/syncs/users/runs", "/api/v1/runs", "/api/v1/runs/1", "/api/v1/runs/2", "/api/v1/runs/6", "/api/v1/runs/7", "/api/v1/runs/8",
	"/api/v1/runs/9", "/api/v1/runs/10", "/api/v1/runs/11", "/api/v1/feedback", "/api/v1/write-backs", "/api/v1/openapi.json", "/metrics", "/healthz", "/readyz",
}

func TestAnswersAreAsDocumented(t *testing.T) {
	t.Parallel()
	empty := newWorld(t)
	filled := newWorld(t)
	full(filled)
	for name, w := range map[string]*world{"empty": empty, "full": filled} {
		c := start(t, w.api.Handler())
		for _, path := range gets {
			got := c.ask(http.MethodGet, path, "")
			if missing := name == "empty" && strings.HasPrefix(path, "/api/v1/runs/"); missing != (got.status == http.StatusNotFound) || !missing && got.status != http.StatusOK {
				t.Errorf("%s: GET %s answers %d: %s", name, path, got.status, got.body)
			}
			if got.header.Get("Cache-Control") != "no-store" || got.header.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(got.header.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
				t.Errorf("%s: GET %s has the headers %v", name, path, got.header)
			}
			head := c.ask(http.MethodHead, path, "")
			if head.status != got.status || head.body != "" {
				t.Errorf("%s: HEAD %s answers %d and %q", name, path, head.status, head.body)
			}
		}
	}
}

// golden compares JSON, whatever the order of its fields.
func golden(t *testing.T, what, got, want string) {
	t.Helper()
	var g, w any
	if err := errors.Join(json.Unmarshal([]byte(got), &g), json.Unmarshal([]byte(want), &w)); err != nil {
		t.Fatalf("%s: %v in %s", what, err, got)
	}
	if diff := gocmp.Diff(w, g); diff != "" {
		t.Errorf("%s: -want +got\n%s", what, diff)
	}
}

func TestHowASyncStands(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	full(w)
	c := start(t, w.api.Handler())
	golden(t, "a sync that never ran", c.ask(http.MethodGet, "/api/v1/syncs/leads", "").body,
		`{"sync": "leads", "state": "not scheduled", "rows": 0, "in_step": 0, "failing": 0, "parked": 0, "asked_to_confirm": 0, "unsendable": 0, "held": []}`)
	var got map[string]any
	if err := json.Unmarshal([]byte(c.ask(http.MethodGet, "/api/v1/syncs/users", "").body), &got); err != nil {
		t.Fatal(err)
	}
	last, _ := got["last_run"].(map[string]any)
	if delete(got, "last_run"); last["run"] != 7.0 || last["status"] != "failed rows" || last["done"] != true {
		t.Errorf("the last run is %v", last)
	}
	text, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "a sync", string(text), `{
		"sync": "users", "state": "failing", "why": "1 row failed", "schedule": "every 5m", "next": "2026-03-01T13:00:00Z", "last_good": "2026-03-01T12:00:00Z",
		"rows": 10, "in_step": 8, "failing": 2, "parked": 1, "asked_to_confirm": 3, "unsendable": 1, "set_back": "2026-03-01T12:00:00Z",
		"held": [{"run": 6, "started": "2026-03-01T12:00:00Z", "message": "held by a guard", "partial": true, "refused": "the plan is of an older version"}],
		"reading": {"cursor": "updated_at", "next_full": "2026-03-02T12:00:00Z", "again": 1}}`)
	var status statusJSON
	if err := json.Unmarshal([]byte(c.ask(http.MethodGet, "/api/v1/status", "").body), &status); err != nil {
		t.Fatal(err)
	}
	if !status.Ready || status.Version != "1.2.3" || status.You != (whoJSON{"ci", "operator"}) || len(status.Syncs) != 2 || !slices.Equal(status.Syncs[0].Held, []int64{6}) ||
		status.Feedback == nil || status.Outbox["unsub"][ledger.DeliveryDone] != 1 || time.Since(status.Started) > time.Minute || status.Now.Before(status.Started) {
		t.Errorf("status %+v", status)
	}
	w.mu.Lock()
	w.notReady = errors.New("the ledger cannot be written")
	w.mu.Unlock()
	if err := json.Unmarshal([]byte(c.ask(http.MethodGet, "/api/v1/status", "").body), &status); err != nil || status.Ready || status.Why != "the ledger cannot be written" {
		t.Errorf("%v, status %+v", err, status)
	}
	if got := c.ask(http.MethodGet, "/readyz", "", "Authorization", ""); got.status != http.StatusServiceUnavailable || strings.Contains(got.body, "ledger") {
		t.Errorf("readyz: %+v", got)
	}
	if got := c.ask(http.MethodGet, "/healthz", "", "Authorization", ""); got.status != http.StatusOK {
		t.Errorf("healthz: %+v", got)
	}
}

func TestRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	full(w)
	c := start(t, w.api.Handler())
	for _, test := range []struct{ path, want string }{
		{"/api/v1/runs/1", `{"run": 1, "sync": "users", "mode": "run", "status": "died", "done": true, "message": "its process ended without a word", "started": "2026-03-01T12:00:00Z", "heard": "2026-03-01T12:00:00Z"}`},
		{"/api/v1/runs/9", `{"run": 9, "sync": "leads", "mode": "run", "status": "died", "done": true, "message": "its process ended without a word", "stage": "reading", "started": "2026-03-01T12:00:00Z", "heard": "2026-03-01T12:00:00Z"}`},
		{"/api/v1/runs/10", `{"run": 10, "sync": "leads", "mode": "run", "status": "queued", "done": false, "started": "2026-03-01T12:00:00Z", "full": true, "approves": 6}`},
		{"/api/v1/runs/11", `{"run": 11, "sync": "leads", "mode": "run", "status": "waiting", "done": false, "stage": "applying", "started": "2026-03-01T12:00:00Z", "heard": "2026-03-01T12:00:00Z", "part": {"only": ["ada"]}}`},
		{"/api/v1/runs/6", `{"run": 6, "sync": "users", "mode": "run", "status": "held", "done": true, "message": "held by a guard", "stage": "planning", "started": "2026-03-01T12:00:00Z", "finished": "2026-03-01T12:00:00Z",
			"guards": [{"guard": "removals", "reason": "3 of 10"}], "part": {"only": ["4711", "ada@example.com"], "limit": 2}}`},
	} {
		golden(t, test.path, c.ask(http.MethodGet, test.path, "").body, test.want)
	}
	var live runJSON
	if err := json.Unmarshal([]byte(c.ask(http.MethodGet, "/api/v1/runs/8", "").body), &live); err != nil {
		t.Fatal(err)
	}
	if live.Stage != ledger.StageApplying || live.Done || live.Report == nil || live.Summary == nil || live.Progress == nil || *live.Progress != (progressJSON{2, 400, 90}) {
		t.Errorf("a run that goes on: %+v", live)
	}
	for path, want := range map[string]string{
		"/api/v1/runs": "11 10 9 8 7 6 2 1", "/api/v1/runs?limit=2": "11 10", "/api/v1/runs?sync=gone": "2", "/api/v1/runs?sync=nobody": "", "/api/v1/syncs/leads/runs": "11 10 9",
		"/api/v1/syncs/leads/runs?limit=1": "11",
	} {
		var got struct{ Runs []runJSON }
		if err := json.Unmarshal([]byte(c.ask(http.MethodGet, path, "").body), &got); err != nil {
			t.Fatal(err)
		}
		numbers := make([]string, len(got.Runs))
		for i, r := range got.Runs {
			numbers[i] = fmt.Sprint(r.Run)
		}
		if joined := strings.Join(numbers, " "); joined != want {
			t.Errorf("%s: %s, want %s", path, joined, want)
		}
	}
}

func TestWhatIsAskedForIsTaken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	full(w)
	w.states[0].Sync.Sync.Key = []string{"id"}
	c := start(t, w.api.Handler())
	for _, test := range []struct{ path, body, asked, answer string }{
		{"/api/v1/syncs/users/runs", "", "trigger users", `{"run": 41, "sync": "users", "url": "/api/v1/runs/41"}`},
		{"/api/v1/syncs/users/runs", "{}", "trigger users", `{"run": 41, "sync": "users", "url": "/api/v1/runs/41"}`},
		{"/api/v1/syncs/users/runs", " {\"full\": true}\n", "trigger users full", `{"run": 41, "sync": "users", "url": "/api/v1/runs/41"}`},
		{"/api/v1/syncs/users/runs", `{"review": true}`, "trigger users for review", `{"run": 41, "sync": "users", "url": "/api/v1/runs/41"}`},
		{"/api/v1/syncs/users/runs", `{"only": ["4711", "a b"], "limit": 3}`, "trigger users only 4711 a b limited", `{"run": 41, "sync": "users", "url": "/api/v1/runs/41"}`},
		{"/api/v1/syncs/leads/runs", `{"only": [" Ada@Example.com"]}`, "trigger leads only ada@example.com", `{"run": 41, "sync": "leads", "url": "/api/v1/runs/41"}`},
		{"/api/v1/runs/6/approve", "", "approve 6", `{"run": 42, "url": "/api/v1/runs/42"}`},
		{"/api/v1/runs/6/dismiss", "", "dismiss 6", `{"run": 6, "url": "/api/v1/runs/6"}`},
		{"/api/v1/runs/8/cancel", "{}", "cancel 8", `{"run": 8, "url": "/api/v1/runs/8"}`},
	} {
		got := c.ask(http.MethodPost, test.path, test.body)
		if got.status != http.StatusAccepted || !strings.Contains(test.answer, got.header.Get("Location")) || got.header.Get("Location") == "" {
			t.Errorf("POST %s answers %d with %v: %s", test.path, got.status, got.header, got.body)
			continue
		}
		golden(t, test.path, got.body, test.answer)
		w.mu.Lock()
		if !slices.Equal(w.asked, []string{test.asked}) {
			t.Errorf("POST %s %s asks for %q, want %q", test.path, test.body, w.asked, test.asked)
		}
		w.asked = nil
		w.mu.Unlock()
	}
	if log := w.logged(); strings.Count(log, "level=INFO") != 9 || strings.Count(log, "token=ci") != 9 || strings.Contains(log, "a b") || strings.Contains(log, "example.com") {
		t.Errorf("the log is %s", log)
	}
}

func TestFeedbackAndWriteBacks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	full(w)
	c := start(t, w.api.Handler())
	golden(t, "feedback", c.ask(http.MethodGet, "/api/v1/feedback", "").body, `{"feedback": [
		{"id": 2, "event": "email.bounced", "received": "2026-03-01T12:00:01Z", "email": "ada@example.com", "kind": "hard", "detail": "550 <ada@example.com> is not here"},
		{"id": 1, "event": "topic.unsubscribed", "at": "2026-03-01T12:00:00Z", "received": "2026-03-01T12:00:00Z", "contact_id": "c1", "email": "ada@example.com", "topics": [{"id": "t1", "name": "News"}, {"id": "t2"}]}]}`)
	golden(t, "write-backs", c.ask(http.MethodGet, "/api/v1/write-backs?state=dead", "").body, `{
		"targets": {"unsub": {"waiting": 1, "done": 1, "dead": 0}, "file feedback.ndjson": {"waiting": 0, "done": 0, "dead": 1}},
		"deliveries": [{"id": 2, "target": "file feedback.ndjson", "state": "dead", "attempts": 12, "error": "the disk is full",
			"feedback": {"id": 2, "event": "email.bounced", "received": "2026-03-01T12:00:01Z", "email": "ada@example.com", "kind": "hard", "detail": "550 <ada@example.com> is not here"}}]}`)
	for path, want := range map[string]string{
		"/api/v1/feedback?limit=1": "[2] next 2", "/api/v1/feedback?before=2": "[1] next <nil>", "/api/v1/feedback?event=email.bounced": "[2] next <nil>", "/api/v1/feedback?person=c1": "[1] next <nil>",
		"/api/v1/write-backs": "[3 2 1] next <nil>", "/api/v1/write-backs?limit=1": "[3] next <nil>", "/api/v1/write-backs?state=done": "[1] next <nil>",
	} {
		var got struct {
			Feedback, Deliveries []struct{ ID int64 }
			Before               any
		}
		if err := json.Unmarshal([]byte(c.ask(http.MethodGet, path, "").body), &got); err != nil {
			t.Fatal(err)
		}
		ids := []int64{}
		for _, item := range append(got.Feedback, got.Deliveries...) {
			ids = append(ids, item.ID)
		}
		if all := fmt.Sprintf("%v next %v", ids, got.Before); all != want {
			t.Errorf("%s: %s, want %s", path, all, want)
		}
	}
	w.retryMany = 7
	golden(t, "retry some", c.ask(http.MethodPost, "/api/v1/write-backs/retry", `{"ids": [2, 5]}`).body, `{"retried": 7}`)
	golden(t, "retry all", c.ask(http.MethodPost, "/api/v1/write-backs/retry", `{"all": true}`).body, `{"retried": 7}`)
	if !slices.Equal(w.retried, []int64{2, 5}) {
		t.Errorf("retried %v", w.retried)
	}
	// A service without a write-back says so in the same words.
	bare := newWorld(t)
	bare.only.Outbox = nil
	c = start(t, bare.api.Handler())
	golden(t, "no write-backs", c.ask(http.MethodGet, "/api/v1/write-backs", "").body, `{"targets": {}, "deliveries": []}`)
	golden(t, "nothing to retry", c.ask(http.MethodPost, "/api/v1/write-backs/retry", `{"all": true}`).body, `{"retried": 0}`)
}

// TestViewersSeeNobody looks for the person of the full world in everything that a viewer can get.
func TestViewersSeeNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	full(w)
	c := start(t, w.api.Handler())
	seen := 0
	for _, path := range append(slices.Clone(gets), "/api/v1/runs/7/events", "/api/v1/runs/2/events", "/api/v1/syncs/leads", "/api/v1/syncs/leads/runs") {
		got := c.ask(http.MethodGet, path, "", asViewer...)
		if got.status != http.StatusOK || strings.Contains(got.body, "ada") || strings.Contains(got.body, "example.com") {
			t.Errorf("a viewer gets %d from %s: %s", got.status, path, got.body)
		}
		if strings.Contains(c.ask(http.MethodGet, path, "").body, "ada") {
			seen++
		}
	}
	if seen < 7 {
		t.Errorf("an operator sees the person in %d answers only: the test looks for the wrong thing", seen)
	}
	golden(t, "keys of a run", c.ask(http.MethodGet, "/api/v1/runs/6", "", asViewer...).body, `{"run": 6, "sync": "users", "mode": "run", "status": "held", "done": true, "message": "held by a guard", "stage": "planning",
		"started": "2026-03-01T12:00:00Z", "finished": "2026-03-01T12:00:00Z", "guards": [{"guard": "removals", "reason": "3 of 10"}], "part": {"only": ["4711"], "hidden": 1, "limit": 2}}`)
	// Whether somebody is known, a viewer cannot find out either.
	for _, person := range []string{"ada@example.com", "nobody@example.com"} {
		if got := c.ask(http.MethodGet, "/api/v1/feedback?person="+person, "", asViewer...); got.status != http.StatusForbidden {
			t.Errorf("a viewer searches for a person: %+v", got)
		}
	}
	for _, path := range []string{"/api/v1/syncs/users/runs", "/api/v1/syncs/nobody/runs", "/api/v1/runs/6/approve", "/api/v1/runs/6/dismiss", "/api/v1/runs/8/cancel", "/api/v1/write-backs/retry"} {
		if got := c.ask(http.MethodPost, path, "", asViewer...); got.status != http.StatusForbidden {
			t.Errorf("a viewer does POST %s: %+v", path, got)
		}
	}
	if len(w.asked) > 0 || len(w.retried) > 0 {
		t.Errorf("a viewer did %q, %v", w.asked, w.retried)
	}
}

func TestEverythingNeedsAToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	full(w)
	c := start(t, w.api.Handler())
	for _, r := range w.api.routes() {
		path := strings.NewReplacer("{name}", "users", "{id}", "6").Replace(r.path)
		for _, header := range [][]string{{"Authorization", ""}, {"Authorization", "Basic dXNlcjpwYXNz"}} {
			got := c.ask(r.method, path, "", header...)
			if header[1] != "" { // a token that is wrong counts; too many are refused otherwise
				if got.status != http.StatusUnauthorized && got.status != http.StatusTooManyRequests {
					t.Errorf("%s %s with %q: %+v", r.method, path, header, got)
				}
				continue
			}
			if got.status != http.StatusUnauthorized && got.status != http.StatusTooManyRequests || strings.Contains(got.body, "users") {
				t.Errorf("%s %s: %+v", r.method, path, got)
			}
			if got.status == http.StatusUnauthorized && !strings.HasPrefix(got.header.Get("WWW-Authenticate"), "Bearer") {
				t.Errorf("%s %s: %v", r.method, path, got.header)
			}
		}
	}
	if got := c.ask(http.MethodGet, "/metrics", "", "Authorization", ""); got.status != http.StatusUnauthorized {
		t.Errorf("metrics: %+v", got)
	}
	if got := c.ask(http.MethodPost, "/webhooks/owlat", "{}", "Authorization", ""); got.status != http.StatusNoContent {
		t.Errorf("webhooks: %+v", got)
	}
}

// logged counts the lines of a log that have all the words.
func logged(log string, words ...string) (n int) {
	for line := range strings.Lines(log) {
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(line, w) }) {
			n++
		}
	}
	return n
}

// TestNobodyFillsTheLog asks in ways that anybody can, and with a wrong token.
func TestNobodyFillsTheLog(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := start(t, w.api.Handler())
	for range 50 {
		c.ask(http.MethodGet, "/api/v1/syncs", "", "Authorization", "")
		c.ask(http.MethodPost, "/api/v1/syncs/users/runs", "", "Origin", "https://evil.example")
	}
	if log := w.logged(); strings.Contains(log, "level=WARN") || strings.Count(log, "level=DEBUG") != 100 || !strings.Contains(log, "client=127.0.0.1") {
		t.Errorf("the log is %.1000s", log)
	}
	for range 50 {
		c.ask(http.MethodGet, "/api/v1/syncs", "", "Authorization", "Bearer "+strings.Repeat("wrong", 10))
	}
	if log := w.logged(); strings.Count(log, "level=WARN") < 10 || strings.Count(log, "level=WARN") > 13 || strings.Contains(log, "wrongwrong") ||
		logged(log, "level=WARN", "too many wrong tokens") != 1 || logged(log, "level=WARN", "the token is not known") < 10 {
		t.Errorf("the log is %.1000s", log)
	}
}

func TestBadRequestsAreToldWhatToDo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	full(w)
	c := start(t, w.api.Handler())
	run, retry := "/api/v1/syncs/users/runs", "/api/v1/write-backs/retry"
	for _, test := range []struct {
		method, path, body string
		header             []string
		status             int
		code, says         string
	}{
		{"GET", "/", "", nil, 404, "route", "nothing at this address"},
		{"GET", "/api/v2/syncs", "", nil, 404, "route", "nothing at this address"},
		{"GET", "/api/v1/syncs/", "", nil, 404, "route", "nothing at this address"},
		{"GET", "/api/v1/syncs/nobody", "", nil, 404, "sync", `there is no sync "nobody"; there are: users, leads`},
		{"GET", "/api/v1/syncs/%3Cscript%3E", "", nil, 404, "sync", `there is no sync "<script>"`},
		{"POST", "/api/v1/syncs/nobody/runs", "", nil, 404, "sync", `there is no sync "nobody"`},
		{"GET", "/api/v1/syncs/nobody/runs", "", nil, 404, "sync", `there is no sync "nobody"`},
		{"GET", "/api/v1/runs/99", "", nil, 404, "run", "the ledger knows no run 99"},
		{"GET", "/api/v1/runs/99/events", "", nil, 404, "run", "the ledger knows no run 99"},
		{"GET", "/api/v1/runs/x", "", nil, 404, "run", "no run by its number"},
		{"GET", "/api/v1/runs/-1", "", nil, 404, "run", "no run by its number"},
		{"GET", "/api/v1/runs/99999999999999999999", "", nil, 404, "run", "no run by its number"},
		{"POST", "/api/v1/runs/x/approve", "", nil, 404, "run", "no run by its number"},
		{"DELETE", "/api/v1/runs/7", "", nil, 405, "method", "does not take the method"},
		{"POST", "/metrics", "", nil, 405, "method", "does not take the method"},
		{"POST", "/healthz", "", nil, 405, "method", "does not take the method"},
		{"POST", "/readyz", "", nil, 405, "method", "does not take the method"},
		{"PUT", run, "{}", nil, 405, "method", "does not take the method"},
		{"OPTIONS", run, "", []string{"Origin", "https://evil.example", "Access-Control-Request-Method", "POST"}, 405, "method", "does not take the method"},
		{"GET", "/api/v1/runs?limit=0", "", nil, 400, "query", `"limit" must be a number from 1 to 1000`},
		{"GET", "/api/v1/runs?limit=1001", "", nil, 400, "query", `"limit" must be a number from 1 to 1000`},
		{"GET", "/api/v1/runs?limit=many", "", nil, 400, "query", `"limit" must be a number from 1 to 1000`},
		{"GET", "/api/v1/runs?limit=1&limit=2", "", nil, 400, "query", `"limit" is given 2 times`},
		{"GET", "/api/v1/runs?limits=1", "", nil, 400, "query", `no parameter "limits"; it takes sync, limit`},
		{"GET", "/api/v1/syncs?limit=1", "", nil, 400, "query", `no parameter "limit"; it takes none`},
		{"GET", "/api/v1/runs?a=%zz", "", nil, 400, "query", "cannot be read"},
		{"GET", "/api/v1/feedback?event=topic.subscribed", "", nil, 400, "query", "can be topic.unsubscribed"},
		{"GET", "/api/v1/write-backs?state=lost", "", nil, 400, "query", "can be waiting, done, dead"},
		{"GET", "/api/v1/events?kinds=ended,nonsense", "", nil, 400, "query", "nonsense\" is no kind of event"},
		{"GET", "/api/v1/events?after=-4", "", nil, 400, "query", `"after" must be a number`},
		{"POST", run + "?full=true", "", nil, 400, "query", `no parameter "full"`},
		{"POST", run, "{", nil, 400, "body", "not one JSON object"},
		{"POST", run, "[]", nil, 400, "body", "not one JSON object"},
		{"POST", run, "{} {}", nil, 400, "body", "not one JSON object"},
		{"POST", run, `{"only": "4711"}`, nil, 400, "body", `"only" of the body has a value of the wrong kind`},
		{"POST", run, `{"limit": 1.5}`, nil, 400, "body", `"limit" of the body has a value of the wrong kind`},
		{"POST", run, `{"limit": -1}`, nil, 400, "body", `"limit" must be 1 or more`},
		{"POST", run, `{"only": ["a", ""]}`, nil, 400, "body", "empty key"},
		{"POST", run, `{"only": ["a"` + strings.Repeat(`,"a"`, 10_000) + `]}`, nil, 400, "body", "names 10001 rows"},
		{"POST", run, `{"onyl": ["a"]}`, nil, 400, "body", `"onyl", which is not known; it can have full, limit, only`},
		{"POST", run, `{"only": ["` + strings.Repeat("a", maxBody) + `"]}`, nil, 413, "body", "larger than 1048576 bytes"},
		{"POST", run, "{}", []string{"Content-Type", "text/plain"}, 415, "body", "not said to be JSON"},
		{"POST", run, "full=true", []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, "body", "not said to be JSON"},
		{"POST", run, "{}", []string{"Content-Type", ""}, 415, "body", "not said to be JSON"},
		{"POST", "/api/v1/runs/6/approve", `{"yes": true}`, nil, 400, "body", `"yes", which is not known`},
		{"POST", retry, "", nil, 400, "body", "must say which deliveries"},
		{"POST", retry, `{"all": false}`, nil, 400, "body", "must say which deliveries"},
		{"POST", retry, `{"all": true, "ids": [1]}`, nil, 400, "body", "say one of them"},
		{"POST", retry, `{"ids": ["1"]}`, nil, 400, "body", "wrong kind"},
		{"POST", run, "", []string{"Origin", "https://evil.example"}, 403, "origin", "page of another site"},
		{"POST", run, "", []string{"Sec-Fetch-Site", "cross-site"}, 403, "origin", "page of another site"},
	} {
		got := c.ask(test.method, test.path, test.body, test.header...)
		var body errorJSON
		if err := json.Unmarshal([]byte(got.body), &body); err != nil {
			t.Errorf("%s %s: %v: %s", test.method, test.path, err, got.body)
			continue
		}
		if e := body.Error; got.status != test.status || e.Code != test.code || !strings.Contains(e.Message+e.Hint, test.says) || e.Hint == "" {
			t.Errorf("%s %s %.50s: %d %+v", test.method, test.path, test.body, got.status, e)
		}
		if got.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s %s lets other sites in", test.method, test.path)
		}
	}
	if len(w.asked) > 0 || len(w.retried) > 0 {
		t.Errorf("bad requests did %q, %v", w.asked, w.retried)
	}
	if got := c.ask(http.MethodPut, "/api/v1/syncs/users/runs", "{}"); got.header.Get("Allow") != "GET, HEAD, POST" {
		t.Errorf("allowed are %q", got.header.Get("Allow"))
	}
}

func TestWhatWentWrongIsTold(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		fails  error
		status int
		code   string
		says   string
	}{
		{&turns.BeingAppliedError{Held: 6, Run: 7}, 409, "state", "cancel that run first"},
		{&turns.NotCancellableError{Run: 6, Status: ledger.StatusHeld}, 409, "state", "nothing to cancel"},
		{&reconcile.NotHeldError{Sync: "users", Run: 6, Status: ledger.StatusOK}, 409, "state", "is not held"},
		{fmt.Errorf("approve: %w", reconcile.ErrOldPlan), 409, "state", "another version"},
		{reconcile.ErrPartForgotten, 409, "state", "forgotten since"},
		{&ledger.RunEndedError{Run: 6, Status: ledger.StatusDied}, 409, "state", "cannot go on"},
		{&ledger.NoRunError{Run: 6}, 404, "run", "no run 6"},
		{&turns.UnknownSyncError{Sync: "gone", Known: []string{"users"}}, 404, "sync", `no sync "gone"`},
		{fmt.Errorf("queue a run: %w", ledger.ErrLocked), 503, "unavailable", "queue a run"},
		{fmt.Errorf("read the ledger: %w (connect as verysecret)", ledger.ErrAway), 503, "unavailable", "cannot be reached"},
		{fmt.Errorf("queue a run: %w (ERROR of verysecret)", ledger.ErrFull), 503, "unavailable", "free some space"},
		{fmt.Errorf("read the ledger: %w", context.DeadlineExceeded), 503, "unavailable", "read the ledger"},
		{errors.New("queue a run: no space left on device"), 500, "internal", "no space left"},
		{problem.Hint(errors.New("queue a run: no space left on device"), "make room"), 500, "internal", "make room"},
	} {
		w := newWorld(t)
		w.fails = test.fails
		c := start(t, w.api.Handler())
		got := c.ask(http.MethodPost, "/api/v1/runs/6/approve", "")
		var body errorJSON
		if err := json.Unmarshal([]byte(got.body), &body); err != nil {
			t.Fatal(err)
		}
		if e := body.Error; got.status != test.status || e.Code != test.code || !strings.Contains(e.Message+" "+e.Hint, test.says) || e.Hint == "" || strings.Contains(got.body, "verysecret") {
			t.Errorf("%v: %d %+v", test.fails, got.status, e)
		}
		if test.status == 500 != strings.Contains(w.logged(), "level=ERROR") {
			t.Errorf("%v: the log is %s", test.fails, w.logged())
		}
	}
	// Every address that reads passes its failure on.
	w := newWorld(t)
	full(w)
	w.fails = errors.New("read the ledger: disk I/O error")
	c := start(t, w.api.Handler())
	for _, path := range gets {
		got := c.ask(http.MethodGet, path, "")
		if read := strings.HasPrefix(path, "/api/") && path != "/api/v1/openapi.json"; read != (got.status == 500) {
			t.Errorf("GET %s answers %d", path, got.status)
		}
	}
}

func TestThePublicListenerHasWebhooksAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	full(w)
	c := start(t, w.api.Public())
	if got := c.ask(http.MethodPost, "/webhooks/owlat", "{}", "Authorization", ""); got.status != http.StatusNoContent {
		t.Errorf("webhooks: %+v", got)
	}
	if got := c.ask(http.MethodGet, "/healthz", "", "Authorization", ""); got.status != http.StatusOK {
		t.Errorf("healthz: %+v", got)
	}
	for _, path := range append(slices.Clone(gets), "/api/v1/events", "/") {
		if path == "/healthz" {
			continue
		}
		r := c.request(http.MethodGet, path, "")
		answer, err := c.http.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if _ = answer.Body.Close(); answer.StatusCode != http.StatusNotFound {
			t.Errorf("GET %s answers %d", path, answer.StatusCode)
		}
	}
}

func TestADefectEndsOneRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.api.parts.Metrics = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("a defect") })
	c := start(t, w.api.Handler())
	if _, err := c.http.Do(c.request(http.MethodGet, "/metrics", "")); err == nil {
		t.Error("the request is answered")
	}
	if log := w.logged(); !strings.Contains(log, "level=ERROR") || !strings.Contains(log, "answers_test.go") {
		t.Errorf("the log is %s", log)
	}
	if got := c.ask(http.MethodGet, "/healthz", ""); got.status != http.StatusOK {
		t.Errorf("afterwards: %+v", got)
	}
}

// FuzzRequests sends what nobody foresaw. Whatever it is, the answer is one that is documented.
func FuzzRequests(f *testing.F) {
	for _, path := range gets {
		f.Add("GET", path, "", "")
	}
	f.Add("POST", "/api/v1/syncs/users/runs", `{"only": ["1"], "limit": 2, "full": true}`, "application/json")
	f.Add("POST", "/api/v1/write-backs/retry", `{"all": true}`, "application/json; charset=utf-8")
	f.Add("GET", "/api/v1/feedback?event=email.bounced&before=4&limit=1&person=a", "", "")
	f.Fuzz(func(t *testing.T, method, target, body, kind string) {
		if strings.HasSuffix(strings.SplitN(target, "?", 2)[0], "/events") { // it would go on
			return
		}
		r, err := http.NewRequest(method, "http://sync.example.com", strings.NewReader(body))
		if err != nil {
			return
		}
		if r.URL, err = r.URL.Parse(target); err != nil || r.URL.Host != "sync.example.com" || !strings.HasPrefix(r.URL.Path, "/") || method == http.MethodConnect {
			return
		}
		w := newWorld(t)
		full(w)
		r.Header.Set("Authorization", "Bearer "+operatorToken)
		r.Header.Set("Content-Type", kind)
		r.RemoteAddr = "192.0.2.1:1"
		answer := httptest.NewRecorder()
		w.api.Handler().ServeHTTP(answer, r)
		if answer.Code >= 500 {
			t.Errorf("%s %s answers %d", method, target, answer.Code)
		}
		if method != http.MethodHead && (answer.Code < 300 || answer.Code >= 400) && r.URL.Path != "/webhooks/owlat" {
			readDocument().check(t, r, answer.Code, answer.Header(), answer.Body.Bytes())
		}
	})
}
