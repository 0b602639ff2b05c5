package home

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync"
	"owlatsync/internal/api"
	"owlatsync/internal/config"
	"owlatsync/internal/events"
	"owlatsync/internal/standing"
	"owlatsync/internal/turns"
	"owlatsync/internal/vitals"
	"owlatsync/internal/writeback"
	"owlatsync/ledger"
	"owlatsync/ledger/memory"
	"owlatsync/reconcile"
)

// TestADayWithoutNeed: three syncs that run every quarter of an hour for a day send what their sources' changes need and nothing else.
func TestADayWithoutNeed(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		for _, sync := range []string{"users", "leads", "members"} {
			for _, key := range names(sync, 20) {
				w.source(sync).put(key, true)
			}
		}
		p := w.start(t, every("users", 15*time.Minute), every("leads", 15*time.Minute), every("members", 15*time.Minute))
		defer p.stop()
		time.Sleep(20 * time.Minute)
		first, _ := w.requests()
		if first < 120 || first > 130 { // a create and a topic for each, and the look at what is there
			t.Errorf("the first runs sent %d requests", first)
		}
		for range 12 {
			time.Sleep(2 * time.Hour)
		}
		if all, _ := w.requests(); all != first {
			t.Errorf("a day without a change sent %d requests", all-first)
		}
		w.source("leads").put("leads0003", false)
		time.Sleep(time.Hour)
		if all, writes := w.requests(); all != first+1 || writes > all {
			t.Errorf("a withdrawn consent sent %d requests", all-first)
		}
		w.source("users").put("new", true)
		time.Sleep(time.Hour)
		if all, _ := w.requests(); all != first+3 {
			t.Errorf("a new person sent %d requests", all-first-1)
		}
		if p.source("users") < 26*4 {
			t.Errorf("users were read %d times", p.source("users"))
		}
	})
}

func (p *process) source(sync string) int { return p.w.source(sync).read() }

// TestKilledAtAnyInstant: the next life goes on where the one before broke off, also with what was asked for by number.
func TestKilledAtAnyInstant(t *testing.T) {
	t.Parallel()
	for after := 50 * time.Millisecond; after < 5*time.Second; after += 450 * time.Millisecond {
		t.Run(after.String(), func(t *testing.T) {
			inTown(t, func(t *testing.T, w *town) {
				daily := every("users", 24*time.Hour)
				never := config.Sync{Name: "leads", Guards: unguarded}
				for _, key := range names("p", 20) {
					w.source("users").put(key, true)
					w.source("leads").put("l"+key, true)
				}
				p := w.start(t, daily, never)
				if _, err := p.queue.Desk().Trigger(t.Context(), "leads", turns.Options{}); err != nil {
					t.Fatal(err)
				}
				time.Sleep(after)
				p.kill()
				p = w.start(t, daily, never)
				defer p.stop()
				time.Sleep(time.Minute)
				for _, key := range names("p", 20) {
					w.has(t, key+"@example.com", "l"+key+"@example.com")
				}
				all, _ := w.requests()
				time.Sleep(time.Hour)
				for _, sync := range []string{"users", "leads"} {
					if runs := w.runs(t, sync); !strings.HasSuffix(runs, "ok") {
						t.Errorf("runs of %s: %s", sync, runs)
					}
					p.queue.Submit(turns.Request{Sync: sync})
				}
				time.Sleep(time.Hour)
				if again, _ := w.requests(); again != all {
					t.Errorf("one more run sent %d requests", again-all)
				}
			})
		})
	}
}

// TestAStopEndsARunSoftly and the next life goes on with it at once, although its schedule would wait.
func TestAStopEndsARunSoftly(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		for _, key := range names("p", 50) {
			w.source("users").put(key, true)
		}
		p := w.start(t, every("users", 24*time.Hour))
		time.Sleep(5 * time.Second)
		began := time.Now()
		p.stop()
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("the stop took %s", took)
		}
		if runs := w.runs(t, "users"); runs != "interrupted" {
			t.Error(runs)
		}
		p = w.start(t, every("users", 24*time.Hour))
		time.Sleep(time.Minute)
		p.stop()
		if runs := w.runs(t, "users"); runs != "interrupted, ok" {
			t.Error(runs)
		}
		p = w.start(t, every("users", 24*time.Hour))
		time.Sleep(time.Minute)
		p.stop()
		if runs := w.runs(t, "users"); runs != "interrupted, ok" {
			t.Errorf("after a run that was done: %s", runs)
		}
	})
}

