package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"owlatsync"
	"owlatsync/internal/config"
	"owlatsync/internal/problem"
	"owlatsync/internal/render"
	"owlatsync/internal/setup"
	"owlatsync/ledger"
	"owlatsync/reconcile"
)

func newApproveCmd(a *app) *cobra.Command {
	var failuresPath string
	cmd := &cobra.Command{
		Use:   "approve RUN",
		Short: "Apply the plan of a run that a guard holds",
		Long: `Apply the plan of a held run, after you have looked at it with "owlat-sync plan".

The source is read again. Exactly the plan that was held is applied: if anything has moved since that
changes it, in the source, in the ledger or in Owlat, nothing is applied, and you are told how many
rows differ. Of a run with --only or --limit, the rows it was asked for are applied and no others. The
numbers of held runs are shown by "owlat-sync run" and "owlat-sync status".`,
		Example: `  owlat-sync status
  owlat-sync plan --sync users
  owlat-sync approve 17`,
		GroupID: groupSync,
		Args:    needArgs(1, 1, "the number of a held run"),
		RunE: func(cmd *cobra.Command, args []string) error {
			run, err := strconv.ParseInt(args[0], 10, 64)
			if err != nil || run < 1 {
				return problem.Usage(problem.Hint(fmt.Errorf("%q is not the number of a run", args[0]), "\"owlat-sync status\" shows the runs that are held"))
			}
			return approve(cmd.Context(), a, run, failuresPath)
		},
	}
	cmd.Flags().StringVar(&failuresPath, "failures", "", "write a CSV `file` with every row that was not applied and why; it holds addresses")
	return cmd
}

func approve(ctx context.Context, a *app, id int64, failuresPath string) error {
	cfg, syncs, err := a.loadSyncs(config.UseAll)
	if err != nil {
		return err
	}
	var sync string
	var part owlatsync.Part
	err = a.withLedger(ctx, cfg, func(l setup.Ledger) (err error) {
		if sync, err = heldSync(ctx, a, l, id); err != nil {
			return err
		}
		part, err = reconcile.PartOf(ctx, l, id)
		return err
	})
	switch {
	case errors.Is(err, setup.ErrNoLedger):
		return problem.Usage(fmt.Errorf("there is no run %d: nothing has ever been run here", id))
	case err != nil:
		return err
	case cfg.Sync(sync) == nil:
		return problem.Usage(fmt.Errorf("run %d is of sync %q, which %s does not have any more", id, sync, a.configPath))
	case !slices.ContainsFunc(syncs, func(s config.Sync) bool { return s.Name == sync }):
		return problem.Usage(fmt.Errorf("run %d is of sync %q, not of %s", id, sync, strings.Join(a.syncs, ", ")))
	}
	a.syncs = []string{sync}
	return runSyncs(ctx, a, &runner{approve: id, asked: render.Asked{Only: part.Only, Limit: part.Limit}}, failuresPath)
}

// heldSync returns the sync of the held run.
func heldSync(ctx context.Context, a *app, l setup.Ledger, id int64) (string, error) {
	runs, err := l.Runs(ctx, "", 0)
	if err != nil {
		return "", err
	}
	var asked *ledger.Run
	var held []string
	latest := make(map[string]int64) // held run of a sync
	for i, run := range runs {
		if run.ID == id {
			asked = &runs[i]
		}
		if run.Status == ledger.StatusHeld {
			held = append(held, fmt.Sprintf("%d of %s", run.ID, run.Sync))
			latest[run.Sync] = max(latest[run.Sync], run.ID)
		}
	}
	switch {
	case asked == nil && len(held) == 0:
		return "", problem.Usage(fmt.Errorf("there is no run %d, and none is held", id))
	case asked == nil:
		return "", problem.Usage(fmt.Errorf("there is no run %d; held are: %s", id, strings.Join(held, ", ")))
	case asked.Status == ledger.StatusHeld:
		return asked.Sync, nil
	}
	err = fmt.Errorf("run %d of sync %q is not held: %s", id, asked.Sync, endWords(*asked))
	if now := latest[asked.Sync]; now > id {
		err = problem.Hint(err, "run %d is the one that waits now: \"%s\" applies it, after you have looked at \"%s\"",
			now, a.typed().Command(fmt.Sprintf("approve %d", now), asked.Sync), a.typed().Command("plan", asked.Sync))
	}
	return "", problem.Usage(err)
}

// endWords says how a run that is not held ended.
func endWords(run ledger.Run) string {
	switch {
	case run.Mode == "plan":
		return "it is a plan, which needs no approval"
	case run.Status == ledger.StatusApproved:
		return "it was approved already"
	case run.Status == ledger.StatusSuperseded:
		return "a later run made it moot"
	case run.Status == ledger.StatusRunning:
		return "it is still running, or its process died"
	}
	return fmt.Sprintf("it ended as %q", run.Status)
}
