package ledgertest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"owlatsync/ledger"
)

// cancelledContext returns a context that has ended.
func cancelledContext(t *testing.T) (context.Context, context.CancelFunc) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx, cancel
}

func acquire(t *testing.T, l ledger.Store, purpose string) ledger.Lock {
	t.Helper()
	k, err := l.Acquire(t.Context(), ledger.Claim{Purpose: purpose})
	noError(t, err)
	return k
}

// self is this process as an owner of locks.
func self(t *testing.T) ledger.Owner {
	t.Helper()
	host, err := os.Hostname()
	noError(t, err)
	return ledger.Owner{Host: host, PID: os.Getpid()}
}

func testAcquire(t *testing.T, open Open) {
	folder := t.TempDir()
	l, other := reopen(t, open, folder), reopen(t, open, folder)
	before := l.Now()
	k := acquire(t, l, "a run of users")
	if k.Epoch() < 1 {
		t.Errorf("epoch %d", k.Epoch())
	}
	owner := self(t)
	for name, store := range map[string]ledger.Store{"the same ledger": l, "another opening of it": other} {
		second, err := store.Acquire(t.Context(), ledger.Claim{Purpose: "a second run"})
		locked, ok := errors.AsType[*ledger.LockedError](err)
		if !ok || !errors.Is(err, ledger.ErrLocked) || second != nil {
			t.Fatalf("%s: acquired twice: %v", name, err)
		}
		if locked.Owner != owner || locked.Purpose != "a run of users" || !dated(l, before, locked.Since) {
			t.Errorf("%s: the holder is given as %+v", name, locked)
		}
	}
	if err := k.Context().Err(); err != nil {
		t.Errorf("the context of a lock that is held has ended: %v", err)
	}
	noError(t, k.Check())
	noError(t, k.Release())
	noError(t, k.Release())
	if cause := context.Cause(k.Context()); !errors.Is(cause, context.Canceled) {
		t.Errorf("the context of a lock that was given back: %v", cause)
	}
	if err := k.Record(t.Context(), ledger.Record{Sync: "users", Entry: entry("1")}); err == nil {
		t.Error("recorded under a lock that was given back")
	}
	same(t, "a lock that was given back is held or lost", k.Check() == nil || errors.Is(k.Check(), ledger.ErrLockLost), false)
	same(t, "entries", len(entriesOf(t, l, "users", "1")), 0)

	later := acquire(t, other, "a second run")
	if later.Epoch() <= k.Epoch() {
		t.Errorf("epoch %d after %d", later.Epoch(), k.Epoch())
	}
	noError(t, k.Release())
	if _, err := l.Acquire(t.Context(), ledger.Claim{Purpose: "a third run"}); !errors.Is(err, ledger.ErrLocked) {
		t.Errorf("a release that came late gave back the lock of another: %v", err)
	}
	noError(t, later.Release())

	third := open(t, folder)
	forgetful := acquire(t, third, "a run that forgets to release")
	noError(t, third.Close())
	if forgetful.Context().Err() == nil {
		t.Error("the context of a lock outlived its ledger")
	}
	noError(t, forgetful.Release())
	last := acquire(t, l, "a run after a closing")
	if last.Epoch() <= forgetful.Epoch() {
		t.Errorf("epoch %d after %d", last.Epoch(), forgetful.Epoch())
	}
	noError(t, last.Release())

	ctx, cancel := context.WithCancel(t.Context())
	ending, err := l.Acquire(ctx, ledger.Claim{Purpose: "a run that is interrupted"})
	noError(t, err)
	cancel()
	<-ending.Context().Done()
	noError(t, ending.Record(t.Context(), ledger.Record{Sync: "users", Entry: entry("1")})) // what happened can still be recorded
	noError(t, ending.Release())
	if _, err := l.Acquire(ctx, ledger.Claim{Purpose: "a run that was interrupted before"}); !errors.Is(err, context.Canceled) {
		t.Errorf("acquired under a context that has ended: %v", err)
	}
	noError(t, acquire(t, l, "a run that was not").Release())
}

