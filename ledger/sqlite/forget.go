package sqlite

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/ledger/sqlite/internal/dbfile"
	"owlatsync/ledger/sqlite/internal/erase"
)

// forgetSecret is the name in meta of the secret, in hexadecimal, under which addresses of forgotten persons are hashed.
const forgetSecret = "forget secret"

func decodeSecret(text string) ([]byte, error) {
	secret, err := hex.DecodeString(text)
	if err != nil || len(secret) != ledger.HashSize {
		return nil, fmt.Errorf("%w (the secret for forgotten addresses cannot be read)", ledger.ErrCorrupt)
	}
	return secret, nil
}

// ForgetPerson erases what the ledger's files hold about the person with the address, in all syncs, and returns the number of
// entries. It erases the entries with the address, present or first, or with the address in their key, the entries for the same
// contacts, and their history, failures and planned steps, and what Owlat told about the person. A held plan that loses a step can no longer be approved. It removes the
// address from texts about other rows. It keeps a keyed hash of each address of those entries for Forgotten, and the topics that
// the person left under a keyed hash of the contact for OptOuts, and likewise suppressions. It keeps the hashes of what Owlat told,
// so that a repetition changes nothing.
//
// ForgetPerson takes the lock as a run does, and fails with a *ledger.LockedError while another holds it. It rewrites the file,
// which takes longer than a copy and up to twice its space for a time. After an error or a kill the person may be gone from the
// tables but still be in the file: call it again. It sends nothing to Owlat, whose contact stays, and does not reach backups and
// exports. If a row is still in the source, the next run records it again.
func (a archive) ForgetPerson(ctx context.Context, address string) (rows int, err error) {
	address = owlatsync.LowerAddress(owlatsync.Trim(address))
	if !strings.Contains(address, "@") {
		return 0, errors.New("forget a person in the ledger: what was given is no address")
	}
	k, err := a.locker.acquire(ctx, ledger.Claim{Purpose: "forgetting a person"})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, k.Release()) }()
	const doing = "forget a person in the ledger"
	err = k.update(ctx, doing, dbfile.Durable, func(t *tx) error {
		e, err := erase.Find(t.Tx, &t.packs, address)
		if err != nil {
			return err
		}
		secret, err := ensureForgetSecret(t)
		if err != nil {
			return err
		}
		rows = len(e.Rows)
		t.acts, t.closes = true, true
		return e.Erase(secret)
	})
	if err != nil {
		return 0, err
	}
	if err := a.f.Scour(ctx); err != nil {
		return rows, fmt.Errorf("%s: its file could not be written anew, call it again: %w", doing, dbfile.Explain(context.WithoutCancel(ctx), err))
	}
	return rows, nil
}

// ensureForgetSecret returns the ledger's secret, and makes it on first use.
func ensureForgetSecret(t *tx) ([]byte, error) {
	fresh := make([]byte, ledger.HashSize)
	if _, err := rand.Read(fresh); err != nil {
		return nil, err
	}
	err := t.Exec("INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT DO NOTHING", forgetSecret, hex.EncodeToString(fresh))
	if err != nil {
		return nil, err
	}
	var text string
	if err := t.Row("SELECT value FROM meta WHERE name = ?1", []any{forgetSecret}, &text); err != nil {
		return nil, err
	}
	return decodeSecret(text)
}
