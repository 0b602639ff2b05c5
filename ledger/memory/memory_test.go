package memory_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"owlatsync/ledger"
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

func TestCheckNoticesALockThatRanOut(t *testing.T) {
	t.Parallel()
	l := memory.New()
	k, err := l.Acquire(t.Context(), ledger.Claim{})
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Check(); err != nil {
		t.Errorf("held: %v", err)
	}
	if err := l.LoseLock(); err != nil {
		t.Fatal(err)
	}
	if err := k.Check(); !errors.Is(err, ledger.ErrLockLost) || !errors.Is(context.Cause(k.Context()), ledger.ErrLockLost) {
		t.Errorf("lost: %v, the context %v", err, context.Cause(k.Context()))
	}
}
