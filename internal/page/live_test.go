package page

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"owlatsync"
	"owlatsync/internal/config"
	"owlatsync/internal/events"
	"owlatsync/internal/page/telling"
	"owlatsync/internal/testbrowser"
	"owlatsync/ledger"
	"owlatsync/reconcile/progress"
)

// going is how far a run is.
func going(run int64, sent int) progress.State {
	report := owlatsync.NewReport(nasty, "")
	report.Requests.Total, report.Outcomes[owlatsync.Created] = sent, 1200
	return progress.State{
		About: progress.About{Sync: nasty, Run: run}, Started: time.Now().Add(-100 * time.Second), Stage: ledger.StageApplying, Stretch: 1, Rows: 54321, Report: report,
		Summary: &owlatsync.Summary{Requests: 5000}, Left: 90 * time.Second,
	}
}

// streamed opens the live page of a run, and returns a function that waits for the next snapshot; it reports whether the stream has ended.
func (b *browser) streamed(path string) (status int, next func() (s telling.Snapshot, over bool), leave func()) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 30*time.Second)
	b.t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, b.url+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	answer, err := b.http.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = answer.Body.Close() })
	lines := bufio.NewScanner(answer.Body)
	return answer.StatusCode, func() (s telling.Snapshot, over bool) {
		b.t.Helper()
		for lines.Scan() {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				if err := json.Unmarshal([]byte(data), &s); err != nil {
					b.t.Fatal(err)
				}
				return s, false
			}
		}
		return s, true
	}, cancel
}

func TestARunThatGoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, []config.Token{token}, accountOf("ada", config.Operator), accountOf("wall", config.Viewer))
	k := newWorks(t, w)
	b, viewer := w.browser(), w.browser()
	b.signIn("ada", password)
	viewer.signIn("wall", password)
	path := "/syncs/" + url.PathEscape(nasty)
	b.send(path, path+"/run")
	k.until(1, ledger.StatusRunning)
	k.is(1, going(1, 1000))
	has(t, "without JavaScript", b.get("/runs/1"), "sends changes", "1,000 of about 5,000", ">10.0<", "created 1,200", "54,321", ">about 1", `max="5000" value="1000"`, "<noscript>", "Load it again")
	status, next, leave := b.streamed("/runs/1/live")
	_, other, _ := viewer.streamed("/runs/1/live")
	if status != http.StatusOK {
		t.Fatalf("the stream answers %d", status)
	}
	if s, over := next(); over || s.Sent != "1,000 of about 5,000" || s.Over {
		t.Errorf("at first %+v", s)
	}
	k.hub.Publish(events.Event{Kind: events.Row, Sync: nasty, Run: 1, Data: events.RowData{Key: "4711", Outcome: owlatsync.Failed, Reason: nasty}})
	for i := range 3000 { // of which no more is told than a person can see
		k.hub.Publish(events.Event{Kind: events.Row, Sync: nasty, Run: 1, Data: events.RowData{Key: fmt.Sprint(i % 30), Outcome: owlatsync.Created}})
		k.hub.Publish(events.Event{Kind: events.Row, Sync: nasty, Run: 2, Data: events.RowData{Key: "other", Outcome: owlatsync.Created}})
	}
	k.is(1, going(1, 1500))
	s, over := next()
	if over || len(s.Last) != telling.LiveRows || s.Done != 1500 {
		t.Errorf("then %+v, over %v", s, over)
	}
	if also, over := other(); over || also.Sent == "" {
		t.Errorf("the other browser has %+v", also)
	}
	if err := w.people.SignOut(t.Context(), viewer.held()); err != nil {
		t.Fatal(err)
	}
	w.people.ReplaceAll([]config.Account{accountOf("ada", config.Operator)}, nil)
	close(k.goOn)
	k.mu.Lock()
	delete(k.states, 1)
	k.mu.Unlock()
	for !s.Over {
		if s, over = next(); over {
			t.Fatal("the stream ended before the run")
		}
	}
	if s.Status != ledger.StatusOK {
		t.Errorf("at last %+v", s)
	}
	if _, over := next(); !over {
		t.Error("the stream goes on after the run")
	}
	leave()
	for range 3 { // the other one ends with its session, whatever it is told before
		if _, over := other(); over {
			return
		}
	}
	t.Error("the stream of somebody who has signed out goes on")
}

