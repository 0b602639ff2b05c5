package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/ledger/postgres/internal/erase"
	"owlatsync/ledger/postgres/internal/server"
)

// ForgetPerson erases what the ledger holds about the person with the address, in all syncs of the deployment, and returns the number of
// entries. It erases the entries with the address, present or first, or with the address in their key, the entries for the same
// contacts, and their history, failures and planned steps, and what Owlat told about the person. A held plan that loses a step can no longer
// be approved. It removes the address from texts about other rows. It keeps a keyed hash of each address of those entries for Forgotten,
// and the topics that the person left under a keyed hash of the contact for OptOuts, and likewise suppressions. It keeps the hashes of
// what Owlat told, so that a repetition changes nothing.
//
// ForgetPerson takes the lock as a run does, and fails with a *ledger.LockedError while another holds it. From then on no query finds the
// person, and runs may go on. Then it has the server vacuum the tables, so that no version of a row with the person is left in them either, as far as no
// transaction goes on that could still see it; a user who does not own the tables leaves that to the server's own vacuum. The free space of
// pages keeps the bytes until the server uses it: only VACUUM FULL, which locks the tables of all deployments, writes them anew. It does
// not reach the server's write-ahead log, standbys that lag, backups and exports. It sends nothing to Owlat, whose contact stays. If a row
// is still in the source, the next run records it again.
func (a archive) ForgetPerson(ctx context.Context, address string) (rows int, err error) {
	address = owlatsync.LowerAddress(owlatsync.Trim(address))
	if !strings.Contains(address, "@") {
		return 0, errors.New("forget a person in the ledger: what was given is no address")
	}
	if rows, err = a.forget(ctx, address); err != nil {
		return 0, err
	}
	if err := a.vacuum(ctx); err != nil { // which may take long, so runs may go on
		return rows, fmt.Errorf("%s: what was deleted may still be in its tables, unseen, until the server vacuums them: %w", forgetting, server.Explain(ctx, err))
	}
	return rows, nil
}

const forgetting = "forget a person in the ledger"

// forget erases a person from what queries find.
func (a archive) forget(ctx context.Context, address string) (rows int, err error) {
	k, err := a.locker.acquire(ctx, ledger.Claim{Purpose: "forgetting a person"})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, k.Release()) }()
	err = k.update(ctx, forgetting, server.Durable, func(t *tx) error {
		x, err := erase.Find(t, address)
		if err != nil {
			return err
		}
		secret, err := t.ensureForgetSecret()
		if err != nil {
			return err
		}
		// Old addresses of the page's persons stand in the logs of proxies: without its secret nobody opens them any more.
		if _, err := t.Affect("DELETE FROM @secrets WHERE name = 'page'"); err != nil {
			return err
		}
		rows = len(x.Rows)
		return x.Erase(secret)
	})
	return rows, err
}

// vacuum has the server remove what was deleted from the tables that name persons.
func (a archive) vacuum(ctx context.Context) error {
	const tables = "@entries, @history, @plan, @runs, @bookmarks, @opt_outs, @feedback, @suppressions, @known, @deliveries, @audit, @secrets"
	_, err := a.db.Pool.Exec(server.Unhurried(ctx), a.db.SQL("VACUUM (SKIP_LOCKED, INDEX_CLEANUP ON, TRUNCATE OFF) "+tables))
	return err
}

// ensureForgetSecret returns the deployment's secret, and makes it on first use.
func (t *tx) ensureForgetSecret() (secret []byte, err error) {
	fresh := make([]byte, ledger.HashSize)
	if _, err := rand.Read(fresh); err != nil {
		return nil, err
	}
	err = t.Row("UPDATE @deployments SET forget_secret = coalesce(forget_secret, $2) WHERE id = $1 RETURNING forget_secret", []any{t.deployment, fresh}, &secret)
	return secret, err
}
