package dbfile

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"owlatsync/ledger"
	"owlatsync/ledger/sqlite/internal/age"
)

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
func ageOf(ctx context.Context, driver, file, parameters string) (a age.Age, found bool, err error) {
	db, err := lone(ctx, driver, file, parameters)
	if err != nil {
		return a, false, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var tables int
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_master WHERE name = 'age'").Scan(&tables); err != nil || tables == 0 {
		return a, false, err
	}
	err = db.QueryRowContext(ctx, "SELECT "+age.Columns+" FROM age").Scan(a.Into()...)
	return a, err == nil, err
}

// unmixed returns ErrMixed if the file and the write-ahead log beside it do not belong together. A kill leaves the log; whoever then
// puts an older copy in the place of the file leaves the log beside it, and SQLite would merge the two without a word. No connection
// here writes, so that nothing is merged. Damage is left to those who open the file.
func unmixed(ctx context.Context, driver, file string) error {
	for {
		log, err := age.Log(file)
		if log == "" || err != nil {
			return err
		}
		both, found, err := ageOf(ctx, driver, file, "?mode=ro")
		if err != nil || !found {
			return nil
		}
		if again, err := age.Log(file); err != nil || again != log { // a run goes on, and has begun another log
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
			alone = age.Age{Ledger: both.Ledger, Copied: both.Copied, Generation: -1}
		}
		if age.Strangers(alone, both, log) {
			return ledger.ErrMixed
		}
		return nil
	}
}
