package vitals_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync"
	"owlatsync/internal/config"
	"owlatsync/internal/vitals"
	"owlatsync/ledger"
	"owlatsync/ledger/memory"
)

// book is a ledger that counts what it is asked for.
type book struct {
	*memory.Ledger
	asked *int // the most runs that were asked for
}

func (b book) Runs(ctx context.Context, sync string, limit int) ([]ledger.Run, error) {
	*b.asked = max(*b.asked, limit)
	return b.Ledger.Runs(ctx, sync, limit)
}

// play records a run that ends as given now.
func play(t *testing.T, l ledger.Store, run ledger.Run) {
	t.Helper()
	lock, err := l.Acquire(t.Context(), ledger.Claim{Purpose: "a test"})
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release()
	run.Mode, run.Started = cmp.Or(run.Mode, ledger.ModeRun), time.Now()
	if run.Sync == "" {
		run.Sync = "users"
	}
	begun := run
	begun.Status = ledger.StatusRunning
	if run.ID, err = lock.BeginRun(t.Context(), begun); err != nil {
		t.Fatal(err)
	}
	if run.Status == ledger.StatusRunning {
		return
	}
	run.Finished = time.Now()
	if run.Report == nil {
		run.Report = owlatsync.NewReport(run.Sync, "")
	}
	if err := lock.EndRun(t.Context(), ledger.Ending{Run: run}); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, r *vitals.Reader) vitals.Signs {
	t.Helper()
	s, err := r.Read(t.Context(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestTheLatestRuns plays runs, each a minute after the one before, and looks at what counts for the sync.
func TestTheLatestRuns(t *testing.T) {
	t.Parallel()
	ok, failed := ledger.Run{Status: ledger.StatusOK}, ledger.Run{Status: ledger.StatusError}
	part := ledger.Run{Status: ledger.StatusOK, Part: owlatsync.Part{Limit: 5}}
	spoiled := ledger.Run{Status: ledger.StatusFailedRows, Report: &owlatsync.Report{InStep: 10, Turned: 9}}
	for _, test := range []struct {
		name string
		runs []ledger.Run
		last ledger.Status
		good int // minutes ago; 0: never
	}{
		{"none", nil, "", 0},
		{"good", []ledger.Run{ok}, ledger.StatusOK, 1},
		{"some rows failed", []ledger.Run{{Status: ledger.StatusFailedRows}}, ledger.StatusFailedRows, 1},
		{"failed since", []ledger.Run{ok, failed, failed}, ledger.StatusError, 3},
		{"stopped by hand since", []ledger.Run{ok, {Status: ledger.StatusInterrupted}}, ledger.StatusOK, 2},
		{"held since", []ledger.Run{ok, {Status: ledger.StatusHeld}}, ledger.StatusHeld, 2},
		{"somebody looks at a plan since", []ledger.Run{ok, {Status: ledger.StatusHeld, Mode: ledger.ModeReview}}, ledger.StatusOK, 2},
		{"a part alone", []ledger.Run{part}, ledger.StatusOK, 0},
		{"the source has changed its form", []ledger.Run{ok, spoiled}, ledger.StatusFailedRows, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := memory.New()
				r := vitals.NewReader(l, []config.Sync{{Name: "users"}, {Name: "leads"}}, time.Now())
				for _, run := range test.runs {
					play(t, l, run)
					time.Sleep(time.Minute)
				}
				for range 2 { // what is remembered changes nothing
					s := read(t, r)
					users := s.Syncs[0]
					var last ledger.Status
					if users.Last != nil {
						last = users.Last.Status
					}
					good := 0
					if !users.LastGood.IsZero() {
						good = int(time.Since(users.LastGood) / time.Minute)
					}
					if last != test.last || good != test.good {
						t.Errorf("last %q, good %d minutes ago, want %q and %d", last, good, test.last, test.good)
					}
					if leads := s.Syncs[1]; leads.Name != "leads" || leads.Last != nil || !leads.LastGood.IsZero() {
						t.Errorf("another sync: %+v", leads)
					}
				}
			})
		})
	}
}

