// Package service checks what a ledger keeps for a service: runs that wait for their turn, what Owlat told, and what is to be told
// elsewhere.
package service

import (
	"errors"
	"io"
	"math"
	"testing"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/ledger/ledgertest/internal/kit"
)

// Ledger is a ledger that can be closed.
type Ledger interface {
	ledger.Store
	io.Closer
}

// Open opens the ledger of a folder.
type Open func(t testing.TB, folder string) Ledger

var (
	noError, same, at, hold = kit.NoError, kit.Same, kit.At, kit.Hold
	record, entry           = kit.Record, kit.Entry
	recordUnder             = kit.RecordUnder
)

func reopen(t *testing.T, open Open, folder string) Ledger {
	t.Helper()
	l := open(t, folder)
	t.Cleanup(func() { noError(t, l.Close()) })
	return l
}

func fresh(t *testing.T, open Open) Ledger {
	t.Helper()
	return reopen(t, open, t.TempDir())
}

func enqueue(t *testing.T, l Ledger, run ledger.Run, wantNew bool) int64 {
	t.Helper()
	id, isNew, err := l.Enqueue(t.Context(), run)
	noError(t, err)
	same(t, "is new", isNew, wantNew)
	return id
}

func queued(t *testing.T, l Ledger) (ids []int64) {
	t.Helper()
	runs, err := l.Queued(t.Context())
	noError(t, err)
	for _, r := range runs {
		same(t, "status", r.Status, ledger.StatusQueued)
		ids = append(ids, r.ID)
	}
	return ids
}

func runOf(t *testing.T, l Ledger, id int64) ledger.Run {
	t.Helper()
	r, err := l.Run(t.Context(), id)
	noError(t, err)
	return *r
}

func statusOf(t *testing.T, l Ledger, id int64) ledger.Status {
	t.Helper()
	return runOf(t, l, id).Status
}

func begin(t *testing.T, k ledger.Writer, run ledger.Run) int64 {
	t.Helper()
	run.Mode, run.Status = ledger.ModeRun, ledger.StatusRunning
	id, err := k.BeginRun(t.Context(), run)
	noError(t, err)
	return id
}

func end(t *testing.T, k ledger.Writer, id int64, status ledger.Status) {
	t.Helper()
	noError(t, k.EndRun(t.Context(), ledger.Ending{Run: ledger.Run{ID: id, Mode: ledger.ModeRun, Started: at(0), Status: status}}))
}

