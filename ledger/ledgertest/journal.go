package ledgertest

import (
	"errors"
	"math"
	"testing"
	"time"

	"owlatsync"
	"owlatsync/ledger"
)

func begin(t *testing.T, k ledger.Writer, sync string) int64 {
	t.Helper()
	id, err := k.BeginRun(t.Context(), ledger.Run{Sync: sync, Mode: ledger.ModeRun, Started: at(0), Status: ledger.StatusRunning})
	noError(t, err)
	return id
}

// end ends a run and does nothing else.
func end(t *testing.T, k ledger.Writer, run ledger.Run) {
	t.Helper()
	noError(t, k.EndRun(t.Context(), ledger.Ending{Run: run}))
}

func runOf(t *testing.T, l ledger.Store, id int64) ledger.Run {
	t.Helper()
	r, err := l.Run(t.Context(), id)
	noError(t, err)
	return *r
}

// settled returns the runs without what a ledger sets by itself.
func settled(runs ...ledger.Run) []ledger.Run {
	for i := range runs {
		runs[i].Epoch, runs[i].Heartbeat = 0, time.Time{}
	}
	return runs
}

// fullRun is a run with a value in every field, except those that a ledger sets by itself.
func fullRun(id int64, sync string, status ledger.Status) ledger.Run {
	reading := &owlatsync.Reading{Mode: owlatsync.ReadChanges, Reason: "why", From: "t 2026-03-01", NextFull: at(50).UTC()}
	report := owlatsync.NewReport(sync, "1")
	report.Rows, report.Outcomes[owlatsync.Created], report.Requests.Total, report.Seconds, report.Reading = 3, 3, 5, 1.25, reading
	return ledger.Run{
		ID: id, Sync: sync, Mode: ledger.ModeRun, Owner: ledger.Owner{Host: "host.example", PID: 4711}, Started: at(0), Finished: at(1),
		Stage: ledger.StageEnding, Status: status, Message: "one row failed", Part: owlatsync.Part{Only: []string{"a", "\xff/@"}, Limit: 3},
		Report: report,
		Summary: &owlatsync.Summary{
			Sync: sync, Run: 7, Rows: 1, Entries: 2, Absent: 3, Removals: 4, FirstRun: true, Outcomes: map[owlatsync.Outcome]int{owlatsync.Renamed: 5},
			Memberships: owlatsync.MembershipCounts{Added: 6, Removed: 7, Skipped: 8}, Events: 9, Requests: 10, Duration: 11*time.Second + 1,
			Adoption: owlatsync.Adoption{Mode: owlatsync.AdoptListing, Reason: "sums", Contacts: 12, Matched: 13, Twins: 14, Requests: 15},
			Reading:  reading,
		},
		Guards: []owlatsync.Hit{{Guard: owlatsync.GuardRemovals, Reason: "too many"}, {Guard: owlatsync.GuardFirstRun, Reason: "first"}},
	}
}

func testDeployment(t *testing.T, open Open) {
	const first, second = "https://a.example.com", "https://b.example.com"
	folder := t.TempDir()
	l := open(t, folder)
	claim := func(deployment string) error {
		k, err := l.Acquire(t.Context(), ledger.Claim{Purpose: "a run", Deployment: deployment})
		if err != nil {
			return err
		}
		return k.Release()
	}
	tied := func(want string) {
		t.Helper()
		got, err := l.Deployment(t.Context())
		noError(t, err)
		same(t, "deployment", got, want)
	}
	tied("")
	noError(t, claim(""))
	tied("")
	noError(t, claim(first))
	noError(t, claim(first))
	tied(first)
	noError(t, l.Close())

	l = reopen(t, open, folder)
	wrong, ok := errors.AsType[*ledger.DeploymentError](claim(second))
	if !ok {
		t.Fatal("tied to two deployments")
	}
	same(t, "error", wrong, &ledger.DeploymentError{Bound: first, Configured: second})
	tied(first)
	noError(t, claim(first)) // a refused claim holds no lock
	noError(t, claim(""))
}

