package setup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"owlatsync/internal/config"
	"owlatsync/internal/problem"
	"owlatsync/ledger"
	"owlatsync/ledger/postgres"
	"owlatsync/ledger/sqlite"
	"owlatsync/ledger/transfer"
)

// Care fills, moves, puts back and migrates whole ledgers.
type Care struct{ Opener }

// Import fills the ledger of the configuration from an export; errors use name for the export. If nothing was imported, Import
// removes a ledger that it created. A bad export or a ledger that is not empty is an error of usage.
func (c Care) Import(ctx context.Context, cfg *config.Config, in io.Reader, name string) error {
	has, err := c.Has(ctx, cfg)
	if err != nil {
		return err
	}
	if err = c.importInto(ctx, cfg, in); err == nil {
		return nil
	}
	err = brokenOff(err, "imported")
	if errors.Is(err, ledger.ErrNotEmpty) {
		return problem.Usage(adviseNotEmpty(err, cfg.Ledger))
	}
	if !has && !cfg.Ledger.Postgres() {
		err = errors.Join(err, removeLedger(cfg.Ledger.Path)) // an empty ledger would hide that nothing was imported
	}
	if errors.Is(err, transfer.ErrNotExport) || errors.Is(err, transfer.ErrNewerExport) || errors.Is(err, transfer.ErrDamagedExport) {
		return problem.Usage(fmt.Errorf("%s: %w", name, err))
	}
	return err
}

// brokenOff says of what was interrupted that nothing of it was done: the error of its context alone says little.
func brokenOff(err error, done string) error {
	if errors.Is(err, context.Canceled) {
		return problem.Reword(err, "interrupted: nothing was "+done+", say it again to begin anew")
	}
	return err
}

// adviseNotEmpty adds what to do about a ledger that is to be filled and is not empty.
func adviseNotEmpty(err error, in config.Ledger) error {
	if in.Postgres() {
		return problem.Hint(err, "the ledger is in %s: name another schema with the option \"schema\", or give the deployment another name", in)
	}
	return problem.Hint(err, "the ledger is %s: move that file away, or set \"ledger\" to another path", in)
}

// Restore puts the backup in the file from in the place of the ledger of the configuration, which may be missing or damaged, and
// returns the new name of the ledger that was there, empty if there was none. If from is the ledger itself, put back by other means,
// Restore makes it one that is older than what was done. A file that is no ledger is an error of usage, and so is a ledger in PostgreSQL,
// which is put back by other means only.
func (c Care) Restore(ctx context.Context, cfg *config.Config, from string) (aside string, err error) {
	if cfg.Ledger.Postgres() {
		return "", problem.Usage(problem.Hint(fmt.Errorf("the ledger is in PostgreSQL (%s), which is put back by PostgreSQL's own means", cfg.Ledger),
			"put it back with pg_restore or to a point in time, then say so with \"owlat-sync ledger restore --in-place\""))
	}
	given, err := os.Stat(from)
	if err != nil {
		return "", problem.Usage(fmt.Errorf("open the backup: %w", err))
	}
	if there, err := os.Stat(cfg.Ledger.Path); err == nil && os.SameFile(given, there) {
		return "", c.RestoreInPlace(ctx, cfg)
	}
	aside, err = sqlite.Restore(ctx, c.Drivers.SQLite, cfg.Ledger.Path, from)
	if errors.Is(err, ledger.ErrNotLedger) || errors.Is(err, ledger.ErrNewer) {
		err = problem.Usage(err)
	}
	return aside, err
}

// Backup copies the ledger to a new file while it may be used. A file that exists already is an error of usage, and so is a ledger in
// PostgreSQL, which is backed up by PostgreSQL's own means only.
func (c Care) Backup(ctx context.Context, cfg *config.Config, file string) error {
	if cfg.Ledger.Postgres() {
		return problem.Usage(problem.Hint(fmt.Errorf("the ledger is in PostgreSQL (%s), which is backed up by PostgreSQL's own means, such as pg_dump", cfg.Ledger),
			"\"owlat-sync ledger export\" writes the ledger of one deployment to a file"))
	}
	return c.WithLedger(ctx, cfg, func(l Ledger) error {
		err := l.(*sqlite.Ledger).Backup(ctx, file) // what else is a file
		if errors.Is(err, os.ErrExist) {
			err = problem.Usage(fmt.Errorf("%s is already there and is not overwritten", file))
		}
		return err
	})
}

