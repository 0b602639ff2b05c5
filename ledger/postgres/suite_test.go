package postgres

import (
	"os"
	"testing"

	"owlatsync/ledger/ledgertest"
)

// suiteLedger is a ledger for the conformance suite.
type suiteLedger struct{ *Ledger }

// LoseLock ends the lease, as if its holder were frozen.
func (l suiteLedger) LoseLock() error { return l.loseLock() }

// Close closes the ledger with its database, as the end of a process does.
func (l suiteLedger) Close() error {
	defer l.db.Close()
	return l.Ledger.Close()
}

// suiteVariable tells further processes of the suite where the ledgers are.
const suiteVariable = "OWLATSYNC_TEST_LEDGER"

func TestConformance(t *testing.T) {
	t.Parallel()
	dsn := os.Getenv(suiteVariable)
	if dsn == "" {
		dsn = migrated.Postgres(t)
		if err := os.Setenv(suiteVariable, dsn); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { packsTell(t, dsn) })
	}
	conform(t, dsn, ledgertest.Run)
}

// conform runs a suite on the ledgers of a database: each folder is a deployment.
func conform(t *testing.T, dsn string, run func(*testing.T, ledgertest.Open)) {
	run(t, func(t testing.TB, folder string) ledgertest.Ledger {
		d, err := openWith(t.Context(), Options{DSN: dsn, MaxConns: 4}, brief)
		if err != nil {
			t.Fatal(err)
		}
		l, err := d.Ledger(t.Context(), folder)
		if err != nil {
			t.Fatal(err)
		}
		return suiteLedger{l}
	})
}