func testRuns(t *testing.T, open Open) {
	folder := t.TempDir()
	l := open(t, folder)
	k := hold(t, l)
	first := begin(t, k, "users")
	ended := fullRun(first, "users", ledger.StatusFailedRows)
	end(t, k, ended)
	other := begin(t, k, "others")
	ends := func(id int64, sync string) ledger.Run {
		return ledger.Run{ID: id, Sync: sync, Mode: ledger.ModeRun, Started: at(0), Finished: at(2), Status: ledger.StatusOK}
	}
	end(t, k, ends(other, "others"))
	second := begin(t, k, "users")
	if first < 1 || first >= other || other >= second {
		t.Errorf("numbers %d, %d, %d do not ascend", first, other, second)
	}
	noError(t, l.Close())

	l = reopen(t, open, folder)
	running := ledger.Run{ID: second, Sync: "users", Mode: ledger.ModeRun, Started: at(0), Status: ledger.StatusRunning}
	for _, c := range []struct {
		sync  string
		limit int
		want  []ledger.Run
	}{
		{"users", 10, []ledger.Run{running, ended}},
		{"users", 1, []ledger.Run{running}},
		{"users", 0, []ledger.Run{running, ended}},
		{"others", 10, []ledger.Run{ends(other, "others")}},
		{"", 10, []ledger.Run{running, ends(other, "others"), ended}},
		{"", -1, []ledger.Run{running, ends(other, "others"), ended}},
		{"", 2, []ledger.Run{running, ends(other, "others")}},
		{"unknown", 10, nil},
	} {
		got, err := l.Runs(t.Context(), c.sync, c.limit)
		noError(t, err)
		same(t, "runs of "+c.sync, settled(got...), c.want)
		for _, r := range got {
			if r.Started.Location() != time.UTC {
				t.Errorf("%v is not in UTC", r.Started)
			}
		}
	}
	for _, c := range []struct {
		sync          string
		number, limit int64
		want          []ledger.Run
	}{
		{"users", second + 1, 1, []ledger.Run{running}},
		{"users", second, 0, []ledger.Run{ended}},
		{"users", first, 10, nil},
		{"others", second, 10, []ledger.Run{ends(other, "others")}},
		{"unknown", second, 10, nil},
	} {
		got, err := l.RunsBefore(t.Context(), c.sync, c.number, int(c.limit))
		noError(t, err)
		same(t, "earlier runs of "+c.sync, settled(got...), c.want)
	}
	same(t, "one run", settled(runOf(t, l, first)), []ledger.Run{ended})
	for _, unknown := range []int64{math.MaxInt32, 0, -1} {
		_, err := l.Run(t.Context(), unknown)
		if none, ok := errors.AsType[*ledger.NoRunError](err); !ok || *none != (ledger.NoRunError{Run: unknown}) || !errors.Is(err, ledger.ErrNoRun) {
			t.Errorf("run %d: %v", unknown, err)
		}
	}

	k = hold(t, l)
	held := func(id int64, sync string) ledger.Run {
		r := fullRun(id, sync, ledger.StatusHeld)
		r.PlanForm = 3
		return r
	}
	latest := begin(t, k, "users")
	for _, run := range []ledger.Run{held(second, "users"), held(latest, "users"), held(other, "others")} {
		end(t, k, run)
	}
	for sync, want := range map[string][]ledger.Run{
		"users": {held(latest, "users"), held(second, "users")}, "others": {held(other, "others")}, "unknown": nil,
	} {
		got, err := l.HeldRuns(t.Context(), sync)
		noError(t, err)
		same(t, "held runs of "+sync, settled(got...), want)
	}
	approved := held(latest, "users")
	approved.Status = ledger.StatusApproved
	end(t, k, approved)
	approved.PlanForm = 0 // its plan is gone
	same(t, "approved", settled(runOf(t, l, latest)), []ledger.Run{approved})
	got, err := l.HeldRuns(t.Context(), "users")
	noError(t, err)
	same(t, "held runs", settled(got...), []ledger.Run{held(second, "users")})
	got[0].Report.Outcomes[owlatsync.Created], got[0].Guards[0].Reason, got[0].Summary.Reading.From = 99, "changed", "changed"
	same(t, "after changing what was read", settled(runOf(t, l, second)), []ledger.Run{held(second, "users")})
}