// TestAFirstRunWaitsForApproval: it is planned once, whatever the schedule says, and others go on. Its approval takes in what has
// changed meanwhile, within reason.
func TestAFirstRunWaitsForApproval(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		guarded := every("users", time.Minute)
		guarded.Guards.FirstRun = false
		for _, key := range names("p", 30) {
			w.source("users").put(key, true)
		}
		p := w.start(t, guarded, every("leads", time.Minute))
		defer func() { p.stop() }()
		time.Sleep(3 * time.Hour)
		if runs, reads := w.runs(t, "users"), p.source("users"); runs != "held" || reads != 1 {
			t.Fatalf("runs %s, read %d times", runs, reads)
		}
		if reads := p.source("leads"); reads < 180 {
			t.Errorf("the others ran %d times", reads)
		}
		for _, key := range names("many", 30) {
			w.source("users").put(key, true)
		}
		approve := func() int64 {
			held, err := w.ledger.HeldRuns(t.Context(), "users")
			if err != nil || len(held) != 1 {
				t.Fatalf("%d runs are held: %v", len(held), err)
			}
			run, err := p.queue.Desk().Approve(t.Context(), held[0].ID)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			return run
		}
		approve()
		if runs := w.runs(t, "users"); runs != "superseded, error, held" {
			t.Fatalf("much more than what was approved: %s", runs)
		}
		others := make(map[string]owlatsync.Row)
		all := w.source("users").swap(others)
		for _, key := range names("other", len(all)) {
			w.source("users").put(key, true)
		}
		approve()
		if _, writes := w.requests(); writes != 0 {
			t.Fatalf("%d writes for as many people as were approved, who are others", writes)
		}
		w.source("users").swap(all)
		approve()
		w.source("users").put("one", true)
		run := approve()
		time.Sleep(10 * time.Minute)
		if r, err := w.ledger.Run(t.Context(), run); err != nil || r.Status != ledger.StatusOK {
			t.Errorf("%+v, %v", r, err)
		}
		if runs := w.runs(t, "users"); !strings.Contains(runs, "approved, ok") {
			t.Errorf("the held run: %s", runs)
		}
		w.has(t, "one@example.com", "many0029@example.com")

		p.stop() // another life plans it anew, because its configuration may be another
		p = w.start(t, guarded)
		time.Sleep(time.Minute)
		if runs := w.runs(t, "users"); !strings.HasSuffix(runs, "ok") {
			t.Error(runs)
		}
	})
}

// TestWhatAGuardHoldsIsLookedAtAgain, but not all the time: its reason may pass.
func TestWhatAGuardHoldsIsLookedAtAgain(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		s := every("users", time.Minute)
		s.OnMissing, s.Guards.EmptySource = reconcile.MissingLeave, false
		for _, key := range names("p", 5) {
			w.source("users").put(key, true)
		}
		p := w.start(t, s)
		defer p.stop()
		time.Sleep(30 * time.Minute)
		full := w.source("users").swap(map[string]owlatsync.Row{})
		time.Sleep(50 * time.Minute)
		if runs := w.runs(t, "users"); strings.Count(runs, "held") != 1 {
			t.Fatal(runs)
		}
		time.Sleep(50 * time.Minute)
		if runs := w.runs(t, "users"); !strings.HasSuffix(runs, "superseded, held") {
			t.Fatal(runs)
		}
		w.source("users").swap(full)
		if _, err := p.queue.Desk().Trigger(t.Context(), "users", turns.Options{}); err != nil { // somebody asks: at once
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		if runs := w.runs(t, "users"); !strings.HasSuffix(runs, "superseded, superseded, ok, ok") {
			t.Error(runs)
		}
	})
}

// TestAnApprovalThatCameTooLate is answered by a new plan that can be approved.
func TestAnApprovalThatCameTooLate(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		s := every("users", 24*time.Hour)
		s.Guards.Creates = reconcile.Limit{Rows: 3}
		w.source("users").put("first", true)
		p := w.start(t, s)
		defer p.stop()
		time.Sleep(time.Minute)
		for _, key := range names("p", 5) {
			w.source("users").put(key, true)
		}
		time.Sleep(24 * time.Hour)
		held, err := w.ledger.HeldRuns(t.Context(), "users")
		if err != nil || len(held) != 1 {
			t.Fatalf("%s: %v", w.runs(t, "users"), err)
		}
		w.source("users").put("later", true)
		run, err := p.queue.Desk().Approve(t.Context(), held[0].ID)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if r, err := w.ledger.Run(t.Context(), run); err != nil || r.Status != ledger.StatusError || !strings.Contains(r.Message, "1 rows differ") {
			t.Errorf("%+v, %v", r, err)
		}
		if held, err = w.ledger.HeldRuns(t.Context(), "users"); err != nil || len(held) != 1 || held[0].ID <= run {
			t.Fatalf("%s: %v", w.runs(t, "users"), err)
		}
		if _, err = p.queue.Desk().Approve(t.Context(), held[0].ID); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		w.has(t, "later@example.com")
	})
}

