package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

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
// somebody removes or replaces that file or the ledger's, the lock is lost: every write notices that, and within a second so does its
// context. Whoever takes the lock next, while a run is recorded as going on, first waits until its holder must know.
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
	if file.Fresh {
		if err := l.letNotice(ctx); err != nil {
			return nil, errors.Join(err, file.Release())
		}
	}
	k.ctx, k.cancel = context.WithCancelCause(ctx)
	k.watched = make(chan struct{})
	go watch(k)
	l.locks.add(k)
	return k, nil
}

// Alive reports whether a run that is recorded as running goes on: its lock is held.
func (l locker) Alive(ctx context.Context, run ledger.Run) (bool, error) {
	return l.f.Alive(ctx, run.Epoch)
}

// watchEvery is the time between two looks at whether the lock is in its place.
const watchEvery = time.Second

// letNotice waits if the ledger has a run that may go on under a lock whose file was removed.
func (l locker) letNotice(ctx context.Context) error {
	var running bool
	err := l.f.Readers.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM runs WHERE status = 'running')").Scan(&running)
	if err != nil || !running {
		return dbfile.Explain(ctx, err)
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-l.f.Closed():
		return ledger.ErrClosed
	case <-time.After(2 * watchEvery):
		return nil
	}
}

// watch notices that the lock is no longer in its place, so that what waits to be sent is not sent.
func watch(k *lock) {
	defer close(k.watched)
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	for {
		select {
		case <-k.ctx.Done():
			return
		case <-ticker.C:
		}
		if err := k.file.Misplaced(); err != nil {
			_ = k.lose(err)
			return
		}
	}
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
	<-k.watched
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
	watched  chan struct{} // closed once nobody watches the lock
	lost     atomic.Bool
	released atomic.Bool
}

var errReleased = errors.New("the lock on the ledger was given back before")

// Context implements ledger.Lock.
func (k *lock) Context() context.Context { return k.ctx }

// Epoch implements ledger.Lock.
func (k *lock) Epoch() int64 { return k.epoch }

// Check implements ledger.Lock. The operating system takes no lock from a process that lives, so it asks nothing new.
func (k *lock) Check() error { return k.usable() }

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
		return k.whyLost()
	}
	return nil
}

// lose notes that the lock is lost, and returns why.
func (k *lock) lose(why error) error {
	k.cancel(why)
	k.lost.Store(true)
	return k.whyLost()
}

// whyLost returns why the lock was lost first.
func (k *lock) whyLost() error {
	if why := context.Cause(k.ctx); errors.Is(why, ledger.ErrLockLost) {
		return why
	}
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
		if lost, err := t.lost(k); err != nil {
			return err
		} else if lost != nil {
			return k.lose(lost)
		}
		return fn(t)
	})
}

// lost returns why the lock is lost: it is not the latest, or not in its place. If it is the latest, the statement changes nothing,
// and it allocates less than a query.
func (t *tx) lost(k *lock) (why, err error) {
	if t.latest == k.epoch {
		return nil, nil
	}
	later, err := t.Affect("UPDATE lock SET epoch = epoch WHERE epoch <> ?1", k.epoch)
	switch {
	case err != nil:
		return nil, err
	case later > 0:
		return ledger.ErrLockLost, nil
	}
	if why = k.file.Misplaced(); why == nil {
		t.latest = k.epoch
	}
	return why, nil
}
