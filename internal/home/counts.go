package home

import (
	"context"
	"sync"
	"time"

	"owlatsync/internal/setup"
	"owlatsync/ledger"
)

const (
	// quickCount is how long a count of a ledger's entries may take to be made anew for everybody who asks.
	quickCount = 10 * time.Millisecond
	// countedShare keeps slower ones from taking more than this part of the time, however many pages are open.
	countedShare = 50
)

// counts are the last counts of the entries of syncs, which take long in large ledgers. The zero value has none. It is safe for concurrent
// use.
type counts struct {
	mu sync.Mutex
	of map[string]*count
}

// count is the last count of one sync.
type count struct {
	turn  chan struct{} // holds a value while somebody counts
	is    ledger.Standing
	ended time.Time
	took  time.Duration
}

func (c *counts) at(sync string) *count {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of == nil {
		c.of = make(map[string]*count)
	}
	if c.of[sync] == nil {
		c.of[sync] = &count{turn: make(chan struct{}, 1)}
	}
	return c.of[sync]
}

// counted is a ledger that is not asked to count what it has just counted. What it tells is a few seconds old at most.
type counted struct {
	setup.Ledger
	counts *counts
}

// Standing implements ledger.Reader.
func (l counted) Standing(ctx context.Context, sync string) (ledger.Standing, error) {
	c := l.counts.at(sync)
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return ledger.Standing{}, context.Cause(ctx)
	}
	if c.took > quickCount && time.Since(c.ended) < countedShare*c.took {
		return c.is, nil
	}
	began := time.Now()
	is, err := l.Ledger.Standing(ctx, sync)
	if err != nil {
		return ledger.Standing{}, err
	}
	c.is, c.ended, c.took = is, time.Now(), time.Since(began)
	return is, nil
}
