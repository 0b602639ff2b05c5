package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"owlatsync/cmd/owlat-sync/internal/program"
	"owlatsync/internal/config"
	"owlatsync/internal/problem"
	"owlatsync/internal/render"
	"owlatsync/internal/standing"
)

func newStatusCmd(a *program.App) *cobra.Command {
	var runs int
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show how each sync stands and its latest runs, from the ledger",
		Long: `Show what the ledger knows: how many rows of each sync are in step with Owlat, how many fail, which run
is held by a guard and how to approve it, and the latest runs; plans are none. Neither the source nor
Owlat is asked, and a run may be under way.`,
		GroupID: program.GroupSync,
		Args:    program.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if runs < 1 {
				return problem.Usage(errors.New("--runs must be at least 1"))
			}
			return status(cmd.Context(), a, runs)
		},
	}
	cmd.Flags().IntVar(&runs, "runs", 5, "how many `runs` of each sync to show")
	return cmd
}

func status(ctx context.Context, a *program.App, runs int) (err error) {
	cfg, syncs, err := a.LoadSyncs(config.UseLedger)
	if err != nil {
		return err
	}
	var from standing.Ledger
	has, err := a.Reader().Has(ctx, cfg)
	if err != nil {
		return err
	}
	if has {
		l, openErr := a.Reader().Ledger(ctx, cfg)
		if openErr != nil {
			return openErr
		}
		defer func() { err = errors.Join(err, l.Close()) }()
		from = l
	}
	for _, sync := range syncs {
		st, err := standing.Of(ctx, from, sync, runs)
		if err != nil {
			return err
		}
		if err := render.Status(a.To(), st, a.Typed()); err != nil {
			return err
		}
	}
	return nil
}
