package turns

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"owlatsync/ledger"
)

// Outcome is what became of a request.
type Outcome struct {
	Run    int64         // the run that did it; 0: none began
	Status ledger.Status // how that run ended, as far as the queue knows; empty if none began
	Err    error         // of the run, or why none began; nil: it came to a good end
	// Again says that it failed for a reason that may pass by itself. Whoever asked asks again; the queue does not.
	Again bool
	// Ended is false if the queue ended first, or if another process has the ledger (Err then matches ledger.ErrLocked): what was asked
	// for is still to be done.
	Ended bool
}

// ErrDropped says that a request was not carried out, because a guard holds the plan that it would only make again.
var ErrDropped = errors.New("a run of the sync is held, and waits for somebody to look at it")

// asker waits for the outcome of a request.
type asker struct{ told chan Outcome }

// tell tells an outcome to those who wait for it.
func tell(askers []*asker, o Outcome) {
	for _, a := range askers {
		a.told <- o // it has room for one, and is told once
	}
}

// Do submits a request and waits until the run has ended that did it, also together with other requests, or until the queue ends. The end
// of ctx takes the request back, or ends its run softly if nobody else waits for that. A run that fails is not made again by itself, and
// one that finds the ledger locked does not wait. A numbered request whose run is no longer queued fails with a *ledger.RunEndedError.
func (d Desk) Do(ctx context.Context, r Request) Outcome {
	if number := cmp.Or(r.Run, r.Like); number != 0 {
		run, err := d.q.ledger.Run(ctx, number)
		switch {
		case err != nil:
			return Outcome{Err: err, Ended: errors.Is(err, ledger.ErrNoRun)}
		case r.Run != 0 && run.Status != ledger.StatusQueued:
			return Outcome{Run: r.Run, Status: run.Status, Err: &ledger.RunEndedError{Run: r.Run, Status: run.Status}, Ended: true}
		}
		r.Part = run.Part
	}
	me := &asker{make(chan Outcome, 1)}
	r.askers = append(slices.Clip(r.askers), me)
	d.q.submit(r)
	select {
	case o := <-me.told:
		return o
	case <-ctx.Done():
	}
	if number := d.leave(me); number != 0 {
		if _, err := d.q.ledger.Dequeue(context.WithoutCancel(ctx), number, ledger.StatusCancelled, cancelled); err != nil {
			d.q.log.Warn("a run that was taken back stays queued", "sync", r.Sync, "run", number, "error", err)
		}
	}
	return <-me.told
}

// leave takes back what only one asker waits for, and returns the number of a queued run that is to be taken back. The asker is told in
// any case, at once or when its run has ended.
func (d Desk) leave(me *asker) (queued int64) {
	q := d.q
	q.mu.Lock()
	defer q.mu.Unlock()
	for sync, l := range q.waiting {
		for i := range l.requests {
			r := &l.requests[i]
			if !slices.Contains(r.askers, me) {
				continue
			}
			if r.askers = slices.DeleteFunc(slices.Clone(r.askers), func(a *asker) bool { return a == me }); len(r.askers) == 0 && !r.own {
				queued = r.Run
				q.publishEnd(*r, ledger.StatusCancelled, cancelled)
				if l.requests = slices.Delete(l.requests, i, i+1); len(l.requests) == 0 {
					delete(q.waiting, sync)
				}
			}
			tell([]*asker{me}, Outcome{Run: queued, Status: ledger.StatusCancelled, Err: context.Canceled, Ended: true})
			return queued
		}
	}
	for _, j := range q.active {
		if slices.Contains(j.askers, me) && len(j.askers) == 1 {
			j.cancelled = true
			j.stop()
		}
	}
	return 0
}

// outcome returns what became of the request. The caller holds the mutex.
func (j *Job) outcome(again bool, err error) Outcome {
	q := j.queue
	o := Outcome{Run: j.run, Err: err, Again: again, Ended: true}
	interrupted := (q.ending || q.work.Err() != nil) && !j.cancelled && err != nil
	if interrupted || errors.Is(err, ledger.ErrLocked) {
		o.Ended = false
	}
	return o
}

// SourceOf names the source of a sync, as what a run of it may wait for in vain.
func SourceOf(sync string) string { return fmt.Sprintf("the source of sync %q", sync) }
