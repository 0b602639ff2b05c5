package ledgertest

import (
	"errors"
	"math"
	"os"
	"testing"
	"time"

	"owlatsync"
	"owlatsync/ledger"
)

func testBind(t *testing.T, open Open) {
	folder := t.TempDir()
	l := open(t, folder)
	noError(t, l.Bind(t.Context(), "https://a.example.com"))
	noError(t, l.Bind(t.Context(), "https://a.example.com"))
	noError(t, l.Close())

	l = reopen(t, open, folder)
	err := l.Bind(t.Context(), "https://b.example.com")
	wrong, ok := errors.AsType[*ledger.DeploymentError](err)
	if !ok {
		t.Fatalf("bound to two deployments: %v", err)
	}
	same(t, "error", wrong, &ledger.DeploymentError{Bound: "https://a.example.com", Configured: "https://b.example.com"})
	noError(t, l.Bind(t.Context(), "https://a.example.com"))
	if l.Bind(t.Context(), "") == nil {
		t.Error("bound to no deployment")
	}
}

func begin(t *testing.T, l ledger.Store, sync string) int64 {
	t.Helper()
	id, err := l.BeginRun(t.Context(), ledger.Run{Sync: sync, Mode: "run", Started: at(0), Status: "running"})
	noError(t, err)
	return id
}

func testRuns(t *testing.T, open Open) {
	folder := t.TempDir()
	l := open(t, folder)
	first := begin(t, l, "users")
	other := begin(t, l, "others")
	second := begin(t, l, "users")
	if first == 0 || first >= other || other >= second {
		t.Errorf("numbers %d, %d, %d do not ascend", first, other, second)
	}
	report := owlatsync.NewReport("users", "1")
	report.Rows, report.Outcomes[owlatsync.Created], report.Requests.Total, report.Seconds = 3, 3, 5, 1.25
	ended := ledger.Run{
		ID: first, Sync: "users", Mode: "run", Started: at(0), Finished: at(1), Status: "failed rows", Message: "one row failed",
		Report: report,
	}
	noError(t, l.EndRun(t.Context(), ended))
	noError(t, l.Close())

	l = reopen(t, open, folder)
	running := func(id int64, sync string) ledger.Run {
		return ledger.Run{ID: id, Sync: sync, Mode: "run", Started: at(0), Status: "running"}
	}
	for _, c := range []struct {
		sync  string
		limit int
		want  []ledger.Run
	}{
		{"users", 10, []ledger.Run{running(second, "users"), ended}},
		{"users", 1, []ledger.Run{running(second, "users")}},
		{"others", 10, []ledger.Run{running(other, "others")}},
		{"", 10, []ledger.Run{running(second, "users"), running(other, "others"), ended}},
		{"", 2, []ledger.Run{running(second, "users"), running(other, "others")}},
		{"unknown", 10, nil},
	} {
		got, err := l.Runs(t.Context(), c.sync, c.limit)
		noError(t, err)
		same(t, "runs of "+c.sync, got, c.want)
		for _, r := range got {
			if r.Started.Location() != time.UTC {
				t.Errorf("%v is not in UTC", r.Started)
			}
		}
	}
	held := func(id int64, sync string) ledger.Run {
		return ledger.Run{ID: id, Sync: sync, Mode: "run", Started: at(0), Finished: at(2), Status: ledger.StatusHeld, Message: "too many"}
	}
	latest := begin(t, l, "users")
	for _, run := range []ledger.Run{held(second, "users"), held(latest, "users"), held(other, "others")} {
		noError(t, l.EndRun(t.Context(), run))
	}
	for sync, want := range map[string][]ledger.Run{
		"users": {held(latest, "users"), held(second, "users")}, "others": {held(other, "others")}, "unknown": nil,
	} {
		got, err := l.HeldRuns(t.Context(), sync)
		noError(t, err)
		same(t, "held runs of "+sync, got, want)
	}
	approved := held(latest, "users")
	approved.Status = ledger.StatusApproved
	noError(t, l.EndRun(t.Context(), approved))
	got, err := l.HeldRuns(t.Context(), "users")
	noError(t, err)
	same(t, "held runs", got, []ledger.Run{held(second, "users")})
	if third := begin(t, l, "users"); third <= second {
		t.Errorf("number %d after %d", third, second)
	}
	if err := l.EndRun(t.Context(), ledger.Run{ID: math.MaxInt32, Status: "ok"}); err == nil {
		t.Error("ended a run that never began")
	}
	if _, err := l.BeginRun(t.Context(), ledger.Run{Mode: "run"}); err == nil {
		t.Error("began a run of no sync")
	}
}

