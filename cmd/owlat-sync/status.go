package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"owlatsync/cmd/owlat-sync/internal/program"
	"owlatsync/internal/config"
	"owlatsync/internal/problem"
	"owlatsync/internal/render"
	"owlatsync/internal/setup"
	"owlatsync/internal/standing"
	"owlatsync/internal/words"
)

func newStatusCmd(a *program.App) *cobra.Command {
	var runs int
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show how each sync stands and its latest runs, from the ledger",
		Long: `Show what the ledger knows: how many rows of each sync are in step with Owlat, how many fail, which run
is held by a guard and how to approve it, and the latest runs; plans are none. Neither the source nor
Owlat is asked, and a run may be under way.

Of several deployments all are shown with the latest run of each sync, unless --deployment or --sync
chooses.`,
		GroupID: program.GroupSync,
		Args:    program.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if runs < 1 {
				return problem.Usage(errors.New("--runs must be at least 1"))
			}
			set, err := a.EachOf(config.UseLedger)
			if err != nil {
				return err
			}
			if set != nil {
				if !cmd.Flags().Changed("runs") {
					runs = 1
				}
				return statusEach(cmd.Context(), a, set, runs)
			}
			cfg, syncs, err := a.LoadSyncs(config.UseLedger)
			if err != nil {
				return err
			}
			return status(cmd.Context(), a, cfg, syncs, a.Typed(), runs)
		},
	}
	cmd.Flags().IntVar(&runs, "runs", 5, "how many `runs` of each sync to show")
	return cmd
}

// statusEach shows all deployments, one after the other. One that cannot be looked at keeps no other from being shown.
func statusEach(ctx context.Context, a *program.App, set *config.Set, runs int) error {
	defer a.KeepDatabases()()
	var failed problem.Several
	for _, name := range set.Names() {
		if !a.JSON {
			fmt.Fprintf(a.Out(), "Deployment %s\n", name)
		}
		if err := statusNamed(ctx, a, set, name, runs); err != nil {
			if ctx.Err() != nil {
				return err
			}
			failed = append(failed, err)
		}
	}
	return failed.Err()
}

func statusNamed(ctx context.Context, a *program.App, set *config.Set, name string, runs int) error {
	cfg, err := set.Deployment(name)
	if err != nil {
		return problem.Usage(err)
	}
	typed := a.Typed()
	typed.Deployment = name
	if err := status(ctx, a, cfg, cfg.Syncs, typed, runs); err != nil {
		return fmt.Errorf("deployment %q: %w", name, err)
	}
	return nil
}

func status(ctx context.Context, a *program.App, cfg *config.Config, syncs []config.Sync, typed words.Typed, runs int) (err error) {
	var from standing.Ledger
	var rounds setup.Ledger
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
		from, rounds = l, l
	}
	for _, sync := range syncs {
		st, err := standing.Of(ctx, from, sync, runs)
		if err != nil {
			return err
		}
		if err := render.Status(a.To(), cfg.Name, st, typed); err != nil {
			return err
		}
	}
	if rounds == nil || cfg.Feedback.Every == 0 {
		return nil
	}
	kept, err := rounds.Round(ctx)
	if err != nil {
		return err
	}
	return render.RoundStatus(a.To(), kept, setup.RoundDue(kept, cfg.Feedback.Every, rounds.Now()), rounds.Now())
}
