package turns

import (
	"context"
	"errors"
	"slices"
	"sync"

	"owlatsync/internal/events"
	"owlatsync/ledger"
)

// Job is a run that has its turn, or has had it and waits for the next.
type Job struct {
	Request
	// Stop is closed when the run is to end softly: it takes no more work, finishes what is in flight, and records it.
	Stop <-chan struct{}

	queue *Queue
	stop  func()        // closes Stop
	run   int64         // its number, 0 while that is not known; guarded by the queue's mutex
	turn  chan struct{} // closed when the turn of a job that waits has come; nil: it does not wait
	place uint64        // of a job that waits

	cancelled bool // somebody has ended it; guarded by the queue's mutex
}

func (q *Queue) newJob(r Request) *Job {
	stop := make(chan struct{})
	return &Job{Request: r, Stop: stop, queue: q, stop: sync.OnceFunc(func() { close(stop) }), run: r.Run}
}

// isOwn reports whether the queue itself is to see to it that the run is made.
func (j *Job) isOwn() bool {
	j.queue.mu.Lock()
	defer j.queue.mu.Unlock()
	return j.own
}

// Began notes the number under which the run has begun.
func (j *Job) Began(run int64) {
	j.queue.mu.Lock()
	defer j.queue.mu.Unlock()
	j.run = run
}

// Wanted reports whether another sync waits for its turn.
func (j *Job) Wanted() bool {
	j.queue.mu.Lock()
	defer j.queue.mu.Unlock()
	_, _, some := j.queue.next()
	return some || j.queue.nextPaused() != nil
}

// Yield lets others have their turn, and returns when this run has it again. If ctx ends before, it returns its cause, and the run has
// no turn: it may only record its end.
func (j *Job) Yield(ctx context.Context) error {
	q := j.queue
	q.mu.Lock()
	j.turn = make(chan struct{})
	j.place = q.nextPlace()
	turn := j.turn
	j.tell(events.Paused)
	if q.having == j {
		q.having = nil
	}
	q.dispatch()
	q.mu.Unlock()
	select {
	case <-turn:
	case <-ctx.Done():
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if j.turn != nil {
		j.turn = nil
		return context.Cause(ctx)
	}
	j.tell(events.Resumed)
	return nil
}

// Held drops what waits of the sync and was not asked for by name: it would only make the plan again that a guard holds.
func (j *Job) Held() {
	j.queue.mu.Lock()
	defer j.queue.mu.Unlock()
	if l := j.queue.waiting[j.Sync]; l != nil {
		if l.requests = slices.DeleteFunc(l.requests, func(r Request) bool {
			if r.Run == 0 {
				tell(r.askers, Outcome{Err: ErrDropped, Ended: true})
			}
			return r.Run == 0
		}); len(l.requests) == 0 {
			delete(j.queue.waiting, j.Sync)
		}
	}
}

// tell publishes an event about a job. The caller holds the mutex.
func (j *Job) tell(kind events.Kind) {
	if j.work != nil {
		return
	}
	j.queue.hub.Publish(events.Event{Kind: kind, Sync: j.Sync, Run: j.run})
}

// keep queues an approval again that the end of the service has interrupted: what was agreed to goes on in the next process.
func (j *Job) keep(err error) {
	q := j.queue
	q.mu.Lock()
	interrupted := (q.ending || q.work.Err() != nil) && !j.cancelled && j.Approves != 0 && err != nil && j.run != 0
	q.mu.Unlock()
	if !interrupted {
		return
	}
	run := ledger.Run{Sync: j.Sync, Mode: ledger.ModeRun, Part: j.Part, Approves: j.Approves}
	if _, _, err := q.ledger.Enqueue(context.WithoutCancel(q.work), run); err != nil {
		q.log.Warn("an approval that was interrupted must be given again", "sync", j.Sync, "held_run", j.Approves, "error", err)
	}
}

// settle tells of a run that could not begin, and ends it if it is queued. If the service stops, it stays queued for the next process.
func (j *Job) settle(ctx context.Context, err error) {
	q := j.queue
	q.mu.Lock()
	ending, began, own := q.ending, j.run != j.Run, j.own
	q.mu.Unlock()
	if ending || began || ctx.Err() != nil || errors.Is(err, ledger.ErrLocked) && !own {
		return
	}
	status, why := ledger.StatusError, "it could not begin"
	if err != nil {
		why = err.Error()
	}
	select {
	case <-j.Stop:
		status, why = ledger.StatusCancelled, cancelled
	default:
	}
	if j.Run == 0 {
		q.publishEnd(j.Request, status, why)
		return
	}
	was, dequeueErr := q.ledger.Dequeue(ctx, j.Run, status, why)
	switch {
	case dequeueErr != nil:
		q.log.Warn("a run that could not begin stays queued", "sync", j.Sync, "run", j.Run, "error", dequeueErr)
	case was:
		q.publishEnd(j.Request, status, why)
	}
}
