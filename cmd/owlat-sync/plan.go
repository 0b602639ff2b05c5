package main

import (
	"bufio"
	"context"

	"github.com/spf13/cobra"

	"owlatsync/cmd/owlat-sync/internal/program"
	"owlatsync/internal/config"
	"owlatsync/internal/render"
	"owlatsync/internal/setup"
	"owlatsync/reconcile"
)

func newPlanCmd(a *program.App) *cobra.Command {
	var short bool
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Show every change a run would make, and how long it would take; changes nothing",
		Long: `Show what a run would do with every row that is not in step: each contact that would be created,
changed or put on a topic, field by field, each row that would be left out and why, and how many
requests and how much time it takes. It also tells which guards would hold such a run, and their
limits. Nothing is sent to Owlat but, on a first run, requests that list the contacts it has.

The lines hold addresses and names.`,
		Example: `  owlat-sync plan
  owlat-sync plan --summary
  owlat-sync plan --json | jq 'select(.outcome == "invalid")'`,
		GroupID: program.GroupSync,
		Args:    program.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.WithReading(cmd.Context(), config.UseAll, func(s *setup.Session, syncs []config.Sync) error {
				if takes, contacts, due, err := setup.RoundBefore(cmd.Context(), s); err != nil {
					return err
				} else if due {
					if err := render.RoundBefore(a.To(), contacts, takes.Usual, takes.Whole); err != nil {
						return err
					}
				}
				return a.EachSync(s, syncs, func(sync config.Sync) error { return plan(cmd.Context(), a, s, sync, short) }).Err()
			})
		},
	}
	cmd.Flags().BoolVar(&short, "summary", false, "show only the numbers")
	return cmd
}

// plan shows the plan of one sync.
func plan(ctx context.Context, a *program.App, s *setup.Session, sync config.Sync, short bool) error {
	out := bufio.NewWriter(a.Out())
	defer out.Flush()
	display := a.StartDisplay(sync.Name, false, s)
	defer display.Stop()
	shown := render.NewPlan(render.To{W: out, JSON: a.JSON, Typed: a.Typed()}, sync)
	summary, err := s.Plan(ctx, sync, setup.Listener{Progress: display.Observe, Decision: func(d reconcile.Decision) error {
		if short {
			return nil
		}
		display.Stop()
		return shown.Row(d)
	}})
	if err != nil {
		return err
	}
	display.Stop()
	return shown.End(summary, s.Rate())
}
