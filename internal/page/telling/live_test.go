package telling

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync"
	"owlatsync/internal/api"
	"owlatsync/internal/events"
	"owlatsync/ledger"
	"owlatsync/ledger/memory"
	"owlatsync/reconcile/progress"
)

// shown is a deployment with one run.
type shown struct {
	api.Service
	mu    sync.Mutex
	asked int // how often somebody asked how far the run is
	state progress.State
}

func (*shown) Personal(string) bool { return false }

func (s *shown) Progress(int64) (progress.State, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	return s.state, s.state.Run != 0
}

// records is a ledger whose runs are all of this process.
type records struct{ *memory.Ledger }

func (records) Alive(context.Context, ledger.Run) (bool, error) { return true, nil }

// TestHoweverManyLookItIsReadOnce has two hundred people look at a run for a minute.
func TestHoweverManyLookItIsReadOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := records{memory.New()}
		defer func() { _ = l.Close() }()
		k, err := l.Acquire(t.Context(), ledger.Claim{Purpose: "a run"})
		if err != nil {
			t.Fatal(err)
		}
		id, err := k.BeginRun(t.Context(), ledger.Run{Sync: "users", Mode: ledger.ModeRun, Started: l.Now(), Status: ledger.StatusRunning})
		if err != nil {
			t.Fatal(err)
		}
		s := &shown{state: progress.State{About: progress.About{Sync: "users", Run: id}, Started: time.Now(), Stage: ledger.StageApplying, Report: owlatsync.NewReport("users", "1")}}
		hub := events.NewHub(time.Now)
		defer hub.Close()
		d := &api.Deployment{Service: s, Ledger: l, Hub: hub}
		run, err := l.Run(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		feeds := NewFeeds(func(_, text string) string { return text })
		var leave []func()
		for range 200 {
			_, done := feeds.Look(d, *run)
			leave = append(leave, done)
		}
		one, done := feeds.Look(d, *run)
		snapshots := 0
		seen, _, _ := one.Latest()
		end := time.Now().Add(time.Minute)
		for n := 0; time.Now().Before(end); n++ {
			hub.Publish(events.Event{Kind: events.Row, Sync: "users", Run: id, Data: events.RowData{Key: fmt.Sprint(n), Outcome: owlatsync.Created}})
			time.Sleep(10 * time.Millisecond) // a hundred rows a second
			if latest, _, _ := one.Latest(); string(latest) != string(seen) {
				snapshots, seen = snapshots+1, latest
			}
		}
		if snapshots < 58 || snapshots > 61 || s.asked > 62 {
			t.Errorf("in a minute there were %d snapshots, and the run was asked %d times", snapshots, s.asked)
		}
		s.mu.Lock()
		s.state.Run = 0
		s.mu.Unlock()
		if err := k.EndRun(t.Context(), ledger.Ending{Run: ledger.Run{ID: id, Status: ledger.StatusOK, Finished: l.Now()}}); err != nil {
			t.Fatal(err)
		}
		if err := k.Release(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(LiveRecord + liveEvery) // nobody has told of the end
		synctest.Wait()
		text, over, _ := one.Latest()
		var last Snapshot
		if err := json.Unmarshal(text, &last); err != nil || !over || !last.Over || last.Status != ledger.StatusOK || len(last.Last) != LiveRows {
			t.Errorf("at the end %+v, over %v, %v", last, over, err)
		}
		done()
		for _, each := range leave {
			each()
			each()
		}
		if len(feeds.all) != 0 || hub.Wanted(events.Row) {
			t.Error("somebody still looks")
		}
		again, done := feeds.Look(d, *run)
		hub.Close()
		synctest.Wait()
		if _, over, _ := again.Latest(); !over {
			t.Error("those who look at a deployment that is gone are not sent away")
		}
		done()
	})
}

func TestPlansInWords(t *testing.T) {
	t.Parallel()
	r := &ledger.Run{
		Status: ledger.StatusHeld, Guards: []owlatsync.Hit{{Guard: owlatsync.GuardCreates, Reason: "too many\u202e"}}, Part: owlatsync.Part{Limit: 2},
		Summary: &owlatsync.Summary{Rows: 12345, Creates: 1, Removals: 2000, TopicAdds: 3, Events: 1, Requests: 4567, MayExist: 9, Updates: 6},
	}
	got := Approval(r, false)
	if len(got) != 6 || got[0] != "Held by the guard \"creates\": too many\ufffd." ||
		got[2] != "Of 12,345 rows it would create 1 contact, change the address or the names of 6 contacts, put 3 contacts on a topic, take 2,000 contacts off a topic, send 1 event and need 4,567 requests." {
		t.Errorf("%q", got)
	}
	r.Summary = nil
	if got := PlanOf(r, false); got[1] != "The numbers of its plan are not known." {
		t.Errorf("%q", got)
	}
}

// TestFactsTellThatTheSecretWasNotUsed of a run that went on without it.
func TestFactsTellThatTheSecretWasNotUsed(t *testing.T) {
	t.Parallel()
	r := ledger.Run{Report: owlatsync.NewReport("users", "1")}
	told := func() (text string) {
		for _, f := range Facts(&r) {
			if f.Name == "Unsubscribe secret" {
				text += f.Text
			}
		}
		return text
	}
	if got := told(); got != "" {
		t.Errorf("a run that met nothing says %q", got)
	}
	r.Report.LinksEnded = "another one\u202e"
	if got := told(); got != "could not be used to the end, and the run went on as without it: another one\ufffd" {
		t.Errorf("it says %q", got)
	}
}

// TestFactsTellOfRefusedKeys of a run that had several.
func TestFactsTellOfRefusedKeys(t *testing.T) {
	t.Parallel()
	for want, places := range map[string][]int{
		"": nil,
		"Owlat refused key 2 of api_keys, at all or for what needs a scope, and the others did the work, more slowly":     {2},
		"Owlat refused keys 1, 3 of api_keys, at all or for what needs a scope, and the others did the work, more slowly": {1, 3},
	} {
		r := ledger.Run{Report: owlatsync.NewReport("users", "1")}
		r.Report.KeysRefused = places
		got := ""
		for _, f := range Facts(&r) {
			if f.Name == "API keys" {
				got += f.Text
			}
		}
		if got != want {
			t.Errorf("it says %q, want %q", got, want)
		}
	}
}
