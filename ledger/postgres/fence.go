package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"

	"owlatsync/ledger"
	"owlatsync/ledger/postgres/internal/lease"
	"owlatsync/ledger/postgres/internal/server"
)

const (
	// patience is how long a write under a lock is tried while the server cannot be reached.
	patience = 10 * time.Second
	// again is the time between two tries.
	again = 50 * time.Millisecond
	// lookTimeout is how long the answer to a question may take.
	lookTimeout = 2 * time.Second
)

var (
	errUnknown = errors.New("the connection broke while the ledger was written, and it is not known whether it was")
	errBehind  = fmt.Errorf("%w (PostgreSQL has lost what it had acknowledged, so the ledger is older than what was done: the next run makes it safe first)", ledger.ErrLockLost)
)

// fence is what lets writes under a lock pass: one after the other, and only while no later lock was given out.
type fence struct {
	*lease.Lease
	*base
	turn   chan struct{} // full while something is written under the lock
	writes int64         // how often was written under it, as far as is known; only for who has the turn
}

// usable returns why the lock is known to be of no use, without a look at the ledger. One that could not be renewed may still be written
// under, as long as nobody has taken it over: what happened can then be recorded.
func (k *fence) usable() error {
	switch {
	case k.isClosed():
		return ledger.ErrClosed
	case k.Released():
		return lease.ErrReleased
	}
	if why := k.WhyLost(); why != nil && !errors.Is(why, lease.ErrNotRenewed) {
		return why
	}
	return nil
}

// update runs fn in one transaction, unless the lock is lost.
func (k *fence) update(ctx context.Context, doing string, d server.Durability, fn func(*tx) error) error {
	if err := k.transact(ctx, d, fn); err != nil {
		return fmt.Errorf("%s: %w", doing, server.Explain(ctx, err))
	}
	return nil
}

func (k *fence) transact(ctx context.Context, d server.Durability, fn func(*tx) error) error {
	if err := k.usable(); err != nil {
		return err
	}
	if err := k.takeTurn(ctx); err != nil {
		return err
	}
	defer k.leaveTurn()
	return k.fenced(ctx, d, func(number int64) error { return k.within(ctx, d, number, fn) })
}

// within runs fn in one transaction that first passes the fence.
func (k *fence) within(ctx context.Context, d server.Durability, number int64, fn func(*tx) error) error {
	return k.db.Transact(ctx, d, func(raw pgx.Tx, ctx context.Context) error {
		t := &tx{Tx: raw, ctx: ctx, l: k.base, deployment: k.Deployment}
		var err error
		if d == server.Lazy {
			err = t.Exec(passOnly, k.Deployment, k.Number, k.Holder, k.writes)
		} else {
			err = t.Exec(passFence, k.Deployment, k.Number, k.Holder, k.writes, number)
		}
		if err != nil {
			return err
		}
		return fn(t)
	})
}

const (
	// passFence is the first statement of every durable write under a lock.
	passFence = "SELECT @fence($1, $2, $3, $4, $5)"
	// passOnly is that of a write that a crash of the server may lose: it does not count, so that its loss is none.
	passOnly = "SELECT @passes($1, $2, $3, $4)"
)

func (k *fence) takeTurn(ctx context.Context) error {
	select {
	case k.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-k.done:
		return ledger.ErrClosed
	}
}

func (k *fence) leaveTurn() { <-k.turn }

