package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"owlatsync"
	"owlatsync/cmd/owlat-sync/internal/program"
	"owlatsync/internal/config"
	"owlatsync/internal/listfile"
	"owlatsync/internal/problem"
	"owlatsync/internal/render"
	"owlatsync/internal/setup"
	"owlatsync/internal/standing"
	"owlatsync/ledger"
	"owlatsync/ledger/memory"
	"owlatsync/reconcile"
)

func newFailuresCmd(a *program.App) *cobra.Command {
	var path string
	var kinds []string
	cmd := &cobra.Command{
		Use:   "failures",
		Short: "List the rows that fail or cannot be sent, and why",
		Long: `List what is not done. The ledger knows rows that fail, with the reason, the number of attempts and the
time of the next one; events and topic adds of which nobody knows whether they arrived, because
their answer was lost; and people who consent again while Owlat waits for their confirmation and does
not ask for it a second time. The source is read for rows that cannot be sent: invalid ones, and rows instead
of which another row with the same key or address counts. Owlat is not asked.

"--kind" lists only some: row (it fails), event, topic (not known whether it arrived), invalid, duplicate.
Without the last two the source is not read.

A row that fails is tried again by the next runs, after pauses that grow. After 8 attempts, or when
Owlat refuses it for good, it is left alone until it changes or "owlat-sync retry" asks for it. What
is merely unknown is never repeated: an event would fire its automations twice, and a topic add could
undo an opt-out.

The list holds addresses.`,
		Example: `  owlat-sync failures
  owlat-sync failures --kind invalid,duplicate
  owlat-sync failures --csv failures.csv
  owlat-sync failures --json | jq 'select(.parked)'`,
		GroupID: program.GroupCare,
		Args:    program.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return listFailures(cmd.Context(), a, path, kinds) },
	}
	cmd.Flags().StringSliceVar(&kinds, "kind", nil, "list only this `kind`: "+strings.Join(reconcile.TroubleKinds, ", ")+" (repeatable)")
	_ = cmd.RegisterFlagCompletionFunc("kind", cobra.FixedCompletions(reconcile.TroubleKinds, cobra.ShellCompDirectiveNoFileComp))
	cmd.Flags().StringVar(&path, "csv", "", "write the list as CSV to this `file`, - for standard output")
	return cmd
}

func listFailures(ctx context.Context, a *program.App, path string, kinds []string) error {
	if len(kinds) == 0 {
		kinds = reconcile.TroubleKinds
	}
	for _, kind := range kinds {
		if !slices.Contains(reconcile.TroubleKinds, kind) {
			return problem.Usage(fmt.Errorf("--kind: %q is not known; it can be %s", kind, strings.Join(reconcile.TroubleKinds, ", ")))
		}
	}
	if path != "" && a.JSON {
		return problem.Usage(errors.New("--csv and --json exclude each other"))
	}
	cfg, syncs, err := a.LoadSyncs(config.UseLedger)
	if err != nil {
		return err
	}
	f := failures{App: a, cfg: cfg, syncs: syncs, kinds: kinds}
	switch path {
	case "":
		list := render.NewTroubles(a.To())
		return f.end(f.each(ctx, list), list.End)
	case "-":
		list := render.NewTroublesCSV(a.To())
		return f.end(f.each(ctx, list), list.End)
	}
	file, err := listfile.Create("--csv", path, render.TroubleColumns)
	if err != nil {
		return err
	}
	list := render.NewTroublesIn(a.To(), file)
	err = f.each(ctx, list)
	if err = errors.Join(err, file.Close(err == nil)); err != nil {
		return err
	}
	return f.end(nil, list.End)
}

// failures lists what is wrong with the rows of some syncs.
type failures struct {
	*program.App
	cfg    *config.Config
	syncs  []config.Sync
	kinds  []string
	unread problem.Several // sources that could not be read
}

// end ends the list unless it broke off, and tells which sources it leaves out.
func (f *failures) end(err error, end func() error) error {
	if err != nil {
		return err
	}
	if err := end(); err != nil {
		return err
	}
	return f.unread.Err()
}

// asked reports whether one of the kinds is to be listed.
func (f *failures) asked(kinds ...string) bool {
	return slices.ContainsFunc(kinds, func(kind string) bool { return slices.Contains(f.kinds, kind) })
}

// each puts everything that is asked for on the list. Without a ledger nothing is known but what the source shows.
func (f *failures) each(ctx context.Context, list *render.Troubles) error {
	err := f.Reader().WithLedger(ctx, f.cfg, func(l setup.Ledger) error { return f.eachOf(ctx, l, list) })
	if errors.Is(err, setup.ErrNoLedger) {
		return f.eachOf(ctx, memory.New(), list)
	}
	return err
}

func (f *failures) eachOf(ctx context.Context, l ledger.Reader, list *render.Troubles) error {
	put := func(t reconcile.Trouble) error {
		if !f.asked(t.What) {
			return nil
		}
		return list.Row(t)
	}
	for _, sync := range f.syncs {
		if f.asked("row", "event", "topic") {
			for t, err := range standing.Troubles(ctx, l, sync.Name) {
				if err == nil {
					err = put(t)
				}
				if err != nil {
					return err
				}
			}
		}
		if !f.asked(string(owlatsync.Invalid), string(owlatsync.Duplicate)) {
			continue
		}
		if sync.Target.Kind() == "" { // a variable in it is not set
			f.Notef("%s: rows that cannot be sent are not listed, because its source is not configured here\n", sync.Name)
			continue
		}
		err := setup.Unsendable(ctx, f.Opener(), f.cfg, l, sync, nil, put)
		if ctx.Err() != nil {
			return f.ExplainError(f.cfg, sync.Name, err)
		}
		if err != nil {
			f.unread = append(f.unread, problem.Hint(f.ExplainError(f.cfg, sync.Name, fmt.Errorf("rows that cannot be sent are not listed: %w", err)),
				"\"owlat-sync failures --kind row,event,topic\" lists what the ledger knows"))
		}
	}
	return nil
}
