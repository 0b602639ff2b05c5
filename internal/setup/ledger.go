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

// Ledger is a ledger of any kind.
type Ledger interface {
	ledger.Store
	// Backup copies the ledger to a new file while it may be used. If the file exists, the error matches fs.ErrExist.
	Backup(ctx context.Context, file string) error
	// SetBack makes the ledger one that is older than what was done with it.
	SetBack(ctx context.Context) error
	// Alive reports whether a run that is recorded as running goes on.
	Alive(ctx context.Context, run ledger.Run) (bool, error)
	// Try makes a durable write that changes nothing, and returns why the ledger does not take one.
	Try(ctx context.Context) error
	Close() error
	Unwritable() error // why it cannot be written; nil: it could be when it was opened
}

// ErrNoLedger says that there is no ledger, because nothing has ever been run.
var ErrNoLedger = errors.New("there is no ledger yet: nothing has ever been run here")

// Ledger opens the ledger of the configuration, or creates it. It is the only place that knows the kinds of ledgers. An opener that
// only reads accepts a ledger that cannot be written.
func (o Opener) Ledger(ctx context.Context, cfg *config.Config) (Ledger, error) {
	if cfg.Ledger.Postgres() {
		return o.postgres(ctx, cfg)
	}
	open := sqlite.Open
	if o.Reads {
		open = sqlite.OpenReadable
	}
	l, err := open(ctx, o.Drivers.SQLite, cfg.Ledger.Path)
	if err != nil {
		return nil, err // a nil *sqlite.Ledger would not be a nil Ledger
	}
	return l, nil
}

// Examine tells whether runs could use or create the ledger of the configuration. It changes nothing. A folder that does not exist
// is an error of usage.
func (o Opener) Examine(ctx context.Context, cfg *config.Config) (ledger.Condition, error) {
	if cfg.Ledger.Postgres() {
		return postgres.Examine(ctx, postgres.Options{DSN: cfg.Ledger.DSN.Reveal(), ReadOnly: o.Reads}, cfg.Name)
	}
	is, err := sqlite.Examine(ctx, o.Drivers.SQLite, cfg.Ledger.Path)
	if errors.Is(err, ledger.ErrNoFolder) {
		err = problem.Usage(err)
	}
	return is, err
}

// Has reports whether the ledger of the configuration exists: something was once written to it.
func (o Opener) Has(ctx context.Context, cfg *config.Config) (bool, error) {
	if cfg.Ledger.Postgres() {
		o.Reads = true
		is, err := o.Examine(ctx, cfg)
		return err == nil && !is.Missing, err
	}
	_, err := os.Stat(cfg.Ledger.Path)
	return !errors.Is(err, os.ErrNotExist), nil
}

// Need returns an error that matches ErrNoLedger if there is no ledger, so that no command creates an empty one.
func (o Opener) Need(ctx context.Context, cfg *config.Config) error {
	has, err := o.Has(ctx, cfg)
	if has || err != nil {
		return err
	}
	return problem.Hint(fmt.Errorf("%w (%s)", ErrNoLedger, cfg.Ledger), "\"owlat-sync plan\" shows what a first run would do")
}

// WithLedger opens the ledger, calls do and closes it. Without a ledger it returns the error of Need.
func (o Opener) WithLedger(ctx context.Context, cfg *config.Config, do func(Ledger) error) (err error) {
	if err := o.Need(ctx, cfg); err != nil {
		return err
	}
	l, err := o.Ledger(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	return do(l)
}

// Import fills the ledger of the configuration from an export; errors use name for the export. If nothing was imported, Import
// removes a ledger that it created. A bad export or a ledger that is not empty is an error of usage.
func (o Opener) Import(ctx context.Context, cfg *config.Config, in io.Reader, name string) error {
	has, err := o.Has(ctx, cfg)
	if err != nil {
		return err
	}
	if err = o.importInto(ctx, cfg, in); err == nil {
		return nil
	}
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
func (o Opener) Restore(ctx context.Context, cfg *config.Config, from string) (aside string, err error) {
	if cfg.Ledger.Postgres() {
		return "", problem.Usage(problem.Hint(fmt.Errorf("the ledger is in PostgreSQL (%s), which is put back by PostgreSQL's own means", cfg.Ledger),
			"put it back with pg_restore or to a point in time, then say so with \"owlat-sync ledger restore --in-place\""))
	}
	given, err := os.Stat(from)
	if err != nil {
		return "", problem.Usage(fmt.Errorf("open the backup: %w", err))
	}
	if there, err := os.Stat(cfg.Ledger.Path); err == nil && os.SameFile(given, there) {
		return "", o.RestoreInPlace(ctx, cfg)
	}
	aside, err = sqlite.Restore(ctx, o.Drivers.SQLite, cfg.Ledger.Path, from)
	if errors.Is(err, ledger.ErrNotLedger) || errors.Is(err, ledger.ErrNewer) {
		err = problem.Usage(err)
	}
	return aside, err
}

// RestoreInPlace makes the ledger one that is older than what was done, because it was put back by other means.
func (o Opener) RestoreInPlace(ctx context.Context, cfg *config.Config) error {
	return o.WithLedger(ctx, cfg, func(l Ledger) error { return l.SetBack(ctx) })
}

// Copy copies the ledger of one configuration to the new or empty one of another, all of it or nothing. From then on only one of them
// may be used. Without a ledger to copy its error is that of Need.
func (o Opener) Copy(ctx context.Context, from, into *config.Config) error {
	if from.Ledger == into.Ledger && from.Name == into.Name {
		return problem.Usage(fmt.Errorf("%s cannot be copied into itself", from.Ledger))
	}
	has, err := o.Has(ctx, into)
	if err != nil {
		return err
	}
	err = o.WithLedger(ctx, from, func(source Ledger) (err error) {
		target, err := o.Ledger(ctx, into)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, target.Close()) }()
		return transfer.Copy(ctx, source, target)
	})
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

// Migrate brings the ledger of the configuration up to date, or creates one in PostgreSQL, with what distributes the work. The versions
// are those of the schema before and after; both are 0 for a file. A file that is not there is not created.
func (o Opener) Migrate(ctx context.Context, in config.Ledger) (from, to int, err error) {
	if in.Postgres() {
		return postgres.Migrate(ctx, postgres.Options{DSN: in.DSN.Reveal(), Logger: o.Logger})
	}
	return 0, 0, o.WithLedger(ctx, &config.Config{Ledger: in}, func(Ledger) error { return nil })
}

func (o Opener) importInto(ctx context.Context, cfg *config.Config, in io.Reader) (err error) {
	l, err := o.Ledger(ctx, cfg)
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
