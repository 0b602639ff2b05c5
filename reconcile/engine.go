package reconcile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat"
)

// Engine runs syncs against one deployment with one ledger. It is safe for concurrent use; the ledger lets one run at a time.
type Engine struct {
	client  *owlat.Client
	ledger  ledger.Store
	log     *slog.Logger
	meter   *Meter
	observe func(Progress)
	mu      sync.Mutex // around observe
	workers int

	spoolMemory int
}

// Options of an engine; the zero value is usable.
type Options struct {
	Logger  *slog.Logger   // nothing is logged without one; lines hold row keys and short hashes, never addresses
	Meter   *Meter         // counts the requests of the client; without one reports count none
	Observe func(Progress) // called one at a time, from any goroutine; must be quick

	// Workers is how many rows are worked on at once at most; 0 means what an owlat.Pool allows. Up to that their number
	// follows from the pace and from how long Owlat takes to answer.
	Workers int
}

// New returns an engine. The client's limiter is the budget (Invariant 5): share one client among all engines of a key.
func New(client *owlat.Client, ledger ledger.Store, o Options) *Engine {
	e := &Engine{
		client: client, ledger: ledger, log: o.Logger, meter: o.Meter, observe: o.Observe,
		workers: o.Workers, spoolMemory: spoolMemory,
	}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	if e.meter == nil {
		e.meter = &Meter{}
	}
	return e
}

// RunOptions of one run; the zero value runs everything.
type RunOptions struct {
	// Stop, when closed, makes the run take no more work, finish what is in flight and record it.
	Stop <-chan struct{}
	// Confirm is asked before the first write of a first run, which creates contacts and fires automations. Without it, or
	// when it says no, such a run is held.
	Confirm func(owlatsync.Summary) (bool, error)
	// Approve is the number of a held run whose plan is to be applied although guards hold it. It is applied only if it is
	// still exactly what would be done, and as far as that run was to: its Only and Limit count, not those given here.
	Approve int64
	// Full lists Owlat's contacts first and corrects the ledger to what they are, so that changes made in Owlat are set right.
	Full bool
	// Only, if not empty, are the keys of the rows to apply. The others are skipped, and nothing is removed.
	Only []string
	// Limit, if above 0, is how many rows at most are applied. The others are skipped, and nothing is removed.
	Limit int
}

// Plan reads the source, compares it with the ledger and, on a first run, with Owlat's contacts, and tells each what would
// become of every row but the unchanged ones. It writes nothing to Owlat. The error of each ends it.
func (e *Engine) Plan(ctx context.Context, s Sync, each func(Decision) error) (owlatsync.Summary, error) {
	return e.plan(ctx, s, false, each)
}

// plan makes a plan; full has all rows read.
func (e *Engine) plan(ctx context.Context, s Sync, full bool, each func(Decision) error) (owlatsync.Summary, error) {
	var summary owlatsync.Summary
	_, err := e.within(ctx, &s, "plan", true, func(run *ledger.Run, quit *[]func()) error {
		reading, err := e.readingOf(ctx, &s, full, nil)
		if err != nil {
			return err
		}
		p := e.planner(&s, reading, run.ID, func(ev Progress) {
			if _, row := ev.(RowDone); !row {
				e.emit(ev)
			}
		})
		p.each = each
		*quit = append(*quit, func() {
			summary = p.summary
			summary.Duration = e.client.Estimate(summary.Requests + summary.Adoption.Requests) // a run lists again
		})
		return p.plan(ctx)
	})
	return summary, err
}

