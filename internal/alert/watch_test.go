package alert

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"owlatsync"
	"owlatsync/internal/config"
	"owlatsync/internal/vitals"
	"owlatsync/ledger"
	"owlatsync/ledger/memory"
)

// world is a service with one ledger, whose watcher may be started again.
type world struct {
	t       *testing.T
	ledger  *memory.Ledger
	syncs   []config.Sync
	path    string
	silence string
	looks   int // how often the watcher asked for it
	log     lines
	began   time.Time
	team    *station
	all     []*station

	watcher *Watcher
	stop    func()
}

// station is a channel that keeps when it was told what.
type station struct {
	name string
	on   []string
	down error
	mu   sync.Mutex
	told []string
	last Message
	w    *world
}

func (s *station) Send(_ context.Context, m Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	what := m.Title
	if m.Over {
		what = "over: " + m.Title
	}
	at := fmt.Sprintf("%s ", time.Since(s.w.began).Round(time.Second))
	if s.down != nil {
		s.told = append(s.told, at+"(failed) "+what)
		return s.down
	}
	s.told, s.last = append(s.told, at+what), m
	return nil
}

// breaks makes the channel fail, or take messages again; what it was told before is forgotten.
func (s *station) breaks(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down, s.told = err, nil
}

// since returns what the channel was told since the last look.
func (s *station) since() []string {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	told := s.told
	s.told = nil
	return told
}

// lines is a log.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// inWorld plays in a bubble of fake time. One channel, the team's, is told everything.
func inWorld(t *testing.T, play func(*world)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, ledger: memory.New(), syncs: []config.Sync{{Name: "users"}}, path: filepath.Join(t.TempDir(), "alerts"), began: time.Now()}
		w.team = w.add("team", config.AlertKinds...)
		w.start()
		play(w)
		w.stop()
	})
}

func (w *world) add(name string, on ...string) *station {
	s := &station{name: name, on: on, w: w}
	w.all = append(w.all, s)
	return s
}

func (w *world) start() {
	reader := vitals.NewReader(w.ledger, w.syncs, w.ledger.Now())
	w.watcher = NewWatcher(Options{
		Signs: reader, Path: w.path, Log: slog.New(slog.NewTextHandler(&w.log, nil)), Silence: func(context.Context) (string, error) { w.looks++; return w.silence, nil },
	})
	w.set()
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan struct{})
	go func() { defer close(done); w.watcher.Run(ctx) }()
	w.stop = func() { cancel(); <-done }
	synctest.Wait() // it has looked once
}

func (w *world) set() {
	var subs []Subscription
	for _, s := range w.all {
		subs = append(subs, Subscription{Name: s.name, ID: s.name, On: s.on, Channel: s})
	}
	w.watcher.Set(subs, "https://sync.example.com/")
}

// run records a run that ends so now, and lets two seconds pass.
func (w *world) run(status ledger.Status, guards ...owlatsync.Hit) {
	w.t.Helper()
	lock, err := w.ledger.Acquire(w.t.Context(), ledger.Claim{Purpose: "a test"})
	if err != nil {
		w.t.Fatal(err)
	}
	defer lock.Release()
	run := ledger.Run{Sync: "users", Mode: ledger.ModeRun, Started: w.ledger.Now(), Status: ledger.StatusRunning}
	if run.ID, err = lock.BeginRun(w.t.Context(), run); err != nil {
		w.t.Fatal(err)
	}
	run.Status, run.Finished, run.Guards, run.Report = status, w.ledger.Now(), guards, owlatsync.NewReport("users", "")
	ending := ledger.Ending{Run: run, Settled: map[int64]ledger.Status{}}
	held, err := w.ledger.HeldRuns(w.t.Context(), "users")
	if err != nil {
		w.t.Fatal(err)
	}
	for _, h := range held {
		ending.Settled[h.ID] = ledger.StatusSuperseded
	}
	if err := lock.EndRun(w.t.Context(), ending); err != nil {
		w.t.Fatal(err)
	}
	w.watcher.Nudge()
	w.sleep(2 * time.Second)
}

