package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5"

	"owlatsync/ledger"
	"owlatsync/ledger/postgres/internal/lease"
	"owlatsync/ledger/postgres/internal/server"
)

// locker gives out the lock.
type locker struct{ *base }

// Acquire takes the lease of the kind "run" on the deployment and with it the fence. If another holder has it, Acquire fails with a
// *ledger.LockedError, or waits if the claim says so. A holder that died has it until its lease ends. If commits were lost under an earlier
// lock, Acquire makes the entries safe first.
func (l locker) Acquire(ctx context.Context, claim ledger.Claim) (ledger.Lock, error) {
	k, err := l.acquire(ctx, claim)
	if err != nil {
		return nil, err
	}
	if err := k.mend(ctx); err != nil {
		return nil, errors.Join(err, k.Release())
	}
	return k, nil
}

func (l locker) acquire(ctx context.Context, claim ledger.Claim) (*lock, error) {
	for {
		k, err := l.tryAcquire(ctx, claim)
		switch {
		case err == nil:
			return k, nil
		case errors.Is(err, ledger.ErrLocked) && !claim.Wait:
			return nil, err
		case !errors.Is(err, ledger.ErrLocked):
			return nil, fmt.Errorf("lock ledger: %w", server.Explain(ctx, err))
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("lock ledger: %w", context.Cause(ctx))
		case <-l.done:
			return nil, fmt.Errorf("lock ledger: %w", ledger.ErrClosed)
		case <-time.After(l.db.leases.Look()):
		}
	}
}

func (l locker) tryAcquire(ctx context.Context, claim ledger.Claim) (*lock, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if l.isClosed() {
		return nil, ledger.ErrClosed
	}
	deployment, err := l.create(ctx)
	if err != nil {
		return nil, err
	}
	f := &fence{base: l.base, turn: make(chan struct{}, 1)}
	taken, err := l.db.leases.Take(ctx, deployment, lease.Run, self(), claim.Purpose, func(ctx context.Context, t pgx.Tx, g lease.Grant) (err error) {
		if claim.Deployment != "" {
			if err := bind(&tx{Tx: t, ctx: ctx, l: l.base, deployment: deployment}, claim.Deployment); err != nil {
				return err
			}
		}
		f.writes, err = lease.RaiseFence(ctx, l.db.DB, t, g)
		return err
	})
	if err != nil {
		return nil, err
	}
	l.forget()
	f.Lease = taken
	k := &lock{fence: f, recorder: recorder{fence: f}, runWriter: runWriter{f}}
	if !l.hold(k) {
		return nil, errors.Join(ledger.ErrClosed, k.Lease.Release())
	}
	if err := k.mend(k.Context()); err != nil {
		return nil, errors.Join(err, k.Release())
	}
	return k, nil
}

// hold remembers a lock until it is released, and reports whether the ledger is still open.
func (b *base) hold(k *lock) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return false
	}
	if b.held == nil {
		b.held = make(map[*lock]struct{})
	}
	b.held[k] = struct{}{}
	return true
}

// forget forgets what is known of numbers: the server may have lost what made them.
func (b *base) forget() {
	b.topics.Forget()
	b.syncs.forget()
}

// bind ties the deployment to its Owlat on first use.
func bind(t *tx, deployment string) error {
	var bound server.Text
	err := t.Row("UPDATE @deployments SET bound = coalesce(bound, $2) WHERE id = $1 RETURNING bound", []any{t.deployment, deployment}, &bound)
	if err == nil && string(bound) != deployment {
		err = &ledger.DeploymentError{Bound: string(bound), Configured: deployment}
	}
	return err
}

// Alive reports whether a run that is recorded as running goes on: its lock is held.
func (l locker) Alive(ctx context.Context, run ledger.Run) (alive bool, err error) {
	err = l.row(ctx, "SELECT EXISTS (SELECT 1 FROM @leases WHERE deployment = $1 AND kind = 'run' AND epoch = $2 AND expires > clock_timestamp())", []any{run.Epoch}, &alive)
	if err != nil {
		return false, fmt.Errorf("see who holds the ledger: %w", server.Explain(ctx, err))
	}
	return alive, nil
}

// lock implements ledger.Lock.
type lock struct {
	*fence
	recorder
	runWriter
}

// Release implements ledger.Lock.
func (k *lock) Release() error {
	k.mu.Lock()
	delete(k.held, k)
	k.mu.Unlock()
	return k.Lease.Release()
}

// self is this process as an owner of leases.
func self() ledger.Owner {
	host, _ := os.Hostname() // empty if there is none
	return ledger.Owner{Host: host, PID: os.Getpid()}
}