// TestALongRunStarvesNobody: a first run of seven minutes lets a short sync run every minute, and takes withdrawn consents first.
func TestALongRunStarvesNobody(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		for _, key := range names("p", 2000) {
			w.source("long").put(key, true)
		}
		w.source("short").put("s", true)
		p := w.start(t, every("long", 24*time.Hour), every("short", time.Minute))
		defer p.stop()
		time.Sleep(5 * time.Minute)
		w.source("short").put("new", true)
		w.source("long").put("p0000", false) // was added already
		time.Sleep(75 * time.Second)
		w.has(t, "new@example.com")
		if c, _ := w.server.Contact("p0000@example.com"); len(c.Topics) != 0 {
			t.Error("who withdrew a consent is still on the topic after a minute")
		}
		if reads := p.source("short"); reads < 5 {
			t.Errorf("the short sync ran %d times in 6 minutes", reads)
		}
		time.Sleep(6 * time.Minute)
		if runs := w.runs(t, "long"); runs != "ok" {
			t.Errorf("the long run: %s", runs)
		}
		if n := w.server.Len(); n != 2002 {
			t.Errorf("%d contacts", n)
		}
	})
}

// TestASourceThatIsDown is tried again soon, also where the schedule is slow.
func TestASourceThatIsDown(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		w.source("users").put("a", true)
		w.source("users").breaks(errDown)
		p := w.start(t, every("users", 24*time.Hour))
		defer p.stop()
		time.Sleep(time.Minute)
		w.source("users").breaks(nil)
		time.Sleep(time.Minute)
		w.has(t, "a@example.com")
		if runs := w.runs(t, "users"); runs != "error, error, error, ok" {
			t.Error(runs)
		}
		if all, _ := w.requests(); all > 4 {
			t.Errorf("%d requests", all)
		}
	})
}

// TestAnotherConfiguration: a sync that is configured otherwise runs anew, one that is gone ends, one that is new begins; the others
// notice nothing.
func TestAnotherConfiguration(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		for _, key := range names("p", 200) {
			w.source("long").put(key, true)
		}
		p := w.start(t, every("long", 24*time.Hour), every("same", time.Hour), every("gone", time.Minute))
		defer p.stop()
		time.Sleep(10 * time.Second)
		reads := p.source("same")
		long := every("long", 24*time.Hour)
		long.Fresh = 5 * time.Minute
		if err := p.configure(t.Context(), long, every("same", time.Hour), every("new", time.Hour)); err != nil {
			t.Fatal(err)
		}
		gone := p.source("gone")
		time.Sleep(10 * time.Minute)
		if runs := w.runs(t, "long"); runs != "interrupted, ok" {
			t.Errorf("long: %s", runs)
		}
		if p.source("new") != 1 || p.source("same") != max(reads, 1) || p.source("gone") != gone {
			t.Errorf("new was read %d times, the same %d, gone %d", p.source("new"), p.source("same"), p.source("gone")-gone)
		}
		bad := every("long", time.Hour)
		bad.Schedule = config.Schedule{Cron: "0 0 30 2 *"}
		if err := p.configure(t.Context(), bad); err == nil || !strings.Contains(err.Error(), `sync "long": schedule: `) {
			t.Errorf("%v", err)
		}
	})
}

// TestWhoListensCatchesUp: a sync that its source wakes runs from time to time by itself.
func TestWhoListensCatchesUp(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		s := config.Sync{Name: "users", Guards: unguarded, Listen: "users_changed"}
		p := w.start(t, s, config.Sync{Name: "asleep"})
		defer p.stop()
		time.Sleep(time.Minute)
		reads := p.source("users")
		time.Sleep(24 * time.Hour)
		if n := p.source("users") - reads; n != 96 {
			t.Errorf("it ran %d times a day", n)
		}
		p.wake(t.Context(), turns.Request{Sync: "users", Why: turns.Notified})
		time.Sleep(time.Second)
		if n := p.source("users") - reads; n != 97 {
			t.Error("its source did not wake it")
		}
		if p.source("asleep") != 0 || !p.loop.Next("asleep").IsZero() {
			t.Error("a sync without a schedule ran")
		}
	})
}