func (w *world) sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// heard checks what a channel was told since the last check, and when.
func (s *station) heard(want ...string) {
	s.w.t.Helper()
	if diff := cmp.Diff(want, s.since()); diff != "" {
		s.w.t.Errorf("%s was told (-want +got):\n%s", s.name, diff)
	}
}

func TestAFailureIsToldOnceAndItsEnd(t *testing.T) {
	inWorld(t, func(w *world) {
		w.run(ledger.StatusOK)
		w.team.heard()
		w.run(ledger.StatusError)
		w.team.heard("4s Sync users failed")
		m := w.team.last
		if m.Kind != config.AlertFailure || m.Run != 2 || m.Sync != "users" || m.Link != "https://sync.example.com/api/v1/runs/2" || m.ID == "" {
			t.Errorf("%+v", m)
		}
		for range 10 {
			w.sleep(10 * time.Minute)
			w.run(ledger.StatusError)
			w.run(ledger.StatusInterrupted) // by hand, which says nothing
		}
		w.team.heard()
		w.run(ledger.StatusOK)
		w.sleep(10 * time.Minute)
		w.team.heard("1h45m46s over: Sync users runs again")
		if over := w.team.last; over.ID != m.ID || over.Text != "It was so for 100 minutes." || over.Do != "" {
			t.Errorf("%+v", over)
		}
		w.run(ledger.StatusError)
		w.team.heard("1h50m48s Sync users failed")
		if w.team.last.ID == m.ID {
			t.Error("a new failure has the id of the old one")
		}
	})
}

// TestWhatComesAndGoes fails every other run for an hour.
func TestWhatComesAndGoes(t *testing.T) {
	inWorld(t, func(w *world) {
		for range 30 {
			w.run(ledger.StatusError)
			w.sleep(time.Minute)
			w.run(ledger.StatusOK)
			w.sleep(time.Minute)
		}
		w.team.heard("2s Sync users failed")
		w.sleep(10 * time.Minute)
		if told := w.team.since(); len(told) != 1 || !strings.HasSuffix(told[0], "over: Sync users runs again") {
			t.Errorf("told %q", told)
		}
	})
}

func TestHeldRuns(t *testing.T) {
	inWorld(t, func(w *world) {
		removals, updates := owlatsync.Hit{Guard: owlatsync.GuardRemovals, Reason: "9 of 10"}, owlatsync.Hit{Guard: owlatsync.GuardUpdates, Reason: "8 of 10"}
		w.run(ledger.StatusHeld, removals)
		w.run(ledger.StatusHeld, removals) // another run, for the same reason
		w.team.heard("2s Sync users waits for approval")
		w.run(ledger.StatusHeld, updates, removals)
		w.team.heard("6s Sync users waits for approval")
		if m := w.team.last; m.Run != 3 || !strings.Contains(m.Do, "approve 3") {
			t.Errorf("%+v", m)
		}
		w.run(ledger.StatusOK)
		w.sleep(10 * time.Minute)
		w.team.heard("5m8s over: Sync users waits no longer")
	})
}

func TestWhatStaysWrongIsToldDaily(t *testing.T) {
	inWorld(t, func(w *world) {
		w.silence = "no webhook has come for 8 days"
		w.watcher.Nudge()
		w.sleep(49 * time.Hour)
		w.team.heard("2s No webhook has come from Owlat", "24h0m2s Still: No webhook has come from Owlat", "48h0m2s Still: No webhook has come from Owlat")
	})
}

