package home

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"owlatsync/internal/setup"
	"owlatsync/internal/writeback"
)

// outbox tells the write-backs what waits for them. Its targets can be replaced while it works.
type outbox struct {
	box  writeback.Box
	log  *slog.Logger
	told func(writeback.Attempt)

	sender atomic.Pointer[writeback.Sender] // nil: it does not work

	mu      sync.Mutex
	targets []writeback.Target
	stop    context.CancelFunc // nil: it does not work
	done    chan struct{}
	working bool
}

func newOutbox(box writeback.Box, log *slog.Logger, told func(writeback.Attempt)) *outbox {
	return &outbox{box: box, log: log, told: told}
}

// checkWithin is how long the targets of write-backs may take to answer when the service begins.
const checkWithin = 20 * time.Second

// checkTargets refuses targets that are wrong in themselves. What only the database or the file system says now may pass.
func checkTargets(ctx context.Context, targets []writeback.Target, log *slog.Logger) error {
	ctx, cancel := context.WithTimeout(ctx, checkWithin)
	defer cancel()
	errs := make([]error, len(targets))
	var all sync.WaitGroup
	for i, t := range targets {
		all.Go(func() {
			switch err := t.Check(ctx); {
			case err == nil:
			case writeback.IsWrong(err):
				errs[i] = fmt.Errorf("write-back %q: %w", t.Name(), err)
			default:
				log.Warn("a write-back cannot be told anything now; what is for it waits", "write_back", t.Name(), "error", err)
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// start begins to work.
func (o *outbox) start() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.working = true
	o.run()
}

// run makes a sender of the targets. The caller holds the mutex.
func (o *outbox) run() {
	if !o.working || len(o.targets) == 0 {
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	sender, done := writeback.New(o.box, o.targets, o.log, o.told), make(chan struct{})
	o.sender.Store(sender)
	o.stop, o.done = stop, done
	go func() { defer close(done); sender.Run(ctx) }()
}

// rest ends the work, and waits for what is in flight. The caller holds the mutex.
func (o *outbox) rest() {
	if o.stop == nil {
		return
	}
	o.stop()
	<-o.done
	o.sender.Store(nil)
	o.stop, o.done = nil, nil
}

// replace puts other targets in the place of the present ones, which it closes.
func (o *outbox) replace(targets []writeback.Target) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.rest()
	err := setup.CloseTargets(o.targets)
	o.targets = targets
	o.run()
	return err
}

// wake says that there may be something new. It never blocks: whoever tells of a webhook waits for it.
func (o *outbox) wake() {
	if sender := o.sender.Load(); sender != nil {
		sender.Wake()
	}
}

// close ends the work and closes the targets.
func (o *outbox) close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.rest()
	o.working = false
	err := setup.CloseTargets(o.targets)
	o.targets = nil
	return err
}