// TestThousandsOfRunsLeaveNothingBehind looks at goroutines and memory.
func TestThousandsOfRunsLeaveNothingBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // not beside others: they use memory, too
		w := newTown()
		p := w.start(t, every("users", 10*time.Second), every("leads", 10*time.Second))
		defer p.stop()
		turn := func(runs int) (goroutines int, heap uint64) {
			for range runs / 100 {
				w.source("users").put("a", p.source("users")%200 < 100)
				time.Sleep(500 * time.Second)
				if _, err := w.ledger.Prune(t.Context(), time.Now().Add(-time.Hour)); err != nil {
					t.Fatal(err)
				}
				for len(p.told) > 0 {
					<-p.told
				}
			}
			time.Sleep(time.Millisecond) // between two runs
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return runtime.NumGoroutine(), m.HeapAlloc
		}
		turn(300)
		goroutines, heap := turn(300)
		after, grown := turn(1500)
		if n := p.source("users") + p.source("leads"); n < 2_000 {
			t.Fatalf("%d runs were made", n)
		}
		if after > goroutines+5 {
			t.Errorf("%d goroutines have become %d", goroutines, after)
		}
		if grown > heap+(1<<20) {
			t.Errorf("%d bytes have become %d", heap, grown)
		}
	})
}

// TestEventsOfARun are told in their order.
func TestEventsOfARun(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		w.source("users").put("a", true)
		p := w.start(t, config.Sync{Name: "users", Guards: unguarded})
		defer p.stop()
		all, cancel := p.hub.Subscribe(events.Filter{})
		defer cancel()
		run, err := p.queue.Desk().Trigger(t.Context(), "users", turns.Options{})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		var kinds []string
		for len(all) > 0 {
			e := <-all
			if e.Run != run || e.Sync != "users" {
				t.Errorf("%+v is about another run than %d", e, run)
			}
			if e.Kind != events.Progress {
				kinds = append(kinds, string(e.Kind))
			}
		}
		if got, want := fmt.Sprint(kinds), "[queued started stage stage planned stage row stage ended]"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

func TestOldHistoryGoesDaily(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var log bytes.Buffer
		began, times := time.Now(), []time.Duration{}
		done := make(chan struct{})
		go func() {
			defer close(done)
			daily(ctx, func(context.Context) (int64, error) {
				if times = append(times, time.Since(began)); len(times) == 2 {
					return 0, errDown
				}
				return int64(len(times)), nil
			}, slog.New(slog.NewTextHandler(&log, nil)))
		}()
		time.Sleep(50 * time.Hour)
		cancel()
		<-done
		if got := fmt.Sprint(times); got != "[10m0s 24h10m0s 48h10m0s]" {
			t.Error(got)
		}
		if got := log.String(); strings.Count(got, "old history removed") != 2 || strings.Count(got, errDown.Error()) != 1 {
			t.Error(got)
		}
	})
}

// slow is a target that takes a while, and says when it has begun.
type slow struct {
	*writable
	began chan struct{}
	goOn  chan struct{}
}

func (s slow) Deliver(_ context.Context, notices []writeback.Notice) []writeback.Result {
	close(s.began)
	<-s.goOn
	return make([]writeback.Result, len(notices))
}

// TestNobodyWaitsForTheOutbox wakes it while its targets are replaced and one of them takes its time.
func TestNobodyWaitsForTheOutbox(t *testing.T) {
	t.Parallel()
	l := memory.New()
	target := slow{&writable{}, make(chan struct{}), make(chan struct{})}
	news := ledger.News{
		Feedback:   ledger.Feedback{Event: "email.complained", Email: "a@example.com", Hash: [ledger.HashSize]byte{1}, Received: time.Now()},
		Deliveries: []ledger.Delivery{{Target: target.Name(), Person: "a@example.com", Due: time.Now()}},
	}
	if _, err := l.TakeIn(t.Context(), news); err != nil {
		t.Fatal(err)
	}
	o := newOutbox(l, slog.New(slog.DiscardHandler), func(writeback.Attempt) {})
	if err := o.replace([]writeback.Target{target}); err != nil {
		t.Fatal(err)
	}
	o.start()
	<-target.began
	replaced := make(chan error)
	go func() { replaced <- o.replace(nil) }()
	for range 1000 {
		o.wake() // would wait for ever
	}
	close(target.goOn)
	if err := <-replaced; err != nil {
		t.Error(err)
	}
	if err := o.close(); err != nil {
		t.Error(err)
	}
}