// TestStaleAtItsTime also on a machine whose clock is off that of the ledger, from which other nodes have their runs.
func TestStaleAtItsTime(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{-10 * time.Minute, 0, 10 * time.Minute} {
		t.Run(ahead.String(), func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.stop()
				w.ledger.SetClock(ahead)
				w.syncs[0].StaleAfter = 5 * time.Minute
				w.start()
				w.run(ledger.StatusOK)
				w.sleep(time.Hour)
				w.team.heard("5m2s Sync users is stale")
				w.run(ledger.StatusOK)
				w.sleep(5*time.Minute - time.Second)
				w.team.heard()
				w.run(ledger.StatusOK)
				w.sleep(5*time.Minute - time.Second)
				w.team.heard("1h6m3s over: Sync users is fresh again")
			})
		})
	}
}

// TestARestartForgetsNothing stops the watcher after each step, and starts another.
func TestARestartForgetsNothing(t *testing.T) {
	inWorld(t, func(w *world) {
		again := func() { w.stop(); w.start(); w.sleep(2 * time.Second) }
		w.run(ledger.StatusError)
		again()
		w.run(ledger.StatusError)
		again()
		w.team.heard("2s Sync users failed")
		w.team.breaks(errors.New("no network"))
		w.run(ledger.StatusOK)
		again()
		w.sleep(calm)
		again()
		if told := w.team.since(); len(told) != 1 {
			t.Errorf("while it is down: %q", told)
		}
		w.team.breaks(nil)
		again()
		w.sleep(time.Minute)
		if told := w.team.since(); len(told) != 1 || !strings.HasSuffix(told[0], "over: Sync users runs again") {
			t.Errorf("told %q", told)
		}
	})
}

// TestAChannelThatIsDown is tried with growing pauses, and given up after a day. Others are told meanwhile.
func TestAChannelThatIsDown(t *testing.T) {
	inWorld(t, func(w *world) {
		other := w.add("other", config.AlertFailure)
		w.set()
		w.team.breaks(errors.New("no network"))
		w.run(ledger.StatusError)
		other.heard("2s Sync users failed")
		w.sleep(20 * time.Minute)
		w.team.heard("2s (failed) Sync users failed", "32s (failed) Sync users failed", "1m32s (failed) Sync users failed", "3m32s (failed) Sync users failed",
			"7m32s (failed) Sync users failed", "15m32s (failed) Sync users failed")
		w.sleep(23 * time.Hour)
		if n := len(w.team.since()); n < 40 || n > 50 {
			t.Errorf("%d attempts in a day", n)
		}
		w.team.breaks(&waitError{errors.New("slow down"), 3 * time.Hour})
		w.sleep(36 * time.Hour) // the first is given up; what is still wrong is told anew, as late as it is asked to
		told := w.team.since()
		first := 0
		for _, what := range told {
			if !strings.Contains(what, "Still") {
				first++
			}
		}
		if first > 2 || len(told) > 2+12 || !strings.Contains(w.log.String(), "an alert was given up") {
			t.Errorf("%q\n%s", told, w.log.String())
		}
		other.heard("24h0m32s Still: Sync users failed", "48h0m32s Still: Sync users failed")
		w.team.breaks(nil)
		w.run(ledger.StatusOK)
		w.sleep(4 * time.Hour)
		w.team.heard() // nothing ever reached it
		other.heard()  // recovery is not what it asked for
	})
}

// TestWhatIsOverBeforeItIsTold: a channel that goes down after the first message is told the end alone.
func TestWhatIsOverBeforeItIsTold(t *testing.T) {
	inWorld(t, func(w *world) {
		w.run(ledger.StatusError)
		w.team.heard("2s Sync users failed")
		w.team.breaks(&waitError{errors.New("slow down"), 3 * time.Hour})
		w.sleep(24 * time.Hour)
		w.team.heard("24h0m2s (failed) Still: Sync users failed")
		w.team.breaks(nil)
		w.run(ledger.StatusOK)
		w.sleep(4 * time.Hour)
		if told := w.team.since(); len(told) != 1 || !strings.HasSuffix(told[0], "over: Sync users runs again") {
			t.Errorf("told %q", told)
		}
	})
}

