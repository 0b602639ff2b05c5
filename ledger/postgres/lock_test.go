package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"owlatsync/ledger"
	"owlatsync/ledger/postgres/internal/lease"
	"owlatsync/ledger/postgres/internal/server"
)

// eventually waits until the condition holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(20 * time.Second); !holds(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

func TestALockIsRenewed(t *testing.T) {
	t.Parallel()
	dsn := migrated.Postgres(t)
	l, other := openLedger(t, openDatabase(t, dsn), "acme"), openLedger(t, openDatabase(t, dsn), "acme")
	k := takeLock(t, l)
	put(t, k, keysOf("a", 300)...)
	mustHold(t, l, keysOf("a", 300)...)
	begun := time.Now()
	eventually(t, "longer than a lease lives", func() bool {
		if err := k.Check(); err != nil {
			t.Fatalf("a lock that is renewed: %v", err)
		}
		if _, err := other.Acquire(t.Context(), ledger.Claim{}); !errors.Is(err, ledger.ErrLocked) {
			t.Fatalf("acquired beside another: %v", err)
		}
		return time.Since(begun) > brief.Life+brief.Life/4
	})
	put(t, k, "b")
	mustHold(t, other, "b")
}

// TestALeaseThatAFailoverLost has a server that took over without the latest lease: its holder has not heard of that when another
// asks for the lease.
func TestALeaseThatAFailoverLost(t *testing.T) {
	t.Parallel()
	dsn := migrated.Postgres(t)
	d := openDatabase(t, dsn)
	l, other := openLedger(t, d, "acme"), openLedger(t, openDatabase(t, dsn), "acme")
	before := takeLock(t, l) // on a timeline that was always known: at once
	if _, err := d.db.Pool.Exec(t.Context(), d.db.SQL("DELETE FROM @leases")); err != nil {
		t.Fatal(err)
	}
	if _, err := d.db.Pool.Exec(t.Context(), d.db.SQL("DELETE FROM @timelines")); err != nil {
		t.Fatal(err)
	}
	if err := before.Check(); err != nil {
		t.Fatalf("it knows already: %v", err)
	}
	takeLock(t, other)
	if err := before.Check(); !errors.Is(err, ledger.ErrLockLost) {
		t.Errorf("two have the lock: %v", err)
	}
	begun := time.Now()
	takeLock(t, openLedger(t, d, "other"))
	if took := time.Since(begun); took > brief.Life/2 {
		t.Errorf("the next lock took %v", took)
	}
}

func TestDeploymentsAreApart(t *testing.T) {
	t.Parallel()
	d := openDatabase(t, migrated.Postgres(t))
	a, b := openLedger(t, d, "a"), openLedger(t, d, "b")
	if names, err := d.Names(t.Context()); err != nil || len(names) != 0 {
		t.Errorf("before the first write: %v, %v", names, err)
	}
	ka, kb := takeLock(t, a), takeLock(t, b)
	put(t, ka, "1", "2")
	put(t, kb, "1")
	mustHold(t, a, "1", "2")
	mustHold(t, b, "1")
	if holders, err := a.Holders(t.Context(), []string{"1@example.com"}); err != nil || len(holders) != 1 {
		t.Errorf("holders %v: %v", holders, err)
	}
	if sharers, err := a.Sharers(t.Context(), []string{"contact1"}); err != nil || len(sharers) != 1 {
		t.Errorf("sharers %v: %v", sharers, err)
	}
	ra, err := ka.BeginRun(t.Context(), ledger.Run{Sync: "users"})
	if err != nil {
		t.Fatal(err)
	}
	rb, err := kb.BeginRun(t.Context(), ledger.Run{Sync: "users"})
	if err != nil || ra != 1 || rb != 1 {
		t.Errorf("runs %d and %d: %v", ra, rb, err)
	}
	if names, err := d.Names(t.Context()); err != nil || len(names) != 2 {
		t.Errorf("names %v: %v", names, err)
	}
}

