package reconcile

import (
	"context"
	"errors"
	"time"

	"owlatsync/ledger"
	"owlatsync/reconcile/remote"
)

// fairTurn is the least time for which a run applies what it has read before others have their turn. It is longer if the reading took
// longer, so that the run comes to its end whatever else is due.
const fairTurn = 10 * time.Second

// Turn lets a run that takes long give way to runs of other syncs on the same ledger. A run gives its turn between two stretches,
// once it has applied what it read for as long as the reading took, at least 10 seconds. When the turn is its own again, it reads its
// source again and plans what is left. A sync whose Fresh is below 0 gives no turn, because its source is read only once.
type Turn interface {
	// Wanted reports whether another run waits for its turn. It returns at once; it may be called from several goroutines.
	Wanted() bool
	// Yield lets others have their turn, and returns when this run may go on. The ledger's lock is free meanwhile. An error ends the run. It
	// returns when ctx ends.
	Yield(ctx context.Context) error
}

// recordWithin is how long a run that ends while it waits tries to get the lock back to record its end.
const recordWithin = 10 * time.Second

// givesWay reports whether others are to have their turn now.
func (s *stretch) givesWay() bool {
	return s.options.Turn != nil && s.sync.fresh() > 0 && !time.Now().Before(s.fair) && s.options.Turn.Wanted()
}

// waiting is the part of a run that lets others have their turn.
type waiting struct{ *work }

// wait gives the lock back until the run's turn comes again. If it returns an error, the run is over; it has the lock to record that
// unless away is set.
func (w waiting) wait(ctx context.Context, o RunOptions) error {
	w.rest()
	if err := w.lock.PauseRun(w.lock.Context(), w.run.ID); err != nil {
		return err
	}
	w.away = true
	w.tell.Waits()
	err := also(w.lock.Release(), w.goOn(ctx, o))
	if err == nil || !w.away || errors.Is(err, ledger.ErrRunEnded) || errors.Is(err, ledger.ErrNoRun) {
		return err
	}
	recording, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordWithin)
	defer cancel()
	return also(err, w.relock(recording))
}

// goOn waits for the run's turn and for the lock, or until the run is asked to stop.
func (w waiting) goOn(ctx context.Context, o RunOptions) error {
	w.free(nil) // of the lock before
	ctx, w.free = context.WithCancelCause(ctx)
	there := remote.Heed(o.Stop, w.free, ErrInterrupted)
	err := o.Turn.Yield(ctx)
	if err == nil {
		err = w.relock(ctx)
	}
	there()
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// relock gets the lock back and makes the run go on under it.
func (w waiting) relock(ctx context.Context) error {
	claim := w.claim
	claim.Wait = true
	lock, err := w.engine.locks.acquire(ctx, claim)
	if err != nil {
		return err
	}
	w.lock = lock
	if err := lock.ResumeRun(lock.Context(), w.run.ID); err != nil {
		return err
	}
	w.away = false
	w.beat()
	return nil
}