// TestAGoodRunLongAgoIsFoundOnce fails 300 runs after a good one: the reader finds it, and reads few runs from then on.
func TestAGoodRunLongAgoIsFoundOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := memory.New()
		asked := 0
		r := vitals.NewReader(book{Ledger: l, asked: &asked}, []config.Sync{{Name: "users"}}, time.Now())
		play(t, l, ledger.Run{Status: ledger.StatusOK})
		good := time.Now()
		for range 300 {
			time.Sleep(time.Minute)
			play(t, l, ledger.Run{Status: ledger.StatusError})
		}
		if got := read(t, r).Syncs[0].LastGood; !got.Equal(good) || asked != 1000 {
			t.Errorf("the last good run is of %s, want %s; %d runs were read", got, good, asked)
		}
		asked = 0
		play(t, l, ledger.Run{Status: ledger.StatusError})
		if got := read(t, r).Syncs[0].LastGood; !got.Equal(good) || asked != 10 {
			t.Errorf("later: the last good run is of %s, want %s; %d runs were read", got, good, asked)
		}
	})
}

// TestOverdue looks at when a sync is stale after a good run on Thursday, 1 January 2026 at 00:00 UTC, or without one.
func TestOverdue(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	every := config.Schedule{Every: time.Hour}
	for _, test := range []struct {
		name string
		sync config.Sync
		want string
	}{
		{"no schedule", config.Sync{}, ""},
		{"never", config.Sync{StaleAfter: -1, Schedule: every}, ""},
		{"as the user says", config.Sync{StaleAfter: 90 * time.Minute, Schedule: every}, "01-01 01:30"},
		{"three times the time between runs", config.Sync{Schedule: every}, "01-01 03:00"},
		{"and the jitter", config.Sync{Schedule: config.Schedule{Every: time.Hour, Jitter: 10 * time.Minute}}, "01-01 03:10"},
		{"a quarter of an hour at least", config.Sync{Schedule: config.Schedule{Every: time.Second}}, "01-01 00:15"},
		{"the third time of an expression", config.Sync{Schedule: config.Schedule{Cron: "0 9 * * 1-5", Zone: time.UTC}}, "01-05 09:00"},
		{"in its time zone", config.Sync{Schedule: config.Schedule{Cron: "0 9 * * 1-5", Zone: berlin}}, "01-05 08:00"},
		{"a day that never comes", config.Sync{Schedule: config.Schedule{Cron: "0 9 30 2 *", Zone: time.UTC}}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for _, runs := range []bool{true, false} {
				synctest.Test(t, func(t *testing.T) {
					time.Sleep(time.Until(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)))
					test.sync.Name = "users"
					l := memory.New()
					r := vitals.NewReader(l, []config.Sync{test.sync}, time.Now())
					if runs {
						play(t, l, ledger.Run{Status: ledger.StatusOK})
					}
					s := read(t, r).Syncs[0]
					got := ""
					if !s.Overdue.IsZero() {
						got = s.Overdue.UTC().Format("01-02 15:04")
					}
					if got != test.want || s.Stale(s.Overdue) || got != "" && !s.Stale(s.Overdue.Add(1)) || got == "" && s.Stale(time.Now().AddDate(9, 0, 0)) {
						t.Errorf("with a run %v: overdue at %q, want %q", runs, got, test.want)
					}
				})
			}
		})
	}
}

// TestARunThatGoesOn keeps its sync from being stale while it moves.
func TestARunThatGoesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := memory.New()
		r := vitals.NewReader(l, []config.Sync{{Name: "users", StaleAfter: time.Minute}}, time.Now())
		lock, err := l.Acquire(t.Context(), ledger.Claim{Purpose: "a test"})
		if err != nil {
			t.Fatal(err)
		}
		defer lock.Release()
		id, err := lock.BeginRun(t.Context(), ledger.Run{Sync: "users", Mode: ledger.ModeRun, Started: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		beat := func(rows int) vitals.Sync {
			report := owlatsync.NewReport("users", "")
			report.Rows = rows
			if err := lock.Beat(t.Context(), ledger.Beat{Run: id, Stage: ledger.StageApplying, Report: report}); err != nil {
				t.Fatal(err)
			}
			return read(t, r).Syncs[0]
		}
		for rows := range 3 {
			time.Sleep(vitals.StuckAfter)
			if s := beat(rows); s.Going == nil || s.Stale(time.Now()) {
				t.Errorf("while it moves: %+v", s)
			}
		}
		time.Sleep(vitals.StuckAfter + time.Second)
		if s := beat(2); !s.Stale(time.Now()) {
			t.Errorf("when it moves no more: %+v", s)
		}
		time.Sleep(6 * time.Minute)
		if s := read(t, r).Syncs[0]; s.Going != nil || s.Last == nil || s.Last.Status != ledger.StatusDied || !s.Stale(time.Now()) {
			t.Errorf("when its process keeps silent: %+v", s)
		}
	})
}

