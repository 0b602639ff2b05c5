package turns

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"owlatsync/internal/events"
	"owlatsync/ledger"
)

// Runner makes a run.
type Runner interface {
	// Run makes the run of a job and returns when it has ended. Its error matches ledger.ErrLocked if another process holds the
	// ledger: the job then waits and is run again. Again says that the run failed for a reason that may pass.
	Run(ctx context.Context, job *Job) (again bool, err error)
}

// Ledger is the part of a ledger that the queue needs.
type Ledger interface {
	ledger.Queue
	Run(ctx context.Context, id int64) (*ledger.Run, error)
}

// Queue lets one run at a time have its turn. It is safe for concurrent use.
type Queue struct {
	ledger Ledger
	hub    *events.Hub
	runner Runner
	log    *slog.Logger

	mu sync.Mutex // guards what follows
	lineup
	syncs   []string        // the known ones
	work    context.Context // of jobs; nil: the queue does not run
	ending  bool
	jobs    sync.WaitGroup
	retries map[string]*retry
}

// New returns a queue that keeps what was asked for by name in the ledger. Log may be nil.
func New(l Ledger, hub *events.Hub, runner Runner, log *slog.Logger) *Queue {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Queue{
		ledger: l, hub: hub, runner: runner, log: log, lineup: lineup{waiting: make(map[string]*line), active: make(map[string]*Job)},
		retries: make(map[string]*retry),
	}
}

// SetSyncs says which syncs there are. What waits of others is taken back.
func (q *Queue) SetSyncs(ctx context.Context, names []string) error {
	q.mu.Lock()
	q.syncs = slices.Clone(names)
	var gone []Request
	for name, l := range q.waiting {
		if name != aside && !slices.Contains(names, name) {
			gone = append(gone, l.requests...)
			delete(q.waiting, name)
		}
	}
	for name, r := range q.retries {
		if !slices.Contains(names, name) {
			r.timer.Stop()
			delete(q.retries, name)
		}
	}
	q.mu.Unlock()
	var errs []error
	for _, r := range gone {
		tell(r.askers, Outcome{Run: r.Run, Err: &UnknownSyncError{Sync: r.Sync, Known: names}, Ended: true})
		if r.Run != 0 {
			errs = append(errs, (Desk{q}).takeBack(ctx, r, "the configuration has no such sync any more"))
		}
	}
	return errors.Join(errs...)
}

// Submit puts a request into the queue. It never blocks. Requests of one sync without a number that have not begun become one. A
// request of an unknown sync is dropped.
func (q *Queue) Submit(r Request) {
	r.own = true
	q.submit(r)
}

func (q *Queue) submit(r Request) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !slices.Contains(q.syncs, r.Sync) {
		tell(r.askers, Outcome{Err: &UnknownSyncError{Sync: r.Sync, Known: slices.Clone(q.syncs)}, Ended: true})
		return false
	}
	if q.ending {
		tell(r.askers, Outcome{Run: r.Run})
		return true
	}
	if r.Since.IsZero() {
		r.Since = time.Now()
	}
	if a := q.active[r.Sync]; a != nil && r.Run != 0 && a.Run == r.Run {
		a.answer(r) // it has begun meanwhile, and whoever makes it reads when it was due
		return true
	}
	l := q.waiting[r.Sync]
	if l == nil {
		l = &line{place: q.nextPlace()}
		q.waiting[r.Sync] = l
	}
	before := len(l.requests)
	if l.requests = add(l.requests, r); len(l.requests) > before {
		q.hub.Publish(events.Event{Kind: events.Queued, Sync: r.Sync, Run: r.Run, Data: events.QueuedData{Why: string(r.Why)}})
	}
	q.dispatch()
	return true
}

// Run lets runs have their turns until stop is closed or ctx ends, and returns when no run goes on any more. When stop is closed, the
// runs end softly; when ctx ends, they are aborted. What waits then stays in the ledger as far as it has a number.
func (q *Queue) Run(ctx context.Context, stop <-chan struct{}) {
	q.mu.Lock()
	q.work = ctx
	q.dispatch()
	q.mu.Unlock()
	select {
	case <-stop:
	case <-ctx.Done():
	}
	q.mu.Lock()
	q.ending = true
	for _, j := range q.active {
		j.stop()
	}
	for _, r := range q.retries {
		r.timer.Stop()
	}
	q.mu.Unlock()
	q.jobs.Wait()
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, l := range q.waiting {
		for i := range l.requests {
			tell(l.requests[i].askers, Outcome{Run: l.requests[i].Run})
			l.requests[i].askers = nil
		}
	}
}

// dispatch gives the turn to whoever has waited longest, if it is nobody's. The caller holds the mutex.
func (q *Queue) dispatch() {
	if q.work == nil || q.work.Err() != nil || q.ending || q.having != nil {
		return
	}
	sync, place, some := q.next()
	if j := q.nextPaused(); j != nil && (!some || j.place < place) {
		q.having = j
		close(j.turn)
		j.turn = nil
		return
	}
	if !some {
		return
	}
	l := q.waiting[sync]
	j := q.newJob(l.requests[0])
	if l.requests = l.requests[1:]; len(l.requests) == 0 {
		delete(q.waiting, sync)
	} else {
		l.place = q.nextPlace()
	}
	q.having, q.active[sync] = j, j
	ctx := q.work
	q.forgetRetry(j)
	q.jobs.Go(func() { j.begin(ctx) })
}

const (
	lockedFirst = 250 * time.Millisecond
	lockedMost  = 5 * time.Second
)

// run makes the run of a job. While another process holds the ledger, it waits.
func (q *Queue) run(ctx context.Context, j *Job) {
	var again bool
	var err error
	for wait := lockedFirst; ; wait = min(2*wait, lockedMost) {
		if again, err = q.runner.Run(ctx, j); !errors.Is(err, ledger.ErrLocked) {
			break
		}
		if !j.isOwn() {
			break // whoever asked asks again
		}
		if wait == lockedFirst {
			q.log.Info("a run waits until the ledger is free", "sync", j.Sync, "error", err)
		}
		if !j.pause(ctx, wait) {
			break
		}
	}
	j.settle(ctx, err)
	j.keep(err)
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.active, j.Sync)
	if q.having == j {
		q.having = nil
	}
	if l := q.waiting[j.Sync]; l != nil {
		l.place = q.nextPlace() // those who waited meanwhile come first
	}
	tell(j.askers, j.outcome(again, err))
	if again && !q.ending && j.own {
		q.retryLater(j)
	} else if err == nil && j.plain() {
		delete(q.retries, j.Sync)
	}
	q.dispatch()
}

// pause waits, and reports whether the job is to go on.
func (j *Job) pause(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-j.Stop:
		return false
	case <-timer.C:
		return true
	}
}

// Restart makes a run of the sync that goes on end softly, and asks for another of the same part: its configuration has changed. Without a run it does
// nothing.
func (q *Queue) Restart(sync string) {
	q.mu.Lock()
	j := q.active[sync]
	var again Request
	if j != nil {
		j.stop()
		again = Request{Sync: sync, Why: Again, Full: j.Full, Part: j.Part, askers: j.askers} // who waits for its outcome waits for that of the other
		j.askers = nil
	}
	q.mu.Unlock()
	if j != nil {
		q.Submit(again)
	}
}

func (q *Queue) publishEnd(r Request, status ledger.Status, why string) {
	q.hub.Publish(events.Event{Kind: events.Ended, Sync: r.Sync, Run: r.Run, Data: events.EndData{Status: status, Message: why}})
}