// Queue checks ledger.Queue, and the beginning of a queued run.
func Queue(t *testing.T, open Open) {
	asked := ledger.Run{
		ID: 99, Sync: "users", Mode: ledger.ModeRun, Epoch: 7, Owner: ledger.Owner{Host: "host.example", PID: 1}, Started: at(1), Heartbeat: at(2), PlanForm: 3,
		Status: ledger.StatusOK, Message: "asked for", Part: owlatsync.Part{Only: []string{"a", "\xff"}, Limit: 3}, Full: true, Approves: 12,
	}
	t.Run("what is asked for waits, across a reopening, until it is taken back or begins", func(t *testing.T) {
		t.Parallel()
		folder := t.TempDir()
		l := open(t, folder)
		first := enqueue(t, l, asked, true)
		want := asked
		want.ID, want.Epoch, want.Heartbeat, want.PlanForm, want.Status, want.Started = first, 0, time.Time{}, 0, ledger.StatusQueued, at(1).UTC()
		same(t, "run", runOf(t, l, first), want)
		second := enqueue(t, l, ledger.Run{Sync: "orders", Started: at(2)}, true)
		noError(t, l.Close())
		l = reopen(t, open, folder)
		same(t, "queued", queued(t, l), []int64{first, second})
		same(t, "run", runOf(t, l, first), want)

		k := hold(t, l)
		began := begin(t, k, ledger.Run{ID: first, Sync: "users", Started: at(3), Owner: ledger.Owner{PID: 2}, Epoch: 5, PlanForm: 1})
		same(t, "number", began, first)
		got := runOf(t, l, first)
		if got.Epoch != k.Epoch() || l.Now().Sub(got.Heartbeat).Abs() > time.Minute {
			t.Errorf("epoch %d under lock %d, heartbeat %v", got.Epoch, k.Epoch(), got.Heartbeat)
		}
		got.Epoch, got.Heartbeat = 0, time.Time{}
		same(t, "begun", got, ledger.Run{ID: first, Sync: "users", Mode: ledger.ModeRun, Started: at(3).UTC(), Owner: ledger.Owner{PID: 2},
			Status: ledger.StatusRunning, Full: true, Approves: 12})
		same(t, "queued", queued(t, l), []int64{second})
		end(t, k, first, ledger.StatusOK)
		got = runOf(t, l, first)
		same(t, "what was asked for, after the end", []any{got.Full, got.Approves, got.Status}, []any{true, int64(12), ledger.StatusOK})
		next := begin(t, k, ledger.Run{Sync: "users", Full: true, Approves: 4})
		if next <= second {
			t.Errorf("run %d after %d", next, second)
		}
		same(t, "a run that was not queued", []any{runOf(t, l, next).Full, runOf(t, l, next).Approves}, []any{true, int64(4)})
	})
	t.Run("what is asked for twice is one run", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		first := enqueue(t, l, asked, true)
		again := asked
		again.ID, again.Started, again.Message, again.Owner = 0, at(9), "again", ledger.Owner{}
		same(t, "number", enqueue(t, l, again, false), first)
		same(t, "the first stays as it is", runOf(t, l, first).Message, "asked for")
		ids := []int64{first}
		for _, change := range []func(r *ledger.Run){
			func(r *ledger.Run) { r.Sync = "orders" }, func(r *ledger.Run) { r.Full = false }, func(r *ledger.Run) { r.Approves = 0 },
			func(r *ledger.Run) { r.Mode = ledger.ModeReview }, func(r *ledger.Run) { r.Part.Limit = 0 }, func(r *ledger.Run) { r.Part.Only = []string{"a"} }, func(r *ledger.Run) { r.Part = owlatsync.Part{} },
		} {
			other := asked
			change(&other)
			ids = append(ids, enqueue(t, l, other, true))
			same(t, "number", enqueue(t, l, other, false), ids[len(ids)-1])
		}
		same(t, "queued", queued(t, l), ids)
		k := hold(t, l)
		begin(t, k, ledger.Run{ID: first, Sync: "users"})
		if id := enqueue(t, l, asked, true); id <= ids[len(ids)-1] {
			t.Errorf("run %d after %v", id, ids)
		}
	})
	t.Run("it is taken back once, and only before it begins", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		id := enqueue(t, l, asked, true)
		dequeue := func(id int64) bool {
			t.Helper()
			was, err := l.Dequeue(t.Context(), id, ledger.StatusCancelled, "not wanted")
			noError(t, err)
			return was
		}
		for _, status := range []ledger.Status{"", ledger.StatusQueued, ledger.StatusRunning, ledger.StatusWaiting, ledger.StatusHeld} {
			if was, err := l.Dequeue(t.Context(), id, status, ""); err == nil || was {
				t.Errorf("ended as %q", status)
			}
		}
		same(t, "was queued", []bool{dequeue(id), dequeue(id)}, []bool{true, false})
		got := runOf(t, l, id)
		if got.Status != ledger.StatusCancelled || got.Message != "not wanted" || l.Now().Sub(got.Finished).Abs() > time.Minute {
			t.Errorf("cancelled: %+v", got)
		}
		k := hold(t, l)
		running := begin(t, k, ledger.Run{Sync: "users"})
		same(t, "was queued", dequeue(running), false)
		same(t, "status", statusOf(t, l, running), ledger.StatusRunning)
		for _, run := range []ledger.Run{{ID: id, Sync: "users"}, {ID: running, Sync: "users"}, {ID: math.MaxInt32, Sync: "users"}, {ID: enqueue(t, l, asked, true), Sync: "orders"}} {
			if began, err := k.BeginRun(t.Context(), run); !errors.Is(err, ledger.ErrNoRun) || began != 0 {
				t.Errorf("run %d of %s that is not queued began as %d: %v", run.ID, run.Sync, began, err)
			}
		}
		same(t, "a run that is refused ends no other", statusOf(t, l, running), ledger.StatusRunning)
		if _, err := l.Dequeue(t.Context(), math.MaxInt32, ledger.StatusCancelled, ""); !errors.Is(err, ledger.ErrNoRun) {
			t.Errorf("taken back what is not there: %v", err)
		}
		if _, _, err := l.Enqueue(t.Context(), ledger.Run{}); err == nil {
			t.Error("queued a run of no sync")
		}
	})
	t.Run("runs that begin, end or die leave it alone, and so does pruning", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		id := enqueue(t, l, asked, true)
		k := hold(t, l)
		for range 3 {
			end(t, k, begin(t, k, ledger.Run{Sync: "users", Started: at(0)}), ledger.StatusOK)
		}
		last := begin(t, k, ledger.Run{Sync: "users", Started: at(0)})
		end(t, k, last, ledger.StatusOK)
		late := enqueue(t, l, ledger.Run{Sync: "users", Started: at(0)}, true)
		gone := enqueue(t, l, ledger.Run{Sync: "users", Started: at(0), Full: true}, true)
		_, err := l.Dequeue(t.Context(), gone, ledger.StatusCancelled, "")
		noError(t, err)
		n, err := l.Prune(t.Context(), at(50))
		noError(t, err)
		same(t, "pruned", n, int64(3))
		same(t, "queued", queued(t, l), []int64{id, late})
		same(t, "the latest that began", statusOf(t, l, last), ledger.StatusOK)
	})
	t.Run("it needs no lock", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		hold(t, l)
		id := enqueue(t, l, asked, true)
		was, err := l.Dequeue(t.Context(), id, ledger.StatusCancelled, "")
		noError(t, err)
		same(t, "was queued", was, true)
	})
	t.Run("the keys of a forgotten person are blotted out", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		record(t, l, "users", entry("1"))
		id := enqueue(t, l, ledger.Run{Sync: "users", Part: owlatsync.Part{Only: []string{"1", "2"}}}, true)
		_, err := l.ForgetPerson(t.Context(), "row1@example.com")
		noError(t, err)
		same(t, "part", runOf(t, l, id).Part.Only, []string{ledger.ForgottenText, "2"})
	})
}