// RestoreInPlace makes the ledger one that is older than what was done, because it was put back by other means.
func (c Care) RestoreInPlace(ctx context.Context, cfg *config.Config) error {
	return c.WithLedger(ctx, cfg, func(l Ledger) error { return l.SetBack(ctx) })
}

// Copy copies the ledger of one configuration to the new or empty one of another, all of it or nothing. From then on only one of them
// may be used. Without a ledger to copy its error is that of Need.
func (c Care) Copy(ctx context.Context, from, into *config.Config) error {
	if from.Ledger == into.Ledger && from.Name == into.Name {
		return problem.Usage(fmt.Errorf("%s cannot be copied into itself", from.Ledger))
	}
	has, err := c.Has(ctx, into)
	if err != nil {
		return err
	}
	err = c.WithLedger(ctx, from, func(source Ledger) (err error) {
		if err := c.unserved(ctx, from.Ledger); err != nil {
			return err
		}
		target, err := c.Ledger(ctx, into)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, target.Close()) }()
		return transfer.Copy(ctx, source, target)
	})
	err = brokenOff(err, "copied")
	switch {
	case err == nil:
	case errors.Is(err, ErrNoLedger), errors.Is(err, transfer.ErrUndelivered):
		return problem.Usage(err)
	case errors.Is(err, ledger.ErrNotEmpty):
		return problem.Usage(adviseNotEmpty(err, into.Ledger))
	case !has && !into.Ledger.Postgres():
		return errors.Join(err, removeLedger(into.Ledger.Path))
	}
	return err
}

// unserved returns an error if a service works with the ledger, as far as that can be known: it would go on with what was copied.
func (c Care) unserved(ctx context.Context, l config.Ledger) error {
	if !l.Postgres() {
		return nil
	}
	c.Reads = true
	db, release, err := c.Database(ctx, l)
	if err != nil {
		return err
	}
	defer release()
	live, err := db.Live(ctx, livesWithin)
	if live {
		err = problem.Hint(problem.Usage(fmt.Errorf("a service works with the ledger %s, and would go on with it after it is copied", l)), "stop all its nodes first")
	}
	return err
}

// Migrations tells the migrations that Migrate would make. It changes nothing. A file that is not there is that of no ledger.
func (c Care) Migrations(ctx context.Context, in config.Ledger) (ledger.Migrations, error) {
	if in.Postgres() {
		return postgres.Migrations(ctx, postgres.Options{DSN: in.DSN.Reveal(), Logger: c.Logger, ReadOnly: true})
	}
	if err := c.Need(ctx, &config.Config{Ledger: in}); err != nil {
		return ledger.Migrations{}, err
	}
	return sqlite.Migrations(ctx, c.Drivers.SQLite, in.Path)
}

// Migrate brings the ledger of the configuration up to date, or creates one in PostgreSQL, with what distributes the work. The versions
// are those of the schema before and after. A file that is not there is not created.
func (c Care) Migrate(ctx context.Context, in config.Ledger) (from, to int, err error) {
	if in.Postgres() {
		return postgres.Migrate(ctx, postgres.Options{DSN: in.DSN.Reveal(), Logger: c.Logger})
	}
	is, err := c.Migrations(ctx, in)
	if err == nil {
		err = c.WithLedger(ctx, &config.Config{Ledger: in}, func(Ledger) error { return nil })
	}
	return is.Version, is.Newest, err
}

func (c Care) importInto(ctx context.Context, cfg *config.Config, in io.Reader) (err error) {
	l, err := c.Ledger(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	return transfer.Import(ctx, l, in)
}

// removeLedger removes a ledger that was just created, and the files beside it.
func removeLedger(path string) error {
	var errs []error
	for _, suffix := range []string{"", "-wal", "-shm", ".lock", ".age"} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