func testStanding(t *testing.T, open Open) {
	folder := t.TempDir()
	l := open(t, folder)
	standing := func(sync string) ledger.Standing {
		t.Helper()
		s, err := l.Standing(t.Context(), sync)
		noError(t, err)
		state, err := l.SyncState(t.Context(), sync)
		noError(t, err)
		same(t, "state of "+sync, state, ledger.SyncState{Adopted: s.Adopted, Open: s.Applied < s.Entries})
		return s
	}
	same(t, "unknown sync", standing("users"), ledger.Standing{})

	pending := entry("pending")
	pending.Fingerprint = ledger.Fingerprint{}
	failing := entry("failing")
	failing.Failure = &ledger.Failure{Class: ledger.RetryLater, Attempts: 1}
	parked := entry("parked")
	parked.Failure = &ledger.Failure{Class: ledger.GiveUp, Attempts: 8, Parked: true}
	record(t, l, "users", entry("1"), entry("2"), entry("3"), pending, failing, parked)
	record(t, l, "others", entry("1"))
	same(t, "users", standing("users"), ledger.Standing{Entries: 6, Applied: 3, Failing: 2, Parked: 1})
	same(t, "others", standing("others"), ledger.Standing{Entries: 1, Applied: 1})

	noError(t, l.SetAdopted(t.Context(), "users"))
	noError(t, l.SetAdopted(t.Context(), "new"))
	record(t, l, "users", entry("failing"), entry("pending"))
	noError(t, l.Close())
	l = reopen(t, open, folder)
	same(t, "users later", standing("users"), ledger.Standing{Entries: 6, Applied: 5, Failing: 1, Parked: 1, Adopted: true})
	same(t, "others later", standing("others"), ledger.Standing{Entries: 1, Applied: 1})
	same(t, "a sync without entries", standing("new"), ledger.Standing{Adopted: true})
}

func testAcquire(t *testing.T, open Open) {
	folder := t.TempDir()
	l, other := reopen(t, open, folder), reopen(t, open, folder)
	before := time.Now().Add(-time.Second)
	release, err := l.Acquire(t.Context(), "a run of users")
	noError(t, err)
	host, err := os.Hostname()
	noError(t, err)
	for name, store := range map[string]ledger.Store{"the same ledger": l, "another opening of it": other} {
		_, err := store.Acquire(t.Context(), "a second run")
		locked, ok := errors.AsType[*ledger.LockedError](err)
		if !ok || !errors.Is(err, ledger.ErrLocked) {
			t.Fatalf("%s: acquired twice: %v", name, err)
		}
		if locked.PID != os.Getpid() || locked.Host != host || locked.Purpose != "a run of users" ||
			locked.Since.Before(before) || locked.Since.After(time.Now()) {
			t.Errorf("%s: the holder is given as %+v", name, locked)
		}
	}
	noError(t, release())
	noError(t, release())
	releaseOther, err := other.Acquire(t.Context(), "a second run")
	noError(t, err)
	noError(t, release())
	if _, err := l.Acquire(t.Context(), "a third run"); !errors.Is(err, ledger.ErrLocked) {
		t.Errorf("a release that came late gave back the lock of another: %v", err)
	}
	noError(t, releaseOther())

	third := open(t, folder)
	_, err = third.Acquire(t.Context(), "a run that forgets to release")
	noError(t, err)
	noError(t, third.Close())
	release, err = l.Acquire(t.Context(), "a run after a closing")
	noError(t, err)
	noError(t, release())
}
