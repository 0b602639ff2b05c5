// Package gentle paces requests that no limit of the server meets, so that they do not burden it: a [Limiter] slows down while the
// server is slow or fails.
package gentle

import (
	"context"
	"math"
	"sync"
	"time"

	"owlatsync/owlat/internal/pace"
	"owlatsync/owlat/internal/wait"
)

const (
	// quick is how long an answer may take that is never called slow: what varies below it says nothing of the server.
	quick = 50 * time.Millisecond
	// slack is how many times as long as the best an answer may take before the pace goes down.
	slack = 2
	// lowest is the part of the rate below which nothing slows it, so that recovery is seen.
	lowest = 1.0 / 20
	// weight is what the latest answer counts among those before it.
	weight = 4
	// regained is by how much every answer lets the pace grow again after a failure, which halves it.
	regained = 1.25
	// fewest is how many may be in flight at least.
	fewest = 4
)

// Limiter lets requests go one after the other, evenly, in the order in which their callers came, and no more in flight at once than it
// sends in a second. [New] makes one. It is safe for concurrent use.
type Limiter struct {
	turn chan struct{} // held by the caller that is next
	room chan struct{} // told that a request in flight has ended

	mu        sync.Mutex
	most      float64 // requests a second; +Inf: no limit
	next      time.Time
	notBefore time.Time
	inFlight  int
	best      time.Duration // that an answer took, 0 before the first
	lately    time.Duration // that answers take
	health    float64       // 1 when all is well, less after failures
}

// New returns a limiter of at most so many requests a second. With +Inf it holds back nothing but after a 429.
func New(perSecond float64) *Limiter {
	return &Limiter{turn: make(chan struct{}, 1), room: make(chan struct{}, 1), most: perSecond, health: 1}
}

// Rate returns how many requests a second are sent as things stand.
func (l *Limiter) Rate() float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rate()
}

func (l *Limiter) rate() float64 {
	part := l.health
	if fine := slack * max(l.best, quick); l.lately > fine {
		part *= float64(fine) / float64(l.lately)
	}
	return l.most * max(part, lowest)
}

// Enter waits until a request may be sent, and no longer than shut is open. Leave ends the request.
func (l *Limiter) Enter(ctx context.Context, shut <-chan struct{}) (time.Time, error) {
	if err := wait.Turn(ctx, shut, l.turn); err != nil {
		return time.Time{}, err
	}
	defer func() { <-l.turn }()
	for {
		now, pause, crowded := l.admit()
		switch {
		case crowded:
			select {
			case <-l.room:
			case <-ctx.Done():
				return time.Time{}, ctx.Err()
			case <-shut:
				return time.Time{}, wait.ErrShut
			}
		case pause > 0:
			if err := wait.Sleep(ctx, shut, pause); err != nil {
				return time.Time{}, err
			}
		default:
			return now, nil
		}
	}
}

// admit counts a request as in flight, or says why it must wait.
func (l *Limiter) admit() (now time.Time, pause time.Duration, crowded bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now = time.Now()
	if float64(l.inFlight) >= max(l.most, fewest) {
		return now, 0, true
	}
	if pause = max(l.next.Sub(now), l.notBefore.Sub(now)); pause > 0 {
		return now, pause, false
	}
	l.inFlight++
	if !math.IsInf(l.most, 1) {
		every := time.Duration(float64(time.Second) / l.rate())
		if now.Sub(l.next) > every { // who is only a little late does not make everybody late
			l.next = now
		}
		l.next = l.next.Add(every)
	}
	return now, 0, false
}

// Leave ends a request that was sent at the given time.
func (l *Limiter) Leave(sent time.Time, v pace.Verdict) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inFlight--
	switch v {
	case pace.Passed:
		took := max(time.Since(sent), 1)
		if l.best == 0 {
			l.best, l.lately = took, took
		}
		l.best = min(l.best, took)
		l.lately += (took - l.lately) / weight
		l.health = min(1, l.health*regained)
	case pace.Failed:
		l.health = max(lowest, l.health/2)
	}
	select {
	case l.room <- struct{}{}:
	default:
	}
}

// Pause holds everybody back until the given time, also those that wait already. It never shortens a pause.
func (l *Limiter) Pause(until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if until.After(l.notBefore) {
		l.notBefore = until
	}
}
