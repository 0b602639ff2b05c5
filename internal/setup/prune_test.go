package setup_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync/internal/config"
	"owlatsync/internal/setup"
	"owlatsync/ledger"
	"owlatsync/ledger/memory"
	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
)

// TestAClockThatIsAheadOnceKeepsTheHistory prunes three years ahead of the history, with and without an answer of Owlat that tells the time.
func TestAClockThatIsAheadOnceKeepsTheHistory(t *testing.T) {
	t.Parallel()
	for _, told := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			store := memory.New()
			lock, err := store.Acquire(t.Context(), ledger.Claim{Purpose: "a test"})
			if err != nil {
				t.Fatal(err)
			}
			runs := func() {
				t.Helper()
				if _, err := lock.BeginRun(t.Context(), ledger.Run{Sync: "users", Started: time.Now()}); err != nil {
					t.Fatal(err)
				}
				err := lock.Record(t.Context(), ledger.Record{Sync: "users", Entry: &ledger.Entry{Key: "1"}, Event: "created"})
				if err != nil {
					t.Fatal(err)
				}
			}
			server := &owlattest.Server{}
			client, err := owlat.NewClient("https://owlat.example", server.AddKey(), owlat.WithTransport(server.Transport()))
			if err != nil {
				t.Fatal(err)
			}
			runs()
			time.Sleep(3 * 365 * 24 * time.Hour) // as it seems
			runs()
			server.ClockAhead = -3 * 365 * 24 * time.Hour
			s := &setup.Session{Config: &config.Config{History: 90 * 24 * time.Hour, Syncs: make([]config.Sync, 1)}, Ledger: unwritten{store}, Client: client}
			if told {
				if _, err := client.Health(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if n, err := s.Prune(t.Context()); n != 0 || err != nil {
				t.Errorf("told %v: %d lines are gone: %v", told, n, err)
			}
			server.ClockAhead = 0 // it was no mistake
			time.Sleep(time.Hour)
			runs()
			if told {
				if _, err := client.Health(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if n, err := s.Prune(t.Context()); n == 0 || err != nil {
				t.Errorf("told %v: nothing is pruned once that is sure: %v", told, err)
			}
		})
	}
}

// TestPruningGoesByTheLedgersClock: a node whose own clock is far ahead drops nothing, as long as that of the ledger is right.
func TestPruningGoesByTheLedgersClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		lock, err := store.Acquire(t.Context(), ledger.Claim{Purpose: "a test"})
		if err == nil {
			_, err = lock.BeginRun(t.Context(), ledger.Run{Sync: "users", Started: store.Now()})
		}
		if err == nil {
			err = lock.Record(t.Context(), ledger.Record{Sync: "users", Entry: &ledger.Entry{Key: "1"}, Event: "created"})
		}
		if err != nil {
			t.Fatal(err)
		}
		s := &setup.Session{Config: &config.Config{History: 90 * 24 * time.Hour}, Ledger: unwritten{store}}
		time.Sleep(365 * 24 * time.Hour)
		store.SetClock(-365 * 24 * time.Hour)
		if n, err := s.Prune(t.Context()); n != 0 || err != nil {
			t.Errorf("%d lines are gone: %v", n, err)
		}
	})
}

// unwritten is a ledger in memory as the program uses it.
type unwritten struct{ ledger.Store }

func (unwritten) Close() error                                    { return nil }
func (unwritten) Try(context.Context) error                       { return nil }
func (unwritten) Unwritable() error                               { return nil }
func (unwritten) Alive(context.Context, ledger.Run) (bool, error) { return false, nil }
func (unwritten) SetBack(context.Context) error {
	return errors.New("a ledger in memory is never older")
}
