package memory

import (
	"context"
	"errors"
	"os"

	"owlatsync/ledger"
)

// locker gives out locks within the process.
type locker struct{ *opening }

// Acquire implements ledger.Store.
func (m locker) Acquire(ctx context.Context, claim ledger.Claim) (ledger.Lock, error) {
	lock, err := m.acquire(ctx, claim)
	if err != nil {
		return nil, err
	}
	return lock, nil
}

func (m locker) acquire(ctx context.Context, claim ledger.Claim) (*lock, error) {
	for {
		var lock *lock
		var free chan struct{}
		err := m.use(ctx, "lock ledger", func(s *store) error {
			switch {
			case s.holder != nil && claim.Wait:
				free = make(chan struct{})
				s.waiting = append(s.waiting, free)
				return nil
			case s.holder != nil:
				return new(s.holder.who)
			case s.deployment != "" && claim.Deployment != "" && s.deployment != claim.Deployment:
				return &ledger.DeploymentError{Bound: s.deployment, Configured: claim.Deployment}
			case claim.Deployment != "":
				s.deployment = claim.Deployment
			}
			lock = m.give(ctx, claim)
			return nil
		})
		if locked, ok := errors.AsType[*ledger.LockedError](err); ok {
			return nil, locked
		}
		if lock != nil || err != nil {
			return lock, err
		}
		select {
		case <-free:
		case <-ctx.Done():
		}
	}
}

// give makes the next lock. The caller holds the store's mutex.
func (m locker) give(ctx context.Context, claim ledger.Claim) *lock {
	host, _ := os.Hostname() // empty if there is none
	m.store.epoch++
	lock := &lock{opening: m.opening, epoch: m.store.epoch, who: ledger.LockedError{
		Owner: ledger.Owner{Host: host, PID: os.Getpid()}, Since: moment(m.Now()), Purpose: claim.Purpose,
	}}
	lock.ctx, lock.cancel = context.WithCancelCause(ctx)
	m.store.holder = lock
	m.held[lock] = struct{}{}
	return lock
}

// free takes the lock from its holder, and lets those who wait try again. The caller holds the store's mutex.
func (s *store) free() {
	s.holder = nil
	for _, waiting := range s.waiting {
		close(waiting)
	}
	s.waiting = nil
}

// lock implements ledger.Lock.
type lock struct {
	*opening
	epoch    int64
	who      ledger.LockedError
	ctx      context.Context // ends with the lock
	cancel   context.CancelCauseFunc
	released bool // guarded by the store's mutex
}

var errReleased = errors.New("the lock on the ledger was given back before")

// Context implements ledger.Lock.
func (k *lock) Context() context.Context { return k.ctx }

// Epoch implements ledger.Lock.
func (k *lock) Epoch() int64 { return k.epoch }

// Check implements ledger.Lock. It notices a lock that ran out before anybody else has it.
func (k *lock) Check() error {
	return k.use(context.Background(), "look at the lock", func(s *store) error {
		if s.holder == k {
			return nil
		}
		k.cancel(ledger.ErrLockLost)
		return ledger.ErrLockLost
	})
}

// Release implements ledger.Lock.
func (k *lock) Release() error {
	k.store.mu.Lock()
	defer k.store.mu.Unlock()
	k.release()
	return nil
}

// release gives the lock back. The caller holds the store's mutex.
func (k *lock) release() {
	k.released = true
	k.cancel(nil)
	delete(k.held, k)
	if k.store.holder == k {
		k.store.free()
	}
}

// use calls fn with the store's mutex held, unless the lock is no longer the latest.
func (k *lock) use(ctx context.Context, doing string, fn func(*store) error) error {
	return k.opening.use(ctx, doing, func(s *store) error {
		switch {
		case k.released:
			return errReleased
		case s.epoch != k.epoch:
			k.cancel(ledger.ErrLockLost)
			return ledger.ErrLockLost
		}
		return fn(s)
	})
}
