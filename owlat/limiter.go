package owlat

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Limiter paces requests: a token bucket, and a time before which nothing is sent. It serves its callers in the order in
// which they came. It is safe for concurrent use and shared by all that send with one API key.
type Limiter struct {
	bucket *rate.Limiter
	turn   chan struct{} // held by the caller that is next; Go serves the others in their order

	mu        sync.Mutex
	notBefore time.Time
}

// NewLimiter returns a limiter of perSecond tokens a second that holds at most burst and starts full. It panics unless
// both are positive.
func NewLimiter(perSecond float64, burst int) *Limiter {
	if !(perSecond > 0) || burst < 1 {
		panic(fmt.Sprintf("owlat: a limiter needs a positive rate and burst, not %v and %d", perSecond, burst))
	}
	return &Limiter{
		bucket: rate.NewLimiter(rate.Limit(perSecond), burst),
		turn:   make(chan struct{}, 1),
	}
}

// Wait returns nil when a request may be sent, and the context's error, having used no token, when ctx ends first. It
// fails at once, matching context.DeadlineExceeded, when the caller is next and ctx would end before its token is there.
func (l *Limiter) Wait(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := l.waitPause(ctx); err != nil {
		return err
	}
	token := l.bucket.Reserve()
	if err := sleep(ctx, token.Delay()); err != nil {
		token.Cancel()
		return err
	}
	return l.waitPause(ctx) // one may have begun meanwhile
}

// Pause holds everybody back until the given time, also those that wait already. It never shortens a pause. After it the
// bucket holds at most one token, so that what was held back does not come all at once.
func (l *Limiter) Pause(until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !until.After(l.notBefore) || !until.After(time.Now()) {
		return
	}
	l.notBefore = until
	if surplus := int(l.bucket.TokensAt(until)) - 1; surplus > 0 {
		l.bucket.AllowN(until, surplus)
	}
}

func (l *Limiter) waitPause(ctx context.Context) error {
	for {
		l.mu.Lock()
		d := time.Until(l.notBefore)
		l.mu.Unlock()
		if d <= 0 {
			return nil
		}
		if err := sleep(ctx, d); err != nil {
			return err
		}
	}
}

// sleep waits d. It fails with the context's error when ctx ends meanwhile, and at once when its deadline would.
func sleep(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if d <= 0 {
		return nil
	}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < d {
		return fmt.Errorf("waiting %v would pass the deadline: %w", d, context.DeadlineExceeded)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
