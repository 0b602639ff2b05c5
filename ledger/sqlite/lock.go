package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"owlatsync/ledger"
	"owlatsync/ledger/sqlite/internal/dbfile"
)

// locker gives out the lock.
type locker struct {
	*base
	locks *heldLocks
}

// Acquire takes the lock file beside the ledger, whose name ends in ".lock", and gives the lock its epoch, which is kept in the
// ledger. If this or another process holds the file, Acquire fails with a *ledger.LockedError, or waits if the claim says so. If
// somebody removes the file and another process takes it, the next write under the old lock notices that the lock is lost.
func (l locker) Acquire(ctx context.Context, claim ledger.Claim) (ledger.Lock, error) {
	k, err := l.acquire(ctx, claim)
	if err != nil {
		return nil, err
	}
	return k, nil
}

func (l locker) acquire(ctx context.Context, claim ledger.Claim) (*lock, error) {
	file, err := l.f.TakeLock(ctx, claim.Purpose, claim.Wait)
	if errors.Is(err, ledger.ErrLocked) {
		return nil, err
	} else if err != nil {
		return nil, fmt.Errorf("lock ledger %s: %w", l.f.Path(), dbfile.Explain(ctx, err))
	}
	k := &lock{base: l.base, file: file, locks: l.locks}
	// A power failure that loses the epoch also loses everything recorded under it.
	err = l.update(ctx, "bind ledger", dbfile.Lazy, func(t *tx) (err error) {
		if claim.Deployment != "" {
			if err := t.bind(claim.Deployment); err != nil {
				return err
			}
		}
		return t.Row("UPDATE lock SET epoch = epoch + 1 RETURNING epoch", nil, &k.epoch)
	})
	if err != nil {
		return nil, errors.Join(err, file.Release())
	}
	k.ctx, k.cancel = context.WithCancelCause(ctx)
	l.locks.add(k)
	return k, nil
}

// bind ties the ledger to the deployment on first use.
func (t *tx) bind(deployment string) error {
	var bound string
	err := t.Row("SELECT value FROM meta WHERE name = 'deployment'", nil, &bound)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return t.Exec("INSERT INTO meta (name, value) VALUES ('deployment', ?1)", deployment)
	case err == nil && bound != deployment:
		return &ledger.DeploymentError{Bound: bound, Configured: deployment}
	}
	return err
}

// heldLocks are the locks of a ledger that are not released yet.
type heldLocks struct {
	mu   sync.Mutex
	held map[*lock]struct{}
}

func (h *heldLocks) add(k *lock) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.held == nil {
		h.held = make(map[*lock]struct{})
	}
	h.held[k] = struct{}{}
}

func (h *heldLocks) release(k *lock) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, ok := h.held[k]; !ok {
		return nil
	}
	delete(h.held, k)
	k.released.Store(true)
	k.cancel(nil)
	return k.file.Release()
}

func (h *heldLocks) releaseAll() error {
	h.mu.Lock()
	locks := make([]*lock, 0, len(h.held))
	for k := range h.held {
		locks = append(locks, k)
	}
	h.mu.Unlock()
	var errs []error
	for _, k := range locks {
		errs = append(errs, h.release(k))
	}
	return errors.Join(errs...)
}

// lock implements ledger.Lock.
type lock struct {
	*base
	file     *dbfile.Lock
	locks    *heldLocks
	epoch    int64
	ctx      context.Context // ends with the lock
	cancel   context.CancelCauseFunc
	lost     atomic.Bool
	released atomic.Bool
}

var errReleased = errors.New("the lock on the ledger was given back before")

// Context implements ledger.Lock.
func (k *lock) Context() context.Context { return k.ctx }

// Epoch implements ledger.Lock.
func (k *lock) Epoch() int64 { return k.epoch }

// Release implements ledger.Lock.
func (k *lock) Release() error {
	if err := k.locks.release(k); err != nil {
		return fmt.Errorf("unlock ledger %s: %w", k.f.Path(), err)
	}
	return nil
}

// usable returns why the lock is known to be of no use, without a look at the ledger.
func (k *lock) usable() error {
	switch {
	case k.f.IsClosed():
		return ledger.ErrClosed
	case k.released.Load():
		return errReleased
	case k.lost.Load():
		return ledger.ErrLockLost
	}
	return nil
}

// lose notes that the lock is lost.
func (k *lock) lose() error {
	k.lost.Store(true)
	k.cancel(ledger.ErrLockLost)
	return ledger.ErrLockLost
}

// update runs fn in one transaction, unless the lock is lost.
func (k *lock) update(ctx context.Context, doing string, d dbfile.Durability, fn func(*tx) error) error {
	if err := k.transact(ctx, d, fn); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

func (k *lock) transact(ctx context.Context, d dbfile.Durability, fn func(*tx) error) error {
	if err := k.usable(); err != nil {
		return err
	}
	return k.base.transact(ctx, d, func(t *tx) error {
		if held, err := t.holds(k); err != nil {
			return err
		} else if !held {
			return k.lose()
		}
		return fn(t)
	})
}

// holds reports whether the lock is the latest. If it is, the statement changes nothing, and it allocates less than a query.
func (t *tx) holds(k *lock) (bool, error) {
	if t.latest == k.epoch {
		return true, nil
	}
	later, err := t.Affect("UPDATE lock SET epoch = epoch WHERE epoch <> ?1", k.epoch)
	if err != nil || later > 0 {
		return false, err
	}
	t.latest = k.epoch
	return true, nil
}