// TestAnUnsureMessageIsNotSentAgain, because it may have arrived.
func TestAnUnsureMessageIsNotSentAgain(t *testing.T) {
	inWorld(t, func(w *world) {
		w.team.breaks(fmt.Errorf("lost: %w", ErrUnsure))
		w.run(ledger.StatusError)
		w.sleep(2 * time.Hour)
		w.team.heard("2s (failed) Sync users failed")
	})
}

// TestOnlyWhatIsAskedFor, and nothing of a sync that is gone.
func TestOnlyWhatIsAskedFor(t *testing.T) {
	inWorld(t, func(w *world) {
		quiet := w.add("quiet", config.AlertHeld, config.AlertRecovery)
		w.set()
		w.run(ledger.StatusError)
		w.team.heard("2s Sync users failed")
		w.stop()
		w.syncs = []config.Sync{{Name: "leads"}}
		w.start()
		w.sleep(time.Hour)
		w.team.heard()
		quiet.heard()
		w.all = nil
		w.set()
		w.sleep(time.Hour)
	})
}

// TestAFileThatCannotBeWritten is logged once, and alerts go on.
func TestAFileThatCannotBeWritten(t *testing.T) {
	inWorld(t, func(w *world) {
		w.stop()
		w.path = filepath.Join(w.path, "nowhere", "alerts")
		w.start()
		w.run(ledger.StatusError)
		w.team.heard("2s Sync users failed")
		w.run(ledger.StatusOK)
		w.sleep(10 * time.Minute)
		w.team.heard("5m4s over: Sync users runs again")
		if n := strings.Count(w.log.String(), "record which alerts were told"); n != 1 {
			t.Errorf("%d lines about the file:\n%s", n, w.log.String())
		}
	})
}

// TestManyThingsAtOnce nudges a thousand times: the ledger is looked at once.
func TestManyThingsAtOnce(t *testing.T) {
	inWorld(t, func(w *world) {
		w.sleep(10 * time.Second)
		before := w.looks
		for range 1000 {
			w.watcher.Nudge()
			w.sleep(time.Millisecond)
		}
		w.sleep(3 * time.Second)
		if n := w.looks - before; n < 1 || n > 2 {
			t.Errorf("%d looks", n)
		}
	})
}

// TestTheFileHoldsNoSecret and is for the user alone.
func TestTheFileHoldsNoSecret(t *testing.T) {
	inWorld(t, func(w *world) {
		w.team.breaks(errors.New("no network"))
		w.run(ledger.StatusError)
		info, err := os.Stat(w.path)
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%v, %v", info, err)
		}
		if left, err := filepath.Glob(w.path + ".*"); err != nil || len(left) > 0 {
			t.Errorf("temporary files are left: %v, %v", left, err)
		}
	})
}

func TestLinks(t *testing.T) {
	t.Parallel()
	for want, i := range map[string]Incident{
		"https://s.example.com/x/api/v1/runs/7":      {Sync: "users", Run: 7},
		"https://s.example.com/x/api/v1/syncs/users": {Sync: "users"},
		"https://s.example.com/x/api/v1/feedback":    {Kind: config.AlertSilent},
		"https://s.example.com/x/api/v1/write-backs": {Kind: config.AlertWriteBack, About: "unsub"},
		"https://s.example.com/x/api/v1/status":      {},
	} {
		if got := linkOf("https://s.example.com/x/", "", i); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if got, want := linkOf("https://s.example.com", "acme", Incident{Run: 7}), "https://s.example.com/api/v1/deployments/acme/runs/7"; got != want {
		t.Errorf("of one of several deployments: %s, want %s", got, want)
	}
	if got := linkOf("", "acme", Incident{Run: 7}); got != "" {
		t.Errorf("without an address: %s", got)
	}
}
