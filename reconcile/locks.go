package reconcile

import (
	"context"
	"sync"

	"owlatsync/ledger"
	"owlatsync/owlat"
)

// locks takes the ledger's lock for an engine.
type locks struct {
	client *owlat.Client
	ledger ledger.Store
	shared bool // other machines send with the same key while they hold the lock

	mu    sync.Mutex
	epoch int64 // of the latest lock that the engine had; 0: it had none
}

// acquire takes the lock. If somebody else may have had it since the engine had it last, the budget counts as spent (Invariant 5).
func (l *locks) acquire(ctx context.Context, claim ledger.Claim) (ledger.Lock, error) {
	lock, err := l.ledger.Acquire(ctx, claim)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	before := l.epoch
	l.epoch = lock.Epoch()
	l.mu.Unlock()
	if before != 0 && lock.Epoch() != before+1 || before == 0 && l.shared {
		l.client.Drain()
	}
	return lock, nil
}