func TestTextsMayHoldAnyBytes(t *testing.T) {
	t.Parallel()
	l := fresh(t)
	k := takeLock(t, l)
	for _, s := range []string{`\x41`, `\`, `\134`, "\x00\xff", "ä", "'", `"`, "@entries", "$1", ""} {
		name, mark := "sync "+s, ledger.Bookmark{Mark: s, Settings: s, Again: []string{s}}
		if err := k.SetBookmark(t.Context(), name, mark); err != nil {
			t.Fatal(err)
		}
		if got, err := l.Bookmark(t.Context(), name); err != nil || got.Mark != s || got.Settings != s || got.Again[0] != s {
			t.Errorf("%q comes back as %+v: %v", s, got, err)
		}
		run, err := k.BeginRun(t.Context(), ledger.Run{Sync: name, Message: s})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := l.Run(t.Context(), run); err != nil || got.Message != s || got.Sync != name {
			t.Errorf("%q comes back as %+v: %v", s, got, err)
		}
	}
}

func TestHome(t *testing.T) {
	t.Parallel()
	dsn := migrated.Postgres(t)
	d, other := openDatabase(t, dsn), openDatabase(t, dsn)
	owner := ledger.Owner{Host: `a\x00\node`, PID: 7}
	home, err := d.Home(t.Context(), "acme", owner)
	if err != nil {
		t.Fatal(err)
	}
	_, err = other.Home(t.Context(), "acme", ledger.Owner{Host: "node2"})
	if locked, ok := errors.AsType[*ledger.LockedError](err); !ok || locked.Owner != owner {
		t.Errorf("a second home: %v", err)
	}
	if _, err := other.Home(t.Context(), "another", owner); err != nil {
		t.Error(err)
	}
	takeLock(t, openLedger(t, other, "acme")) // the lock is another lease
	if err := home.Check(); err != nil || home.Epoch() != 1 {
		t.Errorf("epoch %d: %v", home.Epoch(), err)
	}
	if err := home.Release(); err != nil {
		t.Error(err)
	}
	if home.Context().Err() == nil || home.Check() == nil {
		t.Error("a home that was given back is held")
	}
	next, err := other.Home(t.Context(), "acme", owner)
	if err != nil || next.Epoch() != 2 {
		t.Fatalf("the next home: %v", err)
	}
	if err := home.Release(); err != nil {
		t.Error(err)
	}
	if _, err := d.Home(t.Context(), "acme", owner); !errors.Is(err, ledger.ErrLocked) {
		t.Errorf("a release that came late gave back the home of another: %v", err)
	}
	other.Close()
	if next.Context().Err() == nil {
		t.Error("a home outlived its database")
	}
	if _, err := other.Home(t.Context(), "acme", owner); !errors.Is(err, ledger.ErrClosed) {
		t.Errorf("a home of a closed database: %v", err)
	}
}

func TestAHolderThatIsCutOffLosesTheLockBeforeAnotherHasIt(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]mode{"nothing passes": drops, "no answers": mutes, "broken off": refuses} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := migrated.Postgres(t)
			p, through := newProxy(t, dsn)
			l, other := openLedger(t, openDatabase(t, through), ""), openLedger(t, openDatabase(t, dsn), "")
			k := takeLock(t, l)
			put(t, k, "before")
			p.set(how)
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				<-k.Context().Done()
			}()
			next := takeLock(t, other)
			select {
			case <-ended:
			default:
				if how != mutes { // its renewals may have come in
					t.Error("another had the lock while the holder relied on it")
				}
			}
			if err := k.Check(); !errors.Is(err, ledger.ErrLockLost) {
				t.Errorf("check: %v", err)
			}
			put(t, next, "after")
			p.set(passes)
			p.cut()
			mustLose(t, k)
			mustHold(t, other, "before", "after")
		})
	}
}

// warnings counts what is logged.
type warnings struct {
	slog.Handler
	count atomic.Int64
}

func (w *warnings) Enabled(context.Context, slog.Level) bool { return true }

func (w *warnings) Handle(context.Context, slog.Record) error {
	w.count.Add(1)
	return nil
}

