package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"owlatsync/ledger"
)

// Ledger is a ledger in one SQLite file. Its methods are safe for concurrent use; several processes may have the same file
// open, and Acquire keeps their runs apart. It starts no goroutine of its own.
type Ledger struct {
	*base
	entryReader
	syncReader
	journal
	inbox
	archive
	locker
}

var _ ledger.Store = (*Ledger)(nil)

// Open opens the ledger in the file at path with the database/sql driver registered under that name, such as "sqlite"
// of modernc.org/sqlite. A missing file is created, readable by its owner only; a ledger of an older version is migrated.
// The error matches one of the sentinels of package ledger where a person can do something about it, or ledger.ErrLocked when
// the ledger must be migrated while a run holds it. Nothing is written to a file that is no ledger.
func Open(ctx context.Context, driver, path string) (*Ledger, error) {
	return openWith(ctx, driver, path, migrations)
}

func openWith(ctx context.Context, driver, path string, schema fs.FS) (*Ledger, error) {
	b := &base{path: path, write: make(chan struct{}, 1), closed: make(chan struct{})}
	l := &Ledger{
		base: b, entryReader: entryReader{base: b, many: new(manyStatement)}, syncReader: syncReader{b}, journal: journal{b}, inbox: inbox{b},
		locker: locker{base: b, locks: new(heldLocks)},
	}
	l.archive = archive{base: b, locker: l.locker}
	if err := l.open(ctx, driver, schema); err != nil {
		return nil, fmt.Errorf("open ledger %s: %w", path, errors.Join(explain(ctx, err), l.Close()))
	}
	return l, nil
}

func (l *Ledger) open(ctx context.Context, driver string, schema fs.FS) error {
	var err error
	if l.file, err = locate(l.path); err != nil {
		return err
	}
	writing, err := newConnector(driver, l.file, writerPragmas)
	if err != nil {
		return err
	}
	if err := create(l.file); err != nil {
		return err
	}
	l.writer = newWriter(writing)
	if err := l.prepare(ctx, schema); err != nil {
		return err
	}
	l.openReaders(writing)
	return nil
}

// locate returns the absolute path of the ledger, be the file there or not.
func locate(path string) (string, error) {
	if path == "" {
		return "", errors.New("no file is named: give the ledger a path")
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(abs)
	switch {
	case err == nil && !info.Mode().IsRegular():
		return "", fmt.Errorf("%w (not a regular file)", ledger.ErrNotLedger)
	case err == nil:
		return filepath.EvalSymlinks(abs)
	case !errors.Is(err, fs.ErrNotExist):
		return "", err
	}
	folder, err := filepath.EvalSymlinks(filepath.Dir(abs))
	if errors.Is(err, fs.ErrNotExist) {
		return "", ledger.ErrNoFolder
	} else if err != nil {
		return "", err
	}
	return filepath.Join(folder, filepath.Base(abs)), nil
}

// create makes the empty file itself, because SQLite would let others read the personal data that goes into it.
func create(file string) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil
	case err != nil:
		return err
	}
	return f.Close()
}

// Path returns the path with which the ledger was opened.
func (l *Ledger) Path() string { return l.path }

// Close waits for the writes under way, refuses those still waiting with ledger.ErrClosed, gives back the lock if it is held and
// closes the file. Streams must have ended. Further calls do nothing.
func (l *Ledger) Close() error {
	var err error
	l.close.Do(func() {
		close(l.closed)
		l.write <- struct{}{}
		err = errors.Join(l.many.close(), l.closeConnections(), l.locks.releaseAll())
	})
	if err != nil {
		return fmt.Errorf("close ledger: %w", err)
	}
	return nil
}
