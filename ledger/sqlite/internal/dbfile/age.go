package dbfile

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"owlatsync/ledger"
)

// Done is what is known to have been done with a ledger. It is kept in a file beside the ledger, whose name ends in ".age". So a
// ledger that is put back is noticed: it knows less than that file.
type Done struct {
	Ledger     string // the name that the ledger gave itself
	Generation int64  // of the ledger when it was last written
}

// AgePath returns the path of the file that keeps what was done.
func (f *File) AgePath() string { return f.name + ".age" }

// doneForm has a fixed length, so that the file is always overwritten whole, within one sector of the disk.
const doneForm = "%-32s %020d\n"

// ReadDone returns what was done; found is false if there is no such file, or if it makes no sense.
func (f *File) ReadDone() (done Done, found bool, err error) { return readDone(f.AgePath()) }

func readDone(path string) (done Done, found bool, err error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Done{}, false, nil
	}
	if err != nil {
		return Done{}, false, err
	}
	fields := strings.Fields(string(text))
	if len(fields) != 2 {
		return Done{}, false, nil
	}
	done.Ledger = fields[0]
	if done.Generation, err = strconv.ParseInt(fields[1], 10, 64); err != nil {
		return Done{}, false, nil
	}
	return done, true, nil
}

// KeepDone durably writes what was done. It leaves a file that says more of the same ledger as it is: another process wrote it.
func (f *File) KeepDone(done Done) error {
	if kept, found, err := f.ReadDone(); err != nil {
		return err
	} else if found && kept.Ledger == done.Ledger && kept.Generation >= done.Generation {
		return nil
	}
	isNew := false
	file, err := os.OpenFile(f.AgePath(), os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		isNew = true
		file, err = os.OpenFile(f.AgePath(), os.O_CREATE|os.O_WRONLY, 0o600)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(file, doneForm, done.Ledger, done.Generation)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil || !isNew {
		return err
	}
	return syncFolder(filepath.Dir(f.name))
}

// syncFolder makes the names in a folder durable.
func syncFolder(folder string) error {
	if runtime.GOOS == "windows" { // which cannot open folders, and keeps names by itself
		return nil
	}
	d, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Log returns a name of the present write-ahead log, its salts; empty: there is none, or it is empty. Another log has another name.
func (f *File) Log() (string, error) { return logOf(f.name) }

func logOf(name string) (string, error) {
	const from, size = 16, 8 // of the salts in the log's head
	file, err := os.Open(name + "-wal")
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer file.Close()
	salts := make([]byte, size)
	switch _, err := file.ReadAt(salts, from); {
	case errors.Is(err, io.EOF):
		return "", nil
	case err != nil:
		return "", err
	}
	return hex.EncodeToString(salts), nil
}

// Age is the row of the ledger's table of that name.
type Age struct {
	Ledger     string // a random name; a ledger that is set back gets another
	Was        string // the name before; empty: none
	Generation int64  // grows with what is recorded
	Log        string // Log when the generation last grew
	Base       int64  // the generation of the file without that log is at least this
	Copied     string // a random name if the file is a copy; it begins with CopiedAtRest or CopiedInRun
}

// How the names of copies begin.
const (
	CopiedAtRest = "rest:"
	CopiedInRun  = "run:"
)

// AgeColumns are the columns of Age, in its order.
const AgeColumns = "ledger, was, generation, log, base, copied"

// Into returns where the columns go.
func (a *Age) Into() []any {
	return []any{&a.Ledger, &a.Was, &a.Generation, &a.Log, &a.Base, &a.Copied}
}

// lone opens a file with one connection that only reads; the parameters are those of its URI.
func lone(ctx context.Context, driver, file, parameters string) (*sql.DB, error) {
	db, err := sql.Open(driver, URI(file)+parameters)
	if err != nil {
		return nil, fmt.Errorf("find the driver %q: %w", driver, err)
	}
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(ctx, "PRAGMA busy_timeout = 10000"); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// ageOf reads the age of a file, as a connection with those parameters sees it; found is false if a version before ages wrote it.
func ageOf(ctx context.Context, driver, file, parameters string) (a Age, found bool, err error) {
	db, err := lone(ctx, driver, file, parameters)
	if err != nil {
		return a, false, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var tables int
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_master WHERE name = 'age'").Scan(&tables); err != nil || tables == 0 {
		return a, false, err
	}
	err = db.QueryRowContext(ctx, "SELECT "+AgeColumns+" FROM age").Scan(a.Into()...)
	return a, err == nil, err
}

// unmixed returns ErrMixed if the file and the write-ahead log beside it do not belong together. A kill leaves the log; whoever then
// puts an older copy in the place of the file leaves the log beside it, and SQLite would merge the two without a word. No connection
// here writes, so that nothing is merged. Damage is left to those who open the file.
func unmixed(ctx context.Context, driver, file string) error {
	for {
		log, err := logOf(file)
		if log == "" || err != nil {
			return err
		}
		both, found, err := ageOf(ctx, driver, file, "?mode=ro")
		if err != nil || !found {
			return nil
		}
		if again, err := logOf(file); err != nil || again != log { // a run goes on, and has begun another log
			if err != nil {
				return err
			}
			continue
		}
		alone, found, err := ageOf(ctx, driver, file, "?immutable=1") // without the log, and read last: it only grows
		switch {
		case err != nil:
			return nil
		case !found: // the log has the migration that made the table
			alone = Age{Ledger: both.Ledger, Copied: both.Copied, Generation: -1}
		}
		if strangers(alone, both, log) {
			return ledger.ErrMixed
		}
		return nil
	}
}

// strangers tells from the ages of the file alone, and of the file with its log, whether the two do not belong together. When a log
// was begun, the file had everything recorded before, so it cannot be older than that. Pure.
func strangers(alone, both Age, log string) bool {
	least := both.Base
	if both.Log != log { // the log was begun when the generation last grew, or since
		least = both.Generation - 1
	}
	switch alone.Ledger {
	case both.Ledger:
		return alone.Copied != both.Copied || alone.Generation < least
	case both.Was:
		return alone.Generation < least
	}
	return true
}
