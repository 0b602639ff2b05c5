package standing_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the driver of ledgers

	"owlatsync/internal/config"
	"owlatsync/internal/standing"
	"owlatsync/ledger"
	"owlatsync/ledger/sqlite"
	"owlatsync/reconcile"
)

func newLedger(t *testing.T) *sqlite.Ledger {
	t.Helper()
	l, err := sqlite.Open(t.Context(), "sqlite", filepath.Join(t.TempDir(), "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func TestALedgerThatWasNeverMade(t *testing.T) {
	t.Parallel()
	st, err := standing.Of(t.Context(), nil, config.Sync{Name: "users"}, 5)
	if err != nil || st.Known || st.Sync.Name != "users" || len(st.Runs)+len(st.Held) > 0 {
		t.Errorf("%+v, %v", st, err)
	}
}

func acquire(t *testing.T, l ledger.Store) ledger.Lock {
	t.Helper()
	lock, err := l.Acquire(t.Context(), ledger.Claim{Purpose: "a test"})
	if err != nil {
		t.Fatal(err)
	}
	return lock
}

// TestRuns shows the latest runs and every held one, but neither plans nor the runs of other syncs.
func TestRuns(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	lock := acquire(t, l)
	var ids []int64
	for _, run := range []ledger.Run{
		{Sync: "users", Mode: "run", Status: ledger.StatusOK},
		{Sync: "users", Mode: "run", Status: ledger.StatusHeld, Message: "held by a guard"},
		{Sync: "leads", Mode: "run", Status: ledger.StatusHeld},
		{Sync: "users", Mode: "run", Status: ledger.StatusStopped},
		{Sync: "users", Mode: "plan", Status: ledger.StatusOK},
		{Sync: "users", Mode: "run", Status: ledger.StatusOK},
	} {
		run.Started = time.Now()
		id, err := lock.BeginRun(t.Context(), run)
		if err != nil {
			t.Fatal(err)
		}
		run.ID, run.Finished = id, time.Now()
		if err := lock.EndRun(t.Context(), ledger.Ending{Run: run}); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	st, err := standing.Of(t.Context(), l, config.Sync{Name: "users"}, 2)
	if err != nil {
		t.Fatal(err)
	}
	if !st.Known || len(st.Runs) != 2 || st.Runs[0].ID != ids[5] || st.Runs[1].ID != ids[3] {
		t.Errorf("runs %+v, want %d and %d", st.Runs, ids[5], ids[3])
	}
	if len(st.Held) != 1 || st.Held[0].ID != ids[1] || st.Held[0].Message != "held by a guard" || st.Held[0].Partial ||
		!errors.Is(st.Held[0].Refused, reconcile.ErrOldPlan) {
		t.Errorf("held %+v, want %d, and that its plan is not of this version", st.Held, ids[1])
	}
}

// TestARunThatBrokeOff shows a run as died once nobody holds its lock, or somebody else does, and not before.
func TestARunThatBrokeOff(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	lock := acquire(t, l)
	if _, err := lock.BeginRun(t.Context(), ledger.Run{Sync: "users", Mode: "run", Started: time.Now()}); err != nil {
		t.Fatal(err)
	}
	latest := func() ledger.Run {
		t.Helper()
		st, err := standing.Of(t.Context(), l, config.Sync{Name: "users"}, 5)
		if err != nil || len(st.Runs) != 1 {
			t.Fatalf("%+v, %v", st.Runs, err)
		}
		return st.Runs[0]
	}
	if r := latest(); r.Status != ledger.StatusRunning {
		t.Errorf("while its lock is held the run is %q", r.Status)
	}
	if err := lock.Release(); err != nil {
		t.Fatal(err)
	}
	died := func(when string) {
		t.Helper()
		if r := latest(); r.Status != ledger.StatusDied || r.Message != ledger.MessageDied || r.Heartbeat.IsZero() {
			t.Errorf("%s the run is %q: %q, last heard of %s", when, r.Status, r.Message, r.Heartbeat)
		}
	}
	died("after its end")
	acquire(t, l)
	died("while another holds the lock")
	if err := os.Remove(l.Path() + ".lock"); err != nil {
		t.Fatal(err)
	}
	died("without a lock's file")
}

// TestAWaitingRunOfADeadProcess shows a run that let others go first as died once its process is gone, and not for a process of which
// nothing is known here.
func TestAWaitingRunOfADeadProcess(t *testing.T) {
	t.Parallel()
	path, err := exec.LookPath("cat")
	if err != nil {
		t.Skip("there is no program that waits for its input")
	}
	process := exec.Command(path)
	input, err := process.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	l := newLedger(t)
	lock := acquire(t, l)
	for sync, owner := range map[string]ledger.Owner{
		"users": {Host: host, PID: process.Process.Pid}, "elsewhere": {Host: "other.example", PID: process.Process.Pid}, "unknown": {},
		"here": {Host: host, PID: os.Getpid()},
	} {
		id, err := lock.BeginRun(t.Context(), ledger.Run{Sync: sync, Mode: "run", Started: time.Now(), Owner: owner})
		if err != nil {
			t.Fatal(err)
		}
		if err := lock.PauseRun(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	if err := lock.Release(); err != nil {
		t.Fatal(err)
	}
	expect := func(want map[string]ledger.Status) {
		t.Helper()
		for sync, status := range want {
			st, err := standing.Of(t.Context(), l, config.Sync{Name: sync}, 5)
			if err != nil || len(st.Runs) != 1 || st.Runs[0].Status != status || (status == ledger.StatusDied) != (st.Runs[0].Message == ledger.MessageDied) {
				t.Errorf("%s: %+v, %v, want %q", sync, st.Runs, err, status)
			}
		}
	}
	expect(map[string]ledger.Status{"users": ledger.StatusWaiting, "elsewhere": ledger.StatusWaiting, "unknown": ledger.StatusWaiting, "here": ledger.StatusWaiting})
	if err := errors.Join(input.Close(), process.Wait()); err != nil {
		t.Fatal(err)
	}
	expect(map[string]ledger.Status{"users": ledger.StatusDied, "elsewhere": ledger.StatusWaiting, "unknown": ledger.StatusWaiting, "here": ledger.StatusWaiting})
}

func TestTroubles(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	at := time.Now()
	failing := &ledger.Entry{Key: "2", Email: "bob@example.com", Failure: &ledger.Failure{Category: "internal", Reason: "no", Attempts: 1, First: at, Last: at, NextTry: at}}
	lost := &ledger.Entry{Key: "1", Email: "ann@example.com", ContactID: "c1", Fingerprint: ledger.Fingerprint{Hi: 1, Lo: 2},
		Events: []ledger.EventMark{{Name: "user_changed", State: ledger.EventUnknown, At: at}}}
	fine := &ledger.Entry{Key: "3", Email: "cy@example.com", ContactID: "c3", Fingerprint: ledger.Fingerprint{Hi: 1, Lo: 3}}
	lock := acquire(t, l)
	for _, e := range []*ledger.Entry{failing, lost, fine} {
		if err := lock.Record(t.Context(), ledger.Record{Sync: "users", Entry: e, Event: "created"}); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for trouble, err := range standing.Troubles(t.Context(), l, "users") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, trouble.Key+" "+trouble.What)
	}
	if len(got) != 2 || got[0] != "1 event" || got[1] != "2 row" {
		t.Errorf("troubles %q", got)
	}
	for range standing.Troubles(t.Context(), l, "users") {
		break // whoever has seen enough may leave
	}
}
