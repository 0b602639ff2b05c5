package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"owlatsync/ledger"
	"owlatsync/ledger/sqlite/internal/dbfile"
)

// Ledger is a ledger in one SQLite file. Its methods are safe for concurrent use. Several processes may open the same file; Acquire
// keeps their runs apart. Only a lock that is held has a goroutine.
type Ledger struct {
	*base
	entryReader
	syncReader
	journal
	runQueue
	inbox
	mailbox
	outbox
	auditor
	archive
	locker
}

var _ ledger.Store = (*Ledger)(nil)

// Open opens the ledger in the file at path with the database/sql driver of that name, such as "sqlite" of modernc.org/sqlite. It
// creates a missing file, readable by its owner only, and migrates a ledger of an older version. The error matches a sentinel of
// package ledger if a person can do something about it, or ledger.ErrLocked if the ledger must be migrated while a run holds it.
// Open writes nothing to a file that is no ledger. If the ledger is older than what was done with it, as a file beside it tells whose
// name ends in ".age", Open makes its entries safe (see ledger.SetBack) and notes it in each sync. It does so too if that file is
// missing.
func Open(ctx context.Context, driver, path string) (*Ledger, error) {
	l, err := openWith(ctx, driver, path, migrations)
	if err != nil {
		return nil, err
	}
	if err := l.mind(ctx); err != nil {
		return nil, fmt.Errorf("open ledger %s: %w", path, errors.Join(dbfile.Explain(ctx, err), l.Close()))
	}
	return l, nil
}

// OpenReadable is Open for who only wants to read: it also opens a ledger that cannot be written, because its file system is full or
// read-only, or its file is. Then whatever writes fails as it would, and Unwritable says why. Where such a ledger cannot be read in its
// place (a killed run has left a log), is of an older version, or is older than what was done, OpenReadable reads a copy in the folder
// for temporary files, which Close removes.
func OpenReadable(ctx context.Context, driver, path string) (*Ledger, error) {
	l, why := Open(ctx, driver, path)
	if why == nil || !dbfile.IsUnwritable(why) {
		return l, why
	}
	l, err := ledgerOf(driver, path, func() (*dbfile.File, error) { return dbfile.OpenUnwritable(ctx, driver, path, migrations, why) })
	if err == nil {
		if older, ageErr := l.older(ctx); older == "" && ageErr == nil {
			return l, nil
		}
		err = l.Close()
	}
	if errors.Is(err, ledger.ErrMixed) || errors.Is(err, ledger.ErrNotLedger) || errors.Is(err, ledger.ErrCorrupt) {
		return nil, err
	}
	copied, err := dbfile.CopyAside(ctx, driver, path, func(file string) error {
		c, err := Open(ctx, driver, file) // brings it up to date, and makes its entries safe
		if err == nil {
			err = c.Close()
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%w; %w", why, err)
	}
	return ledgerOf(driver, path, func() (*dbfile.File, error) { return dbfile.OpenCopied(ctx, driver, path, migrations, why, copied) })
}

// Unwritable returns why the ledger cannot be written, nil if it could be when it was opened.
func (l *Ledger) Unwritable() error { return l.f.Unwritable() }

func openWith(ctx context.Context, driver, path string, schema fs.FS) (*Ledger, error) {
	return ledgerOf(driver, path, func() (*dbfile.File, error) { return dbfile.Open(ctx, driver, path, schema) })
}

func ledgerOf(driver, path string, open func() (*dbfile.File, error)) (*Ledger, error) {
	f, err := open()
	b := &base{f: f, driver: driver}
	l := &Ledger{
		base: b, entryReader: entryReader{base: b, many: new(manyStatement)}, syncReader: syncReader{b}, journal: journal{b}, runQueue: runQueue{b},
		inbox: inbox{b}, mailbox: mailbox{b}, outbox: outbox{b}, auditor: auditor{b},
		locker: locker{base: b, locks: new(heldLocks)},
	}
	l.archive = archive{base: b, locker: l.locker}
	if err != nil {
		return nil, fmt.Errorf("open ledger %s: %w", path, errors.Join(err, l.Close()))
	}
	return l, nil
}

// Path returns the path given to Open.
func (l *Ledger) Path() string { return l.f.Path() }

// Close waits for running writes, refuses waiting ones with ledger.ErrClosed, releases the lock if it is held, and closes the file.
// All streams must have ended. Further calls do nothing.
func (l *Ledger) Close() error {
	if err := l.f.Close(func() error { return errors.Join(l.many.close(), l.locks.releaseAll()) }); err != nil {
		return fmt.Errorf("close ledger: %w", err)
	}
	return nil
}