// TestLeasesThatCannotBeRenewedAreToldOnce, not at each of the many attempts.
func TestLeasesThatCannotBeRenewedAreToldOnce(t *testing.T) {
	t.Parallel()
	p, through := newProxy(t, migrated.Postgres(t))
	told := &warnings{Handler: slog.DiscardHandler}
	d, err := openWith(t.Context(), Options{DSN: through, MaxConns: 4, Logger: slog.New(told)}, brief)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	k := takeLock(t, openLedger(t, d, ""))
	p.set(refuses)
	<-k.Context().Done()
	if n := told.count.Load(); n != 1 {
		t.Errorf("%d warnings", n)
	}
	p.set(passes)
}

func TestAHolderRecordsWhatHappenedAfterItsLeaseIfNobodyTookTheLock(t *testing.T) {
	t.Parallel()
	dsn := migrated.Postgres(t)
	p, through := newProxy(t, dsn)
	l := openLedger(t, openDatabase(t, through), "")
	k := takeLock(t, l)
	put(t, k, "before")
	p.set(refuses)
	<-k.Context().Done()
	if why := context.Cause(k.Context()); !errors.Is(why, ledger.ErrLockLost) {
		t.Errorf("the context ended with %v", why)
	}
	p.set(passes)
	put(t, k, "after")
	mustHold(t, l, "before", "after")
}

func TestABriefAbsenceOfTheServerIsWaitedFor(t *testing.T) {
	t.Parallel()
	dsn := migrated.Postgres(t)
	p, through := newProxy(t, dsn)
	long := lease.Timing{Life: 4 * brief.Life, Renew: brief.Renew, Margin: brief.Margin, Look: brief.Look} // on a busy machine a part of it passes for nothing
	d, err := openWith(t.Context(), Options{DSN: through, MaxConns: 4}, long)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	k := takeLock(t, openLedger(t, d, ""))
	put(t, k, "before")
	for range 3 {
		p.cut()
		put(t, k, "after a cut")
		if _, err := k.BeginRun(t.Context(), ledger.Run{Sync: "users"}); err != nil {
			t.Errorf("begin a run: %v", err)
		}
		p.cut()
	}
	p.set(refuses)
	back := time.AfterFunc(brief.Life/4, func() { p.set(passes) })
	defer back.Stop()
	put(t, k, "after an absence")
	if err := k.Check(); err != nil {
		t.Errorf("check: %v", err)
	}
	mustHold(t, openLedger(t, openDatabase(t, dsn), ""), "before", "after an absence")
}

