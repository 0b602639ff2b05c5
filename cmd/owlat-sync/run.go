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
	"owlatsync/internal/console"
	"owlatsync/internal/exitcode"
	"owlatsync/internal/listfile"
	"owlatsync/internal/problem"
	"owlatsync/internal/render"
	"owlatsync/internal/setup"
	"owlatsync/ledger"
	"owlatsync/reconcile"
	"owlatsync/reconcile/progress"
)

func newRunCmd(a *program.App) *cobra.Command {
	var failuresPath string
	r := &runner{}
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Bring Owlat in step with the source",
		Long: `Read the source, send Owlat what differs, and record in the ledger what Owlat has confirmed.

A first run asks before it writes, because every contact it creates can set off automations such as
welcome mails. Where nobody can be asked, it needs --yes. Later runs that look like an accident are
held: when the source has no rows all of a sudden, or when very many rows would leave a topic, be
deleted, change, be created or be put on a topic (the key "guards" of the configuration sets the
limits). A held run changes nothing; "owlat-sync approve" applies its plan after you have looked at it.

A run in which many rows that were in step have turned invalid applies the others and exits with 3.

Start carefully with --limit or --only: the other rows are skipped, nothing that follows from missing
rows happens, and the next run asks again.

Ctrl-C stops softly: no more work is taken, what is in flight is finished and recorded. A second
Ctrl-C aborts. However a run ends, the next one goes on from what is certain.

With --json, each line of the output is an object; its "type" is "plan" (what the run is to do),
"row" (what became of a row that was not unchanged), "stretch" (a long run reads its source again, and
has a plan of what is left), "held" (which guards hold the run) or, at last for each sync, "report".`,
		Example: `  owlat-sync run
  owlat-sync run --yes                      a first run, where nobody can be asked
  owlat-sync run --limit 10                 a careful start: ten rows
  owlat-sync run --only 4711 --only 4712    just these two rows, by their keys
  owlat-sync run --full                     read all rows, and set right what was changed in Owlat, too
  owlat-sync run --failures failures.csv
  owlat-sync run --json | jq 'select(.type == "report")'`,
		GroupID: program.GroupSync,
		Args:    program.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("limit") && r.asked.Limit < 1 {
				return problem.Usage(errors.New("--limit must be at least 1"))
			}
			if slices.Contains(r.asked.Only, "") {
				return problem.Usage(errors.New("--only needs the key of a row"))
			}
			return runSyncs(cmd.Context(), a, r, failuresPath)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&failuresPath, "failures", "", "write a CSV `file` with every row that was not applied and why; it holds addresses")
	flags.BoolVar(&r.full, "full", false, "read all rows, first list all contacts in Owlat, and set right what was changed there")
	flags.BoolVar(&r.missing, "create-missing", false, "create the contacts of people who were exported for import (export) and whom Owlat does not have")
	flags.StringArrayVar(&r.asked.Only, "only", nil, "apply only the row with this `key` (repeatable)")
	flags.IntVar(&r.asked.Limit, "limit", 0, "apply at most this `number` of rows of each sync")
	return cmd
}

// runSyncs runs the selected syncs, shows what became of them, and prunes old history.
func runSyncs(ctx context.Context, a *program.App, r *runner, failuresPath string) (err error) {
	if failuresPath != "" {
		list, err := listfile.Create("--failures", failuresPath, render.FailureColumns)
		if err != nil {
			return err
		}
		r.end.List = list
		defer func() { err = errors.Join(err, list.Close(r.end.Read())) }()
	}
	untold := 0
	err = a.WithSession(ctx, func(s *setup.Session, syncs []config.Sync) error {
		if err := pollFirst(ctx, a, s); err != nil {
			return err
		}
		failed := a.EachSync(s, syncs, func(sync config.Sync) error { return r.run(ctx, a, s, sync) })
		if len(failed) == 0 {
			failed = append(failed, r.unmet()...)
		}
		failed = append(failed, prune(ctx, a, s)...)
		var untoldErr error
		if untold, untoldErr = setup.Untold(context.WithoutCancel(ctx), s); untoldErr != nil {
			failed = append(failed, untoldErr)
		}
		return failed.Err()
	})
	r.end.End(a.To())
	return errors.Join(err, render.Untold(a.To(), untold))
}

// pollFirst looks for people who have left before the runs, if the last round is longer ago than the configuration says. That it fails is told, and
// keeps no run from going on without it.
func pollFirst(ctx context.Context, a *program.App, s *setup.Session) error {
	cfg := s.Config.Feedback
	if cfg.Every == 0 || s.Config.Owlat.NoKey != nil {
		return nil
	}
	kept, err := s.Ledger.Round(ctx)
	if now := s.Ledger.Now(); err != nil || setup.RoundDue(kept, cfg.Every, now).After(now) {
		return err
	}
	stop := a.NewSoftStop()
	defer stop.Disarm()
	stop.Arm()
	err = a.Round(ctx, s, stop.C(), cfg.All, true)
	if err == nil {
		return nil
	}
	if exitcode.Of(err) == exitcode.Interrupted || errors.Is(err, ledger.ErrLocked) || errors.Is(err, ledger.ErrLockLost) || ctx.Err() != nil {
		return a.ExplainError(s.Config, "", err)
	}
	a.Log.Warn("it is not known who has left topics since the last round, which failed; the run goes on without it", "error", err)
	return nil
}

