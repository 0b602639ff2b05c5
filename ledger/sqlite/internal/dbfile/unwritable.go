package dbfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"owlatsync/ledger"
	"owlatsync/ledger/sqlite/internal/age"
)

// IsUnwritable reports whether a ledger could not be opened because nothing can be written where it is. SQLite tells of a full disk as an
// input or output error where it needs a file of its own beside the ledger.
func IsUnwritable(err error) bool {
	return errors.Is(err, ledger.ErrFull) || errors.Is(err, ledger.ErrReadOnly) || PrimaryCode(err) == CodeIO
}

// OpenUnwritable opens a file of the newest version that cannot be written, for the given reason. The caller must close the returned file
// even after an error.
func OpenUnwritable(ctx context.Context, driver, path string, schema fs.FS, why error) (*File, error) {
	f := &File{path: path, write: make(chan struct{}, 1), closed: make(chan struct{}), unwritable: why}
	err := unwritten{f}.open(ctx, driver, schema)
	return f, Explain(ctx, err)
}

// Copied is a copy of a ledger that cannot be written, in a folder of its own. The copy can be written, and belongs to its maker alone.
type Copied struct {
	File   string
	folder string
}

// Drop removes the copy.
func (c *Copied) Drop() error { return os.RemoveAll(c.folder) }

// CopyAside copies the ledger at path, with its log and with what tells how far it is, to a temporary folder. It is for a ledger that
// cannot be read where it is, because it needs a file beside it, or that must be changed before it can be read, by ready.
func CopyAside(ctx context.Context, driver, path string, ready func(file string) error) (c *Copied, err error) {
	name, err := locate(path)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(name); err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "owlat-sync-ledger-*")
	if err != nil {
		return nil, err
	}
	c = &Copied{File: filepath.Join(folder, "ledger.db"), folder: folder}
	// The log of a ledger that nobody has open lacks its index, and SQLite reads none without.
	if err = copyInto(ctx, driver, name, c.File); err != nil && ctx.Err() == nil {
		err = copyFiles(name, c.File)
	}
	if err == nil {
		err = copyFile(age.Path(name), age.Path(c.File))
	}
	if err == nil {
		err = ready(c.File)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read a copy in the folder for temporary files, %s: %w", os.TempDir(), Explain(ctx, err)), c.Drop())
	}
	return c, nil
}

// copyFiles copies a ledger and its log as they are. If somebody writes them meanwhile, it fails.
func copyFiles(from, to string) error {
	before := [...]string{from, from + "-wal"}
	var was [len(before)]string
	for i, name := range before {
		was[i] = stateOf(name)
	}
	if err := errors.Join(remove(to), copyFile(from, to), copyFile(from+"-wal", to+"-wal")); err != nil {
		return err
	}
	for i, name := range before {
		if stateOf(name) != was[i] {
			return ledger.ErrBusy
		}
	}
	return nil
}

// stateOf returns what changes when a file is written.
func stateOf(name string) string {
	info, err := os.Stat(name)
	if err != nil {
		return ""
	}
	return fmt.Sprint(info.Size(), info.ModTime().UnixNano())
}

// copyFile copies a file, readable by its owner only. A file that is missing has no copy.
func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// OpenCopied opens the copy of a ledger at path that cannot be written, for the given reason. Writing fails as it would there. Close
// drops the copy. The caller must close the returned file even after an error.
func OpenCopied(ctx context.Context, driver, path string, schema fs.FS, why error, c *Copied) (*File, error) {
	f, err := OpenUnwritable(ctx, driver, c.File, schema, why)
	f.copied, f.path = c, path
	if err == nil {
		f.lock, err = locate(path)
	}
	return f, err
}

// Unwritable returns why the file cannot be written, nil if it could be when it was opened.
func (f *File) Unwritable() error { return f.unwritable }

// unwritten is a file that cannot be written.
type unwritten struct{ *File }

// open reads the file as it is beside its log, or, where SQLite can make no room for the index of a log, without one if there
// is none.
func (f unwritten) open(ctx context.Context, driver string, schema fs.FS) error {
	var err error
	if f.name, err = locate(f.path); err != nil {
		return err
	}
	if f.before, f.hadDone, err = age.Read(f.name); err != nil {
		return err
	}
	if err := unmixed(ctx, driver, f.name); err != nil {
		return err
	}
	uris := []string{URI(f.name)}
	if log, err := os.Stat(f.name + "-wal"); errors.Is(err, fs.ErrNotExist) || err == nil && log.Size() == 0 {
		uris = append(uris, URI(f.name)+"?immutable=1")
	}
	newest, err := newestOf(schema)
	if err != nil {
		return err
	}
	for _, uri := range uris {
		if err = f.readOnly(ctx, driver, uri, newest); err == nil {
			return nil
		}
	}
	return err
}

// readOnly opens the file under a URI.
func (f unwritten) readOnly(ctx context.Context, driver, uri string, newest int) error {
	reading, err := newConnectorTo(driver, uri, readerPragmas)
	if err != nil {
		return err
	}
	w := newWriter(reading)
	is, err := inspect(ctx, f.name, w.db, newest)
	if err == nil && is != current {
		err = fmt.Errorf("the ledger was made by an earlier version and must be brought up to date: %w", f.unwritable)
	}
	if err != nil {
		return errors.Join(err, w.close())
	}
	f.Writer = w
	f.connectReaders(reading)
	return nil
}
