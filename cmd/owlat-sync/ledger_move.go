package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"owlatsync/cmd/owlat-sync/internal/program"
	"owlatsync/internal/config"
	"owlatsync/internal/problem"
	"owlatsync/internal/setup"
)

func newLedgerCopyCmd(a *program.App) *cobra.Command {
	return &cobra.Command{
		Use:   "copy FROM TO",
		Short: "Copy a ledger from a file to PostgreSQL, or the other way",
		Long: `Copy a ledger to a new or empty one, all of it or nothing. FROM and TO are files, or databases such as
postgres://owlat_sync@db.example.com/owlat_sync?schema=owlat_sync, in any order. ${NAME} in them is read
from the environment: 'in single quotes', so that no password stands in the list of processes.

Nothing is lost or counts as older: the next run goes on with the copy where the other ledger stopped.
The copy holds both ledgers, so no run goes on meanwhile; stop services before. From then on use only
the copy: write it as "ledger" into the configuration. Held runs are to be planned anew, and what waits
to be written back must be delivered before.

Where the configuration has several deployments, all are copied: FROM and TO are then as "ledger" would
have them. With --deployment one is copied, and a file is taken by the name given.`,
		Example: `  owlat-sync ledger copy owlat-sync.db 'postgres://owlat_sync:${PASSWORD}@db.example.com/owlat_sync'
  owlat-sync ledger copy '${LEDGER_URL}' owlat-sync.db --deployment acme`,
		Args: program.NeedArgs(2, 2, "a ledger to copy and where to, each a file or postgres://…"),
		RunE: func(cmd *cobra.Command, args []string) error { return copyLedgers(cmd.Context(), a, args[0], args[1]) },
	}
}

func copyLedgers(ctx context.Context, a *program.App, fromText, intoText string) error {
	from, err := readLedger(a, fromText)
	if err != nil {
		return err
	}
	into, err := readLedger(a, intoText)
	if err != nil {
		return err
	}
	if a.Deployment != "" {
		return copyLedger(ctx, a, &config.Config{Name: a.Deployment, Ledger: from}, &config.Config{Name: a.Deployment, Ledger: into})
	}
	set, err := a.LoadSet(config.UseLedger)
	switch {
	case errors.Is(err, config.ErrNoFile):
		set = &config.Set{}
	case err != nil:
		return err
	}
	if !set.Several {
		return copyLedger(ctx, a, &config.Config{Ledger: from}, &config.Config{Ledger: into})
	}
	copied := 0
	for _, name := range set.Names() {
		err := copyLedger(ctx, a, &config.Config{Name: name, Ledger: from.Of(name)}, &config.Config{Name: name, Ledger: into.Of(name)})
		if errors.Is(err, setup.ErrNoLedger) {
			continue // nothing was ever run for it
		}
		if err != nil {
			return fmt.Errorf("deployment %q: %w", name, err)
		}
		copied++
	}
	if copied == 0 {
		return problem.Usage(fmt.Errorf("%w for any of the deployments in %s (%s)", setup.ErrNoLedger, a.ConfigPath, from))
	}
	return nil
}

// readLedger reads the name of a ledger on the command line.
func readLedger(a *program.App, text string) (config.Ledger, error) {
	folder, err := os.Getwd()
	if err != nil {
		return config.Ledger{}, err
	}
	l, err := config.ExpandLedger(text, folder, a.LookupEnv)
	if err != nil {
		return config.Ledger{}, problem.Usage(fmt.Errorf("the name of the ledger %w", err))
	}
	return l, nil
}

func copyLedger(ctx context.Context, a *program.App, from, into *config.Config) error {
	if err := a.Care().Copy(ctx, from, into); err != nil {
		return err
	}
	if a.JSON {
		return a.PrintJSON(struct {
			Type       string `json:"type"`
			Deployment string `json:"deployment,omitempty"`
			From       string `json:"from"` // without passwords
			To         string `json:"to"`
		}{"copy", into.Name, from.Ledger.String(), into.Ledger.String()})
	}
	of := ""
	if into.Name != "" {
		of = fmt.Sprintf(" of %s", into.Name)
	}
	a.Printf("The ledger%s in %s is copied to %s.\nFrom now on use only the copy: what a run does with one of them, the other does not know.\n", of, from.Ledger, into.Ledger)
	return nil
}