// fenced makes a write that is one transaction and first passes the fence with the number it gets, and counts it. It finds out whether the
// write was made if its commit was not answered, and makes it again if it was not. One that need not be durable does not count, and may be made
// twice. The caller has the turn.
func (k *fence) fenced(ctx context.Context, d server.Durability, write func(number int64) error) error {
	for until := lease.Steady() + patience; ; {
		number := rand.Int64()
		err := write(number)
		_, unanswered := errors.AsType[*server.UnansweredError](err)
		switch state := server.StateOf(err); {
		case err == nil:
			if d == server.Durable {
				k.writes++
			}
			return nil
		case state == server.StateLost:
			k.Lose(lease.ErrTaken)
			return lease.ErrTaken
		case state == server.StateBehind:
			return k.behind(ctx)
		case state == server.StateAhead: // a look that was given up has come late
			if _, err := k.look(ctx, number); err != nil {
				return err
			}
			continue
		case unanswered && d == server.Lazy:
		case unanswered:
			made, lookErr := k.lookUntil(ctx, until, number)
			if made || errors.Is(lookErr, ledger.ErrLockLost) {
				return lookErr
			}
			if lookErr != nil {
				return fmt.Errorf("%w (%w)", errUnknown, err)
			}
		case !server.IsAway(err):
			return err
		}
		if ctx.Err() != nil || lease.Steady() > until || k.isClosed() {
			return err
		}
		rest(ctx)
	}
}

// rest waits a little.
func rest(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(again):
	}
}

// lookUntil looks, as often as it takes, whether a write was made.
func (k *fence) lookUntil(ctx context.Context, until time.Duration, number int64) (made bool, err error) {
	for {
		made, err = k.look(ctx, number)
		if err == nil || errors.Is(err, ledger.ErrLockLost) || lease.Steady() > until || k.isClosed() {
			return made, err
		}
		rest(context.WithoutCancel(ctx))
	}
}

// look finds out whether the latest write under the lock was the one with the number. From then on a write that is still on its way fails.
func (k *fence) look(ctx context.Context, number int64) (made bool, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookTimeout)
	defer cancel()
	var writes, last int64
	err = k.db.Pool.QueryRow(ctx, k.db.SQL(`UPDATE @fences SET writes = writes + 1 WHERE deployment = $1 AND epoch = $2 AND holder = $3 RETURNING writes, last`),
		k.Deployment, k.Number, k.Holder).Scan(&writes, &last)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		var later bool
		err = k.db.Pool.QueryRow(ctx, k.db.SQL("SELECT epoch > $2 FROM @fences WHERE deployment = $1"), k.Deployment, k.Number).Scan(&later)
		switch {
		case errors.Is(err, pgx.ErrNoRows), err == nil && !later:
			return false, k.behind(ctx)
		case err != nil:
			return false, err
		}
		k.Lose(lease.ErrTaken)
		return false, lease.ErrTaken
	case err != nil:
		return false, err
	case writes <= k.writes:
		return false, k.behind(ctx)
	}
	k.writes = writes
	return last == number, nil
}

// behind notes that the server has lost what it had acknowledged under this lock. Whoever holds the lock now has built on that and loses
// it too; who takes it next makes the entries safe.
func (k *fence) behind(ctx context.Context) error {
	k.Lose(errBehind)
	ctx = context.WithoutCancel(ctx)
	for until := lease.Steady() + patience; ; rest(ctx) {
		err := k.db.Transact(ctx, server.Durable, func(raw pgx.Tx, ctx context.Context) error {
			t := &tx{Tx: raw, ctx: ctx, l: k.base, deployment: k.Deployment}
			if err := t.Exec("INSERT INTO @deployments (name, behind) VALUES ($1, true) ON CONFLICT (name) DO UPDATE SET behind = true", k.name); err != nil {
				return err
			}
			var least int64
			err := t.Row(`UPDATE @leases SET least = greatest(epoch, least, $2) + 1, expires = '-infinity' WHERE deployment = $1 AND kind = 'run' RETURNING least`,
				[]any{k.Deployment, k.Number}, &least)
			if errors.Is(err, pgx.ErrNoRows) {
				return nil // the lock has gone too
			}
			if err != nil {
				return err
			}
			return t.Exec("UPDATE @fences SET epoch = $2, holder = 0 WHERE deployment = $1", k.Deployment, least)
		})
		if err == nil {
			return errBehind
		}
		if lease.Steady() > until || k.isClosed() {
			return fmt.Errorf("%w; it could not be noted: run \"owlat-sync ledger set-back\" (%w)", errBehind, err)
		}
	}
}
