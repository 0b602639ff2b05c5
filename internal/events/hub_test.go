package events

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/progress"
	"owlatsync/reconcile/step"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// drain returns what waits in a subscription.
func drain(c <-chan Event) (events []Event) {
	for {
		select {
		case e, ok := <-c:
			if !ok {
				return events
			}
			events = append(events, e)
		default:
			return events
		}
	}
}

func kinds(events []Event) string {
	var b strings.Builder
	for _, e := range events {
		fmt.Fprintf(&b, "%s/%s/%d ", e.Kind, e.Sync, e.Run)
	}
	return strings.TrimSpace(b.String())
}

func TestSubscribersGetWhatTheyWant(t *testing.T) {
	t.Parallel()
	h := NewHub(time.Now)
	defer h.Close()
	filters := []Filter{{}, {Sync: "users"}, {Run: 2}, {Kinds: []Kind{Ended}}, {Sync: "users", Kinds: []Kind{Ended}}}
	var all []<-chan Event
	for _, f := range filters {
		c, cancel := h.Subscribe(f)
		defer cancel()
		all = append(all, c)
	}
	for _, e := range []Event{{Kind: Started, Sync: "users", Run: 1}, {Kind: Started, Sync: "leads", Run: 2}, {Kind: Ended, Sync: "leads", Run: 2}, {Kind: Ended, Sync: "users", Run: 1}} {
		h.Publish(e)
	}
	for i, want := range []string{
		"started/users/1 started/leads/2 ended/leads/2 ended/users/1", "started/users/1 ended/users/1", "started/leads/2 ended/leads/2",
		"ended/leads/2 ended/users/1", "ended/users/1",
	} {
		got := drain(all[i])
		if kinds(got) != want {
			t.Errorf("%+v: %s, want %s", filters[i], kinds(got), want)
		}
		if !slices.IsSortedFunc(got, func(a, b Event) int { return int(a.ID - b.ID) }) || got[0].ID == 0 || got[0].At.IsZero() {
			t.Errorf("numbers and times of %+v", got)
		}
	}
}

func TestASlowSubscriberIsToldHowManyItLost(t *testing.T) {
	t.Parallel()
	h := NewHub(time.Now)
	defer h.Close()
	c, cancel := h.Subscribe(Filter{})
	defer cancel()
	for i := range queue + 10 {
		h.Publish(Event{Kind: Row, Run: int64(i)})
	}
	first := <-c
	h.Publish(Event{Kind: Row}) // there is room for one only
	<-c
	h.Publish(Event{Kind: Ended})
	got := drain(c)
	if first.Run != 0 || len(got) != queue {
		t.Fatalf("%d events after %+v", len(got), first)
	}
	lost, last := got[len(got)-2], got[len(got)-1]
	if lost.Kind != Lost || lost.Data != (Gap{11}) || last.Kind != Ended || lost.ID >= last.ID {
		t.Errorf("the end is %+v, %+v", lost, last)
	}
}

func TestASubscriberThatComesBack(t *testing.T) {
	t.Parallel()
	h := NewHub(time.Now)
	defer h.Close()
	c, cancel := h.Subscribe(Filter{})
	for i := range int64(3) {
		h.Publish(Event{Kind: Started, Run: 1 + i})
		h.Publish(Event{Kind: Row, Run: 1 + i})
	}
	had := drain(c)
	cancel()
	cancel()
	if _, open := <-c; open {
		t.Error("the channel of a subscription that has ended is open")
	}
	for _, test := range []struct {
		after int64
		want  string
	}{
		{had[0].ID, "started//2 started//3"},
		{had[5].ID, ""},
		{had[0].ID - 1, "started//1 started//2 started//3"},
		{h.first - 1, "lost//0 started//1 started//2 started//3"}, // of an earlier process
	} {
		c, cancel := h.Subscribe(Filter{After: test.after})
		if got := kinds(drain(c)); got != test.want {
			t.Errorf("after %d: %s, want %s", test.after, got, test.want)
		}
		cancel()
	}
	for range backlog {
		h.Publish(Event{Kind: Stage})
	}
	c, cancel = h.Subscribe(Filter{After: had[0].ID, Kinds: []Kind{Started}})
	defer cancel()
	if got := kinds(drain(c)); got != "lost//0" {
		t.Errorf("of what the hub no longer has: %s", got)
	}
	if c, cancel := h.Subscribe(Filter{After: had[5].ID}); true {
		defer cancel()
		if got := drain(c); len(got) != backlog {
			t.Errorf("%d events since the last row", len(got))
		}
	}
}

