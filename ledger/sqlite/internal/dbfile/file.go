// Package dbfile is the SQLite file of a ledger: how it is found, created, migrated and locked, and its connections, one that
// writes and some that read. It does not know what the ledger's tables hold.
package dbfile

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"owlatsync/ledger"
	"owlatsync/ledger/sqlite/internal/age"
)

// maxReaders is the most connections for short reads; streams have their own.
const maxReaders = 4

// File is an open file. Its methods are safe for concurrent use.
type File struct {
	Writer  *Writer // only for the holder of the write token
	Readers *sql.DB
	Streams *sql.DB // a caller's loop may keep these connections for long

	before     age.Done // what had been done before the file was opened
	hadDone    bool     // before is known
	unwritable error    // why it cannot be written; nil: it can
	copied     *Copied  // the file is this copy of the ledger; nil: it is the ledger

	path   string        // as given, for messages
	name   string        // absolute and without symbolic links, so that one file has one lock
	lock   string        // the name of the ledger, whose lock counts; empty: the same
	opened os.FileInfo   // the file when it was opened
	write  chan struct{} // has one token while somebody uses Writer
	closed chan struct{}
	close  sync.Once
}

// Open opens the file at the path with the driver, creates it if it is missing, and brings it to the newest version of the schema.
// The caller must close the returned file even after an error.
func Open(ctx context.Context, driver, path string, schema fs.FS) (*File, error) {
	f := &File{path: path, write: make(chan struct{}, 1), closed: make(chan struct{})}
	err := f.open(ctx, driver, schema)
	return f, Explain(ctx, err)
}

func (f *File) open(ctx context.Context, driver string, schema fs.FS) error {
	var err error
	if f.name, err = locate(f.path); err != nil {
		return err
	}
	writing, err := newConnector(driver, f.name, WriterPragmas)
	if err != nil {
		return err
	}
	if err := create(f.name); err != nil {
		return err
	}
	if f.opened, err = os.Stat(f.name); err != nil {
		return err
	}
	if f.before, f.hadDone, err = age.Read(f.name); err != nil { // before the ledger, which may grow meanwhile
		return err
	}
	if err := unmixed(ctx, driver, f.name); err != nil {
		return err
	}
	f.Writer = newWriter(writing)
	if err := f.prepare(ctx, schema); err != nil {
		return err
	}
	f.connectReaders(writing)
	return nil
}

// connectReaders makes the connections that read.
func (f *File) connectReaders(writing *connector) {
	reading, streaming := *writing, *writing
	reading.pragmas, streaming.pragmas = readerPragmas, streamPragmas
	f.Readers, f.Streams = sql.OpenDB(&reading), sql.OpenDB(&streaming)
	f.Readers.SetMaxOpenConns(maxReaders)
	f.Readers.SetMaxIdleConns(maxReaders)
	f.Streams.SetMaxIdleConns(1)
}

// locate returns the absolute path of the ledger, whether or not the file exists.
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

// create creates the empty file, because SQLite would let others read the personal data in it.
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

// Before returns what had been done before the file was opened; known is false if there was no file that tells it.
func (f *File) Before() (done age.Done, known bool) { return f.before, f.hadDone }

// Path returns the path as it was given.
func (f *File) Path() string { return f.path }

// Name returns the absolute path without symbolic links.
func (f *File) Name() string { return f.name }

// LockPath returns the path of the file whose lock keeps runs apart.
func (f *File) LockPath() string { return cmp.Or(f.lock, f.name) + ".lock" }

// inPlace reports whether the file under the ledger's name is the one that was opened.
func (f *File) inPlace() bool {
	there, err := os.Stat(f.name)
	return err == nil && os.SameFile(f.opened, there)
}

// Close waits for the holder of the writer, refuses those who wait for it, calls first, and closes the connections. Further calls
// do nothing.
func (f *File) Close(first func() error) (err error) {
	f.close.Do(func() {
		close(f.closed)
		f.write <- struct{}{}
		errs := []error{first()}
		for _, db := range []*sql.DB{f.Readers, f.Streams} {
			if db != nil {
				errs = append(errs, db.Close())
			}
		}
		if f.Writer != nil {
			errs = append(errs, f.Writer.close())
		}
		if f.copied != nil {
			errs = append(errs, f.copied.Drop())
		}
		err = errors.Join(errs...)
	})
	return err
}

// Closed returns a channel that is closed when the file is.
func (f *File) Closed() <-chan struct{} { return f.closed }

// IsClosed reports whether the file is closed or about to be.
func (f *File) IsClosed() bool {
	select {
	case <-f.closed:
		return true
	default:
		return false
	}
}

// Token returns the channel that gives the write token to whoever sends to it; LeaveWriter gives it back.
func (f *File) Token() chan<- struct{} { return f.write }

// TakeWriter waits for the writer.
func (f *File) TakeWriter(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if f.IsClosed() {
		return ledger.ErrClosed
	}
	select {
	case f.write <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-f.closed:
		return ledger.ErrClosed
	}
}

// LeaveWriter gives the writer back.
func (f *File) LeaveWriter() { <-f.write }

// Query calls each for every row of a short read.
func (f *File) Query(ctx context.Context, query string, args []any, each func(*sql.Rows) error) error {
	rows, err := f.Readers.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	return EachRow(rows, each)
}

// EachRow calls each for every row, and closes the rows.
func EachRow(rows *sql.Rows, each func(*sql.Rows) error) error {
	defer rows.Close()
	for rows.Next() {
		if err := each(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