// Turns checks ledger.Turns.
func Turns(t *testing.T, open Open) {
	t.Run("a run waits while others run, and goes on under another lock", func(t *testing.T) {
		t.Parallel()
		folder := t.TempDir()
		l := open(t, folder)
		k := hold(t, l)
		long := begin(t, k, ledger.Run{Sync: "users", Started: at(0)})
		noError(t, k.KeepPlan(t.Context(), long, []ledger.PlanItem{{Key: "a"}}))
		noError(t, k.Beat(t.Context(), ledger.Beat{Run: long, Stage: ledger.StageApplying, Report: owlatsync.NewReport("users", "1")}))
		was := runOf(t, l, long)
		noError(t, k.PauseRun(t.Context(), long))
		noError(t, k.PauseRun(t.Context(), long))
		same(t, "status", statusOf(t, l, long), ledger.StatusWaiting)
		noError(t, k.Beat(t.Context(), ledger.Beat{Run: long, Stage: ledger.StageReading}))
		same(t, "the stage of a waiting run", runOf(t, l, long).Stage, ledger.StageApplying)
		noError(t, l.Close())

		l = reopen(t, open, folder)
		k = hold(t, l)
		other := begin(t, k, ledger.Run{Sync: "orders"})
		end(t, k, other, ledger.StatusOK)
		dead := begin(t, k, ledger.Run{Sync: "orders"})
		same(t, "status", statusOf(t, l, long), ledger.StatusWaiting)
		before := l.Now().Add(-time.Second)
		noError(t, k.ResumeRun(t.Context(), long))
		got := runOf(t, l, long)
		if got.Epoch != k.Epoch() || got.Epoch == was.Epoch || got.Heartbeat.Before(before) {
			t.Errorf("epoch %d under lock %d, heartbeat %v", got.Epoch, k.Epoch(), got.Heartbeat)
		}
		got.Epoch, got.Heartbeat = was.Epoch, was.Heartbeat
		same(t, "run", got, was)
		same(t, "a run whose process died", statusOf(t, l, dead), ledger.StatusDied)
		noError(t, k.Beat(t.Context(), ledger.Beat{Run: long, Stage: ledger.StageEnding}))
		same(t, "stage", runOf(t, l, long).Stage, ledger.StageEnding)
		end(t, k, long, ledger.StatusOK)
	})
	t.Run("another run of its sync ends it", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		k := hold(t, l)
		long, other := begin(t, k, ledger.Run{Sync: "users"}), int64(0)
		noError(t, k.PauseRun(t.Context(), long))
		other = begin(t, k, ledger.Run{Sync: "orders"})
		noError(t, k.PauseRun(t.Context(), other))
		begin(t, k, ledger.Run{Sync: "users"})
		same(t, "of the sync", []any{statusOf(t, l, long), runOf(t, l, long).Message}, []any{ledger.StatusDied, ledger.MessageDied})
		same(t, "of another", statusOf(t, l, other), ledger.StatusWaiting)
		for name, call := range map[string]func(id int64) error{
			"pause":  func(id int64) error { return k.PauseRun(t.Context(), id) },
			"resume": func(id int64) error { return k.ResumeRun(t.Context(), id) },
		} {
			ended, ok := errors.AsType[*ledger.RunEndedError](call(long))
			if !ok {
				t.Fatalf("%s: a dead run goes on", name)
			}
			same(t, name, ended, &ledger.RunEndedError{Run: long, Status: ledger.StatusDied})
			if err := call(math.MaxInt32); !errors.Is(err, ledger.ErrNoRun) {
				t.Errorf("%s of no run: %v", name, err)
			}
		}
		noError(t, k.ResumeRun(t.Context(), other))
		if err := k.ResumeRun(t.Context(), other); !errors.Is(err, ledger.ErrRunEnded) {
			t.Errorf("resumed what runs: %v", err)
		}
	})
	t.Run("pruning leaves it, and a lock that was given back cannot let it go on", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		k := hold(t, l)
		long := begin(t, k, ledger.Run{Sync: "users", Started: at(0)})
		noError(t, k.PauseRun(t.Context(), long))
		noError(t, k.Release())
		if err := k.ResumeRun(t.Context(), long); err == nil {
			t.Error("resumed without the lock")
		}
		if err := k.PauseRun(t.Context(), long); err == nil {
			t.Error("paused without the lock")
		}
		next := hold(t, l)
		end(t, next, begin(t, next, ledger.Run{Sync: "orders", Started: at(0)}), ledger.StatusOK)
		_, err := l.Prune(t.Context(), at(50))
		noError(t, err)
		same(t, "status", statusOf(t, l, long), ledger.StatusWaiting)
	})
}
