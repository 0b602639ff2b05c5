package ledger

import (
	"context"
	"errors"
	"fmt"
)

// Queue keeps runs that were asked for and wait for their turn, so that they survive the process that took them in. It needs no
// lock.
type Queue interface {
	// Enqueue durably records a run with StatusQueued and returns its number. If the same sync has a queued run already that was
	// asked for the same Mode, Part, Full and Approves, it returns that run's number, and isNew is false. It ignores ID, Epoch, Heartbeat and
	// PlanForm.
	Enqueue(ctx context.Context, run Run) (id int64, isNew bool, err error)
	// Queued returns the runs with StatusQueued, oldest first.
	Queued(ctx context.Context) ([]Run, error)
	// Dequeue durably ends a queued run with the status, the message and the present time, and reports whether it was still queued.
	// The status must be one that ends a run. It fails with a *NoRunError if there is no such run.
	Dequeue(ctx context.Context, id int64, status Status, message string) (was bool, err error)
	// Dismiss durably gives a held run StatusDismissed, drops its plan, and reports whether it was still held. It fails with a
	// *NoRunError if there is no such run.
	Dismiss(ctx context.Context, id int64) (was bool, err error)
}

// Turns is the part of a Writer that lets a run wait while runs of other syncs have their turn. Between PauseRun and ResumeRun the
// lock may be released and taken by others.
type Turns interface {
	// PauseRun gives a running run StatusWaiting and the present time as its heartbeat. The waiting run stays while runs of other
	// syncs begin; the begin of another run of its own sync ends it with StatusDied. PauseRun fails with a *RunEndedError if the run
	// neither runs nor waits, and with a *NoRunError if there is no such run. It need not be durable.
	PauseRun(ctx context.Context, id int64) error
	// ResumeRun makes a waiting run go on under this lock, whose epoch it gets, with the present time as its heartbeat. Runs still
	// recorded as running become StatusDied, as with BeginRun. ResumeRun fails with a *RunEndedError if the run is not waiting any
	// more, and with a *NoRunError if there is no such run. It need not be durable.
	ResumeRun(ctx context.Context, id int64) error
}

// RunEndedError says that a run cannot go on, because it has ended meanwhile.
type RunEndedError struct {
	Run    int64
	Status Status
}

// ErrRunEnded is matched by *RunEndedError.
var ErrRunEnded = errors.New("the run has ended")

// Error implements error.
func (e *RunEndedError) Error() string {
	return fmt.Sprintf("run %d cannot go on: it has ended as %q, because another run of its sync began", e.Run, e.Status)
}

// Is matches ErrRunEnded.
func (e *RunEndedError) Is(target error) bool { return target == ErrRunEnded }
