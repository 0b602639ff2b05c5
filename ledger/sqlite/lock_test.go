package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gofrs/flock"

	"owlatsync/ledger"
	"owlatsync/ledger/sqlite/internal/dbfile"
)

// TestUnnamedHolder holds the lock without saying who does.
func TestUnnamedHolder(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{"empty": "", "cut short": "\n{\"pid\": 4", "no holder": "\n{}", "garbage": "\x00\xff"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, l *Ledger) {
				lockFile := l.f.Name() + ".lock"
				if err := os.WriteFile(lockFile, []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
				other := flock.New(lockFile)
				if ok, err := other.TryLock(); !ok || err != nil {
					t.Fatal(ok, err)
				}
				start := time.Now()
				_, err := l.Acquire(t.Context(), ledger.Claim{Purpose: "a run"})
				locked, ok := errors.AsType[*ledger.LockedError](err)
				if !ok || locked.PID != 0 || locked.Host == "" || locked.Since.IsZero() || locked.Purpose == "" {
					t.Errorf("error %v", err)
				}
				if waited := time.Since(start); waited != dbfile.NamePatience {
					t.Errorf("waited %v", waited)
				}
				if err := other.Unlock(); err != nil {
					t.Fatal(err)
				}
				k := takeLock(t, l)
				if text := string(readFile(t, lockFile)); !strings.Contains(text, `"purpose":"a run"`) {
					t.Errorf("the lock file says %q", text)
				}
				if err := k.Release(); err != nil {
					t.Fatal(err)
				}
				if text := readFile(t, lockFile); len(text) != dbfile.HolderAt {
					t.Errorf("after the release the lock file says %q", text)
				}
			})
		})
	}
}

// TestHolderNamesItselfLate gives the name while Acquire looks for it.
func TestHolderNamesItselfLate(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, l *Ledger) {
		lockFile := l.f.Name() + ".lock"
		other := flock.New(lockFile)
		if ok, err := other.TryLock(); !ok || err != nil {
			t.Fatal(ok, err)
		}
		go func() {
			time.Sleep(50 * time.Millisecond)
			if err := dbfile.WriteHolder(lockFile, []byte(`{"pid":42,"host":"db1","purpose":"late"}`)); err != nil {
				t.Error(err)
			}
		}()
		_, err := l.Acquire(t.Context(), ledger.Claim{Purpose: "a run"})
		if locked, ok := errors.AsType[*ledger.LockedError](err); !ok || locked.PID != 42 || locked.Host != "db1" || locked.Purpose != "late" {
			t.Errorf("error %v", err)
		}
		if err := other.Unlock(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestALostLockFailsAlone lets calls under a lock that was lost share a transaction with one under the lock that is held.
func TestALostLockFailsAlone(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, l *Ledger) {
		old := takeLock(t, l)
		if err := os.Remove(l.f.Name() + ".lock"); err != nil {
			t.Fatal(err)
		}
		k := takeLock(t, l)
		commits := 0
		onCommit(t, l, func() bool { commits++; return true })
		l.f.Token() <- struct{}{}
		var lost, kept []<-chan error
		for i := range 5 {
			lost = append(lost, recordLater(t.Context(), old, rowRecord(fmt.Sprint("lost", i))))
			synctest.Wait()
			kept = append(kept, recordLater(t.Context(), k, rowRecord(fmt.Sprint("kept", i))))
			synctest.Wait()
		}
		l.f.LeaveWriter()
		for i := range lost {
			if err := <-lost[i]; !errors.Is(err, ledger.ErrLockLost) {
				t.Errorf("under the lock that was lost: %v", err)
			}
			if err := <-kept[i]; err != nil {
				t.Errorf("under the lock that is held: %v", err)
			}
		}
		if cause := context.Cause(old.Context()); !errors.Is(cause, ledger.ErrLockLost) {
			t.Errorf("the context ended with %v", cause)
		}
		if commits != 1 {
			t.Errorf("%d commits", commits)
		}
		mustHold(t, l, "kept0", "kept4")
		if found, err := l.Entries(t.Context(), "users", []string{"lost0", "lost4"}); err != nil || len(found) != 0 {
			t.Errorf("%d entries that were refused: %v", len(found), err)
		}
	})
}

// TestAWaiterLooksAgain gives the lock back while somebody waits for it.
func TestAWaiterLooksAgain(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, l *Ledger) {
		first := takeLock(t, l)
		start := time.Now()
		time.AfterFunc(time.Hour+time.Millisecond, func() {
			if err := first.Release(); err != nil {
				t.Error(err)
			}
		})
		k, err := l.Acquire(t.Context(), ledger.Claim{Purpose: "one who waits", Wait: true})
		if err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(start); waited < time.Hour || waited > time.Hour+2*dbfile.WaitPause {
			t.Errorf("waited %v", waited)
		}
		if err := k.Release(); err != nil {
			t.Error(err)
		}

		held := takeLock(t, l)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start = time.Now()
		if _, err := l.Acquire(ctx, ledger.Claim{Purpose: "one who waits in vain", Wait: true}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		if waited := time.Since(start); waited != time.Minute {
			t.Errorf("waited %v", waited)
		}
		if err := held.Release(); err != nil {
			t.Error(err)
		}
	})
}

