package dbfile

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"owlatsync/ledger"
	"owlatsync/ledger/sqlite/internal/age"
)

// Backup copies the ledger in the file of that name as of one instant to a new file, readable by its owner only, while it may be used. The copy says that it
// is one, and whether a run went on. It needs no file beside it. If the file exists, Backup fails with fs.ErrExist.
func Backup(ctx context.Context, driver, name, to string) (err error) {
	to, err = filepath.Abs(to)
	if err != nil {
		return err
	}
	if held, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600); err != nil {
		return err
	} else if err := held.Close(); err != nil { // it keeps the name until the copy is complete
		return err
	}
	part := to + ".part"
	err = copyInto(ctx, driver, name, part)
	if err == nil {
		err = markCopy(ctx, driver, part)
	}
	if err == nil {
		err = errors.Join(syncFile(part), os.Rename(part, to), age.SyncFolder(filepath.Dir(to)))
	}
	if err != nil {
		return errors.Join(Explain(ctx, err), remove(part), remove(to)) // a part of a copy is of no use
	}
	return nil
}

// copyInto writes the ledger in one file as of one instant to another, which it replaces. It needs no rights to write the first.
func copyInto(ctx context.Context, driver, from, to string) (err error) {
	if err := errors.Join(remove(to), create(to)); err != nil {
		return err
	}
	db, err := lone(ctx, driver, from, "?mode=ro")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	_, err = db.ExecContext(ctx, "VACUUM INTO ?1", to)
	return err
}

// markCopy lets a copy say that it is one.
func markCopy(ctx context.Context, driver, file string) (err error) {
	db, err := lone(ctx, driver, file, "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	random := make([]byte, 16)
	if _, err := rand.Read(random); err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, "UPDATE age SET copied = iif(EXISTS (SELECT 1 FROM runs WHERE status = 'running'), ?1, ?2) || ?3",
		age.CopiedInRun, age.CopiedAtRest, hex.EncodeToString(random))
	return err
}

func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func remove(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Restore puts a copy of the ledger in the file from in the place of the ledger at path. It takes the lock meanwhile. The ledger that
// was there, and the log beside it, get the name that Restore returns as aside, empty if there was none; the file that tells what was
// done stays. The ledger that was there may be damaged, or may not belong to its log. From stays as it is.
func Restore(ctx context.Context, driver, path, from string, schema fs.FS) (aside string, err error) {
	aside, err = restore(ctx, driver, path, from, schema)
	return aside, Explain(ctx, err)
}

func restore(ctx context.Context, driver, path, from string, schema fs.FS) (aside string, err error) {
	f := &File{path: path}
	if f.name, err = locate(path); err != nil {
		return "", err
	}
	if from, err = locate(from); err != nil {
		return "", err
	}
	if _, err := os.Stat(from); err != nil {
		return "", err
	}
	if from == f.name {
		return "", errors.New("a ledger cannot be put in its own place")
	}
	if err := unmixed(ctx, driver, from); err != nil {
		return "", err
	}
	lock, err := f.TakeLock(ctx, "restoring the ledger", false)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, lock.Release()) }()
	fresh := f.name + ".new"
	if err := sound(ctx, driver, from, fresh, schema); err != nil {
		return "", errors.Join(err, remove(fresh))
	}
	if aside, err = moveAside(f.name); err != nil {
		return aside, errors.Join(err, remove(fresh))
	}
	return aside, errors.Join(os.Rename(fresh, f.name), age.SyncFolder(filepath.Dir(f.name)))
}

// sound copies a ledger to a file, if it is one that this program can use and that is not damaged.
func sound(ctx context.Context, driver, from, to string, schema fs.FS) (err error) {
	newest, err := newestOf(schema)
	if err != nil {
		return err
	}
	if err := judged(ctx, driver, from, "?mode=ro", newest); err != nil {
		return err
	}
	if err := copyInto(ctx, driver, from, to); err != nil {
		return err
	}
	return errors.Join(judged(ctx, driver, to, "", newest), syncFile(to))
}

// judged returns why a file is no ledger that this program can use.
func judged(ctx context.Context, driver, file, parameters string, newest int) (err error) {
	db, err := lone(ctx, driver, file, parameters)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	is, err := inspect(ctx, file, db, newest)
	switch {
	case err != nil:
		return err
	case is == empty:
		return ledger.ErrNotLedger
	}
	return undamaged(ctx, db)
}

// undamaged reads the whole file to find damage.
func undamaged(ctx context.Context, db *sql.DB) error {
	var verdict string
	if err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict); err != nil {
		return senseless(err)
	}
	if verdict != "ok" {
		return fmt.Errorf("%w (%s)", ledger.ErrCorrupt, verdict)
	}
	return nil
}

// moveAside gives the ledger and the files beside it another name. The log goes first: without it the ledger is at the worst older
// than what was done, which is noticed.
func moveAside(name string) (aside string, err error) {
	if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
		return "", errors.Join(remove(name+"-wal"), remove(name+"-shm"))
	}
	stamp := time.Now().UTC().Format("20060102T150405")
	for n := 1; ; n++ {
		aside = fmt.Sprintf("%s.replaced-%s", name, stamp)
		if n > 1 {
			aside = fmt.Sprintf("%s-%d", aside, n)
		}
		if _, err := os.Stat(aside); errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	for _, end := range []string{"-wal", "-shm", ""} {
		if err := os.Rename(name+end, aside+end); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return aside, err
		}
	}
	return aside, nil
}
