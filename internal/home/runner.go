package home

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync/atomic"

	"owlatsync"
	"owlatsync/internal/config"
	"owlatsync/internal/events"
	"owlatsync/internal/seats"
	"owlatsync/internal/turns"
	"owlatsync/ledger"
	"owlatsync/reconcile"
	"owlatsync/reconcile/progress"
)

// runner makes the runs of jobs.
type runner struct {
	session Session
	ledger  Ledger
	hub     *events.Hub
	log     *slog.Logger
	syncs   *syncs
	made    atomic.Int64 // runs that have ended
	// watch returns the context of a run, and who else is told what happens in it; nil: nobody.
	watch func(ctx context.Context, sync string, run int64) (context.Context, []func(progress.Value))
	// astray hears of syncs whose run of keys found none of them; nil: nobody.
	astray func(sync string)
	seats  *seats.Room // nil: any number of runs read at once
	unsent *unsent     // nil: nobody asks for what could not be sent
	// read hears of syncs whose run has read its source; nil: nobody.
	read func(sync string)
}

// Run implements turns.Runner.
func (r *runner) Run(ctx context.Context, j *turns.Job) (again bool, err error) {
	sync, ok := r.syncs.sync(j.Sync)
	if !ok {
		return false, errors.New("the configuration has no such sync any more")
	}
	defer r.made.Add(1)
	told := []func(progress.Value){events.NewFollower(r.hub).Observe}
	if r.watch != nil {
		var others []func(progress.Value)
		ctx, others = r.watch(ctx, j.Sync, j.Run)
		told = append(others, told...)
	}
	if r.unsent != nil {
		told = append(told, r.unsent.follow())
	}
	began := false
	observe := func(v progress.Value) {
		if v, ok := v.(progress.Started); ok {
			began = true
			j.Began(v.Run)
		}
		for _, each := range told {
			each(v)
		}
	}
	o := reconcile.RunOptions{Stop: j.Stop, Full: j.Full, Part: j.Part, Keys: j.Keys, Run: j.Run, Review: j.Review, Turn: j}
	if r.seats != nil {
		o.Seat = r.seats.Seat(j.Since)
	}
	if j.Approves != 0 {
		err = r.approve(ctx, sync, j, o, observe)
	} else {
		var report *owlatsync.Report
		if report, err = r.session.Run(ctx, sync, o, observe); err == nil && r.foundNothing(ctx, j, report) {
			r.log.DebugContext(ctx, "the keys that were told are those of no row, so that everything that changed is read", "sync", j.Sync)
			r.astray(j.Sync)
		}
	}
	if r.read != nil && (err == nil || errors.Is(err, reconcile.ErrHeld)) {
		r.read(j.Sync)
	}
	if errors.Is(err, reconcile.ErrHeld) {
		j.Held()
	}
	if !began && err != nil && ctx.Err() == nil && !errors.Is(err, ledger.ErrLocked) && !errors.Is(err, reconcile.ErrInterrupted) {
		r.log.ErrorContext(ctx, "the run could not begin", "sync", j.Sync, "why", j.Why, "error", err, hintOf(err))
	}
	return mayPass(ctx, err), err
}

// few says how many rows of a plan of so many may be others: a tenth, or ten, and never more than half.
func few(rows, held int) bool { return rows <= max(held/10, 10) && 2*rows <= held }

// mayMove returns how far the plan of a held run may have moved when it is approved. That of a first run may be a little different: in
// a source that is in use it is hardly ever the same. Of one that was begun, what is done is gone, and what was in flight has changed.
func mayMove(first, begun bool) func(reconcile.Move) bool {
	return func(m reconcile.Move) bool {
		switch {
		case begun && first:
			return few(m.New, m.Held) && few(m.Changed, m.Held)
		case begun:
			return m.New == 0 && few(m.Changed, m.Held)
		}
		return first && few(m.New+m.Changed+m.Gone, m.Held)
	}
}

// begun reports whether an earlier run has applied a part of the plan of a held run, or may have.
func (r *runner) begun(ctx context.Context, sync string, held int64) (bool, error) {
	runs, err := r.ledger.Runs(ctx, sync, 0)
	return slices.ContainsFunc(runs, func(run ledger.Run) bool {
		switch run.Status {
		case ledger.StatusDied, ledger.StatusRunning, ledger.StatusWaiting: // how far it came is not known
			return run.Approves == held
		}
		return run.Approves == held && run.Report != nil && run.Report.Requests.Writes > 0
	}), err
}

// approve applies the plan of a held run, or what is left of it.
func (r *runner) approve(ctx context.Context, sync config.Sync, j *turns.Job, o reconcile.RunOptions, observe func(progress.Value)) error {
	held, err := r.ledger.Run(ctx, j.Approves)
	if err != nil {
		return err
	}
	begun, err := r.begun(ctx, sync.Name, j.Approves)
	if err != nil {
		return err
	}
	o.MayMove = mayMove(firstRun(*held), begun)
	_, err = r.session.Approve(ctx, sync, j.Approves, o, observe)
	if _, moved := errors.AsType[*reconcile.MovedError](err); moved {
		r.syncs.queue.Submit(turns.Request{Sync: j.Sync, Why: turns.Again}) // for a plan that can be approved
	}
	return err
}