func testWait(t *testing.T, open Open) {
	t.Run("until the lock is given back, in turn", func(t *testing.T) {
		t.Parallel()
		folder := t.TempDir()
		l, other := reopen(t, open, folder), reopen(t, open, folder)
		first := acquire(t, l, "the first")
		const waiting = 6
		var mu sync.Mutex
		holders, epochs := 0, []int64{first.Epoch()}
		var wg sync.WaitGroup
		for i := range waiting {
			wg.Go(func() {
				k, err := []Ledger{l, other}[i%2].Acquire(t.Context(), ledger.Claim{Purpose: "one of many", Wait: true})
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				if holders++; holders > 1 {
					t.Error("two have the lock at once")
				}
				epochs = append(epochs, k.Epoch())
				mu.Unlock()
				if err := k.Record(t.Context(), ledger.Record{Sync: "users", Entry: entry(fmt.Sprint(i))}); err != nil {
					t.Error(err)
				}
				mu.Lock()
				holders--
				mu.Unlock()
				if err := k.Release(); err != nil {
					t.Error(err)
				}
			})
		}
		if _, err := l.Acquire(t.Context(), ledger.Claim{Purpose: "one who does not wait"}); !errors.Is(err, ledger.ErrLocked) {
			t.Errorf("error %v", err)
		}
		noError(t, first.Release())
		wg.Wait()
		for i := range waiting {
			if epochs[i+1] <= epochs[i] {
				t.Errorf("epochs %v", epochs)
			}
		}
		same(t, "entries", len(indexOf(t, l, "users")), waiting)
	})
	t.Run("no longer than its context", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		k := hold(t, l)
		enough := errors.New("enough")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, enough) // long enough to notice a call that does not wait
		defer cancel()
		if _, err := l.Acquire(ctx, ledger.Claim{Purpose: "one who waits", Wait: true}); !errors.Is(err, enough) {
			t.Errorf("error %v", err)
		}
		recordUnder(t, k, "users", entry("1"))
		noError(t, k.Release())
		hold(t, l)
	})
}

// underLock has every call that needs the lock, for a run that goes on.
func underLock(t *testing.T, k ledger.Lock, run int64) map[string]func() error {
	return map[string]func() error{
		"record": func() error {
			return k.Record(t.Context(), ledger.Record{Sync: "users", Entry: entry("late"), Event: "created"})
		},
		"record none":  func() error { return k.Record(t.Context()) },
		"remove":       func() error { return k.Remove(t.Context(), "users", []string{"1"}) },
		"remove none":  func() error { return k.Remove(t.Context(), "users", nil) },
		"set bookmark": func() error { return k.SetBookmark(t.Context(), "users", ledger.Bookmark{Mark: "late"}) },
		"keep round":   func() error { return k.KeepRound(t.Context(), ledger.Round{Began: at(1), Ended: at(2)}) },
		"begin run":    func() error { _, err := k.BeginRun(t.Context(), ledger.Run{Sync: "users"}); return err },
		"beat":         func() error { return k.Beat(t.Context(), ledger.Beat{Run: run, Stage: ledger.StageEnding}) },
		"keep plan":    func() error { return k.KeepPlan(t.Context(), run, []ledger.PlanItem{item(1, 1, "late")}) },
		"end run": func() error {
			return k.EndRun(t.Context(), ledger.Ending{Run: ledger.Run{ID: run, Status: ledger.StatusOK}, Adopted: true, Bookmark: &ledger.Bookmark{Mark: "late"}})
		},
	}
}

