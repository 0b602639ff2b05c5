package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"owlatsync"
	"owlatsync/internal/config"
	"owlatsync/internal/exitcode"
	"owlatsync/ledger"
	"owlatsync/reconcile"
)

// shownFailures is how many rows that were not applied a run shows by itself; the file of --failures has all.
const shownFailures = 10

func newRunCmd(a *app) *cobra.Command {
	var failuresPath string
	r := &runner{}
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Bring Owlat in step with the source",
		Long: `Read the source, send Owlat what differs, and record in the ledger what Owlat has confirmed.

A first run asks before it writes, because every contact it creates can set off automations such as
welcome mails. Where nobody can be asked, it needs --yes. Later runs that look like an accident are
held: when the source has no rows all of a sudden, or when very many rows would leave a topic, be
deleted or change (the key "guards" of the configuration sets the limits). A held run changes nothing;
"owlat-sync approve" applies its plan after you have looked at it.

Start carefully with --limit or --only: the other rows are skipped, nothing that follows from missing
rows happens, and the next run asks again.

Ctrl-C stops softly: no more work is taken, what is in flight is finished and recorded. A second
Ctrl-C aborts. However a run ends, the next one goes on from what is certain.

With --json, each line of the output is an object; its "type" is "plan" (what the run is to do),
"row" (what became of a row that was not unchanged), "held" (which guards hold the run) or, at last
for each sync, "report".`,
		Example: `  owlat-sync run
  owlat-sync run --yes                      a first run, where nobody can be asked
  owlat-sync run --limit 10                 a careful start: ten rows
  owlat-sync run --only 4711 --only 4712    just these two rows, by their keys
  owlat-sync run --full                     read all rows, and set right what was changed in Owlat, too
  owlat-sync run --failures failures.csv
  owlat-sync run --json | jq 'select(.type == "report")'`,
		GroupID: groupSync,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("limit") && r.limit < 1 {
				return usageError(errors.New("--limit must be at least 1"))
			}
			if slices.Contains(r.only, "") {
				return usageError(errors.New("--only needs the key of a row"))
			}
			return a.runSyncs(cmd.Context(), r, failuresPath)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&failuresPath, "failures", "", "write a CSV `file` with every row that was not applied and why; it holds addresses")
	flags.BoolVar(&r.full, "full", false, "read all rows, first list all contacts in Owlat, and set right what was changed there")
	flags.StringArrayVar(&r.only, "only", nil, "apply only the row with this `key` (repeatable)")
	flags.IntVar(&r.limit, "limit", 0, "apply at most this `number` of rows of each sync")
	return cmd
}

// runSyncs runs the selected syncs, shows what became of them, and clears away old history.
func (a *app) runSyncs(ctx context.Context, r *runner, failuresPath string) (err error) {
	if failuresPath != "" {
		if r.failures, err = createReportFile("--failures", failuresPath, failureColumns); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, r.failures.close(r.read)) }()
	}
	err = a.withSession(ctx, func(ctx context.Context, s *session, syncs []config.Sync) error {
		failed := s.each(ctx, syncs, r.run)
		if len(failed) == 0 {
			failed = append(failed, r.unmet()...)
		}
		return append(failed, s.prune(ctx)...).err()
	})
	r.printEnd(a)
	return err
}

// runner runs syncs one after the other and keeps what the end shows.
type runner struct {
	full     bool
	only     []string
	limit    int
	approve  int64       // number of the held run whose plan is to be applied; 0: none
	failures *reportFile // nil: none was asked for

	reports  []*owlatsync.Report
	readings []string // how each sync with a cursor was read
	read     bool     // that there are rows to report of
	shown    []shownRow
	hidden   int             // rows not applied beyond those shown
	unasked  int             // rows left out by only and limit
	left     int             // rows to which an ended run did not come
	met      map[string]bool // what of only was the key of a row
	twins    int             // addresses that several contacts in Owlat have
}

// partial reports whether not all rows are asked for.
func (r *runner) partial() bool { return len(r.only) > 0 || r.limit > 0 }

// shownRow is a row that was not applied, without personal data.
type shownRow struct{ sync, label, outcome, reason string }

