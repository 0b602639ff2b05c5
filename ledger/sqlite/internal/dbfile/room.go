package dbfile

import (
	"context"
	"errors"
	"fmt"

	"owlatsync/ledger"
)

const (
	// incremental is SQLite's number for a file that gives free pages back when it is told to.
	incremental = 2
	// freeKept is how many free pages stay in the file for what comes next: 1 MiB.
	freeKept = 256
	// freeBatch is how many pages one transaction gives back, so that the write-ahead log stays small.
	freeBatch = 2048
)

// GiveBack gives free pages back to the disk, but for a few. Others may write between its transactions.
func GiveBack(ctx context.Context, f *File) error {
	for {
		more, err := giveBack(ctx, f)
		if err != nil || !more {
			return err
		}
	}
}

func giveBack(ctx context.Context, f *File) (more bool, err error) {
	if err := f.TakeWriter(ctx); err != nil {
		return false, err
	}
	defer f.LeaveWriter()
	ctx = context.WithoutCancel(ctx)
	if err := f.Writer.connect(ctx); err != nil {
		return false, err
	}
	var free, mode int
	if err := f.Writer.conn.QueryRowContext(ctx, "PRAGMA freelist_count").Scan(&free); err != nil || free <= freeKept {
		return false, err
	}
	if err := f.Writer.conn.QueryRowContext(ctx, "PRAGMA auto_vacuum").Scan(&mode); err != nil || mode != incremental {
		return false, err
	}
	// SQLite gives a page back with each row that is read of the result.
	rows, err := f.Writer.conn.QueryContext(ctx, fmt.Sprintf("PRAGMA incremental_vacuum(%d)", min(freeBatch, free-freeKept)))
	if err != nil {
		return false, err
	}
	for rows.Next() {
	}
	return free-freeKept > freeBatch, errors.Join(rows.Err(), rows.Close())
}

// shrinkable makes a ledger of an earlier version one that gives free pages back. It rewrites the file, which takes about as much room
// for a time. If a run holds the ledger, or there is no room, the ledger stays as it is, and the next opening tries again.
func shrinkable(ctx context.Context, f *File) error {
	var mode int
	if err := f.Writer.db.QueryRowContext(ctx, "PRAGMA auto_vacuum").Scan(&mode); err != nil || mode == incremental {
		return err
	}
	lock, err := f.TakeLock(ctx, "rewriting the ledger", false)
	if errors.Is(err, ledger.ErrLocked) {
		return nil
	} else if err != nil {
		return err
	}
	err = f.Scour(ctx)
	if code := PrimaryCode(err); code == codeFull || code == CodeIO || code == codeBusy || code == CodeCantOpen {
		err = nil
	}
	return errors.Join(err, lock.Release())
}