// TestBackendsThatEnd has the server end its connections while many write, as it does when it is restarted.
func TestBackendsThatEnd(t *testing.T) {
	t.Parallel()
	dsn := migrated.Postgres(t)
	l, other := openLedger(t, openDatabase(t, dsn), ""), openLedger(t, openDatabase(t, dsn), "")
	k := takeLock(t, l)
	put(t, k, "before")
	var writers sync.WaitGroup
	var keys []string
	for w := range 6 {
		mine := keysOf(fmt.Sprint("row", w, "-"), 20)
		keys = append(keys, mine...)
		writers.Go(func() {
			for _, key := range mine {
				if err := tryPut(t.Context(), k, key); err != nil {
					t.Error(err)
				}
				if _, err := k.BeginRun(t.Context(), ledger.Run{Sync: key}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	ender := make(chan struct{})
	go func() {
		defer close(ender)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for range 8 {
			select {
			case <-done:
				return
			case <-tick.C:
			}
			var n int
			err := other.row(context.WithoutCancel(t.Context()), `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
				WHERE datname = current_database() AND pid <> pg_backend_pid() AND $1 > 0`, nil, &n)
			if err != nil {
				t.Error(err)
			}
		}
	}()
	writers.Wait()
	close(done)
	<-ender
	mustHold(t, other, keys...)
	var runs int
	if err := other.row(t.Context(), "SELECT count(*) FROM @runs WHERE deployment = $1", nil, &runs); err != nil || runs != len(keys) {
		t.Errorf("%d of %d runs have begun: %v", runs, len(keys), err)
	}
}

func TestALockWhoseContextHasEnded(t *testing.T) {
	t.Parallel()
	d := openDatabase(t, migrated.Postgres(t))
	l := openLedger(t, d, "")
	ctx, cancel := context.WithCancel(t.Context())
	k, err := l.acquire(ctx, ledger.Claim{})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := k.Check(); err != nil { // what happened can still be recorded, and is sure not to be another's
		t.Errorf("check: %v", err)
	}
	expire(t, l)
	eventually(t, "the loss", func() bool { return errors.Is(k.Check(), ledger.ErrLockLost) })
	if err := k.Release(); err != nil {
		t.Error(err)
	}
}

func TestAnUnansweredWriteIsMadeOnce(t *testing.T) {
	t.Parallel()
	dsn := migrated.Postgres(t)
	p, through := newProxy(t, dsn)
	direct := openLedger(t, openDatabase(t, dsn), "")
	l := openLedger(t, openDatabase(t, through), "")
	k := takeLock(t, l)
	for n, key := range keysOf("mute", 3) {
		put(t, k, key) // its number is known from then on, so that the next write is one message
		p.set(mutes)   // the server does what it is told, and its answer is lost
		result := make(chan error, 1)
		go func() { result <- tryPut(t.Context(), k, key) }()
		if n < 2 { // it has arrived; else it may be on its way
			eventually(t, "the write", func() bool { return lines(t, direct, key) == 2 })
		}
		p.set(passes)
		p.cut()
		if err := <-result; err != nil {
			t.Fatal(err)
		}
		if n := lines(t, direct, key); n != 2 {
			t.Errorf("two writes have left %d lines of history", n)
		}
	}
	put(t, k, "last")
	mustHold(t, direct, "last")
}

func TestAFrozenWriteDoesNotKeepTheLock(t *testing.T) {
	t.Parallel()
	dsn := migrated.Postgres(t)
	d := openDatabase(t, dsn)
	l, other := openLedger(t, d, ""), openLedger(t, openDatabase(t, dsn), "")
	k := takeLock(t, l)
	put(t, k, "before")
	frozen, err := d.db.Pool.Begin(t.Context()) // as of a holder that was stopped after its first statement
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = frozen.Rollback(context.WithoutCancel(t.Context())) }()
	if _, err := frozen.Exec(t.Context(), d.db.SQL(passFence), k.Deployment, k.Number, k.Holder, k.writes, 1); err != nil {
		t.Fatal(err)
	}
	expire(t, other)
	begun := time.Now()
	next := takeLock(t, other)
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("the lock was taken over after %v", took)
	}
	put(t, next, "after")
	if err := frozen.Commit(t.Context()); err == nil {
		t.Error("the frozen write was committed")
	}
	mustLose(t, k)
	mustHold(t, other, "before", "after")
}

func TestALongWriteOfALiveHolderIsLeftAlone(t *testing.T) {
	t.Parallel()
	dsn := migrated.Postgres(t)
	l, other := openLedger(t, openDatabase(t, dsn), ""), openLedger(t, openDatabase(t, dsn), "")
	k := takeLock(t, l)
	err := k.update(t.Context(), "write for long", server.Durable, func(*tx) error {
		begun := time.Now()
		eventually(t, "longer than a lease lives", func() bool {
			if _, err := other.Acquire(t.Context(), ledger.Claim{}); !errors.Is(err, ledger.ErrLocked) {
				t.Fatalf("acquired beside another: %v", err)
			}
			return time.Since(begun) > brief.Life+brief.Life/4
		})
		return k.Check()
	})
	if err != nil {
		t.Error(err)
	}
}

// TestLostCommits takes from a server what it has acknowledged, as a failover may.
func TestLostCommits(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]string{
		"a write":                      "UPDATE @fences SET writes = writes - 1 WHERE deployment = $1",
		"the lock itself":              "UPDATE @fences SET epoch = epoch - 1, holder = 0, writes = 0 WHERE deployment = $1",
		"the lock, and another has it": "UPDATE @fences SET holder = 0 WHERE deployment = $1",
		"everything":                   "DELETE FROM @fences WHERE deployment = $1",
	} {
		for _, unanswered := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				dsn := migrated.Postgres(t)
				p, through := newProxy(t, dsn)
				l, other := openLedger(t, openDatabase(t, through), ""), openLedger(t, openDatabase(t, dsn), "")
				k := takeLock(t, l)
				put(t, k, "before")
				put(t, k, "lost")
				if unanswered {
					p.set(refuses)
				}
				err := other.update(t.Context(), "lose commits", server.Durable, func(t *tx) error { return t.Exec(lose, t.deployment) })
				if err != nil {
					t.Fatal(err)
				}
				if unanswered {
					back := time.AfterFunc(50*time.Millisecond, func() { p.set(passes) })
					defer back.Stop()
				}
				mustLose(t, k)
				var behind bool
				if err := other.row(t.Context(), "SELECT behind FROM @deployments WHERE id = $1", nil, &behind); err != nil || !behind {
					t.Errorf("noted that commits were lost: %v, %v", behind, err)
				}
				next := takeLock(t, other)
				if next.Epoch() <= k.Epoch() {
					t.Errorf("epoch %d after %d", next.Epoch(), k.Epoch())
				}
				mustLose(t, k)
				if state, err := other.SyncState(t.Context(), "users"); err != nil || state.SetBack.IsZero() {
					t.Errorf("the sync was not set back: %+v, %v", state, err)
				}
				if err := other.row(t.Context(), "SELECT behind FROM @deployments WHERE id = $1", nil, &behind); err != nil || behind {
					t.Errorf("still behind: %v, %v", behind, err)
				}
			})
		}
	}
}