func testLostLock(t *testing.T, open Open) {
	t.Run("nothing is written, and the context ends", func(t *testing.T) {
		t.Parallel()
		for name := range underLock(t, nil, 0) {
			folder := t.TempDir()
			l, other := open(t, folder), open(t, folder)
			old := acquire(t, l, "a run that freezes")
			recordUnder(t, old, "users", entry("1"))
			noError(t, l.LoseLock())
			next := acquire(t, other, "the run that takes over")
			if next.Epoch() <= old.Epoch() {
				t.Errorf("epoch %d after %d", next.Epoch(), old.Epoch())
			}
			run := begin(t, next, "users")
			was := runOf(t, l, run)
			err := underLock(t, old, run)[name]()
			if none := name == "record none" || name == "remove none"; !errors.Is(err, ledger.ErrLockLost) && !(none && err == nil) {
				t.Errorf("%s: %v", name, err)
			} else if err != nil {
				same(t, name+": a look at the lock finds it lost", errors.Is(old.Check(), ledger.ErrLockLost), true)
				<-old.Context().Done()
				if cause := context.Cause(old.Context()); !errors.Is(cause, ledger.ErrLockLost) {
					t.Errorf("%s: the context ended with %v", name, cause)
				}
			}
			for again, call := range underLock(t, old, run) { // now it is known
				if name != "record none" && name != "remove none" {
					if err := call(); !errors.Is(err, ledger.ErrLockLost) {
						t.Errorf("%s after %s: %v", again, name, err)
					}
				}
			}
			same(t, name+": entries", indexOf(t, l, "users"), wantIndex(entry("1")))
			same(t, name+": history", len(historyOf(t, l, "users", "late")), 0)
			same(t, name+": run", runOf(t, l, run), was)
			same(t, name+": plan", len(collect(t, l.Plan(t.Context(), run))), 0)
			mark, err := l.Bookmark(t.Context(), "users")
			noError(t, err)
			same(t, name+": bookmark", mark, ledger.Bookmark{})
			runs, err := l.Runs(t.Context(), "", 0)
			noError(t, err)
			same(t, name+": runs", len(runs), 1)

			// A holder that lost the lock takes it from nobody.
			noError(t, old.Release())
			recordUnder(t, next, "users", entry("2"))
			if _, err := l.Acquire(t.Context(), ledger.Claim{Purpose: "a third run"}); !errors.Is(err, ledger.ErrLocked) {
				t.Errorf("%s: acquired beside another: %v", name, err)
			} else if locked, _ := errors.AsType[*ledger.LockedError](err); locked.Purpose != "the run that takes over" || locked.Owner != self(t) {
				t.Errorf("%s: the holder is given as %+v", name, locked)
			}
			noError(t, next.Release())
			noError(t, other.Close())
			noError(t, l.Close())
		}
	})
	t.Run("everything is written under a lock that is held", func(t *testing.T) {
		t.Parallel()
		for name := range underLock(t, nil, 0) {
			l := fresh(t, open)
			k := hold(t, l)
			run := begin(t, k, "users")
			if err := underLock(t, k, run)[name](); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			noError(t, context.Cause(k.Context()))
		}
	})
	t.Run("others who write at the same time are not hindered", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		old := acquire(t, l, "a run that freezes")
		noError(t, l.LoseLock())
		next := hold(t, l)
		const each = 40
		var wg sync.WaitGroup
		for w := range 4 {
			wg.Go(func() {
				for i := range each {
					if err := next.Record(t.Context(), ledger.Record{Sync: "users", Entry: entry(fmt.Sprintf("%d-%d", w, i))}); err != nil {
						t.Error(err)
					}
				}
			})
			wg.Go(func() {
				for i := range each {
					if err := old.Record(t.Context(), ledger.Record{Sync: "users", Entry: entry(fmt.Sprintf("late %d-%d", w, i))}); !errors.Is(err, ledger.ErrLockLost) {
						t.Errorf("recorded under a lock that was lost: %v", err)
					}
				}
			})
		}
		wg.Wait()
		same(t, "entries", len(indexOf(t, l, "users")), 4*each)
		noError(t, old.Release())
	})
}
