package postgres

import (
	"context"
	"errors"
	"testing"
	"time"

	"owlatsync/internal/testdb"
	"owlatsync/ledger"
)

// off is by how much the clock of this machine is wrong in tests.
var off = []time.Duration{-10 * time.Minute, 10 * time.Minute}

// apart opens a ledger in a PostgreSQL whose clock is ahead of this machine's.
func apart(t *testing.T, ahead time.Duration) (*Database, *Ledger, string) {
	t.Helper()
	dsn := migrated.Postgres(t)
	testdb.SetClock(t, dsn, ahead)
	d := openDatabase(t, dsn)
	return d, openLedger(t, d, ""), dsn
}

// TestEveryTimeIsPostgreSQLs: what a node writes is dated by the clock of PostgreSQL, from which the node's own is ten minutes off.
func TestEveryTimeIsPostgreSQLs(t *testing.T) {
	t.Parallel()
	for _, ahead := range off {
		d, l, _ := apart(t, ahead)
		if a := d.Clock().Ahead() + ahead; a.Abs() > time.Minute {
			t.Errorf("the machine's clock is %v ahead, want %v", d.Clock().Ahead(), -ahead)
		}
		ok := func(what string, at time.Time) {
			t.Helper()
			if wrong := time.Until(at) - ahead; wrong.Abs() > time.Minute {
				t.Errorf("%s is %v from what the clock of PostgreSQL shows, which is %v from the machine's", what, wrong, ahead)
			}
		}
		ok("now", l.Now())
		k := takeLock(t, l)
		begin := func() int64 {
			t.Helper()
			id, err := k.BeginRun(t.Context(), ledger.Run{Sync: "users", Mode: ledger.ModeRun, Started: l.Now()})
			if err != nil {
				t.Fatal(err)
			}
			return id
		}
		read := func(id int64) *ledger.Run {
			t.Helper()
			r, err := l.Run(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		id := begin()
		ok("the heartbeat of a run that begins", read(id).Heartbeat)
		for what, do := range map[string]func() error{
			"beats": func() error { return k.Beat(t.Context(), ledger.Beat{Run: id, Stage: ledger.StageReading}) },
			"waits": func() error { return k.PauseRun(t.Context(), id) },
			"goes on": func() error {
				return errors.Join(k.PauseRun(t.Context(), id), k.ResumeRun(t.Context(), id))
			},
			"ends": func() error {
				return k.EndRun(t.Context(), ledger.Ending{Run: ledger.Run{ID: id, Sync: "users", Mode: ledger.ModeRun, Status: ledger.StatusOK}})
			},
		} {
			id = begin()
			if err := do(); err != nil {
				t.Fatal(what, err)
			}
			ok("the heartbeat of a run that "+what, read(id).Heartbeat)
		}
		if err := k.Record(t.Context(), ledger.Record{Sync: "users", Run: id, Event: "failed", Entry: &ledger.Entry{
			Key: "1", Email: "ann@example.com", Failure: &ledger.Failure{Class: ledger.RetryLater, First: l.Now(), Last: l.Now(), NextTry: l.Now()},
		}}); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Retry(t.Context(), "users", nil, l.Now()); err != nil {
			t.Fatal(err)
		}
		lines, err := l.History(t.Context(), "users", "1")
		if err != nil || len(lines) != 2 {
			t.Fatal(lines, err)
		}
		for _, line := range lines {
			ok("a line of history", line.At)
		}
		entries, err := l.Entries(t.Context(), "users", []string{"1"})
		if err != nil {
			t.Fatal(err)
		}
		ok("the change of an entry", entries["1"].ChangedAt)
		queued, _, err := l.Enqueue(t.Context(), ledger.Run{Sync: "users", Mode: ledger.ModeRun})
		if err == nil {
			_, err = l.Dequeue(t.Context(), queued, ledger.StatusCancelled, "")
		}
		if err != nil {
			t.Fatal(err)
		}
		ok("the end of a run that was taken back", read(queued).Finished)
		if err := k.setBack(t.Context()); err != nil {
			t.Fatal(err)
		}
		state, err := l.SyncState(t.Context(), "users")
		if err != nil {
			t.Fatal(err)
		}
		ok("when the ledger was noticed to be older", state.SetBack)
		_, err = openLedger(t, d, "").Acquire(t.Context(), ledger.Claim{})
		if locked, is := errors.AsType[*ledger.LockedError](err); is {
			ok("since when the ledger is locked", locked.Since)
		} else {
			t.Error(err)
		}
	}
}

// TestALeaseOutlivesNoClockThatIsSet: once the clock of PostgreSQL goes ahead, every lease has ended. Its holder learns that when it next
// renews, and the ledger refuses what it writes.
func TestALeaseOutlivesNoClockThatIsSet(t *testing.T) {
	t.Parallel()
	d, l, dsn := apart(t, 0)
	k := takeLock(t, l)
	testdb.SetClock(t, dsn, 10*time.Minute)
	select {
	case <-k.Context().Done():
	case <-time.After(20 * time.Second):
		t.Fatal("the holder does not learn that its lease has ended")
	}
	other := takeLock(t, openLedger(t, openDatabase(t, dsn), ""))
	if _, err := k.BeginRun(t.Context(), ledger.Run{Sync: "users", Mode: ledger.ModeRun}); !errors.Is(err, ledger.ErrLockLost) {
		t.Errorf("who had the lock writes: %v", err)
	}
	if _, err := other.BeginRun(t.Context(), ledger.Run{Sync: "users", Mode: ledger.ModeRun}); err != nil {
		t.Error(err)
	}
	if err := d.Clock().Ask(t.Context()); err != nil || l.Now().Sub(time.Now().Add(10*time.Minute)).Abs() > time.Minute {
		t.Errorf("the time is %v, %v", l.Now(), err)
	}
}

// TestALeaseGoesOnWhenTheClockIsPutBack, and its end is that of the new clock.
func TestALeaseGoesOnWhenTheClockIsPutBack(t *testing.T) {
	t.Parallel()
	d, l, dsn := apart(t, 10*time.Minute)
	k := takeLock(t, l)
	testdb.SetClock(t, dsn, 0)
	ends := func() (left time.Duration) {
		t.Helper()
		var seconds float64
		if err := d.db.Pool.QueryRow(t.Context(), d.db.SQL("SELECT extract(epoch FROM expires - clock_timestamp()) FROM @leases WHERE kind = 'run'")).Scan(&seconds); err != nil {
			t.Fatal(err)
		}
		return time.Duration(seconds * float64(time.Second))
	}
	for deadline := time.Now().Add(20 * time.Second); ends() > time.Minute; {
		if time.Now().After(deadline) {
			t.Fatalf("the lease ends in %v", ends())
		}
		<-time.After(10 * time.Millisecond)
	}
	if err := k.Check(); err != nil {
		t.Error(err)
	}
}

// TestAClockThatIsAwayGoesOn: without PostgreSQL the time is what it was last known to be.
func TestAClockThatIsAwayGoesOn(t *testing.T) {
	t.Parallel()
	d, l, _ := apart(t, -10*time.Minute)
	before := l.Now()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.Clock().Ask(gone); err == nil {
		t.Fatal("a question that nobody waits for was answered")
	}
	if passed := l.Now().Sub(before); passed < 0 || passed > time.Minute {
		t.Errorf("%v have passed", passed)
	}
}
