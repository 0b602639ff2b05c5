package owlat

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"

	"owlatsync/owlat/internal/queue"
)

const (
	// defaultWork is how many pieces of work a pool has begun at most: a second's requests at Owlat's limit, answered after
	// twelve seconds. Without a limiter it is enough for a caller to store many answers at once.
	defaultWork = 128
	// ahead is how many pieces of work for each key a pool has begun beyond those that await an answer, and aheadRatio the seconds'
	// worth of requests that come on top, for the time that work takes between its requests.
	ahead      = 3
	aheadRatio = 1.0 / 20
)

// ErrPoolClosed is matched by the error of a call that was not sent because its [Pool] was closed.
var ErrPoolClosed = errors.New("owlat: not sent, the work was ended")

// Pool does pieces of work at the same time, each of one call or several: as many as the limiter can use. It begins another
// one only when few of those begun wait for the limiter, so that their number follows from the pace and from how long
// answers take, and hardly anything is begun that could still be left undone.
type Pool struct {
	client  *Client // the work's: it counts in this pool
	limiter *Limiter
	work    *queue.Work
	running sync.WaitGroup
}

// NewPool returns a pool of at most so many pieces of work; 0 means 128 for each key of the client.
func (c *Client) NewPool(most int) *Pool { return c.core.newPool(most) }

func (c *core) newPool(most int) *Pool {
	if most <= 0 {
		most = defaultWork * c.keys.Len()
	}
	p := &Pool{limiter: c.limiter, work: queue.NewWork(most)}
	theirs := *c
	theirs.pool = p
	p.client = newClient(&theirs)
	return p
}

// Go waits until another piece of work is worth beginning, and does it on a goroutine of its own. The work makes its calls
// one after the other, with ctx and with the client that it is given, which belongs to the pool. It is done in any case: when
// ctx has ended or the pool is closed its calls fail unsent. A panic of the work is not caught: as on any goroutine it ends the
// program. One goroutine at a time may call Go; it panics if work is nil.
func (p *Pool) Go(ctx context.Context, work func(context.Context, *Client)) {
	if work == nil {
		panic("owlat: the work of a pool is nil")
	}
	p.work.Begin(ctx, p.spare)
	p.running.Go(func() {
		defer p.work.Count(-1, 0)
		work(ctx, p.client)
	})
}

// spare is how many pieces of work may be begun beyond those that await an answer.
func (p *Pool) spare() int {
	if p.limiter == nil {
		return math.MaxInt
	}
	rate, _ := p.limiter.Rate()
	return ahead*p.limiter.queue.Keys() + int(rate*aheadRatio)
}

// Wait returns when all work is done.
func (p *Pool) Wait() { p.running.Wait() }

// Close lets no further call be sent, also of those that wait for the limiter: they fail with an error that matches
// [ErrPoolClosed] and, unless that is nil, why. What is in flight is finished. Only the first Close counts.
func (p *Pool) Close(why error) {
	cause := ErrPoolClosed
	if why != nil {
		cause = fmt.Errorf("%w: %w", ErrPoolClosed, why)
	}
	p.work.Shut(cause)
}

// counted is what the calls of the pool count in; nil for no pool.
func (p *Pool) counted() *queue.Work {
	if p == nil {
		return nil
	}
	return p.work
}
