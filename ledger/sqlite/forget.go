package sqlite

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"owlatsync"
)

// forgetSecret is the name in meta of the secret under which the addresses of forgotten persons are hashed, in hexadecimal.
const forgetSecret = "forget secret"

// Forgotten tells which of the normalised addresses ForgetPerson was asked to forget or found together with one that it was;
// the others are left out.
func (l *Ledger) Forgotten(ctx context.Context, addresses []string) (map[string]bool, error) {
	forgotten := make(map[string]bool)
	if err := l.forgotten(ctx, addresses, forgotten); err != nil {
		return nil, fmt.Errorf("look up who was forgotten in the ledger: %w", explain(ctx, err))
	}
	return forgotten, nil
}

func (l *Ledger) forgotten(ctx context.Context, addresses []string, forgotten map[string]bool) error {
	if len(addresses) == 0 {
		return nil
	}
	secret, err := l.forgetSecret(ctx)
	if secret == nil || err != nil {
		return err
	}
	for chunk := range slices.Chunk(addresses, maxParameters) {
		byHash := make(map[string]string, len(chunk))
		hashes := make([]any, len(chunk))
		for i, address := range chunk {
			hash := hashAddress(secret, address)
			byHash[string(hash)], hashes[i] = address, hash
		}
		err := l.query(ctx, "SELECT hash FROM forgotten WHERE hash IN ("+places(len(chunk))+")", hashes, func(rows *sql.Rows) error {
			var hash []byte
			err := rows.Scan(&hash)
			forgotten[byHash[string(hash)]] = true
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// forgetSecret returns the secret, nil where nobody ever was forgotten.
func (l *Ledger) forgetSecret(ctx context.Context) ([]byte, error) {
	var text string
	err := l.readers.QueryRowContext(ctx, "SELECT value FROM meta WHERE name = ?1", forgetSecret).Scan(&text)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return decodeSecret(text)
}

func hashAddress(secret []byte, address string) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(address))
	return mac.Sum(nil)
}

// hashContact returns the name under which the opt-outs of a forgotten person's contact are kept.
func hashContact(secret []byte, id string) string {
	return "forgotten " + hex.EncodeToString(hashAddress(secret, "contact "+id))
}

func decodeSecret(text string) ([]byte, error) {
	secret, err := hex.DecodeString(text)
	if err != nil || len(secret) != sha256.Size {
		return nil, fmt.Errorf("%w (the secret for forgotten addresses cannot be read)", ErrCorrupt)
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
func (l *Ledger) ForgetPerson(ctx context.Context, address string) (rows int, err error) {
	address = owlatsync.LowerAddress(owlatsync.Trim(address))
	if !strings.Contains(address, "@") {
		return 0, errors.New("forget a person in the ledger: what was given is no address")
	}
	release, err := l.Acquire(ctx, "forgetting a person")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, release()) }()
	const doing = "forget a person in the ledger"
	err = l.update(ctx, doing, durable, func(t *tx) error {
		p, err := t.findPerson(address)
		if err != nil {
			return err
		}
		rows = len(p.rows)
		return t.erase(p)
	})
	if err != nil {
		return 0, err
	}
	if err := l.scour(ctx); err != nil {
		return rows, fmt.Errorf("%s: its file could not be written anew, call it again: %w", doing, explain(context.WithoutCancel(ctx), err))
	}
	return rows, nil
}

// scour writes the file anew, without what was deleted from it, and empties the log of changes.
func (l *Ledger) scour(ctx context.Context) error {
	if err := l.takeWriter(ctx); err != nil {
		return err
	}
	defer l.leaveWriter()
	return l.writer.scour(context.WithoutCancel(ctx))
}

func (w *writer) scour(ctx context.Context) (err error) {
	if err := w.connect(ctx); err != nil {
		return err
	}
	defer w.drop() // and with it the settings
	// The copy goes to a temporary file, or to memory where none can be made.
	for _, store := range []string{"FILE", "MEMORY"} {
		if _, err := w.conn.ExecContext(ctx, "PRAGMA temp_store = "+store); err != nil {
			return err
		}
		if _, err = w.conn.ExecContext(ctx, "VACUUM"); primaryCode(err) != codeIO && primaryCode(err) != codeCantOpen {
			break
		}
	}
	if err != nil {
		return err
	}
	var busy, frames, moved int
	if err := w.conn.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &frames, &moved); err != nil {
		return err
	}
	if busy != 0 {
		return ErrBusy
	}
	return nil
}
