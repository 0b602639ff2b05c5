package sqlite

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"owlatsync/ledger"
)

// TestUnnamedHolder holds the lock without saying who does.
func TestUnnamedHolder(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{"empty": "", "cut short": "\n{\"pid\": 4", "no holder": "\n{}", "garbage": "\x00\xff"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, l *Ledger) {
				lockFile := l.file + ".lock"
				if err := os.WriteFile(lockFile, []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
				other := flock.New(lockFile)
				if ok, err := other.TryLock(); !ok || err != nil {
					t.Fatal(ok, err)
				}
				start := time.Now()
				_, err := l.Acquire(t.Context(), "a run")
				locked, ok := errors.AsType[*ledger.LockedError](err)
				if !ok || locked.PID != 0 || locked.Host == "" || locked.Since.IsZero() || locked.Purpose == "" {
					t.Errorf("error %v", err)
				}
				if waited := time.Since(start); waited != holderAttempts*10*time.Millisecond {
					t.Errorf("waited %v", waited)
				}
				if err := other.Unlock(); err != nil {
					t.Fatal(err)
				}
				release, err := l.Acquire(t.Context(), "a run")
				if err != nil {
					t.Fatal(err)
				}
				if text := string(readFile(t, lockFile)); !strings.Contains(text, `"purpose":"a run"`) {
					t.Errorf("the lock file says %q", text)
				}
				if err := release(); err != nil {
					t.Fatal(err)
				}
				if text := readFile(t, lockFile); len(text) != holderAt {
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
		lockFile := l.file + ".lock"
		other := flock.New(lockFile)
		if ok, err := other.TryLock(); !ok || err != nil {
			t.Fatal(ok, err)
		}
		go func() {
			time.Sleep(50 * time.Millisecond)
			if err := writeHolder(lockFile, []byte(`{"pid":42,"host":"db1","purpose":"late"}`)); err != nil {
				t.Error(err)
			}
		}()
		_, err := l.Acquire(t.Context(), "a run")
		if locked, ok := errors.AsType[*ledger.LockedError](err); !ok || locked.PID != 42 || locked.Host != "db1" || locked.Purpose != "late" {
			t.Errorf("error %v", err)
		}
		if err := other.Unlock(); err != nil {
			t.Fatal(err)
		}
	})
}