// runner runs syncs one after the other.
type runner struct {
	full    bool
	missing bool
	asked   render.Asked
	approve int64 // number of the held run to approve; 0: none

	end render.Runs     // what is shown at the end
	met map[string]bool // keys of asked.Only that some row has
}

func (r *runner) run(ctx context.Context, a *program.App, s *setup.Session, sync config.Sync) error {
	display := a.StartDisplay(sync.Name, true, s)
	defer display.Stop()
	stop := a.NewSoftStop()
	defer stop.Disarm()
	var planned progress.Planned
	admitted := false
	observe := func(e progress.Value) {
		switch e := e.(type) {
		case progress.Planned:
			planned = e
			if a.JSON {
				_ = render.Summary(a.To(), e.Summary, sync)
			}
			return // the guards have not passed it yet
		case progress.Admitted:
			if r.approve != 0 && !admitted {
				a.Note(ctx, s.Ledger, ledger.AuditLine{What: ledger.DeedApprove, Sync: sync.Name, Run: r.approve})
			}
			admitted = true
			r.end.Admitted(planned.Summary)
			if r.asked.Partial() { // the size of the part is known only at the end
				planned.Summary.Requests, planned.Summary.Duration = 0, 0
			}
			display.Observe(planned)
			stop.Arm() // before this an abort loses nothing
		case progress.Afresh:
			r.end.Afresh(a.To(), e)
		case progress.RowDone:
			r.meetKey(e)
			r.end.Row(a.To(), sync, e)
		}
		display.Observe(e)
	}
	options := reconcile.RunOptions{
		Stop: stop.C(), Confirm: r.confirm(ctx, a, s, display), Full: r.full, CreateMissing: r.missing,
		Part: owlatsync.Part{Only: setup.RowKeys(sync, r.asked.Only), Limit: r.asked.Limit},
	}
	var report *owlatsync.Report
	var err error
	if r.approve != 0 {
		report, err = s.Approve(ctx, sync, r.approve, options, observe)
	} else {
		report, err = s.Run(ctx, sync, options, observe)
	}
	display.Stop()
	if err == nil {
		err = r.meet(ctx, s, sync)
	}
	if held, ok := errors.AsType[*reconcile.HeldError](err); ok {
		err = render.Held(a.To(), held, planned.Summary, r.asked, a.Typed())
	}
	if moved, ok := errors.AsType[*reconcile.MovedError](err); ok {
		err = render.Moved(moved, sync, r.asked, a.Typed())
	}
	if report != nil {
		err = errors.Join(err, r.end.Report(a.To(), sync, report, admitted))
	}
	if err == nil && (report.Outcomes[owlatsync.Failed] > 0 || report.Spoiled() != "") {
		return problem.Told(exitcode.FailedRows)
	}
	return err
}

// confirm returns a function that asks whether a first run may write. It returns nil if nobody can be asked: the run is then held.
func (r *runner) confirm(ctx context.Context, a *program.App, s *setup.Session, display *console.Display) func(owlatsync.Summary) (bool, error) {
	if a.Yes {
		return func(owlatsync.Summary) (bool, error) { return true, nil }
	}
	ask := a.Asker(ctx)
	if ask == nil {
		return nil
	}
	return func(p owlatsync.Summary) (yes bool, err error) {
		display.Suspend(func() {
			ask.Say("%s", render.FirstRun(p, s.Config.Owlat.URL, r.asked, a.Typed()))
			yes, err = ask.Confirm("Go on?")
		})
		return yes, err
	}
}

// meetKey notes that a row has one of the keys that were asked for.
func (r *runner) meetKey(e progress.RowDone) {
	if len(r.asked.Only) > 0 && e.Category != ledger.CategoryUnasked {
		r.note(e.Key)
	}
}

func (r *runner) note(key string) {
	if r.met == nil {
		r.met = make(map[string]bool)
	}
	r.met[key] = true
}

// meet looks in the ledger for rows of --only that the run did not tell: they are in step.
func (r *runner) meet(ctx context.Context, s *setup.Session, sync config.Sync) error {
	if len(r.asked.Only) == 0 {
		return nil
	}
	entries, err := s.Ledger.Entries(ctx, sync.Name, setup.RowKeys(sync, r.asked.Only))
	if err != nil {
		return err
	}
	for key := range entries {
		r.note(key)
	}
	return nil
}

// unmet names the keys of --only that no row of any sync has.
func (r *runner) unmet() (errs problem.Several) {
	for _, key := range r.asked.Only {
		if r.met[key] || r.met[owlatsync.LowerAddress(owlatsync.Trim(key))] {
			continue
		}
		err := fmt.Errorf("--only: no row has the key %q", key)
		if strings.Contains(key, "@") {
			err = problem.Hint(err, "\"owlat-sync explain EMAIL\" tells the key of the row with an address")
		}
		errs = append(errs, err)
	}
	return errs
}

// prune drops history that is older than the configuration keeps it.
func prune(ctx context.Context, a *program.App, s *setup.Session) problem.Several {
	if ctx.Err() != nil {
		return nil
	}
	removed, err := s.Prune(ctx)
	if err != nil {
		return problem.Several{err}
	}
	if removed > 0 {
		a.Log.Info("old history removed", "lines", removed)
	}
	return nil
}
