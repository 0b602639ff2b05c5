package postgres

import (
	"context"
	"errors"

	"owlatsync/ledger"
	"owlatsync/ledger/postgres/internal/load"
	"owlatsync/ledger/postgres/internal/server"
)

// Load calls write to put a snapshot into the empty ledger, all or nothing. It takes the lock as a run does, and fails with a
// *ledger.LockedError while another holds it. The error of a line that contradicts one before it may come only at the end. Load calls write
// once.
func (a archive) Load(ctx context.Context, deployment string, write func(ledger.Loader) error) (err error) {
	k, err := a.locker.acquire(ctx, ledger.Claim{Purpose: "import into the ledger"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, k.Release()) }()
	written := false
	return k.transact(ctx, server.Durable, func(t *tx) error {
		if written { // what write reads from may have come to its end
			return errors.New("the connection to PostgreSQL broke while the ledger was imported, and nothing was: try again")
		}
		written = true
		// What is imported may come slowly.
		if err := t.Exec("SET LOCAL idle_in_transaction_session_timeout = 0"); err != nil {
			return err
		}
		if err := t.mustBeEmpty(deployment); err != nil {
			return err
		}
		if deployment != "" {
			if err := bind(t, deployment); err != nil {
				return err
			}
		}
		l := load.New(t, t.l.db.Schema, t.l.Now())
		if err := write(l); err != nil {
			return err
		}
		return server.Explain(ctx, l.End())
	})
}

// mustBeEmpty returns ErrNotEmpty if the ledger holds anything but a tie to the same deployment.
func (t *tx) mustBeEmpty(deployment string) error {
	var used bool
	err := t.Row(`SELECT EXISTS (SELECT 1 FROM @syncs WHERE deployment = $1) OR EXISTS (SELECT 1 FROM @opt_outs WHERE deployment = $1)
		OR EXISTS (SELECT 1 FROM @forgotten WHERE deployment = $1) OR EXISTS (SELECT 1 FROM @feedback WHERE deployment = $1)
		OR EXISTS (SELECT 1 FROM @suppressions WHERE deployment = $1) OR EXISTS (SELECT 1 FROM @audit WHERE deployment = $1)
		OR EXISTS (SELECT 1 FROM @deployments WHERE id = $1 AND (forget_secret IS NOT NULL OR heard IS NOT NULL OR bound <> $2))`,
		[]any{t.deployment, deployment}, &used)
	if err == nil && used {
		err = ledger.ErrNotEmpty
	}
	return err
}
