package home

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	// trialKept is how long the outcome of a trial counts: whoever asks often makes no more writes.
	trialKept = 5 * time.Second
	// trialWithin is how long a write may take.
	trialWithin = 2 * time.Second
)

// errNoWrite says that a write takes too long.
var errNoWrite = errors.New("the ledger takes no writes: another program has locked it, or its disk is slow")

// trial knows whether a write goes through, because it makes one when it is asked. It is safe for concurrent use.
type trial struct {
	ctx    context.Context
	cancel context.CancelFunc
	write  func(context.Context) error

	mu    sync.Mutex
	going chan struct{} // closed when the present write has ended; nil: there is none
	began time.Time
	ended time.Time
	err   error
}

func newTrial(write func(context.Context) error) *trial {
	ctx, cancel := context.WithCancel(context.Background())
	return &trial{ctx: ctx, cancel: cancel, write: write}
}

// fails returns why a write does not go through, nil if it does.
func (t *trial) fails(ctx context.Context) error {
	going, left := t.join()
	if going != nil {
		timer := time.NewTimer(left)
		defer timer.Stop()
		select {
		case <-going:
		case <-timer.C:
			return errNoWrite
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

// join returns the write to wait for, and how long; nil if the last one still counts.
func (t *trial) join() (going chan struct{}, left time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.going != nil:
		return t.going, trialWithin - time.Since(t.began)
	case t.ctx.Err() != nil || !t.ended.IsZero() && time.Since(t.ended) < trialKept:
		return nil, 0
	}
	going = make(chan struct{})
	t.going, t.began = going, time.Now()
	go func() {
		err := t.write(t.ctx)
		t.mu.Lock()
		t.going, t.ended, t.err = nil, time.Now(), err
		t.mu.Unlock()
		close(going)
	}()
	return going, trialWithin
}

// close waits for the end of a write that goes on. There is none later.
func (t *trial) close() {
	t.cancel()
	t.mu.Lock()
	going := t.going
	t.mu.Unlock()
	if going != nil {
		<-going
	}
}