// Run brings Owlat in step with the source. Every row read but the unchanged ones is told in a RowDone, also those that the
// run does not come to. The report is returned with an error too, as far as the run came, unless it could not begin. Guards
// are asked before the first write; of several held runs of a sync only the latest keeps its plan. Cancelling ctx aborts:
// requests in flight are given up and their outcomes found out by the next run.
//
// Errors: *LockedError, *DeploymentError, *SourceError (nothing was applied), *StoppedError, ErrUnavailable, ErrInterrupted,
// *HeldError, *MovedError, the context's error, that of Confirm, or the ledger's. Rows that failed are no error: the report counts them.
func (e *Engine) Run(ctx context.Context, s Sync, o RunOptions) (*owlatsync.Report, error) {
	return e.within(ctx, &s, "run", !o.Full, func(run *ledger.Run, _ *[]func()) error {
		var like *owlatsync.Report
		if o.Approve != 0 {
			held, err := e.held(ctx, &s, o.Approve)
			if err != nil {
				return err
			}
			like = held.Report
			part, err := PartOf(ctx, e.ledger, o.Approve)
			if err != nil {
				return err
			}
			o.Only, o.Limit = part.Only, part.Limit
		}
		part := owlatsync.Part{Only: o.Only, Limit: o.Limit}
		reading, err := e.readingOf(ctx, &s, o.Full, like)
		if err != nil {
			return err
		}
		run.Report.Reading = reading.told
		if o.Full {
			if err := e.refresh(ctx, &s); err != nil {
				return err
			}
		}
		p := e.planner(&s, reading, run.ID, e.emit)
		p.partial, p.only = !part.Whole(), o.Only
		err = p.plan(ctx)
		run.Report.Rows = p.scan.rows
		for outcome, n := range p.ended {
			run.Report.Outcomes[outcome] += n
		}
		if err != nil {
			return p.leave(ctx, err)
		}
		e.emit(Planned{p.summary})
		if err := e.admit(ctx, p, o); err != nil {
			if errors.Is(err, ErrHeld) { // of several plans that wait, the latest is how things stand
				if err := p.spool.keep(ctx); err != nil {
					return p.leave(ctx, err)
				}
				err = also(err, e.settleHeld(ctx, &s, 0, reading.changes, p.partial))
				if p.partial {
					err = also(err, e.keepPart(ctx, run.ID, part))
				}
			}
			return p.leave(ctx, err)
		}
		e.emit(Admitted{})
		if err := reading.begin(ctx, e.ledger, s.Name); err != nil {
			return p.leave(ctx, err)
		}
		if err := e.keepRefused(ctx, p); err != nil {
			return p.leave(ctx, err)
		}
		a := &applier{
			engine: e, sync: &s, run: run.ID, plan: p.spool, stop: o.Stop, report: run.Report, only: o.Only, limit: o.Limit, again: &reading.again,
		}
		if err := a.applyAll(ctx); err != nil {
			return err
		}
		if err := e.settleHeld(ctx, &s, o.Approve, reading.changes, p.partial); err != nil || p.partial {
			return err
		}
		if err := e.ledger.SetAdopted(ctx, s.Name); err != nil {
			return err
		}
		return reading.keep(ctx, e.ledger, p.summary, run.Started)
	})
}

// admit lets a plan pass that no guard holds, that is the one approved, or that somebody confirms.
func (e *Engine) admit(ctx context.Context, p *planner, o RunOptions) error {
	if o.Approve != 0 {
		return e.unmoved(ctx, o.Approve, p.spool, owlatsync.Part{Only: o.Only, Limit: o.Limit})
	}
	hits := p.sync.Guards.Hits(p.summary)
	if len(hits) == 0 {
		return nil
	}
	if len(hits) == 1 && hits[0].Guard == owlatsync.GuardFirstRun && o.Confirm != nil {
		if yes, err := o.Confirm(p.summary); yes || err != nil {
			return err
		}
	}
	return &HeldError{Sync: p.sync.Name, Run: p.spool.run, Hits: hits}
}

