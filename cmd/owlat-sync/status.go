package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"owlatsync"
	"owlatsync/internal/config"
	"owlatsync/ledger"
	"owlatsync/reconcile"
)

func newStatusCmd(a *app) *cobra.Command {
	var runs int
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show how each sync stands and its latest runs, from the ledger",
		Long: `Show what the ledger knows: how many rows of each sync are in step with Owlat, how many fail, which run
is held by a guard and how to approve it, and the latest runs; plans are none. Neither the source nor
Owlat is asked, and a run may be under way.`,
		GroupID: groupSync,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if runs < 1 {
				return usageError(errors.New("--runs must be at least 1"))
			}
			return a.status(cmd.Context(), runs)
		},
	}
	cmd.Flags().IntVar(&runs, "runs", 5, "how many `runs` of each sync to show")
	return cmd
}

// syncStatus is what "status --json" prints for each sync.
type syncStatus struct {
	Type    string    `json:"type"`
	Sync    string    `json:"sync"`
	Rows    int       `json:"rows"` // that the ledger knows
	InStep  int       `json:"in_step"`
	Failing int       `json:"failing"`
	Parked  int       `json:"parked"` // of the failing: not tried again until the row changes
	Held    []heldRun `json:"held"`   // runs that wait for approval, newest first
	Runs    []runLine `json:"runs"`   // newest first

	Reading *readingStatus `json:"reading,omitempty"` // of a sync with a cursor
}

// heldRun is a run that a guard holds.
type heldRun struct {
	Run     int64     `json:"run"`
	Started time.Time `json:"started"`
	Message string    `json:"message"`
	Partial bool      `json:"partial,omitempty"` // it was to apply only the rows of --only or --limit
	Approve string    `json:"approve"`           // the command that applies its plan
}

type runLine struct {
	Run      int64             `json:"run"`
	Mode     string            `json:"mode"`
	Started  time.Time         `json:"started"`
	Finished *time.Time        `json:"finished,omitempty"` // absent while it runs, or when its process died
	Status   string            `json:"status"`
	Message  string            `json:"message,omitempty"`
	Report   *owlatsync.Report `json:"report,omitempty"`
}

func (a *app) status(ctx context.Context, runs int) (err error) {
	cfg, err := a.loadConfig(config.UseLedger)
	if err != nil {
		return err
	}
	syncs, err := a.selectSyncs(cfg)
	if err != nil {
		return err
	}
	if _, err := os.Stat(cfg.Ledger); errors.Is(err, os.ErrNotExist) {
		for _, s := range syncs {
			if err := a.printStatus(syncStatus{Type: "status", Sync: s.Name, Held: []heldRun{}, Runs: []runLine{}}); err != nil {
				return err
			}
		}
		return nil
	}
	l, err := openLedger(ctx, cfg.Ledger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	for _, s := range syncs {
		standing, err := l.Standing(ctx, s.Name)
		if err != nil {
			return err
		}
		all, err := l.Runs(ctx, s.Name, 0)
		if err != nil {
			return err
		}
		bookmark, err := l.Bookmark(ctx, s.Name)
		if err != nil {
			return err
		}
		st := syncStatus{
			Type: "status", Sync: s.Name, Rows: standing.Entries, InStep: standing.Applied,
			Failing: standing.Failing, Parked: standing.Parked, Held: []heldRun{}, Runs: []runLine{},
			Reading: newReadingStatus(s, bookmark),
		}
		for _, r := range all {
			if r.Mode == "plan" { // of plan, explain and verify; they would hide the runs
				continue
			}
			if len(st.Runs) < runs {
				st.Runs = append(st.Runs, newRunLine(r))
			}
			if r.Status == ledger.StatusHeld {
				part, err := reconcile.PartOf(ctx, l, r.ID)
				forgotten := errors.Is(err, reconcile.ErrPartForgotten)
				if err != nil && !forgotten {
					return err
				}
				st.Held = append(st.Held, heldRun{r.ID, r.Started, r.Message, forgotten || !part.Whole(), a.command(fmt.Sprintf("approve %d", r.ID), s.Name)})
			}
		}
		if err := a.printStatus(st); err != nil {
			return err
		}
	}
	return nil
}

func newRunLine(r ledger.Run) runLine {
	l := runLine{Run: r.ID, Mode: r.Mode, Started: r.Started, Status: r.Status, Message: r.Message, Report: r.Report}
	if !r.Finished.IsZero() {
		l.Finished = &r.Finished
	}
	return l
}

func (a *app) printStatus(s syncStatus) error {
	if a.json {
		return a.printJSON(s)
	}
	if len(s.Runs) == 0 {
		a.printf("%s: never run\n", s.Sync)
		return nil
	}
	a.printf("%s: the ledger knows %s: %d in step, %d failing", s.Sync, plural(s.Rows, "row"), s.InStep, s.Failing)
	if s.Parked > 0 {
		a.printf(" (%d of them not tried again until they change)", s.Parked)
	}
	if s.Failing > 0 {
		a.printf("; \"%s\" lists them", a.command("failures", s.Sync))
	}
	a.printf("\n")
	if s.Reading != nil {
		a.printf("  %s\n", s.Reading.words())
	}
	if len(s.Held) > 0 {
		held := s.Held[0]
		a.printf("  run %d of %s is %s\n", held.Run, clock(held.Started), held.Message)
		apply := held.Approve
		if held.Partial {
			apply += " (only the rows that --only or --limit asked for)"
		}
		a.printf("    look at it:   %s\n    apply it:     %s\n", a.command("plan", s.Sync), apply)
		if more := len(s.Held) - 1; more > 0 {
			a.printf("    held before:  %s\n", plural(more, "run"))
		}
	}
	lines := [][]string{{"  run", "started", "took", "status", "rows", "created", "updated", "unchanged", "failed", "requests"}}
	for _, r := range s.Runs {
		lines = append(lines, r.cells())
	}
	a.printf("%s", alignRight(lines))
	if last := s.Runs[0]; last.Message != "" && last.Status != ledger.StatusHeld {
		a.printf("  the latest ended with: %s\n", last.Message)
	}
	return nil
}

func (r runLine) cells() []string {
	lasted := "-"
	if r.Finished != nil {
		lasted = took(r.Finished.Sub(r.Started))
	}
	cells := []string{fmt.Sprintf("  %d", r.Run), clock(r.Started), lasted, r.Status}
	if r.Report == nil {
		return append(cells, "-", "-", "-", "-", "-", "-")
	}
	for _, n := range []int{
		r.Report.Rows, r.Report.Outcomes[owlatsync.Created], r.Report.Outcomes[owlatsync.Updated],
		r.Report.Outcomes[owlatsync.Unchanged], r.Report.Outcomes[owlatsync.Failed], r.Report.Requests.Total,
	} {
		cells = append(cells, fmt.Sprint(n))
	}
	return cells
}