// living is a ledger whose runs all go on.
type living struct{ *memory.Ledger }

func (living) Alive(context.Context, ledger.Run) (bool, error) { return true, nil }

// TestAnApprovalThatGoesOn is told as a run that goes on, and a second approval is the same run. A run that fails later does not hide
// behind a plan that is held.
func TestAnApprovalThatGoesOn(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		guarded := every("users", time.Hour)
		guarded.Guards.FirstRun = false
		for _, key := range names("p", 300) {
			w.source("users").put(key, true)
		}
		p := w.start(t, guarded)
		defer p.stop()
		time.Sleep(150 * time.Minute) // between two runs of the schedule
		state := func() api.State {
			of, err := standing.Of(t.Context(), living{p.book}, guarded, 1)
			if err != nil {
				t.Fatal(err)
			}
			v := vitals.Sync{}
			if len(of.Runs) > 0 {
				v.Last = &of.Runs[0]
			}
			state, _ := stateOf(of, v, p.queue.Waiting("users"), time.Now())
			return state
		}
		if s := state(); s != api.Held {
			t.Fatalf("before the approval: %s", s)
		}
		held, err := w.ledger.HeldRuns(t.Context(), "users")
		if err != nil || len(held) != 1 {
			t.Fatalf("%d held, %v", len(held), err)
		}
		run, err := p.queue.Desk().Approve(t.Context(), held[0].ID)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		if s := state(); s != api.Running {
			t.Errorf("while it goes on: %s", s)
		}
		if again, err := p.queue.Desk().Approve(t.Context(), held[0].ID); again != run || err != nil {
			t.Errorf("a second approval is run %d, the first %d: %v", again, run, err)
		}
		time.Sleep(3 * time.Minute)
		if runs := w.runs(t, "users"); runs != "approved, ok" {
			t.Errorf("runs %s", runs)
		}
		w.source("users").breaks(errDown)
		time.Sleep(2 * time.Hour)
		if s := state(); s != api.Failing {
			t.Errorf("after it failed: %s", s)
		}
	})
}

// TestAnApprovalGoesOn after a stop, after a kill, and when it is given again after it was cancelled; a cancelled one does not go on by itself.
func TestAnApprovalGoesOn(t *testing.T) {
	t.Parallel()
	for _, end := range []string{"stop", "kill", "cancel"} {
		for _, first := range []bool{true, false} {
			t.Run(fmt.Sprint(end, first), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newTown()
					guarded := every("users", time.Hour)
					guarded.Guards = reconcile.Guards{FirstRun: !first}
					if !first {
						for _, key := range names("old", 30) {
							w.source("users").put(key, true)
						}
					}
					p := w.start(t, guarded)
					defer func() { p.stop() }()
					time.Sleep(150 * time.Minute) // between two runs of the schedule
					for _, key := range names("p", 300) {
						w.source("users").put(key, true)
					}
					if _, err := p.queue.Desk().Trigger(t.Context(), "users", turns.Options{}); err != nil {
						t.Fatal(err)
					}
					time.Sleep(time.Minute)
					approve := func() int64 {
						held, err := w.ledger.HeldRuns(t.Context(), "users")
						if err != nil || len(held) != 1 {
							t.Fatalf("%d held, %v: %s", len(held), err, w.runs(t, "users"))
						}
						run, err := p.queue.Desk().Approve(t.Context(), held[0].ID)
						if err != nil {
							t.Fatal(err)
						}
						return run
					}
					run := approve()
					time.Sleep(10 * time.Second)
					switch end {
					case "stop":
						p.stop()
						p = w.start(t, guarded)
					case "kill":
						p.kill()
						p = w.start(t, guarded)
					case "cancel":
						if err := p.queue.Desk().Cancel(t.Context(), run); err != nil {
							t.Fatal(err)
						}
						time.Sleep(30 * time.Minute)
						if w.server.Len() > 200 {
							t.Fatalf("a cancelled approval goes on: %s", w.runs(t, "users"))
						}
						approve()
					}
					time.Sleep(5 * time.Minute)
					if n, want := w.server.Len(), 300; n < want {
						t.Errorf("%d contacts: %s", n, w.runs(t, "users"))
					}
				})
			})
		}
	}
}

