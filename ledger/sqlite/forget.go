package sqlite

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/ledger/sqlite/internal/dbfile"
)

// forgetSecret is the name in meta of the secret under which the addresses of forgotten persons are hashed, in hexadecimal.
const forgetSecret = "forget secret"

func decodeSecret(text string) ([]byte, error) {
	secret, err := hex.DecodeString(text)
	if err != nil || len(secret) != ledger.HashSize {
		return nil, fmt.Errorf("%w (the secret for forgotten addresses cannot be read)", ledger.ErrCorrupt)
	}
	return secret, nil
}

// ForgetPerson erases what the ledger's files hold of the person with the address and returns how many entries there were,
// in all syncs: the entries with the address, present or first, or with it in their key, those for the same contacts, and
// their history, failures and planned steps; a held plan that loses a step can no longer be approved. Where texts about other
// rows name the address, it is taken out. What remains is a keyed hash of each address of those entries, for Forgotten, and
// under a keyed hash of the contact the topics that the person left, for OptOuts.
//
// It takes the ledger as a run does and fails with a *ledger.LockedError while another holds it. The file is written anew,
// which takes longer than copying it, and temporarily up to twice its space. After an error or a kill the person may be gone
// from the tables and still be in the file: call it again. Nothing is sent to Owlat, whose contact stays, and backups and
// exports are not reached. A row that is still in the source is recorded anew by the next run.
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
		e, err := findPerson(t, address)
		if err != nil {
			return err
		}
		rows = len(e.rows)
		return e.erase()
	})
	if err != nil {
		return 0, err
	}
	if err := a.f.Scour(ctx); err != nil {
		return rows, fmt.Errorf("%s: its file could not be written anew, call it again: %w", doing, dbfile.Explain(context.WithoutCancel(ctx), err))
	}
	return rows, nil
}
