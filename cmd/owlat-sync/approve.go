package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"owlatsync/cmd/owlat-sync/internal/program"
	"owlatsync/internal/config"
	"owlatsync/internal/problem"
	"owlatsync/internal/render"
	"owlatsync/internal/setup"
	"owlatsync/ledger"
	"owlatsync/reconcile"
)

func newApproveCmd(a *program.App) *cobra.Command {
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
		GroupID: program.GroupSync,
		Args:    program.NeedArgs(1, 1, "the number of a held run"),
		RunE: func(cmd *cobra.Command, args []string) error {
			run, err := heldNumber(args[0])
			if err != nil {
				return err
			}
			return approve(cmd.Context(), a, run, failuresPath)
		},
	}
	cmd.Flags().StringVar(&failuresPath, "failures", "", "write a CSV `file` with every row that was not applied and why; it holds addresses")
	return cmd
}

// heldNumber returns the number of a run that somebody has typed.
func heldNumber(typed string) (int64, error) {
	run, err := strconv.ParseInt(typed, 10, 64)
	if err != nil || run < 1 {
		return 0, problem.Usage(problem.Hint(fmt.Errorf("%q is not the number of a run", typed), "\"owlat-sync status\" shows the runs that are held"))
	}
	return run, nil
}

func approve(ctx context.Context, a *program.App, id int64, failuresPath string) error {
	cfg, syncs, err := a.LoadSyncs(config.UseAll)
	if err != nil {
		return err
	}
	var held *ledger.Run
	err = a.WithLedger(ctx, cfg, func(l setup.Ledger) (err error) {
		held, err = heldRun(ctx, a, l, id)
		return err
	})
	switch {
	case errors.Is(err, setup.ErrNoLedger):
		return problem.Usage(fmt.Errorf("there is no run %d: nothing has ever been run here", id))
	case err != nil:
		return err
	case cfg.Sync(held.Sync) == nil:
		return problem.Usage(fmt.Errorf("run %d is of sync %q, which %s does not have any more", id, held.Sync, a.Place(cfg)))
	case !slices.ContainsFunc(syncs, func(s config.Sync) bool { return s.Name == held.Sync }):
		return problem.Usage(fmt.Errorf("run %d is of sync %q, not of %s", id, held.Sync, strings.Join(a.Syncs, ", ")))
	}
	a.Syncs = []string{held.Sync}
	part, ok := held.Known()
	if !ok {
		return reconcile.ErrPartForgotten
	}
	return runSyncs(ctx, a, &runner{approve: id, asked: render.Asked{Only: part.Only, Limit: part.Limit}}, failuresPath)
}

// heldRun returns the run if it is held.
func heldRun(ctx context.Context, a *program.App, l setup.Ledger, id int64) (*ledger.Run, error) {
	run, err := l.Run(ctx, id)
	if err == nil && run.Status == ledger.StatusHeld {
		return run, nil
	}
	if err != nil && !errors.Is(err, ledger.ErrNoRun) {
		return nil, err
	}
	waiting, listErr := heldRuns(ctx, l)
	switch {
	case listErr != nil:
		return nil, listErr
	case err != nil && len(waiting) == 0:
		return nil, problem.Usage(fmt.Errorf("there is no run %d, and none is held", id))
	case err != nil:
		names := make([]string, len(waiting))
		for i, r := range waiting {
			names[i] = fmt.Sprintf("%d of %s", r.ID, r.Sync)
		}
		return nil, problem.Usage(fmt.Errorf("there is no run %d; held are: %s", id, strings.Join(names, ", ")))
	}
	err = fmt.Errorf("run %d of sync %q is not held: %s", id, run.Sync, endWords(*run))
	now := slices.IndexFunc(waiting, func(r ledger.Run) bool { return r.Sync == run.Sync && r.ID > id })
	if now >= 0 {
		approve := fmt.Sprintf("approve %d", waiting[now].ID)
		err = problem.Hint(err, "run %d is the one that waits now: \"%s\" applies it, after you have looked at \"%s\"",
			waiting[now].ID, a.Typed().Command(approve, run.Sync), a.Typed().Command("plan", run.Sync))
	}
	return nil, problem.Usage(err)
}

// heldRuns returns the held runs of all syncs, newest first.
func heldRuns(ctx context.Context, l setup.Ledger) (all []ledger.Run, err error) {
	syncs, err := l.Syncs(ctx)
	if err != nil {
		return nil, err
	}
	for _, sync := range syncs {
		held, err := l.HeldRuns(ctx, sync)
		if err != nil {
			return nil, err
		}
		all = append(all, held...)
	}
	slices.SortFunc(all, func(a, b ledger.Run) int { return cmp.Compare(b.ID, a.ID) })
	return all, nil
}

// endWords says how a run that is not held ended.
func endWords(run ledger.Run) string {
	switch {
	case run.Mode == ledger.ModePlan:
		return "it is a plan, which needs no approval"
	case run.Status == ledger.StatusApproved:
		return "it was approved already"
	case run.Status == ledger.StatusSuperseded:
		return "a later run made it moot"
	case run.Status == ledger.StatusDismissed:
		return "somebody dismissed it"
	case run.Status == ledger.StatusRunning:
		return "it is still running, or its process died"
	}
	return fmt.Sprintf("it ended as %q", run.Status)
}
