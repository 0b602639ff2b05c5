package owlat

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

const (
	// defaultWork is how many pieces of work a pool has begun at most: a second's requests at Owlat's limit, answered after
	// twelve seconds. Without a limiter it is enough for a caller to store many answers at once.
	defaultWork = 128
	// ahead is how many pieces of work a pool has begun beyond those that await an answer, and aheadRatio the seconds'
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
	most    int
	shut    chan struct{}
	running sync.WaitGroup
	change  chan struct{} // told that there may be room

	mu    sync.Mutex
	begun int
	away  int // of begun: those that are admitted or await an answer
	cause error
}

// NewPool returns a pool of at most so many pieces of work; 0 means 128.
func (c *Client) NewPool(most int) *Pool { return c.core.newPool(most) }

func (c *core) newPool(most int) *Pool {
	if most <= 0 {
		most = defaultWork
	}
	p := &Pool{limiter: c.limiter, most: most, shut: make(chan struct{}), change: make(chan struct{}, 1)}
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
	var ended <-chan struct{}
	if ctx != nil { // else the work's calls say so
		ended = ctx.Done()
	}
	for !p.begin() {
		select {
		case <-p.change:
			continue
		case <-ended:
		case <-p.shut:
		}
		p.mu.Lock()
		p.begun++
		p.mu.Unlock()
		break
	}
	p.running.Go(func() {
		defer p.count(-1, 0)
		work(ctx, p.client)
	})
}

// begin reports whether there is room for another piece of work, and counts it.
func (p *Pool) begin() bool {
	spare := p.most
	if p.limiter != nil {
		rate, _ := p.limiter.Rate()
		spare = ahead + int(rate*aheadRatio)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.begun >= p.most || p.begun-p.away >= spare {
		return false
	}
	p.begun++
	return true
}

// Wait returns when all work is done.
func (p *Pool) Wait() { p.running.Wait() }

// Close lets no further call be sent, also of those that wait for the limiter: they fail with an error that matches
// [ErrPoolClosed] and, unless that is nil, why. What is in flight is finished. Only the first Close counts.
func (p *Pool) Close(why error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cause != nil {
		return
	}
	if p.cause = ErrPoolClosed; why != nil {
		p.cause = fmt.Errorf("%w: %w", ErrPoolClosed, why)
	}
	close(p.shut)
}

func (p *Pool) count(begun, away int) {
	if p == nil {
		return
	}
	p.mu.Lock()
	p.begun += begun
	p.away += away
	p.mu.Unlock()
	select {
	case p.change <- struct{}{}:
	default:
	}
}

// over is why no more calls are sent: the end of ctx, or what the pool was closed for.
func (p *Pool) over(ctx context.Context) error {
	if err := ctx.Err(); err != nil || p == nil {
		return err
	}
	return p.reason()
}

// reason is why the pool was closed, nil if it is open.
func (p *Pool) reason() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cause
}

func (p *Pool) closed() <-chan struct{} {
	if p == nil {
		return nil
	}
	return p.shut
}
