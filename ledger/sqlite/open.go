package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"owlatsync/ledger"
)

// maxReaders bounds the connections that short reads share; streams have their own.
const maxReaders = 4

// SQLite is a ledger in one SQLite file. Its methods are safe for concurrent use; several processes may have the same file
// open, and Acquire keeps their runs apart. It starts no goroutine of its own.
type Ledger struct {
	path string // as given, for messages
	file string // absolute and without symbolic links, so that one file has one lock

	write   chan struct{} // holds one token while somebody uses writer
	writer  *writer
	readers *sql.DB
	streams *sql.DB // connections that a caller's loop body may keep for long
	manyMu  sync.Mutex
	many    *sql.Stmt // of readers
	queue   queue

	closed chan struct{}
	close  sync.Once
	locks  heldLocks
}

var (
	_ ledger.Store   = (*Ledger)(nil)
	_ ledger.Archive = (*Ledger)(nil)
)

// Open opens the ledger in the file at path with the database/sql driver registered under that name, such as "sqlite"
// of modernc.org/sqlite. A missing file is created, readable by its owner only; a ledger of an older version is migrated.
// The error matches one of this package's sentinels where a person can do something about it, or ledger.ErrLocked when
// the ledger must be migrated while a run holds it. Nothing is written to a file that is no ledger.
func Open(ctx context.Context, driver, path string) (*Ledger, error) {
	return openWith(ctx, driver, path, migrations)
}

func openWith(ctx context.Context, driver, path string, schema fs.FS) (*Ledger, error) {
	l := &Ledger{path: path, write: make(chan struct{}, 1), closed: make(chan struct{})}
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
	reading, streaming := *writing, *writing
	reading.pragmas, streaming.pragmas = readerPragmas, streamPragmas
	l.readers, l.streams = sql.OpenDB(&reading), sql.OpenDB(&streaming)
	l.readers.SetMaxOpenConns(maxReaders)
	l.readers.SetMaxIdleConns(maxReaders)
	l.streams.SetMaxIdleConns(1)
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
		return "", fmt.Errorf("%w (not a regular file)", ErrNotLedger)
	case err == nil:
		return filepath.EvalSymlinks(abs)
	case !errors.Is(err, fs.ErrNotExist):
		return "", err
	}
	folder, err := filepath.EvalSymlinks(filepath.Dir(abs))
	if errors.Is(err, fs.ErrNotExist) {
		return "", ErrNoFolder
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

// Close waits for the writes under way, refuses those still waiting with ErrClosed, gives back the lock if it is held and
// closes the file. Streams must have ended. Further calls do nothing.
func (l *Ledger) Close() error {
	var errs []error
	l.close.Do(func() {
		close(l.closed)
		l.write <- struct{}{}
		l.manyMu.Lock()
		if l.many != nil {
			errs = append(errs, l.many.Close())
		}
		l.manyMu.Unlock()
		for _, db := range []*sql.DB{l.readers, l.streams} {
			if db != nil {
				errs = append(errs, db.Close())
			}
		}
		if l.writer != nil {
			errs = append(errs, l.writer.close())
		}
		errs = append(errs, l.locks.releaseAll())
	})
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close ledger: %w", err)
	}
	return nil
}
