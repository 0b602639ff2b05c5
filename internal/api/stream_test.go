package api

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync"
	"owlatsync/internal/access"
	"owlatsync/internal/access/inmemory"
	"owlatsync/internal/config"
	"owlatsync/internal/events"
	"owlatsync/ledger"
)

// told is one event of a stream.
type told struct {
	id, kind, data string
	after          time.Duration // since the stream began
}

// listening is an open stream.
type listening struct {
	status int
	proto  string
	header http.Header
	events chan told // closed when the stream has ended
	beats  chan time.Duration
	leave  func()
}

// listen opens a stream. What a stream tells is held against the document.
func (c client) listen(path string, header ...string) *listening {
	c.t.Helper()
	ctx, leave := context.WithCancel(c.t.Context())
	r := c.request(http.MethodGet, path, "", header...).WithContext(ctx)
	answer, err := c.http.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	l := &listening{answer.StatusCode, answer.Proto, answer.Header, make(chan told, 10_000), make(chan time.Duration, 10_000), leave}
	if kind := answer.Header.Get("Content-Type"); !strings.HasPrefix(kind, "text/event-stream") {
		text, _ := io.ReadAll(answer.Body)
		readDocument().check(c.t, r, answer.StatusCode, answer.Header, text)
		close(l.events)
		leave()
		return l
	}
	readDocument().check(c.t, r, answer.StatusCode, answer.Header, nil)
	go func() {
		defer func() { leave(); _ = answer.Body.Close(); close(l.events) }()
		start, lines := time.Now(), bufio.NewScanner(answer.Body)
		var e told
		for lines.Scan() {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "id":
				e.id = value
			case "event":
				e.kind = value
			case "data":
				e.data = value
			case ":":
				l.beats <- time.Since(start)
			case "":
				if e.kind == "" {
					continue
				}
				schema := "Event"
				if e.kind == string(kindRun) {
					schema = "Run"
				}
				readDocument().valid(c.t, []byte(e.data), "components", "schemas", schema)
				e.after = time.Since(start)
				l.events <- e
				e = told{}
			}
		}
	}()
	return l
}

// kinds returns the kinds of the events that have come so far.
func (l *listening) kinds() string {
	synctest.Wait()
	var all []string
	for {
		select {
		case e, open := <-l.events:
			if !open {
				return strings.Join(append(all, "end"), " ")
			}
			all = append(all, e.kind)
		default:
			return strings.Join(all, " ")
		}
	}
}

// inBubble calls do with a client within a bubble.
func inBubble(t *testing.T, do func(t *testing.T, w *world, c client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		l := inmemory.Listen()
		do(t, w, pipe(t, w.api.Handler(), l.Dial, l))
	})
}

func TestARunIsFollowedToItsEnd(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world, c client) {
		w.add(ledger.Run{ID: 7, Sync: "users", Status: ledger.StatusQueued})
		w.add(ledger.Run{ID: 8, Sync: "leads", Status: ledger.StatusRunning})
		l := c.listen("/api/v1/runs/7/events")
		first := <-l.events
		if first.kind != "run" || first.id != "" || !strings.Contains(first.data, `"status":"queued"`) || l.header.Get("Cache-Control") != "no-store" || l.header.Get("X-Accel-Buffering") != "no" {
			t.Errorf("the stream begins with %+v, headers %v", first, l.header)
		}
		for _, kind := range []events.Kind{events.Started, events.Stage, events.Progress} {
			w.hub.Publish(events.Event{Kind: kind, Sync: "users", Run: 7})
			w.hub.Publish(events.Event{Kind: kind, Sync: "leads", Run: 8}) // is not told
		}
		w.hub.Publish(events.Event{Kind: events.Row, Sync: "users", Run: 7, Data: events.RowData{Key: "4711", Outcome: owlatsync.Created}})
		if got := l.kinds(); got != "started stage progress row" {
			t.Errorf("told were %s", got)
		}
		// A run that lasts an hour is followed for an hour, longer than a request may take else.
		time.Sleep(time.Hour + time.Second)
		w.hub.Publish(events.Event{Kind: events.Ended, Sync: "users", Run: 7, Data: events.EndData{Status: ledger.StatusOK}})
		synctest.Wait()
		last := <-l.events
		if _, open := <-l.events; open || last.kind != "ended" || last.id == "" || !strings.Contains(last.data, `"status":"ok"`) {
			t.Errorf("the stream ends with %+v, open %v", last, open)
		}
		if n := len(l.beats); n != int(time.Hour/streamBeat) {
			t.Errorf("%d signs of life", n)
		}
		if first, want := <-l.beats, streamBeat; first != want {
			t.Errorf("the first sign of life after %s", first)
		}
	})
}

