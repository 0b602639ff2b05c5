package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"owlatsync/cmd/owlat-sync/internal/program"
	"owlatsync/internal/config"
	"owlatsync/internal/console"
	"owlatsync/internal/exitcode"
	"owlatsync/internal/problem"
	"owlatsync/internal/render"
	"owlatsync/internal/setup"
	"owlatsync/internal/words"
	"owlatsync/reconcile"
)

func newVerifyCmd(a *program.App) *cobra.Command {
	var repair bool
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Compare source, ledger and Owlat with each other; changes nothing without --repair",
		Long: `Compare the source, the ledger and one listing of all contacts in Owlat (one request for 100 contacts),
and list each difference:

  source    the next run has something to do for the row
  changed   a name in Owlat is not what was written
  address   the contact has another address than was written
  missing   the contact of a row is not in Owlat any more
  twin      two contacts in Owlat have one address; calls by address reach the older
  unknown   a contact in Owlat that no row stands for: no difference, only counted

It also says how many people of the source are not in Owlat because their rows are invalid; that is no
difference either. Owlat's API tells nobody who is on a topic, so memberships cannot be compared. Nothing is changed, and
the exit code is 3 when there are differences.

With --repair, the ledger is corrected to what Owlat holds, and the syncs are run: what was changed in
Owlat is set right, and contacts that are gone are treated as "on_remote_delete" says, within the
guards. It asks first; where nobody can be asked, it needs --yes. What no policy allows, such as
merging twins, is left to you.

The list holds addresses and names.`,
		Example: `  owlat-sync verify
  owlat-sync verify --json | jq 'select(.kind == "missing")'
  owlat-sync verify --repair`,
		GroupID: program.GroupCare,
		Args:    program.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ask := a.Asker(cmd.Context())
			if repair && ask == nil && !a.Yes {
				return problem.Usage(problem.Hint(errors.New("verify --repair asks before it changes anything, and here is nobody to ask"),
					"\"owlat-sync verify\" shows the differences; with --yes as well they are repaired unasked"))
			}
			return verify(cmd.Context(), a, repair, ask)
		},
	}
	cmd.Flags().BoolVar(&repair, "repair", false, "correct the ledger to what Owlat holds, and run the syncs")
	return cmd
}

func verify(ctx context.Context, a *program.App, repair bool, ask *console.Asker) error {
	r := &runner{}
	open := a.Reader()
	open.Reads = !repair
	err := a.WithSessionOf(ctx, open, config.UseAll, func(s *setup.Session, syncs []config.Sync) error {
		found := render.NewFindings(a.To())
		// Before a question it only compares: a no must leave everything as it is.
		result, err := compare(ctx, a, s, syncs, repair && a.Yes, found.Row)
		if err != nil {
			return err
		}
		if err := found.End(result, repair, a.Typed()); err != nil {
			return err
		}
		switch {
		case result.Differences() == 0:
			return nil
		case !repair:
			return problem.Told(exitcode.FailedRows)
		case !a.Yes:
			yes, err := ask.Confirm("Correct the ledger to what Owlat holds, and run the syncs?")
			if err != nil {
				return err
			}
			if !yes {
				return problem.Told(exitcode.FailedRows)
			}
			if _, err := compare(ctx, a, s, syncs, true, func(reconcile.Finding) error { return nil }); err != nil {
				return err
			}
		}
		failed := a.EachSync(s, syncs, func(sync config.Sync) error { return r.run(ctx, a, s, sync) })
		failed = append(failed, prune(ctx, a, s)...)
		if twins := result.Findings[reconcile.TwinInOwlat]; len(failed) == 0 && twins > 0 {
			failed = append(failed, exitcode.With(exitcode.FailedRows,
				fmt.Errorf("%s with an address that an older contact has too: merge or delete there what is wrong", words.Several(twins, "contact is left in Owlat", "contacts are left in Owlat"))))
		}
		return failed.Err()
	})
	r.end.End(a.To())
	return err
}

// compare tells each difference between the sources of the syncs, the ledger and Owlat.
func compare(ctx context.Context, a *program.App, s *setup.Session, syncs []config.Sync, repair bool, each func(reconcile.Finding) error) (reconcile.Verified, error) {
	display := a.StartDisplay("verify", false, s)
	defer display.Stop()
	result, err := s.Verify(ctx, syncs, repair, display.Observe, func(f reconcile.Finding) error {
		var err error
		display.Suspend(func() { err = each(f) })
		return err
	})
	return result, a.ExplainError(s.Config, "", err)
}
