package serve

import (
	"context"
	"database/sql"
	"errors"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestATrial: one write answers all who ask within a while, one that hangs is told, and its end too.
func TestATrial(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var writes atomic.Int64
		goOn := make(chan error)
		tr := newTrial(func(context.Context) error { writes.Add(1); return <-goOn })
		began := time.Now()
		for range 3 {
			if err := tr.fails(t.Context()); !errors.Is(err, errNoWrite) || time.Since(began) != trialWithin {
				t.Errorf("after %s: %v", time.Since(began), err)
			}
		}
		goOn <- errDown
		synctest.Wait()
		if err := tr.fails(t.Context()); !errors.Is(err, errDown) || writes.Load() != 1 {
			t.Errorf("%d writes, %v", writes.Load(), err)
		}
		time.Sleep(trialKept)
		go func() { goOn <- nil }()
		for range 3 {
			if err := tr.fails(t.Context()); err != nil || writes.Load() != 2 {
				t.Errorf("%d writes, %v", writes.Load(), err)
			}
		}
		tr.close()
		time.Sleep(time.Hour)
		if err := tr.fails(t.Context()); err != nil || writes.Load() != 2 {
			t.Errorf("after the end: %d writes, %v", writes.Load(), err)
		}
	})
}

// TestALockedLedger: a service whose ledger takes no writes lives, and is not ready.
func TestALockedLedger(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.configure("every 24h → '0 0 1 1 *'")
	l := h.begin()
	ready := func() int { status, _ := l.call("GET", "/readyz", ""); return status }
	if got := ready(); got != http.StatusOK {
		t.Errorf("at first it answers %d", got)
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(h.dir, "owlat-sync.db")+"?_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	l.until("that it is not ready", func() bool { return ready() == http.StatusServiceUnavailable })
	if status, _ := l.call("GET", "/healthz", ""); status != http.StatusOK {
		t.Errorf("health is %d", status)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	l.until("that it is ready again", func() bool { return ready() == http.StatusOK })
}