// dated reports whether a time that the ledger gives is from before until now, by its own clock. Those of several openings may be a little
// apart.
func dated(l ledger.Clock, before, at time.Time) bool {
	const apart = time.Second
	return !at.Before(before.Add(-apart)) && !at.After(l.Now().Add(apart))
}

func testBeginRun(t *testing.T, open Open) {
	folder := t.TempDir()
	l := open(t, folder)
	k := hold(t, l)
	before := l.Now()
	given := fullRun(0, "users", "")
	given.Epoch, given.Heartbeat, given.PlanForm = 12345, at(9), 7
	first, err := k.BeginRun(t.Context(), given)
	noError(t, err)
	got := runOf(t, l, first)
	if got.Epoch != k.Epoch() || !dated(l, before, got.Heartbeat) {
		t.Errorf("epoch %d of a lock with %d, heartbeat %v", got.Epoch, k.Epoch(), got.Heartbeat)
	}
	same(t, "run", settled(got), []ledger.Run{fullRun(first, "users", ledger.StatusRunning)})

	// The holder of the lock knows that no run of any sync is alive.
	noError(t, k.KeepPlan(t.Context(), first, []ledger.PlanItem{item(1, 1, "a")}))
	noError(t, l.Close())
	l = reopen(t, open, folder)
	k = hold(t, l)
	held := begin(t, k, "users")
	same(t, "the first", runOf(t, l, first).Status, ledger.StatusDied)
	keep(t, k, held, item(1, 1, "a"))
	end(t, k, ledger.Run{ID: held, Status: ledger.StatusHeld})
	ok := begin(t, k, "others")
	end(t, k, ledger.Run{ID: ok, Status: ledger.StatusOK, Message: "fine"})
	second, third := begin(t, k, "others"), begin(t, k, "users")
	for id, want := range map[int64]ledger.Run{
		first: {Status: ledger.StatusDied, Message: ledger.MessageDied}, held: {Status: ledger.StatusHeld}, ok: {Status: ledger.StatusOK, Message: "fine"},
		second: {Status: ledger.StatusDied, Message: ledger.MessageDied}, third: {Status: ledger.StatusRunning},
	} {
		got := runOf(t, l, id)
		same(t, "run", ledger.Run{Status: got.Status, Message: got.Message}, want)
	}
	died := fullRun(first, "users", ledger.StatusDied)
	died.Message = ledger.MessageDied
	same(t, "what a dead run had said", settled(runOf(t, l, first)), []ledger.Run{died})
	same(t, "the plan of a dead run", len(collect(t, l.Plan(t.Context(), first))), 0)
	same(t, "the plan of a held run", len(collect(t, l.Plan(t.Context(), held))), 1)
	if _, err := k.BeginRun(t.Context(), ledger.Run{Mode: ledger.ModeRun}); err == nil {
		t.Error("began a run of no sync")
	}
	same(t, "the run before", runOf(t, l, third).Status, ledger.StatusRunning)
}

