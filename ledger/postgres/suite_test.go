package postgres

import (
	"context"
	"sync"
	"testing"

	"owlatsync/internal/testdb"
	"owlatsync/ledger/ledgertest"
)

// suiteLedger is a ledger for the conformance suite.
type suiteLedger struct{ *Ledger }

func (l suiteLedger) LoseLock() error {
	return l.update(context.Background(), "end a lease", durable, func(t *tx) error {
		return t.Exec("UPDATE @leases SET expires = '-infinity' WHERE deployment = $1 AND kind = 'run'", t.deployment)
	})
}

func TestSuiteInProcess(t *testing.T) {
	t.Parallel()
	dsn := testdb.Postgres(t)
	d, err := Open(t.Context(), Options{DSN: dsn, MaxConns: 30})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	var once sync.Mutex
	ledgertest.RunInProcess(t, func(t testing.TB, folder string) ledgertest.Ledger {
		once.Lock()
		defer once.Unlock()
		l, err := d.Ledger(t.Context(), folder)
		if err != nil {
			t.Fatal(err)
		}
		return suiteLedger{l}
	})
}