func (r *runner) run(ctx context.Context, s *session, sync config.Sync) error {
	display := s.startDisplay(sync.Name, true)
	defer display.stop()
	shown, stop := 0, s.app.newSoftStop()
	defer stop.disarm()
	var planned reconcile.Planned
	admitted := false
	observe := func(e reconcile.Progress) {
		switch e := e.(type) {
		case reconcile.Planned:
			planned = e
			if s.app.json {
				_ = s.app.printJSON(newSummaryJSON(e.Summary, sync))
			}
			return // whether it will be done is not known yet
		case reconcile.Admitted:
			admitted = true
			r.twins += planned.Summary.Adoption.Twins
			if r.partial() { // how much of the plan that is shows in the end
				planned.Summary.Requests, planned.Summary.Duration = 0, 0
			}
			display.observe(planned)
			stop.arm() // until now nothing is lost by an abort
		case reconcile.RowDone:
			r.rowDone(s.app, sync, e, &shown)
		}
		display.observe(e)
	}
	var report *owlatsync.Report
	err := s.withEngine(sync, observe, func(e *reconcile.Engine, rs reconcile.Sync) (err error) {
		report, err = e.Run(ctx, rs, reconcile.RunOptions{
			Stop: stop.C(), Confirm: r.confirm(ctx, s, display), Approve: r.approve, Full: r.full, Only: rowKeys(sync, r.only), Limit: r.limit,
		})
		return err
	})
	display.stop()
	if err == nil {
		err = r.meet(ctx, s, sync)
	}
	if held, ok := errors.AsType[*reconcile.HeldError](err); ok {
		approval := r.approval(s.app, held)
		err = s.explainHeld(held, planned.Summary, approval, r.partial())
		if s.app.json {
			_ = s.app.printJSON(s.newHeldJSON(held, approval))
		}
	}
	if moved, ok := errors.AsType[*reconcile.MovedError](err); ok {
		err = r.explainMoved(s.app, sync, moved)
	}
	if report != nil {
		// A run that ended before it could change anything has no numbers to show, only its error.
		if admitted {
			r.reports = append(r.reports, report)
			if report.Reading != nil {
				r.readings = append(r.readings, fmt.Sprintf("%s read %s.", sync.Name, readingWords(report.Reading, sync.Cursor.Column)))
			}
		}
		r.read = r.read || admitted || report.Rows > 0
		if s.app.json {
			err = errors.Join(err, s.app.printJSON(reportJSON{"report", report}))
		}
	}
	if err == nil && report.Outcomes[owlatsync.Failed] > 0 {
		return quiet(exitcode.FailedRows)
	}
	return err
}

// rowDone takes in what became of a row.
func (r *runner) rowDone(a *app, sync config.Sync, e reconcile.RowDone, shown *int) {
	if e.Category == reconcile.CategoryUnasked {
		r.unasked++
		return
	}
	if len(r.only) > 0 {
		r.meetKey(e.Key)
	}
	if a.json {
		_ = a.printJSON(newRowJSON(sync, e))
	}
	if !applied(e.Outcome) {
		r.notApplied(sync, e, shown)
	}
}

func (r *runner) meetKey(key string) {
	if r.met == nil {
		r.met = make(map[string]bool)
	}
	r.met[key] = true
}

// meet looks in the ledger for the rows of --only of which the run told nothing: they are in step.
func (r *runner) meet(ctx context.Context, s *session, sync config.Sync) error {
	if len(r.only) == 0 {
		return nil
	}
	entries, err := s.ledger.Entries(ctx, sync.Name, rowKeys(sync, r.only))
	if err != nil {
		return err
	}
	for key := range entries {
		r.meetKey(key)
	}
	return nil
}

// unmet says which keys of --only no row of any sync has.
func (r *runner) unmet() (errs severalErrors) {
	for _, key := range r.only {
		if r.met[key] || r.met[owlatsync.LowerAddress(owlatsync.Trim(key))] {
			continue
		}
		err := fmt.Errorf("--only: no row has the key %q", key)
		if strings.Contains(key, "@") {
			err = withHint(err, "\"owlat-sync explain EMAIL\" tells the key of the row with an address")
		}
		errs = append(errs, err)
	}
	return errs
}

// prune drops the history that is older than the configuration wants it.
func (s *session) prune(ctx context.Context) severalErrors {
	if ctx.Err() != nil {
		return nil
	}
	removed, err := s.ledger.Prune(ctx, time.Now().Add(-s.cfg.History))
	if err != nil {
		return severalErrors{err}
	}
	if removed > 0 {
		s.app.logger.Info("old history removed", "lines", removed)
	}
	return nil
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
	Events   []string               `json:"events,omitempty"`
	Category string                 `json:"category,omitempty"`
	Reason   string                 `json:"reason,omitempty"`
}

func newRowJSON(sync config.Sync, e reconcile.RowDone) rowJSON {
	r := rowJSON{
		Type: "row", Sync: sync.Name, Key: harmlessKey(sync, e), Position: e.Position, Address: e.AddressHash(),
		Outcome: e.Outcome, Changes: make([]owlatsync.ChangeKind, len(e.Changes)), Events: e.Events, Category: e.Category, Reason: e.Reason,
	}
	for i, c := range e.Changes {
		r.Changes[i] = c.Kind
	}
	return r
}

// harmlessKey is the row's key, unless that may be an address (Invariant 8).
func harmlessKey(sync config.Sync, e reconcile.RowDone) string {
	if sync.KeyIsPersonal() || ledger.PrivateKey(e.Key) {
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
		r.failures.write(sync.Name, e.Key, e.Position, e.Address(), string(e.Outcome), e.Category, e.Reason)
	}
	if e.Category == reconcile.CategoryUnreached {
		r.left++ // all of them for one reason, which would hide the others
		return
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
