package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"owlatsync/internal/config"
	"owlatsync/ledger/sqlite"
)

// errNoLedger says that nothing has ever been run.
var errNoLedger = errors.New("there is no ledger yet: nothing has ever been run here")

// needLedger refuses where nothing has ever been run, so that no empty ledger is made.
func (a *app) needLedger() error {
	cfg, err := a.loadConfig(config.UseLedger)
	if err != nil {
		return err
	}
	return ledgerThere(cfg)
}

func ledgerThere(cfg *config.Config) error {
	if _, err := os.Stat(cfg.Ledger); errors.Is(err, os.ErrNotExist) {
		return withHint(fmt.Errorf("%w (%s)", errNoLedger, cfg.Ledger), "\"owlat-sync plan\" shows what a first run would do")
	}
	return nil
}

// withLedger opens the ledger, if there is one, for commands that need neither Owlat nor a source.
func (a *app) withLedger(ctx context.Context, cfg *config.Config, do func(*sqlite.Ledger) error) (err error) {
	if err := ledgerThere(cfg); err != nil {
		return err
	}
	l, err := openLedger(ctx, cfg.Ledger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	return do(l)
}