// TestWhatNeedNotBeDurableDoesNotCount loses nothing that matters to a crash of the server.
func TestWhatNeedNotBeDurableDoesNotCount(t *testing.T) {
	t.Parallel()
	l := fresh(t)
	k := takeLock(t, l)
	put(t, k, "1")
	run, err := k.BeginRun(t.Context(), ledger.Run{Sync: "users"})
	if err != nil {
		t.Fatal(err)
	}
	writes := func() (n int64) {
		if err := l.row(t.Context(), "SELECT writes FROM @fences WHERE deployment = $1", nil, &n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := writes()
	if err := k.Beat(t.Context(), ledger.Beat{Run: run, Stage: ledger.StageReading}); err != nil {
		t.Error(err)
	}
	if after := writes(); after != before || after != k.writes {
		t.Errorf("a beat counts: %d writes, then %d, %d known", before, after, k.writes)
	}
	if err := k.KeepPlan(t.Context(), run, []ledger.PlanItem{{Key: "1"}}); err != nil {
		t.Error(err)
	}
	if after := writes(); after != before+1 || after != k.writes {
		t.Errorf("a plan does not count: %d writes, then %d, %d known", before, after, k.writes)
	}
	expire(t, l)
	takeLock(t, openLedger(t, openDatabase(t, l.db.Pool.Config().ConnString()), ""))
	if err := k.Beat(t.Context(), ledger.Beat{Run: run, Stage: ledger.StageApplying}); !errors.Is(err, ledger.ErrLockLost) {
		t.Errorf("a beat under a lock that was lost: %v", err)
	}
}

// TestAHolderOnLostGroundsLosesTheLock has a holder that took the lock after a failover, and an earlier one that notices what was lost.
func TestAHolderOnLostGroundsLosesTheLock(t *testing.T) {
	t.Parallel()
	dsn := migrated.Postgres(t)
	l, other := openLedger(t, openDatabase(t, dsn), ""), openLedger(t, openDatabase(t, dsn), "")
	k := takeLock(t, l)
	put(t, k, "lost")
	err := other.update(t.Context(), "lose commits", server.Durable, func(t *tx) error {
		if err := t.Exec("DELETE FROM @leases WHERE deployment = $1", t.deployment); err != nil {
			return err
		}
		return t.Exec("DELETE FROM @fences WHERE deployment = $1", t.deployment)
	})
	if err != nil {
		t.Fatal(err)
	}
	next := takeLock(t, other)
	if next.Epoch() != k.Epoch() {
		t.Fatalf("epochs %d and %d", k.Epoch(), next.Epoch())
	}
	put(t, next, "on lost grounds")
	if err := tryPut(t.Context(), k, "late"); !errors.Is(err, ledger.ErrLockLost) {
		t.Errorf("recorded: %v", err)
	}
	mustLose(t, next)
	if last := takeLock(t, other); last.Epoch() <= k.Epoch() {
		t.Errorf("epoch %d after %d", last.Epoch(), k.Epoch())
	}
}