// within surrounds the work of a run: the lock, the ledger's record of it and the clearing away of the plan. Soon says that the
// source is read before anything else that takes long.
func (e *Engine) within(ctx context.Context, s *Sync, mode string, soon bool, work func(*ledger.Run, *[]func()) error) (report *owlatsync.Report, err error) {
	if err := s.validate(); err != nil {
		return nil, err
	}
	release, err := e.ledger.Acquire(ctx, fmt.Sprintf("%s of sync %q", mode, s.Name))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, release()) }()
	if c, ok := s.Source.(Connector); ok && soon {
		defer c.Connect(ctx)()
	}
	if err := e.ledger.Bind(ctx, e.client.BaseURL()); err != nil {
		return nil, err
	}
	if err := e.buryDead(ctx, s.Name); err != nil {
		return nil, err
	}
	run := ledger.Run{Sync: s.Name, Mode: mode, Started: time.Now(), Status: ledger.StatusRunning}
	if run.ID, err = e.ledger.BeginRun(ctx, run); err != nil {
		return nil, fmt.Errorf("record the run: %w", err)
	}
	run.Report = owlatsync.NewReport(s.Name, fmt.Sprint(run.ID))
	before := e.meter.Counts()
	var quit []func()
	workErr := work(&run, &quit)
	for _, f := range quit {
		f()
	}

	if workErr != nil {
		run.Report.Outcomes[owlatsync.Skipped] += untold(run.Report)
	}
	run.Finished = time.Now()
	run.Report.Seconds = run.Finished.Sub(run.Started).Seconds()
	run.Report.Requests = since(e.meter.Counts(), before)
	run.Status, run.Message = status(workErr, run.Report)
	ctx = context.WithoutCancel(ctx) // the record is made even of an aborted run
	endErr := e.ledger.EndRun(ctx, run)
	if run.Status != ledger.StatusHeld {
		endErr = errors.Join(endErr, e.ledger.Unspool(ctx, run.ID))
	}
	if endErr != nil {
		endErr = fmt.Errorf("record the end of the run: %w", endErr)
	}
	e.log.Info("run ended", "sync", s.Name, "run", run.ID, "mode", mode, "status", run.Status, "rows", run.Report.Rows,
		"requests", run.Report.Requests.Total, "seconds", run.Report.Seconds)
	return run.Report, errors.Join(workErr, endErr)
}

// also returns err, and with it what else went wrong, if anything did.
func also(err, other error) error {
	if other == nil {
		return err
	}
	return errors.Join(err, other)
}

// buryDead ends in the ledger the runs whose process died: whoever holds the lock knows that none is alive.
func (e *Engine) buryDead(ctx context.Context, sync string) error {
	runs, err := e.ledger.Runs(ctx, sync, 5)
	if err != nil {
		return fmt.Errorf("read the runs: %w", err)
	}
	for _, run := range runs {
		if run.Status != ledger.StatusRunning {
			continue
		}
		run.Status, run.Message = ledger.StatusDied, "its process ended without a word"
		if err := e.ledger.EndRun(ctx, run); err != nil {
			return fmt.Errorf("record the run: %w", err)
		}
	}
	return nil
}

// untold is how many rows were read and came to nothing, because the run ended before they were planned or applied.
func untold(r *owlatsync.Report) int {
	n := r.Rows + r.Missing
	for _, count := range r.Outcomes {
		n -= count
	}
	return n
}

func status(err error, r *owlatsync.Report) (status, message string) {
	switch {
	case err == nil && r.Outcomes[owlatsync.Failed] > 0:
		return ledger.StatusFailedRows, ""
	case err == nil:
		return ledger.StatusOK, ""
	case errors.Is(err, ErrHeld):
		return ledger.StatusHeld, err.Error()
	case errors.Is(err, ErrInterrupted), errors.Is(err, context.Canceled):
		return ledger.StatusInterrupted, ""
	}
	if _, ok := errors.AsType[*StoppedError](err); ok || errors.Is(err, ErrUnavailable) {
		return ledger.StatusStopped, err.Error()
	}
	return ledger.StatusError, err.Error()
}

func (e *Engine) planner(s *Sync, r *reading, run int64, emit func(Progress)) *planner {
	return &planner{
		ledger: e.ledger, client: e.client, sync: s, reading: r, emit: emit,
		spool: &spool{store: e.ledger, run: run, most: e.spoolMemory},
	}
}

func (e *Engine) emit(ev Progress) {
	if e.observe == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.observe(ev)
}
