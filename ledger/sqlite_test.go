package ledger

import (
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
	_ "modernc.org/sqlite"

	"owlatsync/ledger/ledgertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// openIn opens the ledger of a folder and leaves the closing to the caller.
func openIn(t testing.TB, folder string) *SQLite {
	t.Helper()
	l, err := OpenSQLite(t.Context(), "sqlite", filepath.Join(folder, "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// openFresh opens a ledger of the test's own.
func openFresh(t testing.TB) *SQLite {
	t.Helper()
	l := openIn(t, t.TempDir())
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return l
}

func TestConformance(t *testing.T) {
	t.Parallel()
	ledgertest.Run(t, func(t testing.TB, folder string) ledgertest.Ledger { return openIn(t, folder) })
}