// TestBeginningARunWaitsForNoDisk looks at how transactions are committed: what a power failure may take is not worth a flush.
func TestBeginningARunWaitsForNoDisk(t *testing.T) {
	t.Parallel()
	l := openFresh(t)
	put(t, l, "1")
	k, err := l.acquire(t.Context(), ledger.Claim{Purpose: "a run", Deployment: "https://owlat.example.com"})
	if err != nil {
		t.Fatal(err)
	}
	lazily := func(what string, want dbfile.Durability, err error) {
		t.Helper()
		if err != nil || l.f.Writer.Mode() != want {
			t.Errorf("%s is committed as %s: %v", what, l.f.Writer.Mode(), err)
		}
	}
	lazily("the lock", dbfile.Lazy, nil)
	id, err := k.BeginRun(t.Context(), ledger.Run{Sync: "users"})
	lazily("a run's beginning", dbfile.Lazy, err)
	lazily("a beat", dbfile.Lazy, k.Beat(t.Context(), ledger.Beat{Run: id}))
	lazily("a plan", dbfile.Lazy, k.KeepPlan(t.Context(), id, []ledger.PlanItem{{}}))
	lazily("a record", dbfile.Durable, k.Record(t.Context(), rowRecord("2")))
	lazily("a plan", dbfile.Lazy, k.KeepPlan(t.Context(), id, []ledger.PlanItem{{}}))
	id, err = k.BeginRun(t.Context(), ledger.Run{Sync: "users"}) // the plan of the one before is swept, which may wait too
	lazily("another run's beginning", dbfile.Lazy, err)
	lazily("a run's end", dbfile.Durable, k.EndRun(t.Context(), ledger.Ending{Run: ledger.Run{ID: id, Status: ledger.StatusOK}}))
	if err := k.Release(); err != nil {
		t.Fatal(err)
	}
}

// TestAReplacedLockFileIsNobodys has the file of the lock removed between opening and locking it.
func TestAReplacedLockFileIsNobodys(t *testing.T) {
	t.Parallel()
	l := openFresh(t)
	k := takeLock(t, l)
	if err := os.Remove(l.f.Name() + ".lock"); err != nil {
		t.Fatal(err)
	}
	if k.file.InPlace() {
		t.Error("a file that is gone is in its place")
	}
	if err := os.WriteFile(l.f.Name()+".lock", []byte("\n{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if k.file.InPlace() {
		t.Error("another file is in its place")
	}
	if err := k.Release(); err != nil {
		t.Fatal(err)
	}
	if text := string(readFile(t, l.f.Name()+".lock")); text != "\n{}" {
		t.Errorf("whoever lost the lock wrote into the file of another: %q", text)
	}
}

// TestALockThatWasRemovedIsNoticed removes or replaces, under a holder, what its lock rests on. The holder knows at its next write, and
// within a second without one.
func TestALockThatWasRemovedIsNoticed(t *testing.T) {
	t.Parallel()
	swap := func(t *testing.T, file string) {
		t.Helper()
		text := readFile(t, file)
		if err := os.Rename(file, file+".moved"); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, harm := range map[string]func(t *testing.T, file string){
		"the lock's file is removed":  func(t *testing.T, file string) { noError(t, os.Remove(file+".lock")) },
		"the lock's file is replaced": func(t *testing.T, file string) { swap(t, file+".lock") },
		"the ledger's file is moved":  func(t *testing.T, file string) { noError(t, os.Rename(file, file+".moved")) },
		"another ledger is put there": func(t *testing.T, file string) { swap(t, file) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, l *Ledger) {
				k := takeLock(t, l)
				harm(t, l.f.Name())
				if err := k.Record(t.Context(), rowRecord("1")); !errors.Is(err, ledger.ErrLockLost) {
					t.Errorf("record: %v", err)
				}
				if cause := context.Cause(k.Context()); !errors.Is(cause, ledger.ErrLockLost) {
					t.Errorf("the context ended with %v", cause)
				}
			})
			bubble(t, func(t *testing.T, l *Ledger) {
				k := takeLock(t, l)
				harm(t, l.f.Name())
				time.Sleep(watchEvery)
				synctest.Wait()
				if cause := context.Cause(k.Context()); !errors.Is(cause, ledger.ErrLockLost) {
					t.Errorf("after a second the context says %v", cause)
				}
			})
		})
	}
}

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestASecondHolderWaitsForTheFirstToNotice takes a lock whose file was removed under a run.
func TestASecondHolderWaitsForTheFirstToNotice(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, l *Ledger) {
		first := takeLock(t, l)
		_, err := first.BeginRun(t.Context(), ledger.Run{Sync: "users"})
		noError(t, err)
		noError(t, os.Remove(l.f.Name()+".lock"))
		start := time.Now()
		second := takeLock(t, l)
		if first.Context().Err() == nil || time.Since(start) < watchEvery {
			t.Errorf("two hold the ledger after %v", time.Since(start))
		}
		noError(t, second.Release())
	})
}
