package api

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"owlatsync"
	"owlatsync/internal/events"
	"owlatsync/internal/turns"
	"owlatsync/ledger"
	"owlatsync/ledger/sqlite"
)

// runner makes runs that change nothing; a whole run is held.
type runner struct {
	ledger *sqlite.Ledger
	hub    *events.Hub
}

func (r runner) Run(ctx context.Context, j *turns.Job) (again bool, err error) {
	lock, err := r.ledger.Acquire(ctx, ledger.Claim{Purpose: "a test"})
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, lock.Release()) }()
	run := ledger.Run{ID: j.Run, Sync: j.Sync, Mode: ledger.ModeRun, Started: time.Now(), Stage: ledger.StageStarting, Part: j.Part, Report: owlatsync.NewReport(j.Sync, fmt.Sprint(j.Run))}
	if run.ID, err = lock.BeginRun(ctx, run); err != nil {
		return false, err
	}
	j.Began(run.ID)
	r.hub.Publish(events.Event{Kind: events.Started, Sync: j.Sync, Run: run.ID})
	run.Status, run.Stage, run.Finished = ledger.StatusOK, ledger.StageEnding, time.Now()
	if j.Full {
		run.Status, run.Message, run.Guards = ledger.StatusHeld, "held by a guard", []owlatsync.Hit{{Guard: owlatsync.GuardCreates, Reason: "12 of 10"}}
	}
	if err := lock.EndRun(ctx, ledger.Ending{Run: run}); err != nil {
		return false, err
	}
	r.hub.Publish(events.Event{Kind: events.Ended, Sync: j.Sync, Run: run.ID, Data: events.EndData{Status: run.Status, Message: run.Message, Report: run.Report}})
	return false, nil
}

