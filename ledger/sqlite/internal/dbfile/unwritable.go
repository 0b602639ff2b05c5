package dbfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"owlatsync/ledger"
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
