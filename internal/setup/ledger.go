package setup

import (
	"context"
	"errors"
	"fmt"
	"os"

	"owlatsync/internal/config"
	"owlatsync/internal/problem"
	"owlatsync/ledger"
	"owlatsync/ledger/sqlite"
)

// Ledger is a ledger of any kind.
type Ledger interface {
	ledger.Store
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
		return o.Databases.examine(ctx, databaseKey{cfg.Ledger.DSN, o.Reads}, cfg.Name)
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
	if cfg.Name == "" {
		return problem.Hint(fmt.Errorf("%w (%s)", ErrNoLedger, cfg.Ledger), "\"owlat-sync plan\" shows what a first run would do")
	}
	return problem.Hint(fmt.Errorf("deployment %q: %w (%s)", cfg.Name, ErrNoLedger, cfg.Ledger), "\"owlat-sync plan --deployment %s\" shows what a first run would do", cfg.Name)
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
