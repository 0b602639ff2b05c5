package memory_test

import (
	"sync"
	"testing"

	"go.uber.org/goleak"

	"owlatsync/ledger/ledgertest"
	"owlatsync/ledger/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMemory(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	ledgers := make(map[string]*memory.Ledger)
	ledgertest.RunInProcess(t, func(t testing.TB, folder string) ledgertest.Ledger {
		mu.Lock()
		defer mu.Unlock()
		if ledgers[folder] == nil {
			ledgers[folder] = memory.New()
		}
		return ledgers[folder].Reopen()
	})
}
