package serve

import (
	"database/sql"
	"net/http"
	"path/filepath"
	"testing"
)

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
