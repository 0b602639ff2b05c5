package dbfile

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"

	"owlatsync/ledger"
)

// applicationID marks an SQLite file as a ledger: "OwlS" in ASCII.
const applicationID = 0x4f776c53

// OpenPatience is how long Open waits for another process that creates or migrates the same ledger.
const OpenPatience = 10 * time.Second

// fileState says what an SQLite file is to this program.
type fileState int

const (
	current fileState = iota
	outdated
	empty
)

// prepare makes sure that the file is a ledger of this version and can be written.
func (f *File) prepare(ctx context.Context, schema fs.FS) error {
	newest, err := newestOf(schema)
	if err != nil {
		return err
	}
	is, err := inspect(ctx, f.name, f.Writer.db, newest)
	if err != nil {
		return err
	}
	if is != current {
		if err := f.migrate(ctx, schema, newest); err != nil {
			return err
		}
	}
	if err := f.useLog(ctx); err != nil {
		return err
	}
	if err := shrinkable(ctx, f); err != nil {
		return err
	}
	return f.Writer.probe(ctx)
}

// versions returns the versions that the schema has, each with the name of its file.
func versions(schema fs.FS) (map[int64]string, error) {
	files, err := fs.Glob(schema, "*.sql")
	if err != nil {
		return nil, err
	}
	found := make(map[int64]string, len(files))
	for _, name := range files {
		number, _, _ := strings.Cut(name, "_")
		if n, err := strconv.ParseInt(number, 10, 64); err == nil {
			found[n] = name
		}
	}
	return found, nil
}

// newestOf returns the version that the schema leads to: the number that the name of its last migration begins with.
func newestOf(schema fs.FS) (version int, err error) {
	found, err := versions(schema)
	for v := range found {
		version = max(version, int(v))
	}
	return version, err
}

// migration leads from the version before to its own.
type migration struct {
	version    int64
	name, text string
}

// run carries the migration out. SQLite itself tells the statements of a file apart: goose's parser takes buffers of megabytes, and with the
// race detector longer than all that the statements do.
func (m migration) run(ctx context.Context, tx *sql.Tx) error {
	if _, err := tx.ExecContext(ctx, m.text); err != nil {
		return fmt.Errorf("%s: %w", m.name, err)
	}
	return nil
}

// migrations returns those of the schema in their order.
func migrations(schema fs.FS) (all []migration, err error) {
	found, err := versions(schema)
	if err != nil {
		return nil, err
	}
	for _, version := range slices.Sorted(maps.Keys(found)) {
		text, err := fs.ReadFile(schema, found[version])
		if err != nil {
			return nil, err
		}
		all = append(all, migration{version, found[version], string(text)})
	}
	return all, nil
}

// useLog turns on the write-ahead log, which stays on. For a moment that needs the file alone, and SQLite does not wait for readers
// to leave.
func (f *File) useLog(ctx context.Context) error {
	return Patiently(ctx, ledger.ErrBusy, func() error {
		var mode string
		if err := f.Writer.db.QueryRowContext(ctx, "PRAGMA journal_mode = WAL").Scan(&mode); err != nil {
			return Explain(ctx, err)
		}
		if mode != "wal" {
			return fmt.Errorf("the file system of the ledger allows no write-ahead log (journal mode %s): keep it on a local disk", mode)
		}
		return nil
	})
}

// inspect returns what the file is as of one instant.
func inspect(ctx context.Context, file string, db *sql.DB, newest int) (fileState, error) {
	info, err := os.Stat(file)
	if err != nil {
		return 0, err
	}
	// One transaction, because another process may be creating the ledger.
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return 0, senseless(err)
	}
	defer tx.Rollback()
	var id, version, tables, pages int
	for _, q := range []struct {
		query string
		into  *int
	}{
		{"SELECT count(*) FROM sqlite_master", &tables},
		{"PRAGMA application_id", &id},
		{"PRAGMA user_version", &version},
		{"PRAGMA page_count", &pages},
	} {
		if err := tx.QueryRowContext(ctx, q.query).Scan(q.into); err != nil {
			return 0, senseless(err)
		}
	}
	switch {
	case pages == 0 && info.Size() > 0: // shorter than a page: SQLite takes it for empty
		return 0, ledger.ErrNotLedger
	case id == 0 && version == 0 && tables == 0:
		return empty, nil
	case id != applicationID:
		return 0, ledger.ErrNotLedger
	case version > newest:
		return 0, fmt.Errorf("%w (its version is %d, this program knows up to %d)", ledger.ErrNewer, version, newest)
	case version < newest:
		return outdated, nil
	}
	return current, nil
}

// senseless marks a file whose head makes no sense: reading a sound file never gives SQLite's general error.
func senseless(err error) error {
	if PrimaryCode(err) == codeError {
		return fmt.Errorf("%w (%w)", ledger.ErrCorrupt, err)
	}
	return err
}

// migrate brings the schema up to date under the lock of runs. So no two processes migrate at once, and none changes the tables
// under a run of an older program.
func (f *File) migrate(ctx context.Context, schema fs.FS, newest int) (err error) {
	var lock *Lock
	err = Patiently(ctx, ledger.ErrLocked, func() (err error) {
		lock, err = f.TakeLock(ctx, "migration of the ledger", false)
		return err
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Release()) }()
	is, err := inspect(ctx, f.name, f.Writer.db, newest)
	if err != nil || is == current {
		return err
	}
	all, err := migrations(schema)
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	if is == empty {
		if err := furnish(ctx, f.Writer.db, all); err != nil {
			return fmt.Errorf("migrate: %w", err)
		}
		return nil
	}
	var steps []*goose.Migration
	for _, m := range all {
		steps = append(steps, goose.NewGoMigration(m.version, &goose.GoFunc{RunTx: m.run}, nil))
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, f.Writer.db, nil, goose.WithDisableGlobalRegistry(true), goose.WithGoMigrations(steps...))
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}

// furnish makes an empty file a ledger, in one transaction: goose has one for each migration, which takes five times as long.
func furnish(ctx context.Context, db *sql.DB, all []migration) error {
	// Free pages go back to the disk. It must be said before anything is in the file.
	if _, err := db.ExecContext(ctx, "PRAGMA auto_vacuum = INCREMENTAL"); err != nil {
		return err
	}
	made, err := database.NewStore(goose.DialectSQLite3, goose.DefaultTablename)
	if err != nil {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d", applicationID)); err != nil {
		return err
	}
	if err := made.CreateVersionTable(ctx, tx); err != nil {
		return err
	}
	if err := made.Insert(ctx, tx, database.InsertRequest{}); err != nil {
		return err
	}
	for _, m := range all {
		if err := m.run(ctx, tx); err != nil {
			return err
		}
		if err := made.Insert(ctx, tx, database.InsertRequest{Version: m.version}); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// Patiently repeats do while it fails with the passing error, for OpenPatience at the most.
func Patiently(ctx context.Context, passing error, do func() error) error {
	deadline := time.NewTimer(OpenPatience)
	defer deadline.Stop()
	for {
		err := do()
		if !errors.Is(err, passing) {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-deadline.C:
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
}