// TestOverARealLedger asks for runs, follows them, and looks at feedback, with the ledger, queue and hub of a service.
func TestOverARealLedger(t *testing.T) {
	t.Parallel()
	store, err := sqlite.Open(t.Context(), "sqlite", filepath.Join(t.TempDir(), "owlat-sync.db"))
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	queue := turns.New(store, w.hub, runner{store, w.hub}, nil)
	if err := queue.SetSyncs(t.Context(), []string{"users", "leads"}); err != nil {
		t.Fatal(err)
	}
	w.only.Ledger, w.only.Outbox, w.only.Desk = store, store, queue.Desk()
	c := start(t, w.api.Handler())

	var taken takenJSON
	ask := func(path, body string) takenJSON {
		t.Helper()
		got := c.ask(http.MethodPost, path, body)
		if err := json.Unmarshal([]byte(got.body), &taken); err != nil || got.status != http.StatusAccepted {
			t.Fatalf("POST %s: %d %s", path, got.status, got.body)
		}
		return taken
	}
	first := ask("/api/v1/syncs/users/runs", `{"only": ["4711"]}`)
	if again := ask("/api/v1/syncs/users/runs", `{"only": ["4711"]}`); again.Run != first.Run || again.URL != first.URL {
		t.Errorf("the same is asked for twice: %+v after %+v", again, first)
	}
	dropped := ask("/api/v1/syncs/leads/runs", "")
	if got := c.ask(http.MethodGet, first.URL, ""); !strings.Contains(got.body, `"status":"queued"`) || !strings.Contains(got.body, `"only":["4711"]`) {
		t.Errorf("a queued run: %s", got.body)
	}
	if got := c.ask(http.MethodPost, dropped.URL+"/cancel", ""); got.status != http.StatusAccepted {
		t.Errorf("cancel a queued run: %+v", got)
	}
	if got := c.ask(http.MethodPost, dropped.URL+"/cancel", ""); got.status != http.StatusConflict || !strings.Contains(got.body, "cancelled") {
		t.Errorf("cancel it again: %+v", got)
	}
	if got := c.ask(http.MethodPost, "/api/v1/runs/999/cancel", ""); got.status != http.StatusNotFound {
		t.Errorf("cancel nothing: %+v", got)
	}

	answer, err := c.http.Do(c.request(http.MethodGet, first.URL+"/events", ""))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	lines := bufio.NewScanner(answer.Body)
	until := func(kind string) {
		for lines.Scan() {
			if lines.Text() == "event: "+kind {
				return
			}
		}
		t.Errorf("the stream has no %s", kind)
	}
	until("run") // the stream is open: now the queue begins
	stop, done := make(chan struct{}), make(chan struct{})
	go func() { defer close(done); queue.Run(context.WithoutCancel(t.Context()), stop) }()
	t.Cleanup(func() {
		close(stop)
		<-done
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	until("started")
	until("ended")
	if lines.Scan(); !strings.Contains(lines.Text(), `"status":"ok"`) {
		t.Errorf("the run ended with %s", lines.Text())
	}
	if got := c.ask(http.MethodGet, first.URL, ""); !strings.Contains(got.body, `"status":"ok","done":true`) {
		t.Errorf("a run that has ended: %s", got.body)
	}
	held := ask("/api/v1/syncs/users/runs", `{"full": true}`)
	if got := c.ask(http.MethodGet, held.URL+"/events", ""); !strings.Contains(got.body, "event: ended") || !strings.Contains(got.body, "12 of 10") && !strings.Contains(got.body, `"status":"held"`) {
		t.Errorf("the stream of a held run: %s", got.body)
	}
	if got := c.ask(http.MethodPost, held.URL+"/approve", ""); got.status != http.StatusConflict || !strings.Contains(got.body, "another version") { // the test kept no plan
		t.Errorf("approve: %+v", got)
	}
	if got := c.ask(http.MethodPost, first.URL+"/approve", ""); got.status != http.StatusConflict || !strings.Contains(got.body, "is not held") {
		t.Errorf("approve what is not held: %+v", got)
	}
	if got := c.ask(http.MethodGet, "/api/v1/syncs/users/runs?limit=1", ""); !strings.Contains(got.body, held.URL[len("/api/v1/runs/"):]) || strings.Contains(got.body, `"status":"ok"`) {
		t.Errorf("the latest run: %s", got.body)
	}

	took, err := store.TakeIn(t.Context(), ledger.News{
		Feedback:   ledger.Feedback{Hash: [ledger.HashSize]byte{1}, Event: "email.bounced", Email: "ada@example.com", At: time.Now(), Received: time.Now(), Kind: "hard"},
		Deliveries: []ledger.Delivery{{Target: "file", Person: "ada@example.com", Due: time.Now()}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := c.ask(http.MethodGet, "/api/v1/feedback?person=ada@example.com", ""); !strings.Contains(got.body, fmt.Sprintf(`"id":%d,"event":"email.bounced"`, took.ID)) {
		t.Errorf("feedback: %s", got.body)
	}
	due, err := store.DueDeliveries(t.Context(), "file", time.Now().Add(time.Second), 10)
	if err != nil || len(due) != 1 {
		t.Fatalf("%v, %v", due, err)
	}
	if err := store.Undelivered(t.Context(), due[0].ID, "the disk is full", true, time.Time{}); err != nil {
		t.Fatal(err)
	}
	if got := c.ask(http.MethodGet, "/api/v1/write-backs?state=dead", ""); !strings.Contains(got.body, `"dead":1`) || !strings.Contains(got.body, "the disk is full") {
		t.Errorf("write-backs: %s", got.body)
	}
	golden(t, "retry", c.ask(http.MethodPost, "/api/v1/write-backs/retry", fmt.Sprintf(`{"ids": [%d]}`, due[0].ID)).body, `{"retried": 1}`)
	if got := c.ask(http.MethodGet, "/api/v1/status", ""); !strings.Contains(got.body, `"write_backs":{"file":{"dead":0,"done":0,"waiting":1}}`) || !strings.Contains(got.body, "last_feedback") {
		t.Errorf("status: %s", got.body)
	}
}