func TestLivePagesAreFew(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	k := newWorks(t, w)
	path := "/syncs/" + url.PathEscape(nasty)
	b := w.browser()
	b.send(path, path+"/run")
	k.until(1, ledger.StatusRunning)
	var leaves []func()
	for range telling.LivePages {
		status, next, leave := b.streamed("/runs/1/live")
		if _, over := next(); status != http.StatusOK || over {
			t.Fatalf("a live page answers %d", status)
		}
		leaves = append(leaves, leave)
	}
	if status, _, _ := b.streamed("/runs/1/live"); status != http.StatusServiceUnavailable {
		t.Errorf("one too many answers %d", status)
	}
	if status, _, _ := w.browser().streamed("/runs/1/live"); status != http.StatusOK && status != http.StatusServiceUnavailable {
		t.Errorf("another browser gets %d", status)
	}
	for _, leave := range leaves {
		leave()
	}
	close(k.goOn)
}

// TestAHeldRunByKeyboard is the way of somebody without a mouse, with and without scripts.
func TestAHeldRunByKeyboard(t *testing.T) {
	t.Parallel()
	for _, noScript := range []bool{false, true} {
		w := newWorld(t, nil)
		k := newWorks(t, w)
		id := k.ended(ledger.StatusHeld, line("4711", "created", "", ""))
		p := testbrowser.Open(t, w.url, testbrowser.View{NoScript: noScript})
		p.TabTo(fmt.Sprintf(`.needs a[href="/runs/%d"]`, id))
		p.Follow(func() { p.Press("Enter") })
		p.UntilText("Why it is held")
		p.TabTo(`a[href$="/approve"]`)
		p.Follow(func() { p.Press("Enter") })
		p.UntilText("1,111 contacts")
		p.TabTo("form.orders button")
		p.Follow(func() { p.Press("Enter") })
		k.until(2, ledger.StatusRunning)
		k.is(2, going(2, 1000))
		if noScript {
			p.Go(w.url + "/runs/2")
			p.UntilText("Without JavaScript this page stands still")
		} else {
			p.UntilText("1,000 of about 5,000")
			k.hub.Publish(events.Event{Kind: events.Row, Sync: nasty, Run: 2, Data: events.RowData{Key: nasty, Outcome: owlatsync.Failed, Reason: nasty}})
			p.UntilText("failed, <script>alert(1)</script>")
		}
		p.Accessible()
		k.mu.Lock()
		delete(k.states, 2)
		k.mu.Unlock()
		close(k.goOn)
		k.until(2, ledger.StatusOK)
		if noScript {
			p.Go(w.url + "/runs/2")
		}
		p.UntilText("Numbers")
		p.Until("the page shows the end", `document.querySelector("[data-live]") === null`)
		if problems := p.Problems(); len(problems) > 0 {
			t.Errorf("%q", problems)
		}
	}
}

// TestTheBadgeFollowsTheRun: the page says one thing alone of how a run is, also when it begins under the eyes of who looks.
func TestTheBadgeFollowsTheRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	k := newWorks(t, w)
	b, path := w.browser(), "/syncs/"+url.PathEscape(nasty)
	b.send(path, path+"/run")
	k.until(1, ledger.StatusRunning)
	b.send("/syncs/leads", "/syncs/leads/run")
	p := testbrowser.Open(t, w.url+"/runs/2", testbrowser.View{})
	p.Until("it waits", `[...document.querySelectorAll(".state")].map(s => s.textContent + s.dataset.state).join() === "queuedqueued"`)
	b.send("/runs/1/cancel", "/runs/1/cancel")
	k.until(2, ledger.StatusRunning)
	p.Until("it goes on", `[...document.querySelectorAll(".state")].map(s => s.textContent + s.dataset.state).join() === "runningrunning" && !/queued/.test(document.querySelector("main").textContent)`)
	close(k.goOn)
}

func TestRunsInTheBrowser(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	k := newWorks(t, w)
	k.ended(ledger.StatusFailedRows, line(nasty, "failed", nasty, ledger.CategoryTaken), line("4711", "created", "", ""))
	k.ended(ledger.StatusHeld)
	path := "/syncs/" + url.PathEscape(nasty)
	w.browser().send(path, path+"/run")
	k.until(3, ledger.StatusRunning)
	k.is(3, going(3, 1000))
	testbrowser.Everywhere(t, func(t *testing.T, v testbrowser.View) {
		p := testbrowser.Open(t, w.url+path, v)
		for _, at := range []string{path, path + "/runs", "/runs/1", "/runs/2", "/runs/2/plan", "/runs/2/approve", "/runs/3"} {
			p.Go(w.url + at)
			p.Fits()
			p.Accessible()
			for _, problem := range p.Problems() {
				t.Errorf("%s: %s", at, problem)
			}
		}
	})
	close(k.goOn)
}
