package dbfile

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"owlatsync/ledger"
)

// Examine tells whether Open would accept the ledger at path. It does not create, migrate or change it. It reads the whole file to
// find damage.
func Examine(ctx context.Context, driver, path string, schema fs.FS) (ledger.Condition, error) {
	c, err := examine(ctx, driver, path, schema)
	if err != nil {
		return ledger.Condition{}, fmt.Errorf("examine ledger %s: %w", path, Explain(ctx, err))
	}
	return c, nil
}

func examine(ctx context.Context, driver, path string, schema fs.FS) (c ledger.Condition, err error) {
	file, err := locate(path)
	if err != nil {
		return c, err
	}
	if err := writable(filepath.Dir(file)); err != nil {
		return c, err
	}
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		c.Missing = true
		return c, nil
	}
	if err != nil {
		return c, err
	}
	if err := f.Close(); err != nil {
		return c, err
	}
	if err := unmixed(ctx, driver, file); err != nil {
		return c, err
	}
	reading, err := newConnector(driver, file, readerPragmas)
	if err != nil {
		return c, err
	}
	w := newWriter(reading)
	defer func() { err = errors.Join(err, w.close()) }()
	newest, err := newestOf(schema)
	if err != nil {
		return c, err
	}
	is, err := inspect(ctx, file, w.db, newest)
	if err != nil {
		return c, err
	}
	c.Outdated = is == outdated
	if is == empty {
		return c, nil
	}
	if err := undamaged(ctx, w.db); err != nil {
		return c, err
	}
	if is == current {
		err = w.db.QueryRowContext(ctx, "SELECT value FROM meta WHERE name = 'deployment'").Scan(&c.Deployment)
		if errors.Is(err, sql.ErrNoRows) {
			err = nil
		}
	}
	return c, err
}

// writable tests whether a file can be created in the folder and written: nothing else tells that for all users and file systems.
func writable(folder string) error {
	f, err := os.CreateTemp(folder, ".owlat-sync-*")
	if err != nil {
		if failed, ok := errors.AsType[*fs.PathError](err); ok {
			failed.Path = folder // not the temporary name
		}
		return err
	}
	_, err = f.Write(make([]byte, 4096))
	return errors.Join(err, f.Close(), os.Remove(f.Name()))
}

// Migrations tells the migrations that Open would make with the ledger at path. It changes nothing.
func Migrations(ctx context.Context, driver, path string, schema fs.FS) (ledger.Migrations, error) {
	m, err := missing(ctx, driver, path, schema)
	if err != nil {
		return ledger.Migrations{}, fmt.Errorf("examine ledger %s: %w", path, Explain(ctx, err))
	}
	return m, nil
}

func missing(ctx context.Context, driver, path string, schema fs.FS) (m ledger.Migrations, err error) {
	file, err := locate(path)
	if err != nil {
		return m, err
	}
	if _, err := os.Stat(file); err == nil {
		if m.Version, err = versionOf(ctx, driver, file, schema); err != nil {
			return m, err
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return m, err
	}
	names, err := fs.Glob(schema, "*.sql")
	for _, name := range names {
		number, what, _ := strings.Cut(strings.TrimSuffix(name, ".sql"), "_")
		n, err := strconv.Atoi(number)
		if err != nil {
			continue
		}
		m.Newest = max(m.Newest, n)
		if n > m.Version {
			m.Missing = append(m.Missing, ledger.Migration{Of: "ledger", Version: n, Name: strings.ReplaceAll(what, "_", " ")})
		}
	}
	return m, err
}

// versionOf returns the version of the ledger in the file, 0 if the file is empty.
func versionOf(ctx context.Context, driver, file string, schema fs.FS) (version int, err error) {
	if err := unmixed(ctx, driver, file); err != nil {
		return 0, err
	}
	reading, err := newConnector(driver, file, readerPragmas)
	if err != nil {
		return 0, err
	}
	w := newWriter(reading)
	defer func() { err = errors.Join(err, w.close()) }()
	newest, err := newestOf(schema)
	if err != nil {
		return 0, err
	}
	if _, err := inspect(ctx, file, w.db, newest); err != nil {
		return 0, err
	}
	err = w.db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version)
	return version, err
}
