package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"owlatsync/cmd/owlat-sync/internal/program"
	"owlatsync/internal/config"
	"owlatsync/internal/problem"
	"owlatsync/internal/setup"
	"owlatsync/internal/turns"
	"owlatsync/ledger"
)

func newDismissCmd(a *program.App) *cobra.Command {
	return &cobra.Command{
		Use:   "dismiss RUN",
		Short: "Decide against the plan of a run that a guard holds",
		Long: `Decide against the plan of a held run. The plan is dropped, and nobody is asked for it any more. Nothing
is sent, and the rows stay as they are: the next run plans anew, and a guard may hold it again. So mend
the source or the query first if the plan was wrong.`,
		Example: `  owlat-sync status
  owlat-sync dismiss 17`,
		GroupID: program.GroupSync,
		Args:    program.NeedArgs(1, 1, "the number of a held run"),
		RunE: func(cmd *cobra.Command, args []string) error {
			run, err := heldNumber(args[0])
			if err != nil {
				return err
			}
			return dismiss(cmd.Context(), a, run)
		},
	}
}

// dismissedJSON is what "dismiss --json" prints.
type dismissedJSON struct {
	Type string `json:"type"`
	Sync string `json:"sync"`
	Run  int64  `json:"run"`
}

func dismiss(ctx context.Context, a *program.App, id int64) error {
	if err := a.NeedLedger(ctx); err != nil {
		return err
	}
	return a.WithSessionFor(ctx, config.UseLedger, func(s *setup.Session, _ []config.Sync) error {
		held, err := heldRun(ctx, a, s.Ledger, id)
		if err != nil {
			return err
		}
		err = turns.Dismiss(ctx, s.Ledger, id, func(string) (int64, error) { return 0, nil })
		switch {
		case errors.Is(err, turns.ErrBeingApplied):
			return problem.Usage(err)
		case err != nil:
			return fmt.Errorf("dismiss run %d: %w", id, err)
		}
		a.Note(ctx, s.Ledger, ledger.AuditLine{What: ledger.DeedDismiss, Sync: held.Sync, Run: id})
		if a.JSON {
			return a.PrintJSON(dismissedJSON{"dismissed", held.Sync, id})
		}
		a.Printf("%s: run %d is dismissed; the next run plans anew\n", held.Sync, id)
		return nil
	})
}
