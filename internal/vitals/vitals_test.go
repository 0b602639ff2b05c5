package vitals_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync"
	"owlatsync/internal/config"
	"owlatsync/internal/vitals"
	"owlatsync/ledger"
	"owlatsync/ledger/memory"
)

// book is a ledger with what the tests of runs need not keep in one.
type book struct {
	*memory.Ledger
	queued []ledger.Run
	counts map[string]map[ledger.DeliveryState]int
	next   time.Time
	last   time.Time
	asked  *int // the most runs that were asked for
}

func (b book) Queued(context.Context) ([]ledger.Run, error)            { return b.queued, nil }
func (b book) LastFeedback(context.Context) (time.Time, error)         { return b.last, nil }
func (b book) NextDelivery(context.Context, string) (time.Time, error) { return b.next, nil }
func (b book) DeliveryCounts(context.Context) (map[string]map[ledger.DeliveryState]int, error) {
	return b.counts, nil
}

func (b book) Runs(ctx context.Context, sync string, limit int) ([]ledger.Run, error) {
	if b.asked != nil {
		*b.asked = max(*b.asked, limit)
	}
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
	run.Mode, run.Started = ledger.ModeRun, time.Now()
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
		{"a part alone", []ledger.Run{part}, ledger.StatusOK, 0},
		{"the source has changed its form", []ledger.Run{ok, spoiled}, ledger.StatusFailedRows, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := memory.New()
				r := vitals.NewReader(book{Ledger: l}, []config.Sync{{Name: "users"}, {Name: "leads"}}, time.Now())
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
					r := vitals.NewReader(book{Ledger: l}, []config.Sync{test.sync}, time.Now())
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
		r := vitals.NewReader(book{Ledger: l}, []config.Sync{{Name: "users", StaleAfter: time.Minute}}, time.Now())
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

func TestWhatWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		b := book{
			Ledger: memory.New(), queued: make([]ledger.Run, 2), last: now.Add(-time.Hour), next: now.Add(-time.Minute),
			counts: map[string]map[ledger.DeliveryState]int{
				"b": {ledger.DeliveryDone: 7}, "a": {ledger.DeliveryWaiting: 3, ledger.DeliveryDead: 2},
			},
		}
		play(t, b.Ledger, ledger.Run{Status: ledger.StatusHeld})
		r := vitals.NewReader(b, []config.Sync{{Name: "users"}}, now)
		s := read(t, r)
		if s.Queued != 2 || !s.LastFeedback.Equal(b.last) || len(s.Syncs[0].Held) != 1 || len(s.WriteBacks) != 2 ||
			s.WriteBacks[0] != (vitals.WriteBack{Target: "a", Waiting: 3, Dead: 2, Next: b.next, Stuck: now}) || s.WriteBacks[1] != (vitals.WriteBack{Target: "b"}) {
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

// TestAWriteBackThatIsStuck looks at a queue each minute.
func TestAWriteBackThatIsStuck(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := book{Ledger: memory.New(), counts: map[string]map[ledger.DeliveryState]int{}}
		r := vitals.NewReader(b, nil, time.Now())
		for _, step := range []struct{ waiting, done, stuck int }{{1, 5, 0}, {2, 5, 1}, {2, 4, 2}, {1, 6, 0}, {1, 6, 1}, {0, 7, -1}, {1, 7, 0}, {-1, 0, -1}, {3, 0, 0}} {
			if b.counts["a"] = map[ledger.DeliveryState]int{ledger.DeliveryWaiting: step.waiting, ledger.DeliveryDone: step.done}; step.waiting < 0 {
				delete(b.counts, "a") // nothing is known of it any more
			}
			got := -1
			for _, w := range read(t, r).WriteBacks {
				if !w.Stuck.IsZero() {
					got = int(time.Since(w.Stuck) / time.Minute)
				}
			}
			if got != step.stuck {
				t.Errorf("%+v: stuck for %d minutes", step, got)
			}
			time.Sleep(time.Minute)
		}
	})
}

func TestSyncsChange(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := vitals.NewReader(book{Ledger: memory.New()}, []config.Sync{{Name: "users"}}, time.Now())
		began := time.Now()
		time.Sleep(time.Hour)
		r.Set([]config.Sync{{Name: "leads"}, {Name: "users"}}, time.Now())
		s := read(t, r).Syncs
		if len(s) != 2 || s[0].Name != "leads" || !s[0].Since.Equal(time.Now()) || !s[1].Since.Equal(began) {
			t.Errorf("%+v", s)
		}
	})
}