func testBeat(t *testing.T, open Open) {
	l := fresh(t, open)
	k := hold(t, l)
	run := begin(t, k, "users")
	began := runOf(t, l, run)
	full := fullRun(run, "users", "")
	tick(t, l)
	noError(t, k.Beat(t.Context(), ledger.Beat{Run: run, Stage: ledger.StagePlanning, Summary: full.Summary}))
	tick(t, l)
	noError(t, k.Beat(t.Context(), ledger.Beat{Run: run, Stage: ledger.StageApplying, Report: full.Report}))
	now := l.Now()
	noError(t, k.Beat(t.Context(), ledger.Beat{Run: run, Stage: ledger.StageEnding}))
	got := runOf(t, l, run)
	if !got.Heartbeat.After(began.Heartbeat) || !dated(l, now, got.Heartbeat) {
		t.Errorf("heartbeat %v after %v", got.Heartbeat, began.Heartbeat)
	}
	want := began
	want.Stage, want.Summary, want.Report = ledger.StageEnding, full.Summary, full.Report
	same(t, "run", settled(got), settled(want))

	ended := fullRun(run, "users", ledger.StatusOK)
	end(t, k, ended)
	was := runOf(t, l, run)
	noError(t, k.Beat(t.Context(), ledger.Beat{Run: run, Stage: ledger.StageReading, Report: owlatsync.NewReport("users", "2")}))
	same(t, "a run that has ended", runOf(t, l, run), was)
	if err := k.Beat(t.Context(), ledger.Beat{Run: math.MaxInt32}); !errors.Is(err, ledger.ErrNoRun) {
		t.Errorf("beat of no run: %v", err)
	}
}

