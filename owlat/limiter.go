package owlat

import (
	"context"
	"errors"
	"fmt"
	"time"

	"owlatsync/owlat/internal/pace"
	"owlatsync/owlat/internal/queue"
)

// Limiter paces requests. It serves its callers in the order in which they came. It is safe for concurrent use, and is to
// be shared by all that send with one API key; the package documentation tells how it finds its pace. That of a client with several
// keys has a bucket for each; see [Limiter.ForKeys].
type Limiter struct {
	queue queue.Queue
	again func(keys int) *Limiter
}

// NewLimiter returns a limiter of at most perSecond requests a second, and at most burst at once after a rest. It slows
// down below that by itself when the server refuses. It panics unless both are positive.
func NewLimiter(perSecond float64, burst int) *Limiter {
	if !(perSecond > 0) || burst < 1 {
		panic(fmt.Sprintf("owlat: a limiter needs a positive rate and burst, not %v and %d", perSecond, burst))
	}
	return makeLimiter(perSecond, 1, burst, 1)
}

// NewAutoLimiter returns the limiter that a client has without options: it begins with [DefaultRate] and [DefaultBurst] and
// goes as fast as the server says that it may.
func NewAutoLimiter() *Limiter { return makeLimiter(0, 1, DefaultBurst, 1) }

// NewPartLimiter returns a limiter like that of [NewAutoLimiter] that takes only this part of what the server allows, more than 0
// and at most 1, and leaves the rest to others with the same key. It panics for another part. A part of less than a request a second
// sends one at a time.
func NewPartLimiter(part float64) *Limiter {
	if !(part > 0 && part <= 1) {
		panic(fmt.Sprintf("owlat: a limiter takes a part of the limit that is more than 0 and at most 1, not %v", part))
	}
	return makeLimiter(0, part, DefaultBurst, 1)
}

func makeLimiter(own, part float64, burst, keys int) *Limiter {
	l := &Limiter{again: func(keys int) *Limiter { return makeLimiter(own, part, burst, keys) }}
	l.queue.Make(pace.NewPacer(own, part, DefaultRate, burst), keys)
	return l
}

// ForKeys returns an unused limiter like l for a client with so many keys ([WithMoreKeys]): each key has a bucket with that rate and
// burst. A refusal slows down only the bucket of its key. It panics for less than one key, and for a limiter that was not made by a function
// of this package.
func (l *Limiter) ForKeys(keys int) *Limiter {
	if keys < 1 || l.again == nil {
		panic(fmt.Sprintf("owlat: there is no limiter for %d keys", keys))
	}
	return l.again(keys)
}

// Rate returns how many requests a second are sent at most as things stand, and how many at once after a rest.
func (l *Limiter) Rate() (perSecond float64, burst int) { return l.queue.Rate(nil) }

// Estimate returns how long it takes from now until n more requests are answered, if nothing else is sent, and the pace and the
// time that answers take stay as they are. Before the first answer that time is not known and counts as nothing.
func (l *Limiter) Estimate(n int) time.Duration { return l.queue.Estimate(n, defaultWork, nil) }

// Wait returns nil when a request may be sent, and the context's error, having used no token, when ctx ends first. It
// fails at once, matching context.DeadlineExceeded, when the caller is next and ctx would end before its token is there, and
// for a nil ctx.
func (l *Limiter) Wait(ctx context.Context) error {
	switch {
	case ctx == nil:
		return errors.New("owlat: the context is nil")
	case !l.queue.Made():
		return errors.New("owlat: the limiter was not made by NewLimiter or NewAutoLimiter")
	}
	_, _, err := l.queue.Enter(ctx, nil, false, 0, nil)
	return err
}

// WaitEach waits as Wait does, once for each key: n requests that a client with n keys sends then are within the budget of whichever key they go with.
func (l *Limiter) WaitEach(ctx context.Context) error {
	if ctx == nil || !l.queue.Made() {
		return l.Wait(ctx)
	}
	return l.queue.EnterEach(ctx)
}

// Silence returns for how long answers have been awaited without any coming, 0 if none is awaited or the last request was answered. While
// nothing is in flight it stands still.
func (l *Limiter) Silence() time.Duration { return l.queue.Silence() }

// Pause holds everybody back until the given time, also those that wait already. It never shortens a pause. After it one
// request may go at once, so that what was held back does not come all together.
func (l *Limiter) Pause(until time.Time) {
	for key := range l.queue.Keys() {
		l.queue.Pause(key, until)
	}
}

// Drain takes what a rest has saved for spent: the next request waits as long as it would behind another one, also before the first
// answer. Call it when somebody else had the use of the key until now.
func (l *Limiter) Drain() { l.queue.Drain() }