// hear takes in a webhook with a delivery to the target, and returns the delivery's number.
func hear(t *testing.T, l *memory.Ledger, target string, due time.Time) int64 {
	t.Helper()
	before, err := l.Deliveries(t.Context(), "", 0)
	if err != nil {
		t.Fatal(err)
	}
	n := len(before) + 1
	_, err = l.TakeIn(t.Context(), ledger.News{
		Feedback:   ledger.Feedback{Hash: [ledger.HashSize]byte{byte(n)}, Event: "topic.unsubscribed", ContactID: fmt.Sprint("c", n), At: time.Now(), Received: time.Now()},
		Deliveries: []ledger.Delivery{{Target: target, Person: fmt.Sprint("c", n), Due: due}},
	})
	if err != nil {
		t.Fatal(err)
	}
	all, err := l.Deliveries(t.Context(), "", 1)
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	return all[0].ID
}

func TestWhatWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, now := memory.New(), time.Now()
		due := now.Add(-time.Minute)
		for range 3 {
			hear(t, l, "a", due)
		}
		for range 2 {
			if err := l.Undelivered(t.Context(), hear(t, l, "a", due), "no", true, time.Time{}); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.Delivered(t.Context(), hear(t, l, "b", due), now, time.Time{}); err != nil {
			t.Fatal(err)
		}
		for _, sync := range []string{"users", "leads"} {
			if _, _, err := l.Enqueue(t.Context(), ledger.Run{Sync: sync, Mode: ledger.ModeRun, Started: now}); err != nil {
				t.Fatal(err)
			}
		}
		play(t, l, ledger.Run{Status: ledger.StatusHeld})
		r := vitals.NewReader(l, []config.Sync{{Name: "users"}}, now)
		s := read(t, r)
		want := []vitals.WriteBack{{Target: "a", Waiting: 3, Dead: 2, Next: due.UTC(), Stuck: now}, {Target: "b"}}
		if s.Queued != 2 || !s.LastFeedback.Equal(now) || len(s.Syncs[0].Held) != 1 || !slices.EqualFunc(s.WriteBacks, want, func(a, b vitals.WriteBack) bool {
			same := a.Next.Equal(b.Next)
			a.Next, b.Next = time.Time{}, time.Time{}
			return same && a == b
		}) {
			t.Errorf("%+v", s)
		}
		time.Sleep(4 * time.Second)
		for _, within := range []struct {
			age  time.Duration
			want time.Time
		}{{5 * time.Second, now}, {4 * time.Second, now.Add(4 * time.Second)}} {
			if again, err := r.ReadWithin(t.Context(), time.Now(), within.age); err != nil || !again.At.Equal(within.want) {
				t.Errorf("within %s: of %s, %v", within.age, again.At, err)
			}
		}
	})
}

// TestAWriteBackThatIsStuck looks at a queue each minute: it is stuck since it got its first delivery, or since one was done.
func TestAWriteBackThatIsStuck(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := memory.New()
		r := vitals.NewReader(l, nil, time.Now())
		var waiting []int64
		more := func() { waiting = append(waiting, hear(t, l, "a", time.Now())) }
		done := func() {
			if err := l.Delivered(t.Context(), waiting[0], time.Now(), time.Time{}); err != nil {
				t.Fatal(err)
			}
			waiting = waiting[1:]
		}
		for i, step := range []struct {
			do    func()
			stuck int // minutes; -1: nothing waits
		}{{func() {}, -1}, {more, 0}, {more, 1}, {func() {}, 2}, {done, 0}, {func() {}, 1}, {done, -1}, {more, 0}} {
			step.do()
			got := -1
			for _, w := range read(t, r).WriteBacks {
				if !w.Stuck.IsZero() {
					got = int(time.Since(w.Stuck) / time.Minute)
				}
			}
			if got != step.stuck {
				t.Errorf("step %d: stuck for %d minutes, want %d", i, got, step.stuck)
			}
			time.Sleep(time.Minute)
		}
	})
}

func TestSyncsChange(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := vitals.NewReader(memory.New(), []config.Sync{{Name: "users"}}, time.Now())
		began := time.Now()
		time.Sleep(time.Hour)
		r.Set([]config.Sync{{Name: "leads"}, {Name: "users"}}, time.Now())
		s := read(t, r).Syncs
		if len(s) != 2 || s[0].Name != "leads" || !s[0].Since.Equal(time.Now()) || !s[1].Since.Equal(began) {
			t.Errorf("%+v", s)
		}
	})
}
