package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"

	"owlatsync/ledger"
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

// fenced makes a write that is one transaction and first passes the fence with the number it gets, and counts it. It finds out whether the
// write was made if its commit was not answered, and makes it again if it was not. The caller has the turn.
func (k *lock) fenced(ctx context.Context, write func(number int64) error) error {
	for until := steady() + patience; ; {
		number := rand.Int64()
		err := write(number)
		_, unanswered := errors.AsType[*unansweredError](err)
		switch state := stateOf(err); {
		case err == nil:
			k.writes++
			return nil
		case state == stateLost:
			k.lose(errTaken)
			return errTaken
		case state == stateBehind:
			return k.behind(ctx)
		case state == stateAhead: // a look that was given up has come late
			if _, err := k.look(ctx, number); err != nil {
				return err
			}
			continue
		case unanswered:
			made, lookErr := k.lookUntil(ctx, until, number)
			if made || errors.Is(lookErr, ledger.ErrLockLost) {
				return lookErr
			}
			if lookErr != nil {
				return fmt.Errorf("%w (%w)", errUnknown, err)
			}
		case !isAway(err):
			return err
		}
		if ctx.Err() != nil || steady() > until || k.isClosed() {
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
func (k *lock) lookUntil(ctx context.Context, until time.Duration, number int64) (made bool, err error) {
	for {
		made, err = k.look(ctx, number)
		if err == nil || errors.Is(err, ledger.ErrLockLost) || steady() > until || k.isClosed() {
			return made, err
		}
		rest(context.WithoutCancel(ctx))
	}
}

// look finds out whether the latest write under the lock was the one with the number. From then on a write that is still on its way fails.
func (k *lock) look(ctx context.Context, number int64) (made bool, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookTimeout)
	defer cancel()
	var writes, last int64
	err = k.db.pool.QueryRow(ctx, k.db.sql(`UPDATE @fences SET writes = writes + 1 WHERE deployment = $1 AND epoch = $2 AND holder = $3 RETURNING writes, last`),
		k.deployment, k.epoch, k.holder).Scan(&writes, &last)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		var later bool
		err = k.db.pool.QueryRow(ctx, k.db.sql("SELECT epoch > $2 FROM @fences WHERE deployment = $1"), k.deployment, k.epoch).Scan(&later)
		switch {
		case errors.Is(err, pgx.ErrNoRows), err == nil && !later:
			return false, k.behind(ctx)
		case err != nil:
			return false, err
		}
		k.lose(errTaken)
		return false, errTaken
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
func (k *lock) behind(ctx context.Context) error {
	k.lose(errBehind)
	ctx = context.WithoutCancel(ctx)
	for until := steady() + patience; ; rest(ctx) {
		err := k.db.transact(ctx, durable, func(raw pgx.Tx, ctx context.Context) error {
			t := &tx{Tx: raw, ctx: ctx, l: k.base, deployment: k.deployment}
			if err := t.Exec("INSERT INTO @deployments (name, behind) VALUES ($1, true) ON CONFLICT (name) DO UPDATE SET behind = true", k.name); err != nil {
				return err
			}
			var least int64
			err := t.Row(`UPDATE @leases SET least = greatest(epoch, least, $2) + 1, expires = '-infinity' WHERE deployment = $1 AND kind = 'run' RETURNING least`,
				[]any{k.deployment, k.epoch}, &least)
			if errors.Is(err, pgx.ErrNoRows) {
				return nil // the lock has gone too
			}
			if err != nil {
				return err
			}
			return t.Exec("UPDATE @fences SET epoch = $2, holder = 0 WHERE deployment = $1", k.deployment, least)
		})
		if err == nil {
			return errBehind
		}
		if steady() > until || k.isClosed() {
			return fmt.Errorf("%w; it could not be noted: run \"owlat-sync ledger set-back\" (%w)", errBehind, err)
		}
	}
}
