package ledgertest

import (
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMemory(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	ledgers := make(map[string]*Memory)
	RunInProcess(t, func(t testing.TB, folder string) Ledger {
		mu.Lock()
		defer mu.Unlock()
		if ledgers[folder] == nil {
			ledgers[folder] = NewMemory()
		}
		return ledgers[folder].Reopen()
	})
}
