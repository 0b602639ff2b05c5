package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"owlatsync/internal/config"
	"owlatsync/internal/listfile"
	"owlatsync/internal/problem"
	"owlatsync/internal/render"
	"owlatsync/internal/setup"
	"owlatsync/internal/standing"
)

func newFailuresCmd(a *app) *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "failures",
		Short: "List the rows that fail, why, and when they are tried again",
		Long: `List what the ledger knows not to be done: rows that fail, with the reason, the number of attempts and
the time of the next one; and events and topic adds of which nobody knows whether they arrived, because
their answer was lost; and people who consent again while Owlat waits for their confirmation and does
not ask for it a second time. Neither the source nor Owlat is asked.

A row that fails is tried again by the next runs, after pauses that grow. After 8 attempts, or when
Owlat refuses it for good, it is left alone until it changes or "owlat-sync retry" asks for it. What
is merely unknown is never repeated: an event would fire its automations twice, and a topic add could
undo an opt-out.

The list holds addresses.`,
		Example: `  owlat-sync failures
  owlat-sync failures --csv failures.csv
  owlat-sync failures --json | jq 'select(.parked)'`,
		GroupID: groupCare,
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return listFailures(cmd.Context(), a, path) },
	}
	cmd.Flags().StringVar(&path, "csv", "", "write the list as CSV to this `file`, - for standard output")
	return cmd
}

func listFailures(ctx context.Context, a *app, path string) error {
	if path != "" && a.JSON {
		return problem.Usage(errors.New("--csv and --json exclude each other"))
	}
	cfg, syncs, err := a.loadSyncs(config.UseLedger)
	if err != nil {
		return err
	}
	switch path {
	case "":
		list := render.NewTroubles(a.to())
		if err := eachFailure(ctx, a, cfg, syncs, list); err != nil {
			return err
		}
		return list.End()
	case "-":
		list := render.NewTroublesCSV(a.to())
		return errors.Join(eachFailure(ctx, a, cfg, syncs, list), list.End())
	}
	file, err := listfile.Create("--csv", path, render.TroubleColumns)
	if err != nil {
		return err
	}
	list := render.NewTroublesIn(a.to(), file)
	err = eachFailure(ctx, a, cfg, syncs, list)
	if err = errors.Join(err, file.Close(err == nil)); err != nil {
		return err
	}
	return list.End()
}

// eachFailure puts every failure on the list. Without a ledger there are none.
func eachFailure(ctx context.Context, a *app, cfg *config.Config, syncs []config.Sync, list *render.Troubles) error {
	err := a.reader().WithLedger(ctx, cfg, func(l setup.Ledger) error {
		for _, sync := range syncs {
			for t, err := range standing.Troubles(ctx, l, sync.Name) {
				if err != nil {
					return err
				}
				if err := list.Row(t); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if errors.Is(err, setup.ErrNoLedger) {
		return nil
	}
	return err
}
