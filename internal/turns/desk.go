package turns

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile"
)

// cancelled is the message of a run that was taken back before it began.
const cancelled = "it was cancelled before it began"

// UnknownSyncError says that there is no sync with a name.
type UnknownSyncError struct {
	Sync  string
	Known []string
}

// ErrUnknownSync is matched by *UnknownSyncError.
var ErrUnknownSync = errors.New("there is no such sync")

func (e *UnknownSyncError) Error() string {
	return fmt.Sprintf("there is no sync %q; there are: %s", e.Sync, strings.Join(e.Known, ", "))
}

// Is matches ErrUnknownSync.
func (e *UnknownSyncError) Is(target error) bool { return target == ErrUnknownSync }

// NotCancellableError says that a run cannot be cancelled, because it neither waits nor goes on.
type NotCancellableError struct {
	Run    int64
	Status ledger.Status
}

// ErrNotCancellable is matched by *NotCancellableError.
var ErrNotCancellable = errors.New("the run cannot be cancelled")

func (e *NotCancellableError) Error() string {
	if e.Status == ledger.StatusHeld {
		return fmt.Sprintf("run %d is held by a guard and changes nothing until it is approved; there is nothing to cancel, but it can be dismissed", e.Run)
	}
	if e.Status == ledger.StatusRunning || e.Status == ledger.StatusWaiting {
		return fmt.Sprintf("run %d is not of this process; stop it where it goes on", e.Run)
	}
	return fmt.Sprintf("run %d has ended as %q; there is nothing to cancel", e.Run, e.Status)
}

// Is matches ErrNotCancellable.
func (e *NotCancellableError) Is(target error) bool { return target == ErrNotCancellable }

// BeingAppliedError says that a held run cannot be dismissed, because another run applies its plan or is to.
type BeingAppliedError struct{ Held, Run int64 }

// ErrBeingApplied is matched by *BeingAppliedError.
var ErrBeingApplied = errors.New("the plan is being applied")

func (e *BeingAppliedError) Error() string {
	return fmt.Sprintf("run %d was approved, and run %d applies its plan; cancel that run first", e.Held, e.Run)
}

// Is matches ErrBeingApplied.
func (e *BeingAppliedError) Is(target error) bool { return target == ErrBeingApplied }

// Options say how a run is to be made that somebody asks for.
type Options struct {
	Full   bool           // see Request
	Part   owlatsync.Part // see Request
	Review bool           // see Request
}

// Desk takes what people ask for by name: what it takes is durable, and has a number.
type Desk struct{ q *Queue }

// Desk returns the desk of the queue.
func (q *Queue) Desk() Desk { return Desk{q} }

// Load takes up the runs that were queued when the process before ended.
func (d Desk) Load(ctx context.Context) error {
	runs, err := d.q.ledger.Queued(ctx)
	if err != nil {
		return err
	}
	for _, r := range runs {
		request := Request{Sync: r.Sync, Why: Asked, Full: r.Full, Part: r.Part, Run: r.ID, Approves: r.Approves, Review: r.Mode == ledger.ModeReview, own: true}
		if r.Approves != 0 {
			request.Why = Approved
		}
		if !d.q.submit(request) {
			if err := d.takeBack(ctx, request, "the configuration has no such sync"); err != nil {
				return err
			}
		}
	}
	return nil
}

// takeBack ends a queued run that will never begin.
func (d Desk) takeBack(ctx context.Context, r Request, why string) error {
	was, err := d.q.ledger.Dequeue(ctx, r.Run, ledger.StatusCancelled, why)
	if err == nil && was {
		d.q.publishEnd(r, ledger.StatusCancelled, why)
	}
	return err
}

// Trigger durably queues a run of the sync and returns its number. If a run is queued already that was asked for in the same way,
// that is its number. It fails with an *UnknownSyncError.
func (d Desk) Trigger(ctx context.Context, sync string, o Options) (run int64, err error) {
	return d.enqueue(ctx, Request{Sync: sync, Why: Asked, Full: o.Full, Part: o.Part, Review: o.Review})
}

// Approve durably queues a run that applies the plan of a held run, and returns its number, or that of the run that does so already. It fails with a *ledger.NoRunError, an
// *UnknownSyncError, or an error that says why the run cannot be approved; see reconcile.Approvable.
func (d Desk) Approve(ctx context.Context, held int64) (run int64, err error) {
	r, err := d.q.ledger.Run(ctx, held)
	if err != nil {
		return 0, err
	}
	if err := reconcile.Approvable(*r); err != nil {
		return 0, err
	}
	if run := d.approving(r.Sync, held); run != 0 {
		return run, nil
	}
	return d.enqueue(ctx, Request{Sync: r.Sync, Why: Approved, Part: r.Part, Approves: held})
}