// TestAReviewHoldsNobodyUp: somebody looks at a plan, and decides against it or for it, or the next run takes its place.
func TestAReviewHoldsNobodyUp(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		w.source("users").put("a", true)
		p := w.start(t, every("users", time.Hour))
		defer func() { p.stop() }()
		time.Sleep(150 * time.Minute) // between two runs of the schedule, which would write what the review is to find
		review := func(key string) int64 {
			t.Helper()
			w.source("users").put(key, true)
			_, before := w.requests()
			run, err := p.queue.Desk().Trigger(t.Context(), "users", turns.Options{Review: true})
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			r, err := w.ledger.Run(t.Context(), run)
			if _, writes := w.requests(); err != nil || r.Status != ledger.StatusHeld || r.Mode != ledger.ModeReview || writes != before {
				t.Fatalf("%v: %+v after %d writes", err, r, writes-before)
			}
			return run
		}
		statusOf := func(run int64) ledger.Status {
			t.Helper()
			r, err := w.ledger.Run(t.Context(), run)
			if err != nil {
				t.Fatal(err)
			}
			return r.Status
		}
		first := review("b")
		if err := p.queue.Desk().Dismiss(t.Context(), first); err != nil {
			t.Fatal(err)
		}
		if err := p.queue.Desk().Dismiss(t.Context(), first); !errors.Is(err, reconcile.ErrNotHeld) {
			t.Errorf("dismissed twice: %v", err)
		}
		second := review("c")
		approval, err := p.queue.Desk().Approve(t.Context(), second)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.queue.Desk().Dismiss(t.Context(), second); !errors.Is(err, turns.ErrBeingApplied) {
			t.Errorf("dismissed while it is applied: %v", err)
		}
		time.Sleep(time.Minute)
		third := review("d")
		of, err := standing.Of(t.Context(), living{p.book}, every("users", time.Hour), 1)
		if err != nil {
			t.Fatal(err)
		}
		if state, why := stateOf(of, vitals.Sync{Last: &of.Runs[0], LastGood: time.Now()}, p.queue.Waiting("users"), time.Now()); state != api.Healthy || why != fmt.Sprintf("the plan of run %d waits for somebody to look at it", third) {
			t.Errorf("while its plan waits it is %s: %s", state, why)
		}
		p.stop() // what is held stays, and what begins again is no review
		p = w.start(t, every("users", time.Hour))
		time.Sleep(2 * time.Hour)
		got := []ledger.Status{statusOf(first), statusOf(second), statusOf(approval), statusOf(third)}
		if want := []ledger.Status{ledger.StatusDismissed, ledger.StatusApproved, ledger.StatusOK, ledger.StatusSuperseded}; !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
		if runs := w.runs(t, "users"); !strings.HasSuffix(runs, "superseded, ok, ok") && !strings.HasSuffix(runs, "superseded, ok") {
			t.Errorf("runs %s", runs)
		}
	})
}

// TestAHeldRunIsMadeOnce although the source tells of changes while it is made.
func TestAHeldRunIsMadeOnce(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		guarded := every("users", time.Hour)
		guarded.Guards.FirstRun = false
		w.source("users").put("a", true)
		p := w.start(t, guarded)
		defer p.stop()
		for _, why := range []turns.Why{turns.Scheduled, turns.Moved, turns.Notified} {
			p.wake(t.Context(), turns.Request{Sync: "users", Why: why})
		}
		time.Sleep(time.Minute)
		if runs := w.runs(t, "users"); runs != "held" {
			t.Errorf("runs %s", runs)
		}
	})
}

// TestAnotherHomeMakesNoHeldRunAgain on the same node, unless the sync is another by then: homes come and go, and whoever looks at a held run
// must find it when they approve it.
func TestAnotherHomeMakesNoHeldRunAgain(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		w.had = &had{}
		guarded := every("users", time.Minute)
		guarded.Guards.FirstRun = false
		w.source("users").put("a", true)
		for range 3 {
			p := w.start(t, guarded)
			time.Sleep(10 * time.Minute)
			p.stop()
		}
		if runs := w.runs(t, "users"); runs != "held" {
			t.Errorf("runs %s", runs)
		}
		p := w.start(t, every("users", time.Hour)) // it does not run in this home
		p.stop()
		time.Sleep(time.Hour)
		p = w.start(t, every("users", time.Minute))
		defer p.stop()
		time.Sleep(90 * time.Second)
		if runs := w.runs(t, "users"); !strings.HasSuffix(runs, "ok") {
			t.Errorf("runs %s", runs)
		}
	})
}