// TestARunIsFollowedOverHTTP2 does so for longer than a request may take, over the protocol that browsers use with TLS.
func TestARunIsFollowedOverHTTP2(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, l := newWorld(t), inmemory.Listen()
		server := httptest.NewUnstartedServer(nil)
		_ = server.Listener.Close()
		server.Config, server.Listener, server.EnableHTTP2 = access.NewServer(w.api.Handler(), access.DefaultLimits(), slog.New(slog.DiscardHandler)), l, true
		server.StartTLS()
		defer server.Close()
		transport := server.Client().Transport.(*http.Transport)
		transport.DialContext = l.Dial
		defer transport.CloseIdleConnections()
		c := client{t, "https://example.com", server.Client()}
		w.add(ledger.Run{ID: 7, Sync: "users", Status: ledger.StatusRunning})
		follower := c.listen("/api/v1/runs/7/events")
		time.Sleep(time.Hour)
		w.hub.Publish(events.Event{Kind: events.Ended, Sync: "users", Run: 7, Data: events.EndData{Status: ledger.StatusOK}})
		if got := follower.kinds(); got != "run ended end" || follower.proto != "HTTP/2.0" {
			t.Errorf("over %s were told %s", follower.proto, got)
		}
	})
}

func TestAFollowerComesBack(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world, c client) {
		w.add(ledger.Run{ID: 7, Sync: "users", Status: ledger.StatusRunning})
		l := c.listen("/api/v1/runs/7/events")
		w.hub.Publish(events.Event{Kind: events.Started, Sync: "users", Run: 7})
		<-l.events
		had := <-l.events
		l.leave()
		w.hub.Publish(events.Event{Kind: events.Planned, Sync: "users", Run: 7})
		w.hub.Publish(events.Event{Kind: events.Row, Sync: "users", Run: 7}) // nobody is told later
		l = c.listen("/api/v1/runs/7/events", "Last-Event-ID", had.id)
		if got := l.kinds(); got != "run planned" {
			t.Errorf("after %s: %s", had.id, got)
		}
		l.leave()
		time.Sleep(time.Second)
		w.hub.Publish(events.Event{Kind: events.Ended, Sync: "users", Run: 7, Data: events.EndData{Status: ledger.StatusOK}})
		w.add(ledger.Run{ID: 7, Sync: "users", Status: ledger.StatusOK, Started: time.Now(), Finished: time.Now()})
		l = c.listen("/api/v1/runs/7/events?after=" + had.id)
		<-l.events
		<-l.events
		ended := <-l.events
		if got := l.kinds(); got != "end" || ended.kind != "ended" {
			t.Errorf("after the end: %+v, %s", ended, got)
		}
		// Who has had the end is not to come back for ever.
		if l = c.listen("/api/v1/runs/7/events", "Last-Event-ID", ended.id); l.status != http.StatusNoContent {
			t.Errorf("a follower that has had everything gets %d", l.status)
		}
		// An ID that is no number is that of another service.
		if l = c.listen("/api/v1/runs/7/events", "Last-Event-ID", "x"); l.kinds() != "run ended end" {
			t.Error("an ID of another service")
		}
		// What the hub has forgotten is told as lost.
		if l = c.listen("/api/v1/events?after=1"); l.kinds() != "lost started planned ended" {
			t.Error("events from before the service began")
		}
		l.leave()
	})
}

// TestARunThatTheHubDoesNotKnow follows runs of other processes, and runs that have ended long ago.
func TestARunThatTheHubDoesNotKnow(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world, c client) {
		past := time.Now().Add(-time.Hour) // before the service began
		for name, r := range map[string]ledger.Run{
			"of a service before": {ID: 4, Sync: "users", Status: ledger.StatusOK, Started: past, Finished: past},
			"ended":               {ID: 5, Sync: "users", Status: ledger.StatusFailedRows, Started: time.Now(), Finished: time.Now(), Message: "1 row failed", Report: owlatsync.NewReport("users", "5")},
			"died":                {ID: 6, Sync: "users", Status: ledger.StatusDied, Started: time.Now()},
			"held":                {ID: 7, Sync: "users", Status: ledger.StatusHeld, Started: time.Now(), Finished: time.Now()},
			"without times":       {ID: 8, Sync: "users", Status: ledger.StatusCancelled},
		} {
			w.add(r)
			path := fmt.Sprintf("/api/v1/runs/%d/events", r.ID)
			l := c.listen(path)
			<-l.events
			ended := <-l.events
			if got := l.kinds(); got != "end" || ended.kind != "ended" || ended.id == "" || !strings.Contains(ended.data, string(r.Status)) {
				t.Errorf("%s: %+v, then %s", name, ended, got)
			}
			if l = c.listen(path, "Last-Event-ID", ended.id); l.status != http.StatusNoContent {
				t.Errorf("%s: a follower that has had everything gets %d", name, l.status)
			}
		}
		w.add(ledger.Run{ID: 9, Sync: "users", Status: ledger.StatusRunning})
		l := c.listen("/api/v1/runs/9/events")
		if got := l.kinds(); got != "run" {
			t.Errorf("a run of another process: %s", got)
		}
		w.mu.Lock()
		w.dead = []int64{9}
		w.mu.Unlock()
		time.Sleep(streamBeat)
		if got := l.kinds(); got != "ended end" {
			t.Errorf("a run of another process that has died: %s", got)
		}
	})
}

