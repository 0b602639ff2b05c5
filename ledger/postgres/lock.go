package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"owlatsync/ledger"
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
			return nil, fmt.Errorf("lock ledger: %w", explain(ctx, err))
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("lock ledger: %w", context.Cause(ctx))
		case <-l.done:
			return nil, fmt.Errorf("lock ledger: %w", ledger.ErrClosed)
		case <-time.After(l.db.timing.look):
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
	k := &lock{base: l.base, turn: make(chan struct{}, 1)}
	var behind bool
	k.Lease, err = l.db.leases.take(ctx, deployment, kindRun, self(), claim.Purpose, func(ctx context.Context, t pgx.Tx, g grant) (err error) {
		if claim.Deployment != "" {
			if err := bind(&tx{Tx: t, ctx: ctx, l: l.base, deployment: deployment}, claim.Deployment); err != nil {
				return err
			}
		}
		if k.writes, err = l.db.raiseFence(ctx, t, g); err != nil {
			return err
		}
		return t.QueryRow(ctx, l.db.sql("SELECT behind FROM @deployments WHERE id = $1"), deployment).Scan(&behind)
	})
	if err != nil {
		return nil, err
	}
	l.forget()
	if !l.hold(k) {
		return nil, errors.Join(ledger.ErrClosed, k.Lease.Release())
	}
	if behind {
		l.db.log.Warn("the ledger is older than what was done, because PostgreSQL has lost commits: it is made safe first", "deployment", l.name)
		if err := k.setBack(k.ctx); err != nil {
			return nil, errors.Join(err, k.Release())
		}
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
	b.topics.forget()
	b.syncs.forget()
}

// bind ties the deployment to its Owlat on first use.
func bind(t *tx, deployment string) error {
	var bound text
	err := t.Row("UPDATE @deployments SET bound = coalesce(bound, $2) WHERE id = $1 RETURNING bound", []any{t.deployment, deployment}, &bound)
	if err == nil && string(bound) != deployment {
		err = &ledger.DeploymentError{Bound: string(bound), Configured: deployment}
	}
	return err
}

// frozenAfter is how long a write of an earlier holder may keep the fence from the next.
const frozenAfter = 300 * time.Millisecond

// raiseFence gives the fence to a new lock, and ends the connections of an earlier holder that froze while it wrote.
func (d *Database) raiseFence(ctx context.Context, t pgx.Tx, g grant) (writes int64, err error) {
	var pid int64
	if err := t.QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&pid); err != nil {
		return 0, err
	}
	done := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-done:
				return
			case <-time.After(frozenAfter):
			}
			var n int
			_ = d.pool.QueryRow(ctx, "SELECT count(pg_terminate_backend(p)) FROM unnest(pg_blocking_pids($1::int)) AS p", pid).Scan(&n) // tried again if the lock is still not there
			if n > 0 {
				d.log.Warn("ended connections of an earlier holder of a lock, which froze while it wrote", "connections", n)
			}
		}
	}()
	err = t.QueryRow(ctx, d.sql(`INSERT INTO @fences AS f (deployment, epoch, holder, writes, last) VALUES ($1, $2, $3, 0, 0)
		ON CONFLICT (deployment) DO UPDATE SET epoch = excluded.epoch, holder = excluded.holder RETURNING writes`), g.deployment, g.epoch, g.holder).Scan(&writes)
	close(done)
	<-ended
	return writes, err
}

// Alive reports whether a run that is recorded as running goes on: its lock is held.
func (l locker) Alive(ctx context.Context, run ledger.Run) (alive bool, err error) {
	err = l.row(ctx, "SELECT EXISTS (SELECT 1 FROM @leases WHERE deployment = $1 AND kind = 'run' AND epoch = $2 AND expires > clock_timestamp())", []any{run.Epoch}, &alive)
	if err != nil {
		return false, fmt.Errorf("see who holds the ledger: %w", explain(ctx, err))
	}
	return alive, nil
}

// lock implements ledger.Lock.
type lock struct {
	*Lease
	*base
	turn   chan struct{} // full while something is written under the lock
	writes int64         // how often was written under it, as far as is known; only for who has the turn
	rows   rows          // only for who has the turn
	queue  queue
}

// Release implements ledger.Lock.
func (k *lock) Release() error {
	k.mu.Lock()
	delete(k.held, k)
	k.mu.Unlock()
	return k.Lease.Release()
}

// usable returns why the lock is known to be of no use, without a look at the ledger. One that could not be renewed may still be written
// under, as long as nobody has taken it over: what happened can then be recorded.
func (k *lock) usable() error {
	switch {
	case k.isClosed():
		return ledger.ErrClosed
	case k.released.Load():
		return errReleased
	}
	if why := k.whyLost(); why != nil && !errors.Is(why, errNotRenewed) {
		return why
	}
	return nil
}

// update runs fn in one transaction, unless the lock is lost.
func (k *lock) update(ctx context.Context, doing string, d durability, fn func(*tx) error) error {
	if err := k.transact(ctx, d, fn); err != nil {
		return fmt.Errorf("%s: %w", doing, explain(ctx, err))
	}
	return nil
}

func (k *lock) transact(ctx context.Context, d durability, fn func(*tx) error) error {
	if err := k.usable(); err != nil {
		return err
	}
	if err := k.takeTurn(ctx); err != nil {
		return err
	}
	defer k.leaveTurn()
	return k.fenced(ctx, func(number int64) error { return k.within(ctx, d, number, fn) })
}

// within runs fn in one transaction that first passes the fence.
func (k *lock) within(ctx context.Context, d durability, number int64, fn func(*tx) error) error {
	return k.db.transact(ctx, d, func(raw pgx.Tx, ctx context.Context) error {
		t := &tx{Tx: raw, ctx: ctx, l: k.base, deployment: k.deployment}
		if err := t.Exec(passFence, k.deployment, k.epoch, k.holder, k.writes, number); err != nil {
			return err
		}
		return fn(t)
	})
}

// passFence is the first statement of every write under a lock.
const passFence = "SELECT @fence($1, $2, $3, $4, $5)"

func (k *lock) takeTurn(ctx context.Context) error {
	select {
	case k.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-k.done:
		return ledger.ErrClosed
	}
}

func (k *lock) leaveTurn() { <-k.turn }