// approving returns the run that goes on and applies the plan of the held run, 0 if there is none.
func (d Desk) approving(sync string, held int64) int64 {
	d.q.mu.Lock()
	defer d.q.mu.Unlock()
	if j := d.q.active[sync]; j != nil && j.Approves == held {
		return j.run
	}
	return 0
}

func (d Desk) enqueue(ctx context.Context, r Request) (run int64, err error) {
	d.q.mu.Lock()
	known := d.q.syncs
	d.q.mu.Unlock()
	if !slices.Contains(known, r.Sync) {
		return 0, &UnknownSyncError{Sync: r.Sync, Known: known}
	}
	r.Run, _, err = d.q.ledger.Enqueue(ctx, ledger.Run{Sync: r.Sync, Mode: r.Mode(), Part: r.Part, Full: r.Full, Approves: r.Approves})
	if err != nil {
		return 0, err
	}
	r.own = true
	if !d.q.submit(r) {
		return 0, errors.Join(&UnknownSyncError{Sync: r.Sync, Known: known}, d.takeBack(ctx, r, "the configuration has no such sync any more"))
	}
	return r.Run, nil
}

// Dismiss durably decides against the plan of a held run: it is dropped, and nobody is asked for it any more. It fails with a
// *ledger.NoRunError, a *reconcile.NotHeldError, or a *BeingAppliedError.
func (d Desk) Dismiss(ctx context.Context, held int64) error {
	return Dismiss(ctx, d.q.ledger, held, func(sync string) (int64, error) { return d.approving(sync, held), nil })
}

// Dismiss is Desk.Dismiss for whoever has no queue: approving returns the run of the sync that goes on and applies the held plan, 0 if there
// is none.
func Dismiss(ctx context.Context, l Ledger, held int64, approving func(sync string) (run int64, err error)) error {
	r, err := l.Run(ctx, held)
	if err != nil {
		return err
	}
	queued, err := l.Queued(ctx)
	if err != nil {
		return err
	}
	for _, q := range queued {
		if q.Approves == held {
			return &BeingAppliedError{Held: held, Run: q.ID}
		}
	}
	switch run, err := approving(r.Sync); {
	case err != nil:
		return err
	case run != 0:
		return &BeingAppliedError{Held: held, Run: run}
	}
	was, err := l.Dismiss(ctx, held)
	if err != nil || was {
		return err
	}
	if r, err = l.Run(ctx, held); err != nil {
		return err
	}
	return &reconcile.NotHeldError{Sync: r.Sync, Run: held, Status: r.Status}
}

// Cancel takes a queued run back, or makes one that goes on end softly: it finishes what is in flight, and its status becomes
// ledger.StatusInterrupted. Cancel does not wait for that. It fails with a *ledger.NoRunError or a *NotCancellableError.
func (d Desk) Cancel(ctx context.Context, run int64) error {
	was, err := d.q.ledger.Dequeue(ctx, run, ledger.StatusCancelled, cancelled)
	if err != nil {
		return err
	}
	d.q.mu.Lock()
	defer d.q.mu.Unlock()
	for _, j := range d.q.active {
		if j.run == run {
			j.cancelled = true
			j.stop()
			if was { // it could not begin any more
				d.q.publishEnd(j.Request, ledger.StatusCancelled, cancelled)
			}
			return nil
		}
	}
	if was {
		d.drop(run)
		return nil
	}
	r, err := d.q.ledger.Run(ctx, run)
	if err != nil {
		return err
	}
	return &NotCancellableError{Run: run, Status: r.Status}
}

// drop takes a cancelled run from the line of its sync. The caller holds the mutex.
func (d Desk) drop(run int64) {
	for sync, l := range d.q.waiting {
		i := slices.IndexFunc(l.requests, func(r Request) bool { return r.Run == run })
		if i < 0 {
			continue
		}
		d.q.publishEnd(l.requests[i], ledger.StatusCancelled, cancelled)
		tell(l.requests[i].askers, Outcome{Run: run, Status: ledger.StatusCancelled, Err: context.Canceled, Ended: true})
		if l.requests = slices.Delete(l.requests, i, i+1); len(l.requests) == 0 {
			delete(d.q.waiting, sync)
		}
	}
}