// TestARunOfWhichNothingIsTold: the stream of a run of another process shows what its record does.
func TestARunOfWhichNothingIsTold(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world, c client) {
		run := ledger.Run{ID: 9, Sync: "users", Status: ledger.StatusRunning, Stage: ledger.StageReading, Started: time.Now(), Heartbeat: time.Now()}
		w.add(run)
		l := c.listen("/api/v1/runs/9/events")
		if got := l.kinds(); got != "run" {
			t.Errorf("the stream begins with %s", got)
		}
		time.Sleep(10 * time.Second)
		if got := l.kinds(); got != "" {
			t.Errorf("a record that is as before: %s", got)
		}
		run.Heartbeat, run.Stage, run.Report = time.Now(), ledger.StageApplying, owlatsync.NewReport("users", "9")
		w.add(run)
		time.Sleep(streamLook)
		if e := <-l.events; e.kind != "run" || e.id != "" || !strings.Contains(e.data, `"stage":"applying"`) {
			t.Errorf("the record has changed: %+v", e)
		}
		time.Sleep(time.Second) // between two looks
		for range 3 {           // what is told is enough
			w.hub.Publish(events.Event{Kind: events.Progress, Sync: "users", Run: 9})
			run.Heartbeat = time.Now()
			w.add(run)
			time.Sleep(streamLook)
		}
		if got := l.kinds(); got != "progress progress progress" {
			t.Errorf("of a run that is told: %s", got)
		}
		run.Status, run.Finished = ledger.StatusOK, time.Now()
		w.add(run)
		time.Sleep(2 * streamLook)
		if got := l.kinds(); got != "ended end" {
			t.Errorf("a run whose end is not told: %s", got)
		}
	})
}

func TestWhatHappensIsFollowed(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world, c client) {
		w.personal = []string{"leads"}
		all, users, ends := c.listen("/api/v1/events"), c.listen("/api/v1/events?sync=users", asViewer...), c.listen("/api/v1/events?kinds=ended,held")
		defer func() { all.leave(); users.leave(); ends.leave() }()
		row := func(sync, key string) {
			w.hub.Publish(events.Event{Kind: events.Row, Sync: sync, Run: 1, Data: events.RowData{Key: key, Outcome: owlatsync.Failed, Category: ledger.CategoryEvent, Reason: "it failed"}})
		}
		row("users", "4711")
		row("users", "ada@example.com")
		row("leads", "ada")
		row("unheard of", "ada")
		w.hub.Publish(events.Event{Kind: events.Ended, Sync: "leads", Run: 2})
		synctest.Wait()
		for range 4 {
			e := <-all.events
			if strings.Contains(e.data, "ada") || strings.Contains(e.data, "4711") != strings.Contains(e.data, `"key"`) || !strings.Contains(e.data, "it failed") {
				t.Errorf("a row is told as %s", e.data)
			}
		}
		if got := all.kinds() + ", " + users.kinds() + ", " + ends.kinds(); got != "ended, row row, ended" {
			t.Error(got)
		}
		// The service ends.
		w.hub.Close()
		if got := all.kinds() + ", " + users.kinds() + ", " + ends.kinds(); got != "end, end, end" {
			t.Error(got)
		}
	})
}

