package reconcile_test

import (
	"context"
	"errors"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile"
)

// abandoned runs the sync. A run that is aborted counts requests that never reach the server.
func (w *world) abandoned(people []owlatsync.Row) error {
	e, client := w.engine()
	defer client.CloseIdleConnections()
	s := w.sync
	s.Source = rows{list: people}
	_, err := e.Run(context.Background(), s, reconcile.RunOptions{})
	return err
}

// TestOneHolder removes the lock's file under a run, and moves the ledger itself away under another. The run ends before anybody else
// can hold the ledger, and sends nothing after that.
func TestOneHolder(t *testing.T) {
	t.Parallel()
	for name, harm := range map[string]func(path string) error{
		"the lock is removed": func(path string) error { return os.Remove(path + ".lock") },
		"the ledger is moved": func(path string) error { return os.Rename(path, path+".moved") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				defer func() { _ = w.ledger.Close() }()
				w.server.NoLimit, w.options = false, nil
				const n = 100
				people := between(0, n)
				var ended time.Time
				done := make(chan error)
				go func() {
					err := w.abandoned(people)
					ended = time.Now()
					done <- err
				}()
				time.Sleep(3 * time.Second)
				if err := harm(w.path); err != nil {
					t.Fatal(err)
				}
				harmed := time.Now()
				if err := <-done; !errors.Is(err, ledger.ErrLockLost) {
					t.Fatalf("the first run ended with %v", err)
				}
				if late := ended.Sub(harmed); late > 2*time.Second {
					t.Errorf("the first run has noticed after %v", late)
				}
				if sent := w.server.Stats().Total; sent == 0 || sent >= n {
					t.Errorf("%d requests", sent)
				}
			})
		})
	}
	t.Run("a second run", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			defer func() { _ = w.ledger.Close() }()
			w.server.NoLimit, w.options = false, nil
			people := between(0, 100)
			done := make(chan time.Time)
			go func() {
				if err := w.abandoned(people); !errors.Is(err, ledger.ErrLockLost) {
					t.Errorf("the first run ended with %v", err)
				}
				done <- time.Now()
			}()
			time.Sleep(3 * time.Second)
			if err := os.Remove(w.path + ".lock"); err != nil {
				t.Fatal(err)
			}
			second := &world{t: t, server: w.server, key: w.key, path: w.path, sync: w.sync, ledger: w.ledger}
			second.open()
			defer func() { _ = second.ledger.Close() }()
			lock, err := second.ledger.Acquire(t.Context(), ledger.Claim{Purpose: "a second run"})
			if err != nil {
				t.Fatal(err)
			}
			sent, held := w.server.Stats().Total, time.Now()
			if first := <-done; first.After(held) {
				t.Errorf("the first run ended %v after the second began", first.Sub(held))
			}
			time.Sleep(time.Minute)
			if late := w.server.Stats().Total - sent; late > 0 {
				t.Errorf("the first run has sent %d requests under the second's lock", late)
			}
			if err := lock.Release(); err != nil {
				t.Fatal(err)
			}
			second.run(people...)
			if n := w.server.Len(); n != len(people) {
				t.Errorf("%d contacts, not %d", n, len(people))
			}
		})
	})
}
