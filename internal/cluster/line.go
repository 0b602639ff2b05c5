package cluster

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"owlatsync/internal/events"
	"owlatsync/internal/schedule"
	"owlatsync/internal/turns"
	"owlatsync/ledger"
	"owlatsync/reconcile"
	"owlatsync/reconcile/progress"
)

// Books are the part of a ledger that says what is to be run, and what was.
type Books interface {
	ledger.Queue
	Run(ctx context.Context, id int64) (*ledger.Run, error)
	Runs(ctx context.Context, sync string, limit int) ([]ledger.Run, error)
}

// Line is the way to the home of one deployment, wherever that is. What it takes is in the ledger before it is in River, so that a node
// that dies in between loses nothing. It is safe for concurrent use.
type Line struct {
	node       *Node
	deployment string
	books      Books
	hub        *events.Hub

	mu     sync.Mutex
	asking bool // for what is due
	more   bool // has become due meanwhile
}

// Line returns the line of a deployment. What is queued and taken back is told on the hub.
func (n *Node) Line(deployment string, books Books, hub *events.Hub) *Line {
	return &Line{node: n, deployment: deployment, books: books, hub: hub}
}

// here returns the home if it is on this node.
func (l *Line) here() Home {
	if h := l.node.home(l.deployment); h != nil {
		return h.Home
	}
	return nil
}

// Trigger queues a run of a sync; see turns.Desk.
func (l *Line) Trigger(ctx context.Context, sync string, o turns.Options) (int64, error) {
	return l.enqueue(ctx, turns.Request{Sync: sync, Why: turns.Asked, Full: o.Full, Part: o.Part, Review: o.Review})
}

// Approve queues a run that applies the plan of a held run; see turns.Desk.
func (l *Line) Approve(ctx context.Context, held int64) (int64, error) {
	r, err := l.books.Run(ctx, held)
	if err != nil {
		return 0, err
	}
	if err := reconcile.Approvable(*r); err != nil {
		return 0, err
	}
	if run, err := l.approving(ctx, r.Sync, held); run != 0 || err != nil {
		return run, err
	}
	return l.enqueue(ctx, turns.Request{Sync: r.Sync, Why: turns.Approved, Part: r.Part, Approves: held})
}

// approving returns the run that goes on and applies the plan of the held run, 0 if there is none.
func (l *Line) approving(ctx context.Context, sync string, held int64) (int64, error) {
	going, err := l.going(ctx, sync)
	for _, run := range going {
		if run.Approves == held {
			return run.ID, err
		}
	}
	return 0, err
}

// Dismiss decides against the plan of a held run; see turns.Desk.
func (l *Line) Dismiss(ctx context.Context, held int64) error {
	return turns.Dismiss(ctx, l.books, held, func(sync string) (int64, error) { return l.approving(ctx, sync, held) })
}

func (l *Line) enqueue(ctx context.Context, r turns.Request) (int64, error) {
	d, _ := l.node.deployment(l.deployment)
	if !slices.Contains(d.Syncs, r.Sync) {
		return 0, &turns.UnknownSyncError{Sync: r.Sync, Known: d.Syncs}
	}
	run, isNew, err := l.books.Enqueue(ctx, ledger.Run{Sync: r.Sync, Mode: r.Mode(), Part: r.Part, Full: r.Full, Approves: r.Approves})
	if err != nil {
		return 0, err
	}
	if r.Run = run; isNew {
		l.hub.Publish(events.Event{Kind: events.Queued, Sync: r.Sync, Run: run, Data: events.QueuedData{Why: string(r.Why)}})
	}
	if err := l.node.Errands().Ask(ctx, l.deployment, r); err != nil { // it is queued, and the nodes look for such runs
		l.node.log.Warn("a run that is queued waits until a node notices it", "deployment", l.deployment, "sync", r.Sync, "run", run, "error", err)
	}
	return run, nil
}

// recent is how many runs of a sync are looked at to find those that go on.
const recent = 20

// going returns the runs of a sync that go on or wait for their turn, as the ledger has them.
func (l *Line) going(ctx context.Context, sync string) (going []ledger.Run, err error) {
	runs, err := l.books.Runs(ctx, sync, recent)
	for _, r := range runs {
		if r.Status == ledger.StatusRunning || r.Status == ledger.StatusWaiting {
			going = append(going, r)
		}
	}
	return going, err
}

const cancelled = "it was cancelled before it began"

