package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"owlatsync/cmd/owlat-sync/internal/program"
	"owlatsync/internal/config"
	"owlatsync/internal/problem"
	"owlatsync/internal/render"
	"owlatsync/internal/setup"
	"owlatsync/ledger"
)

func newAuditCmd(a *program.App) *cobra.Command {
	var before int64
	var limit int
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "List who asked for what, and when",
		Long: `List the actions that somebody asked for, the latest first: by the HTTP API, and by commands that change
what the ledger says or let a held plan be applied (approve, retry, feedback lift, feedback retry, ledger
forget, import and restore). Runs that begin by themselves or by "owlat-sync run" are in "owlat-sync
status".

A line names no person of a row, only how many there were. Of a command it has the name of the user of
the machine. The list goes back as far as the ledger keeps history.`,
		Example: `  owlat-sync audit
  owlat-sync audit --limit 0 --json | jq 'select(.what == "approve")'`,
		GroupID: program.GroupCare,
		Args:    program.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return listAudit(cmd.Context(), a, before, limit) },
	}
	cmd.Flags().Int64Var(&before, "before", 0, "only lines before the one with this `number`")
	cmd.Flags().IntVar(&limit, "limit", 20, "how `many` to list at most; 0: all that are kept")
	return cmd
}

func listAudit(ctx context.Context, a *program.App, before int64, limit int) error {
	switch {
	case limit < 0:
		return problem.Usage(errors.New("--limit must not be negative"))
	case before < 0:
		return problem.Usage(errors.New("--before must not be negative"))
	}
	cfg, err := a.LoadConfig(config.UseLedger)
	if err != nil {
		return err
	}
	return a.Reader().WithLedger(ctx, cfg, func(l setup.Ledger) error {
		all, err := l.AuditLines(ctx, before, limit)
		if err != nil {
			return err
		}
		more := false
		if n := len(all); limit > 0 && n == limit {
			var earlier []ledger.AuditLine
			earlier, err = l.AuditLines(ctx, all[n-1].Number, 1)
			more = len(earlier) > 0
		}
		if err != nil {
			return err
		}
		return render.Audit(a.To(), all, more, a.Typed())
	})
}
