package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"owlatsync"
	"owlatsync/cmd/owlat-sync/internal/program"
	"owlatsync/internal/config"
	"owlatsync/internal/explain"
	"owlatsync/internal/problem"
	"owlatsync/internal/render/tale"
	"owlatsync/internal/setup"
	"owlatsync/reconcile/progress"
)

func newExplainCmd(a *program.App) *cobra.Command {
	var offline bool
	cmd := &cobra.Command{
		Use:   "explain KEY|EMAIL",
		Short: "Tell the whole story of one row: what was sent, what is so now and why, what comes next",
		Long: `Tell all there is to know about the row with a key, or about the rows with an e-mail address, in every
sync: when it was first seen, each change that was sent and answered, on which topics its contact is
and why (or why not), what is in the source and in Owlat now, and what the next run would do.

The source is read, and Owlat is asked for the contact; nothing is changed. --offline tells only what
the ledger knows, which takes no time, needs no API key, and works while a run is under way.

What was sent is kept for as long as the key "history_days" of the configuration says. The story
holds addresses and names.`,
		Example: `  owlat-sync explain 4711
  owlat-sync explain ada@example.com
  owlat-sync explain 4711 --offline`,
		GroupID: program.GroupCare,
		Args:    program.NeedArgs(1, 1, "the key of a row, or an address"),
		RunE: func(cmd *cobra.Command, args []string) error {
			word := owlatsync.Trim(args[0])
			if word == "" {
				return problem.Usage(errors.New("what is to be explained needs a key or an address"))
			}
			return explainRow(cmd.Context(), a, word, offline)
		},
	}
	cmd.Flags().BoolVar(&offline, "offline", false, "ask neither the source nor Owlat")
	return cmd
}

func explainRow(ctx context.Context, a *program.App, word string, offline bool) error {
	use := config.UseURL | config.UseSources
	if offline {
		if err := a.NeedLedger(ctx); err != nil {
			return err
		}
		use = config.UseLedger
	}
	return a.WithReading(ctx, use, func(s *setup.Session, syncs []config.Sync) error {
		q, err := explain.Ask(ctx, s, explain.Question{Word: word, Offline: offline, Watch: func(sync string) (func(progress.Value), func()) {
			display := a.StartDisplay(sync, false, s)
			return display.Observe, display.Stop
		}})
		if err != nil {
			return err
		}
		told := 0
		failed := a.EachSync(s, syncs, func(sync config.Sync) error {
			tales, err := q.Tales(ctx, s, sync)
			for _, t := range tales {
				if told++; told > 1 {
					a.Tell("\n")
				}
				err = errors.Join(err, tale.Show(a.To(), t))
			}
			return err
		})
		for _, name := range q.Syncs() {
			if s.Config.Sync(name) == nil {
				a.Notef("The ledger knows the address from sync %q too, which %s does not have any more.\n", name, a.Place(s.Config))
			}
		}
		if err := s.NoKey(); err != nil {
			return problem.Hint(err, "with --offline it tells what the ledger knows, and needs no key")
		}
		if len(failed) > 0 || told > 0 {
			return failed.Err()
		}
		return nothingKnown(ctx, s, q)
	})
}

// nothingKnown says that nothing is known about the row, or that the person was forgotten.
func nothingKnown(ctx context.Context, s *setup.Session, q *explain.Question) error {
	forgotten, err := q.Forgotten(ctx, s)
	if err != nil {
		return err
	}
	if forgotten {
		return errors.New("the ledger was asked to forget the person with this address, and the source has no such row")
	}
	return problem.Hint(fmt.Errorf("neither the ledger nor the source has a row with the key or address %q", q.Word),
		"a key is what stands in the column that \"key\" names in the configuration, exactly as the source has it")
}