func TestStreamsEndWithTheAPIAndWithTheToken(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world, c client) {
		w.add(ledger.Run{ID: 7, Sync: "users", Status: ledger.StatusRunning})
		operators, viewers, run := c.listen("/api/v1/events"), c.listen("/api/v1/events", asViewer...), c.listen("/api/v1/runs/7/events")
		w.gate.Replace(tokens(), nil)
		if got := operators.kinds() + ", " + viewers.kinds() + ", " + run.kinds(); got != ", , run" {
			t.Errorf("the same tokens: %s", got)
		}
		w.gate.Replace(tokens()[:1], nil)
		if got := operators.kinds() + ", " + viewers.kinds() + ", " + run.kinds(); got != ", end, " {
			t.Errorf("a token less: %s", got)
		}
		w.gate.Replace([]config.Token{{Name: "ci", Role: config.Viewer, Hash: tokens()[0].Hash}}, nil)
		if got := operators.kinds(); got != "" {
			t.Errorf("a lesser role: %s", got)
		}
		w.api.Close()
		w.api.Close()
		if got := operators.kinds() + ", " + run.kinds(); got != "end, end" {
			t.Errorf("after Close: %s", got)
		}
		if l := c.listen("/api/v1/events"); l.kinds() != "end" {
			t.Error("a stream goes on after Close")
		}
	})
}

func TestStreamsAreLimited(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world, c client) {
		w.api.streams.most = 3
		var all []*listening
		for range w.api.streams.most {
			all = append(all, c.listen("/api/v1/events"))
		}
		l := c.listen("/api/v1/events")
		if l.status != http.StatusServiceUnavailable || l.header.Get("Retry-After") != "2" {
			t.Errorf("one too many: %d, %v", l.status, l.header)
		}
		all[0].leave()
		synctest.Wait()
		if l := c.listen("/api/v1/events"); l.status != http.StatusOK {
			t.Errorf("after one has left: %d", l.status)
		}
		w.api.Close()
		for _, l := range all {
			for range l.events { // until it has ended
			}
		}
	})
}

// TestASlowFollowerHoldsUpNobody opens a stream and reads nothing of it.
func TestASlowFollowerHoldsUpNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		l := inmemory.Listen()
		c := pipe(t, w.api.Handler(), l.Dial, l)
		conn, err := l.Dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		if _, err := io.WriteString(conn, "GET /api/v1/events HTTP/1.1\r\nHost: a.example\r\nAuthorization: Bearer "+operatorToken+"\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		quick := c.listen("/api/v1/events")
		defer quick.leave()
		synctest.Wait()
		start := time.Now()
		for i := range 2000 {
			w.hub.Publish(events.Event{Kind: events.Row, Sync: "users", Run: 7})
			if i%500 == 0 {
				synctest.Wait()
			}
		}
		synctest.Wait()
		if n := len(quick.events); n != 2000 || time.Since(start) != 0 {
			t.Errorf("%d events after %s", n, time.Since(start))
		}
		if w.api.streams.count() != 2 {
			t.Errorf("%d streams", w.api.streams.count())
		}
		time.Sleep(streamWrite + time.Second)
		synctest.Wait()
		if w.api.streams.count() != 1 {
			t.Errorf("the slow one was not cut: %d streams", w.api.streams.count())
		}
	})
}

func TestOnlyTheHeadOfAStream(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	full(w)
	c := start(t, w.api.Handler())
	for _, path := range []string{"/api/v1/events", "/api/v1/runs/8/events"} {
		if got := c.ask(http.MethodHead, path, ""); got.status != http.StatusOK || !strings.HasPrefix(got.header.Get("Content-Type"), "text/event-stream") {
			t.Errorf("HEAD %s: %+v", path, got)
		}
	}
}

// TestEventsHaveTheirData decodes what a stream tells of a kind.
func TestEventsHaveTheirData(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world, c client) {
		l := c.listen("/api/v1/events")
		defer l.leave()
		at := time.Date(2026, 3, 1, 13, 0, 0, 0, time.FixedZone("", 3600))
		w.hub.Publish(events.Event{Kind: events.Held, At: at, Sync: "users", Run: 7, Data: events.HeldData{Guards: []owlatsync.Hit{{Guard: owlatsync.GuardCreates, Reason: "a\nb"}}}})
		e := <-l.events
		var got struct {
			At   time.Time
			Data events.HeldData
		}
		if err := json.Unmarshal([]byte(e.data), &got); err != nil || len(got.Data.Guards) != 1 || got.Data.Guards[0].Reason != "a\nb" || !got.At.Equal(at) || !strings.Contains(e.data, "12:00:00Z") {
			t.Errorf("%v: %s", err, e.data)
		}
	})
}

func TestAFollowerOfAFailingLedger(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world, c client) {
		w.add(ledger.Run{ID: 7, Sync: "users", Status: ledger.StatusRunning})
		l := c.listen("/api/v1/runs/7/events")
		w.mu.Lock()
		w.fails = errors.New("read the ledger: disk I/O error")
		w.mu.Unlock()
		time.Sleep(2 * streamBeat)
		w.mu.Lock()
		w.fails = nil
		w.mu.Unlock()
		if got := l.kinds(); got != "run" { // what cannot be read is asked for again
			t.Error(got)
		}
		l.leave()
	})
}
