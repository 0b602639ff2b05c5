package console

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// WatchSignals returns a context that SIGINT and SIGTERM cancel, except for the first one while a soft stop is armed.
// release ends the watch.
func (c *Console) WatchSignals(parent context.Context) (ctx context.Context, release func()) {
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
				if !c.tryStopSoftly() {
					// From here on a further signal ends the process as by default: something that knows no context may be stuck,
					// such as the reading of a file.
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

// SoftStop turns the first signal into a request to stop: C is closed, and the command's context is not cancelled.
type SoftStop struct {
	console *Console
	c       chan struct{}
}

// NewSoftStop returns a soft stop that is not armed.
func (c *Console) NewSoftStop() *SoftStop { return &SoftStop{console: c, c: make(chan struct{})} }

// C is closed by the first signal while the stop is armed.
func (s *SoftStop) C() <-chan struct{} { return s.c }

// Arm makes the next signal close C. Only one stop of a console may be armed at a time.
func (s *SoftStop) Arm() {
	s.console.mu.Lock()
	defer s.console.mu.Unlock()
	s.console.softStop = s
}

// Disarm makes the next signal cancel the context again.
func (s *SoftStop) Disarm() {
	s.console.mu.Lock()
	defer s.console.mu.Unlock()
	if s.console.softStop == s {
		s.console.softStop = nil
	}
}

func (c *Console) tryStopSoftly() bool {
	c.mu.Lock()
	stop := c.softStop
	c.softStop = nil
	c.mu.Unlock()
	if stop == nil {
		return false
	}
	close(stop.c)
	if !c.JSON {
		c.screen.note("Stopping: what is in flight is finished and recorded. Press Ctrl-C again to abort.")
	}
	return true
}