// TestASubscriberOfAnotherProcess comes with the ID of an event of another hub that tells the same.
func TestASubscriberOfAnotherProcess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		here := NewHub(time.Now)
		time.Sleep(time.Hour)
		there := NewHub(time.Now)
		told := func(h *Hub, after int64) string {
			c, cancel := h.Subscribe(Filter{After: after})
			defer cancel()
			return kinds(drain(c))
		}
		both := func(run int64) (id int64) {
			c, cancel := there.Subscribe(Filter{})
			defer cancel()
			time.Sleep(time.Second)
			there.Publish(Event{Kind: Started, Run: run})
			time.Sleep(time.Millisecond) // on its way
			here.Publish(Event{Kind: Started, Run: run})
			return (<-c).ID
		}
		first := both(1)
		last := both(2)
		both(3)
		if got := told(here, first); !strings.Contains(got, "started//2 started//3") {
			t.Errorf("after the first event of the other: %q", got)
		}
		if got := told(here, last); !strings.HasSuffix(got, "started//3") || strings.Contains(got, "started//1") {
			t.Errorf("after the second event of the other: %q", got)
		}
		time.Sleep(time.Hour)
		there.Publish(Event{Kind: Started, Run: 4}) // is not heard here
		if got := told(here, there.last); got != "lost//0" {
			t.Errorf("after an event that is later than all here: %q", got)
		}
	})
}

func TestAClosedHub(t *testing.T) {
	t.Parallel()
	h := NewHub(time.Now)
	c, cancel := h.Subscribe(Filter{})
	h.Close()
	h.Close()
	h.Publish(Event{Kind: Started})
	if _, open := <-c; open {
		t.Error("an event came out of a closed hub")
	}
	cancel()
	c, cancel = h.Subscribe(Filter{})
	if _, open := <-c; open {
		t.Error("a closed hub took a subscriber")
	}
	cancel()
}

func TestWanted(t *testing.T) {
	t.Parallel()
	h := NewHub(time.Now)
	defer h.Close()
	if h.Wanted(Row) {
		t.Error("nobody looks")
	}
	_, cancel := h.Subscribe(Filter{Kinds: []Kind{Ended}})
	if h.Wanted(Row) || !h.Wanted(Ended) {
		t.Error("somebody looks for ended runs only")
	}
	cancel()
	_, cancel = h.Subscribe(Filter{Run: 3})
	defer cancel()
	if !h.Wanted(Row) {
		t.Error("somebody looks at all of a run")
	}
}

// TestManyAtOnce has subscribers that come and go while events are published.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	h := NewHub(time.Now)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 2000 {
				h.Publish(Event{Kind: Row})
			}
		})
		all.Go(func() {
			for range 200 {
				c, cancel := h.Subscribe(Filter{After: 1})
				drain(c)
				cancel()
			}
		})
	}
	all.Wait()
	h.Close()
}

// TestFollower plays what a run tells.
func TestFollower(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := NewHub(time.Now)
		defer h.Close()
		c, cancel := h.Subscribe(Filter{})
		defer cancel()
		f := NewFollower(h)
		about := progress.About{Sync: "users", Run: 7}
		report := owlatsync.NewReport("users", "7")
		row := func(key, address string) progress.RowDone {
			return progress.RowDone{About: about, Decision: step.NewDecision(key, owlatsync.Position{}, address, owlatsync.Failed, "no"), Category: ledger.CategoryNetwork}
		}
		for _, v := range []progress.Value{
			progress.Started{About: about}, progress.Staged{About: about, Stage: ledger.StageReading}, progress.Scanned{About: about, Rows: 1},
			progress.Scanned{About: about, Rows: 2}, progress.Scanned{About: about, Rows: 3, Done: true}, progress.Listed{About: about, Contacts: 4, Total: 9},
			progress.Planned{About: about, Summary: owlatsync.Summary{Creates: 3}}, progress.Held{About: about, Guards: []owlatsync.Hit{{Guard: owlatsync.GuardFirstRun}}},
			row("4711", "ann@example.com"), row("bob@example.com", "bob@example.com"), progress.Afresh{About: about, Stretch: 2},
			progress.Ended{About: about, Status: ledger.StatusOK, Message: "m", Report: report},
		} {
			f.Observe(v)
		}
		var got []string
		for _, e := range drain(c) {
			if e.Sync != "users" || e.Run != 7 {
				t.Errorf("%+v is about another run", e)
			}
			got = append(got, fmt.Sprintf("%s %+v", e.Kind, e.Data))
		}
		want := []string{
			"started <nil>", "stage {Stage:reading Stretch:0}",
			"progress {Stage:reading Rows:1 Contacts:0 Total:0 Done:0}", "progress {Stage:reading Rows:3 Contacts:0 Total:0 Done:0}",
			fmt.Sprintf("planned %+v", PlanData{owlatsync.Summary{Creates: 3}}), "held {Guards:[{Guard:first run Reason:}]}",
			"row {Key:4711 Outcome:failed Category:network Reason:no}", "row {Key: Outcome:failed Category:network Reason:no}",
			"stage {Stage:reading Stretch:2}",
			"progress {Stage:reading Rows:0 Contacts:0 Total:0 Done:2}",
			fmt.Sprintf("ended %+v", EndData{ledger.StatusOK, "m", report}),
		}
		if !slices.Equal(got, want) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if s := strings.Join(got, " "); strings.Contains(s, "@") {
			t.Error("an address is told")
		}
		time.Sleep(progressEvery)
		if f.Observe(progress.Scanned{About: about, Rows: 1}); kinds(drain(c)) != "progress/users/7" {
			t.Error("a second later progress is told")
		}
	})
}
