package home

import (
	"context"
	"encoding/json"
	"sync"
	"sync/atomic"

	"owlatsync/internal/setup"
)

// calls are what a home does for those who have not the budget of the key.
type calls struct {
	errands *setup.Errands
	goOn    atomic.Int64 // how many

	over context.Context // ends when those that go on are to be given up
	end  context.CancelFunc
	all  sync.WaitGroup // added to under the mutex, and not once none may begin
	mu   sync.Mutex
	shut bool // none may begin
}

// Call does an errand; see package errand. What is asked for and what comes back is sealed. It returns before the home is closed.
func (c *calls) Call(ctx context.Context, sealed json.RawMessage) (json.RawMessage, error) {
	c.mu.Lock()
	if c.shut {
		c.mu.Unlock()
		return nil, errStops
	}
	c.all.Add(1)
	c.mu.Unlock()
	defer c.all.Done()
	c.goOn.Add(1)
	defer c.goOn.Add(-1)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.over, cancel)()
	return c.errands.Carry(ctx, sealed)
}

// finish lets no more calls begin, and waits for those that go on until ctx ends, when they are given up.
func (c *calls) finish(ctx context.Context) {
	c.mu.Lock()
	c.shut = true
	c.mu.Unlock()
	defer context.AfterFunc(ctx, c.end)()
	c.all.Wait()
}
