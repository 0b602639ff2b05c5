package main

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// watchSignals returns a context that SIGINT and SIGTERM cancel, except for the first one while a soft stop is armed.
func (a *app) watchSignals(parent context.Context) (ctx context.Context, release func()) {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	var watching sync.WaitGroup
	watching.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-signals:
				if !a.tryStopSoftly() {
					// From here on a further signal ends the process as if nobody listened: something may be stuck that
					// knows no context, such as the reading of a file.
					signal.Reset(os.Interrupt, syscall.SIGTERM)
					cancel()
				}
			}
		}
	})
	return ctx, func() {
		signal.Stop(signals)
		cancel()
		watching.Wait()
	}
}

// softStop turns the first signal into a wish: C is closed instead of cancelling the command's context.
type softStop struct {
	app *app
	c   chan struct{}
}

func (a *app) newSoftStop() *softStop { return &softStop{app: a, c: make(chan struct{})} }

// C is closed by the first signal while the stop is armed.
func (s *softStop) C() <-chan struct{} { return s.c }

func (s *softStop) arm() {
	s.app.mu.Lock()
	defer s.app.mu.Unlock()
	s.app.softStop = s
}

func (s *softStop) disarm() {
	s.app.mu.Lock()
	defer s.app.mu.Unlock()
	if s.app.softStop == s {
		s.app.softStop = nil
	}
}

func (a *app) tryStopSoftly() bool {
	a.mu.Lock()
	stop := a.softStop
	a.softStop = nil
	a.mu.Unlock()
	if stop == nil {
		return false
	}
	close(stop.c)
	a.screen.note(a, "Stopping: what is in flight is finished and recorded. Press Ctrl-C again to abort.")
	return true
}