func testEndRun(t *testing.T, open Open) {
	bookmark := &ledger.Bookmark{Settings: "s", Mark: "n 7", Full: at(1).UTC(), Again: []string{"\xff"}}
	t.Run("everything at once", func(t *testing.T) {
		t.Parallel()
		folder := t.TempDir()
		l := open(t, folder)
		k := hold(t, l)
		var held []int64
		for range 3 {
			id := begin(t, k, "users")
			keep(t, k, id, item(1, 1, "a"))
			end(t, k, ledger.Run{ID: id, Status: ledger.StatusHeld, PlanForm: 2, Message: "held"})
			held = append(held, id)
		}
		end(t, k, ledger.Run{ID: held[1], Status: ledger.StatusSuperseded})
		run := begin(t, k, "users")
		keep(t, k, run, item(1, 1, "a"), item(2, 1, "b"))
		began := runOf(t, l, run)
		tick(t, l)
		ended := fullRun(run, "users", ledger.StatusOK)
		ended.Sync = "ignored"
		noError(t, k.EndRun(t.Context(), ledger.Ending{
			Run: ended, Adopted: true, Bookmark: bookmark,
			Settled: map[int64]ledger.Status{held[0]: ledger.StatusApproved, held[1]: ledger.StatusApproved, math.MaxInt32: ledger.StatusApproved},
		}))
		noError(t, l.Close())
		l = reopen(t, open, folder)
		got := runOf(t, l, run)
		if got.Epoch != began.Epoch || !got.Heartbeat.After(began.Heartbeat) {
			t.Errorf("epoch %d and heartbeat %v, before %d and %v", got.Epoch, got.Heartbeat, began.Epoch, began.Heartbeat)
		}
		same(t, "run", settled(got), []ledger.Run{fullRun(run, "users", ledger.StatusOK)})
		mark, err := l.Bookmark(t.Context(), "users")
		noError(t, err)
		same(t, "bookmark", mark, *bookmark)
		state, err := l.SyncState(t.Context(), "users")
		noError(t, err)
		same(t, "state", state, ledger.SyncState{Adopted: true})
		for id, want := range map[int64]struct {
			run  ledger.Run
			plan int
		}{
			held[0]: {ledger.Run{Status: ledger.StatusApproved, Message: "held"}, 0},
			held[1]: {ledger.Run{Status: ledger.StatusSuperseded}, 0},
			held[2]: {ledger.Run{Status: ledger.StatusHeld, Message: "held", PlanForm: 2}, 1},
			run:     {ledger.Run{Status: ledger.StatusOK, Message: "one row failed"}, 0},
		} {
			got := runOf(t, l, id)
			same(t, "run", ledger.Run{Status: got.Status, Message: got.Message, PlanForm: got.PlanForm}, want.run)
			same(t, "plan", len(collect(t, l.Plan(t.Context(), id))), want.plan)
		}
	})
	t.Run("nothing but the run", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		k := hold(t, l)
		first := begin(t, k, "users")
		noError(t, k.EndRun(t.Context(), ledger.Ending{Run: ledger.Run{ID: first, Status: ledger.StatusOK}, Adopted: true, Bookmark: bookmark}))
		second := begin(t, k, "users")
		end(t, k, ledger.Run{ID: second, Status: ledger.StatusError})
		mark, err := l.Bookmark(t.Context(), "users")
		noError(t, err)
		same(t, "bookmark", mark, *bookmark)
		standing, err := l.Standing(t.Context(), "users")
		noError(t, err)
		same(t, "standing", standing, ledger.Standing{Adopted: true})
		noError(t, k.EndRun(t.Context(), ledger.Ending{Run: ledger.Run{ID: second}, Bookmark: &ledger.Bookmark{}}))
		mark, err = l.Bookmark(t.Context(), "users")
		noError(t, err)
		same(t, "bookmark that is taken away", mark, ledger.Bookmark{})
	})
	t.Run("none of what cannot be", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		k := hold(t, l)
		held := begin(t, k, "users")
		end(t, k, ledger.Run{ID: held, Status: ledger.StatusHeld})
		run := begin(t, k, "users")
		cancelled, cancel := cancelledContext(t)
		defer cancel()
		for name, fails := range map[string]func() error{
			"no run": func() error {
				return k.EndRun(t.Context(), ledger.Ending{Run: ledger.Run{ID: math.MaxInt32, Sync: "users"}, Adopted: true, Bookmark: bookmark,
					Settled: map[int64]ledger.Status{held: ledger.StatusApproved}})
			},
			"settled as held": func() error {
				return k.EndRun(t.Context(), ledger.Ending{Run: ledger.Run{ID: run, Status: ledger.StatusOK}, Adopted: true, Bookmark: bookmark,
					Settled: map[int64]ledger.Status{held: ledger.StatusHeld}})
			},
			"cancelled": func() error {
				return k.EndRun(cancelled, ledger.Ending{Run: ledger.Run{ID: run, Status: ledger.StatusOK}, Adopted: true, Bookmark: bookmark,
					Settled: map[int64]ledger.Status{held: ledger.StatusApproved}})
			},
		} {
			if fails() == nil {
				t.Errorf("%s: ended", name)
			}
			same(t, name+": run", runOf(t, l, run).Status, ledger.StatusRunning)
			same(t, name+": held run", runOf(t, l, held).Status, ledger.StatusHeld)
			mark, err := l.Bookmark(t.Context(), "users")
			noError(t, err)
			same(t, name+": bookmark", mark, ledger.Bookmark{})
			state, err := l.SyncState(t.Context(), "users")
			noError(t, err)
			same(t, name+": state", state, ledger.SyncState{})
		}
		if err := k.EndRun(t.Context(), ledger.Ending{Run: ledger.Run{ID: math.MaxInt32}}); !errors.Is(err, ledger.ErrNoRun) {
			t.Errorf("ended a run that never began: %v", err)
		}
	})
}

func testStanding(t *testing.T, open Open) {
	folder := t.TempDir()
	l := open(t, folder)
	k := hold(t, l)
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
	recordUnder(t, k, "users", entry("1"), entry("2"), entry("3"), pending, failing, parked)
	recordUnder(t, k, "others", entry("1"))
	same(t, "users", standing("users"), ledger.Standing{Entries: 6, Applied: 3, Failing: 2, Parked: 1})
	same(t, "others", standing("others"), ledger.Standing{Entries: 1, Applied: 1})

	for _, sync := range []string{"users", "new"} {
		noError(t, k.EndRun(t.Context(), ledger.Ending{Run: ledger.Run{ID: begin(t, k, sync), Status: ledger.StatusOK}, Adopted: true}))
	}
	recordUnder(t, k, "users", entry("failing"), entry("pending"))
	noError(t, l.Close())
	l = reopen(t, open, folder)
	same(t, "users later", standing("users"), ledger.Standing{Entries: 6, Applied: 5, Failing: 1, Parked: 1, Adopted: true})
	same(t, "others later", standing("others"), ledger.Standing{Entries: 1, Applied: 1})
	same(t, "a sync without entries", standing("new"), ledger.Standing{Adopted: true})
}
