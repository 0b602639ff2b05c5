package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"owlatsync"
	"owlatsync/internal/config"
	"owlatsync/internal/exitcode"
	"owlatsync/reconcile"
)

// shownFailures is how many rows that were not applied a run shows by itself; the file of --failures has all.
const shownFailures = 10

func newRunCmd(a *app) *cobra.Command {
	var failuresPath string
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Bring Owlat in step with the source",
		Long: `Read the source, send Owlat what differs, and record in the ledger what Owlat has confirmed.

Ctrl-C stops softly: no more work is taken, what is in flight is finished and recorded. A second
Ctrl-C aborts. However a run ends, the next one goes on from what is certain.

With --json, each line of the output is an object; its "type" is "plan" (what the run will do), "row"
(what became of a row that was not unchanged) or, at last for each sync, "report".`,
		Example: `  owlat-sync run
  owlat-sync run --failures failures.csv
  owlat-sync run --json | jq 'select(.type == "report")'`,
		GroupID: groupSync,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			r := &runner{}
			if failuresPath != "" {
				if r.failures, err = createFailureFile(failuresPath); err != nil {
					return err
				}
				defer func() { err = errors.Join(err, r.failures.close()) }()
			}
			err = a.eachSync(cmd.Context(), r.run)
			r.printEnd(a)
			return err
		},
	}
	cmd.Flags().StringVar(&failuresPath, "failures", "", "write a CSV `file` with every row that was not applied and why; it holds addresses")
	return cmd
}

// runner runs syncs one after the other and keeps what the end shows.
type runner struct {
	failures *failureFile // nil: none was asked for

	reports []*owlatsync.Report
	shown   []shownRow
	hidden  int // rows not applied beyond those shown
}

// shownRow is a row that was not applied, without personal data.
type shownRow struct{ sync, label, outcome, reason string }

func (r *runner) run(ctx context.Context, s *session, sync config.Sync) error {
	display := s.app.startDisplay(sync.Name, true)
	defer display.stop()
	shown, stop := 0, s.app.newSoftStop()
	defer stop.disarm()
	observe := func(e reconcile.Event) {
		display.observe(e)
		switch e := e.(type) {
		case reconcile.Planned:
			stop.arm() // until now nothing is lost by an abort
			if s.app.json {
				_ = s.app.printJSON(newSummaryJSON(e.Summary))
			}
		case reconcile.RowDone:
			if s.app.json {
				_ = s.app.printJSON(newRowJSON(sync, e))
			}
			if !applied(e.Outcome) {
				r.notApplied(sync, e, &shown)
			}
		}
	}
	var report *owlatsync.Report
	err := s.withEngine(sync, observe, func(e *reconcile.Engine, rs reconcile.Sync) (err error) {
		report, err = e.Run(ctx, rs, reconcile.RunOptions{Stop: stop.C()})
		return err
	})
	if report != nil {
		// A sync whose source could not be read has no numbers to show, only its error.
		if _, unread := errors.AsType[*reconcile.SourceError](err); !unread {
			r.reports = append(r.reports, report)
		}
		if s.app.json {
			err = errors.Join(err, s.app.printJSON(reportJSON{"report", report}))
		}
	}
	if err == nil && report.Outcomes[owlatsync.Failed] > 0 {
		return quiet(exitcode.FailedRows)
	}
	return err
}

// reportJSON is the last line of a sync that "run --json" prints.
type reportJSON struct {
	Type string `json:"type"`
	*owlatsync.Report
}

// rowJSON is what became of a row as "run --json" prints it: without addresses and names, because such output is kept.
type rowJSON struct {
	Type     string                 `json:"type"`
	Sync     string                 `json:"sync"`
	Key      string                 `json:"key,omitempty"`
	Position string                 `json:"position"`
	Address  string                 `json:"address_hash,omitempty"`
	Outcome  owlatsync.Outcome      `json:"outcome"`
	Changes  []owlatsync.ChangeKind `json:"changes"`
	Category string                 `json:"category,omitempty"`
	Reason   string                 `json:"reason,omitempty"`
}

func newRowJSON(sync config.Sync, e reconcile.RowDone) rowJSON {
	r := rowJSON{
		Type: "row", Sync: sync.Name, Key: harmlessKey(sync, e), Position: e.Position, Address: e.AddressHash(),
		Outcome: e.Outcome, Changes: make([]owlatsync.ChangeKind, len(e.Changes)), Category: e.Category, Reason: e.Reason,
	}
	for i, c := range e.Changes {
		r.Changes[i] = c.Kind
	}
	return r
}

// harmlessKey is the row's key, unless that is the address (Invariant 8).
func harmlessKey(sync config.Sync, e reconcile.RowDone) string {
	if len(sync.Key) == 0 {
		return ""
	}
	return e.Key
}

// applied reports whether Owlat is in step with a row of this outcome.
func applied(o owlatsync.Outcome) bool {
	switch o {
	case owlatsync.Invalid, owlatsync.Duplicate, owlatsync.Skipped, owlatsync.Failed:
		return false
	}
	return true
}

// notApplied notes a row for the end of the run and for the file of --failures.
func (r *runner) notApplied(sync config.Sync, e reconcile.RowDone, shown *int) {
	if r.failures != nil {
		r.failures.write(sync.Name, e)
	}
	if *shown == shownFailures {
		r.hidden++
		return
	}
	*shown++
	label := e.Position
	if key := harmlessKey(sync, e); key != "" {
		label = fmt.Sprintf("key %s", printable(key))
	}
	r.shown = append(r.shown, shownRow{sync.Name, label, string(e.Outcome), e.Reason})
}