// Cancel takes a queued run back, or makes one that goes on end softly, wherever it does; see turns.Desk.
func (l *Line) Cancel(ctx context.Context, run int64) error {
	was, err := l.books.Dequeue(ctx, run, ledger.StatusCancelled, cancelled)
	if err != nil {
		return err
	}
	r, err := l.books.Run(ctx, run)
	if err != nil {
		return err
	}
	if _, err := l.node.Errands().Cancel(ctx, l.deployment, run); err != nil {
		return err
	}
	if was {
		l.hub.Publish(events.Event{Kind: events.Ended, Sync: r.Sync, Run: run, Data: events.EndData{Status: ledger.StatusCancelled, Message: cancelled}})
		return nil
	}
	if r.Status != ledger.StatusRunning && r.Status != ledger.StatusWaiting {
		return &turns.NotCancellableError{Run: run, Status: r.Status}
	}
	if h := l.here(); h != nil {
		return l.ended(ctx, run, h.Cancel(ctx, run))
	}
	_, err = l.node.Errands().call(ctx, callArgs{Deployment: l.deployment, Cancel: run})
	if e, ok := errors.AsType[*CallError](err); ok && !e.Unknown {
		err = &turns.NotCancellableError{Run: run, Status: r.Status}
	}
	return l.ended(ctx, run, err)
}

// ended returns the error of a cancellation, unless the run has ended meanwhile, as whoever cancelled wanted.
func (l *Line) ended(ctx context.Context, run int64, err error) error {
	e, ok := errors.AsType[*turns.NotCancellableError](err)
	if !ok {
		return err
	}
	r, again := l.books.Run(ctx, run)
	switch {
	case again != nil:
		return err
	case r.Status == ledger.StatusInterrupted:
		return nil
	}
	e.Status = r.Status
	return e
}

// Due says that deliveries of write-backs may be due. It never blocks, and however often it is called, PostgreSQL is asked by one at a time.
func (l *Line) Due() {
	if l.node.ending() {
		return // others look for what is due
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.asking {
		l.more = true
		return
	}
	l.asking = true
	l.node.parts.Go(func() {
		for again := true; again; again = l.becameDue() {
			ctx, done := context.WithTimeout(l.node.aborted, closing)
			if err := l.node.Errands().Deliver(ctx, l.deployment); err != nil {
				l.node.log.Warn("what is to be written back waits until somebody looks for it", "deployment", l.deployment, "error", err)
			}
			done()
		}
	})
}

// becameDue reports whether more has become due while PostgreSQL was asked. If not, the next call of Due asks.
func (l *Line) becameDue() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asking, l.more = l.more, false
	return l.asking
}

// Waiting tells what waits of a sync, and what goes on.
func (l *Line) Waiting(ctx context.Context, sync string) (w turns.Waiting, err error) {
	if h := l.here(); h != nil {
		return h.Waiting(ctx, sync)
	}
	queued, err := l.books.Queued(ctx)
	if err != nil {
		return w, err
	}
	for _, r := range queued {
		if r.Sync != sync {
			continue
		}
		if w.Runs, w.Any = append(w.Runs, r.ID), true; r.Approves != 0 {
			w.Approves = append(w.Approves, r.Approves)
		}
	}
	going, err := l.going(ctx, sync)
	if err != nil || len(going) == 0 {
		return w, err
	}
	r := going[0]
	if w.Going, w.Turn = r.ID, r.Status == ledger.StatusRunning; r.Approves != 0 {
		w.Approves = append(w.Approves, r.Approves)
	}
	return w, nil
}

// Next returns when the schedule has the next run of a sync; zero: it has no schedule.
func (l *Line) Next(sync string) time.Time {
	d, _ := l.node.deployment(l.deployment)
	i := slices.IndexFunc(d.Timetable, func(e schedule.Entry) bool { return e.Sync == sync })
	if i < 0 {
		return time.Time{}
	}
	return d.Timetable[i].Schedule.Next(l.node.clock.Now())
}

// Progress returns how far a run is, as far as this node has it or has lately heard of it; otherwise ok is false.
func (l *Line) Progress(run int64) (state progress.State, ok bool) {
	if h := l.here(); h != nil {
		return h.Progress(run)
	}
	return l.node.voice.state(l.deployment, run, time.Now())
}

// Alive returns why nothing that is asked for is done, nil if it is.
func (l *Line) Alive(context.Context) error {
	switch {
	case l.node.ending():
		return errors.New("this node stops")
	case time.Since(l.node.crew.Seen()) > l.node.missing():
		return errors.New("PostgreSQL does not answer, so that this node takes no work")
	}
	return nil
}
