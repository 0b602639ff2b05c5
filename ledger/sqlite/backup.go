package sqlite

import (
	"context"
	"errors"
	"fmt"

	"owlatsync/ledger"
	"owlatsync/ledger/sqlite/internal/dbfile"
)

// Backup copies the ledger as of one instant to a new file, which only its owner may read. A run may be under way meanwhile. The copy
// is one file and a ledger of its own; Restore puts it back. If the file exists, the error matches fs.ErrExist. After an error there
// is no file.
func (l *Ledger) Backup(ctx context.Context, file string) error {
	if err := dbfile.Backup(ctx, l.driver, l.f.Name(), file); err != nil {
		return fmt.Errorf("back up the ledger: %w", err)
	}
	return nil
}

// Restore puts a copy of the ledger in the file from in the place of the ledger at path, which may be missing or damaged. From may be
// the file of a Backup, or any copy of a ledger's file that was made while nothing used it. Restore takes the lock as a run does, and
// fails with a *ledger.LockedError while another holds it. The ledger that was there and the log beside it stay under the name that
// Restore returns, empty if there was none. Then Open notices whether the copy is older than what was done.
//
// Whatever has the ledger open without its lock goes on with the one that was there: stop it before.
func Restore(ctx context.Context, driver, path, from string) (aside string, err error) {
	aside, err = dbfile.Restore(ctx, driver, path, from, migrations)
	if err != nil && !errors.Is(err, ledger.ErrLocked) {
		err = fmt.Errorf("restore the ledger from %s: %w", from, err)
	}
	return aside, err
}
