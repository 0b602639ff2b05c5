package postgres

import (
	"context"
	"slices"
	"sync"
	"time"

	"owlatsync/ledger"
	"owlatsync/ledger/postgres/internal/heard"
	"owlatsync/ledger/postgres/internal/server"
)

// call is one call that shares its transaction with others. It has either news or a write.
type call struct {
	news  *ledger.News
	taken ledger.Receipt
	write func(*tx) error // may be called again, after a rollback
	done  chan error      // receives one result
}

// calls are those that wait for the next transaction. One goroutine writes while some wait.
type calls struct {
	mu      sync.Mutex
	waiting []*call
	writes  bool // somebody writes
}

const (
	// callsAtOnce is how many calls share a transaction at the most.
	callsAtOnce = 500
	// callTimeout is how long their transaction may take.
	callTimeout = 30 * time.Second
)

// add adds a call, and reports whether the caller must see to it that somebody writes.
func (q *calls) add(c *call) (first bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(q.waiting, c)
	first, q.writes = !q.writes, true
	return first
}

// next returns the calls of the next transaction, none if nobody waits.
func (q *calls) next() []*call {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(len(q.waiting), callsAtOnce)
	next := slices.Clone(q.waiting[:n])
	q.waiting = slices.Delete(q.waiting, 0, n)
	q.writes = n > 0
	return next
}

// withdraw removes a call, and reports whether it still waited.
func (q *calls) withdraw(c *call) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.Index(q.waiting, c)
	if i < 0 {
		return false
	}
	q.waiting = slices.Delete(q.waiting, i, i+1)
	return true
}

// share makes a call durable in a transaction that calls share which come while another one is written. A call that cannot be written fails
// alone. If ctx ends while the call waits, nothing of it is written. Once its transaction has begun, the call returns the true result.
func (b *base) share(ctx context.Context, c *call) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case b.isClosed():
		return ledger.ErrClosed
	}
	c.done = make(chan error, 1)
	if b.calls.add(c) {
		go b.writeCalls()
	}
	select {
	case err := <-c.done:
		return server.Explain(context.WithoutCancel(ctx), err)
	case <-ctx.Done():
		if b.calls.withdraw(c) {
			return context.Cause(ctx)
		}
	case <-b.done:
		if b.calls.withdraw(c) {
			return ledger.ErrClosed
		}
	}
	return server.Explain(context.WithoutCancel(ctx), <-c.done)
}

// writeCalls writes until nobody waits.
func (b *base) writeCalls() {
	for batch := b.calls.next(); len(batch) > 0; batch = b.calls.next() {
		err := b.writeTogether(batch)
		if err == nil || len(batch) == 1 || server.IsAway(err) {
			for _, c := range batch {
				c.done <- err
			}
			continue
		}
		for _, c := range batch { // one of them is to blame
			c.done <- b.writeTogether([]*call{c})
		}
	}
}

// writeTogether writes calls in one transaction.
func (b *base) writeTogether(batch []*call) error {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	return b.transact(ctx, server.Durable, func(t *tx) error {
		var news []*ledger.News
		for _, c := range batch {
			if c.news != nil {
				news = append(news, c.news)
			}
		}
		if len(news) > 0 {
			taken, err := heard.Take(t, news)
			if err != nil {
				return err
			}
			for _, c := range batch {
				if c.news != nil {
					c.taken, taken = taken[0], taken[1:]
				}
			}
		}
		for _, c := range batch {
			if c.write != nil {
				if err := c.write(t); err != nil {
					return err
				}
			}
		}
		return nil
	})
}
