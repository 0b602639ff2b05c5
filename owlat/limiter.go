package owlat

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"owlatsync/owlat/internal/pace"
)

// Limiter paces requests. It serves its callers in the order in which they came. It is safe for concurrent use, and is to
// be shared by all that send with one API key; the package documentation tells how it finds its pace.
type Limiter struct {
	turn chan struct{} // held by the caller that is next; Go serves the others in their order
	room chan struct{} // told that a request in flight has ended

	mu        sync.Mutex
	pacer     pace.Pacer
	window    pace.Window
	notBefore time.Time
}

// NewLimiter returns a limiter of at most perSecond requests a second, and at most burst at once after a rest. It slows
// down below that by itself when the server refuses. It panics unless both are positive.
func NewLimiter(perSecond float64, burst int) *Limiter {
	if !(perSecond > 0) || burst < 1 {
		panic(fmt.Sprintf("owlat: a limiter needs a positive rate and burst, not %v and %d", perSecond, burst))
	}
	return makeLimiter(perSecond, 1, burst)
}

// NewAutoLimiter returns the limiter that a client has without options: it begins with [DefaultRate] and [DefaultBurst] and
// goes as fast as the server says that it may.
func NewAutoLimiter() *Limiter { return makeLimiter(0, 1, DefaultBurst) }

// NewPartLimiter returns a limiter like that of [NewAutoLimiter] that takes only this part of what the server allows, more than 0
// and at most 1, and leaves the rest to others with the same key. It panics for another part. A part of less than a request a second
// sends one at a time.
func NewPartLimiter(part float64) *Limiter {
	if !(part > 0 && part <= 1) {
		panic(fmt.Sprintf("owlat: a limiter takes a part of the limit that is more than 0 and at most 1, not %v", part))
	}
	return makeLimiter(0, part, DefaultBurst)
}

func makeLimiter(own, part float64, burst int) *Limiter {
	return &Limiter{
		turn:   make(chan struct{}, 1),
		room:   make(chan struct{}, 1),
		pacer:  pace.NewPacer(own, part, DefaultRate, burst),
		window: pace.NewWindow(),
	}
}

// Rate returns how many requests a second are sent at most as things stand, and how many at once after a rest.
func (l *Limiter) Rate() (perSecond float64, burst int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pacer.Pace(time.Now()), l.pacer.Burst()
}

// Estimate returns how long it takes from now until n more requests are answered, if nothing else is sent, and the pace and the
// time that answers take stay as they are. Before the first answer that time is not known and counts as nothing.
func (l *Limiter) Estimate(n int) time.Duration {
	if n <= 0 {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	latency := l.window.Latency()
	last := max(0, l.pacer.Wait(now)+time.Duration(float64(n-1)*float64(l.pacer.Every(now))))
	slow := time.Duration(float64(n) / defaultWork * float64(latency)) // where answers take longer than the pace allows for
	return max(last+latency, slow)
}

// Wait returns nil when a request may be sent, and the context's error, having used no token, when ctx ends first. It
// fails at once, matching context.DeadlineExceeded, when the caller is next and ctx would end before its token is there, and
// for a nil ctx.
func (l *Limiter) Wait(ctx context.Context) error {
	switch {
	case ctx == nil:
		return errors.New("owlat: the context is nil")
	case l.turn == nil:
		return errHandMade
	}
	_, err := l.enter(ctx, nil, false, 0)
	return err
}

// errHandMade is what a limiter answers that has no pace.
var errHandMade = errors.New("owlat: the limiter was not made by NewLimiter or NewAutoLimiter")

// errShut ends the wait of a caller whose pool was closed.
var errShut = errors.New("not sent")

// enter waits as Wait does, and no longer than shut is open. A request that is counted as in flight is ended by leave; its
// number is bounded.
func (l *Limiter) enter(ctx context.Context, shut <-chan struct{}, counted bool, dither float64) (time.Time, error) {
	if err := ctx.Err(); err != nil {
		return time.Time{}, err
	}
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return time.Time{}, ctx.Err()
	case <-shut:
		return time.Time{}, errShut
	}
	for {
		select {
		case <-shut:
			return time.Time{}, errShut
		default:
		}
		l.mu.Lock()
		now := time.Now()
		crowded, hush := counted && l.window.Full(), time.Duration(0)
		if counted && !crowded {
			hush = l.window.Hush(now)
		}
		wait := max(l.notBefore.Sub(now), l.pacer.Wait(now))
		if wait > 0 && dither > 0 {
			wait += time.Duration(dither * float64(l.pacer.Every(now)))
			dither = 0
		}
		if !crowded && hush <= 0 && wait <= 0 {
			l.pacer.Take(now)
			if counted {
				l.window.Enter(now)
			}
			l.mu.Unlock()
			return now, nil
		}
		l.mu.Unlock()
		if !crowded && hush <= 0 {
			if err := sleep(ctx, shut, wait); err != nil {
				return time.Time{}, err
			}
			continue
		}
		probe := time.After(cmp.Or(hush, time.Hour)) // without a hush there is room before
		select {
		case <-l.room:
		case <-probe:
		case <-ctx.Done():
			return time.Time{}, ctx.Err()
		case <-shut:
			return time.Time{}, errShut
		}
	}
}

// verdict is what the end of a request says of the server.
type verdict int

const (
	silent  verdict = iota // nothing
	passed                 // it works, and the budget had room
	refused                // 429
	failed                 // it does not work: a 5xx, a broken connection, no answer in time
)

// leave ends a request that was sent at the given time. told is the limit that its answer, if it was answered, named; 0 if none.
func (l *Limiter) leave(sent time.Time, v verdict, told int, answered bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.window.Leave()
	if answered && l.window.Answer(now) {
		l.pacer.Late(now)
	}
	lower := l.pacer.Limit(told, v == refused, now)
	switch v {
	case passed:
		l.window.Grow(now.Sub(sent))
		l.pacer.Pass(now)
	case refused:
		l.pacer.Refuse(sent, now, lower)
	case silent:
		l.window.GiveUp()
	case failed:
		l.window.Shrink(sent, now)
		l.pacer.Falter(now, now)
	}
	select {
	case l.room <- struct{}{}:
	default:
	}
}

// Silence returns for how long answers have been awaited without any coming, 0 if none is awaited or the last request was answered. While
// nothing is in flight it stands still.
func (l *Limiter) Silence() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.window.Silence(time.Now())
}

// Pause holds everybody back until the given time, also those that wait already. It never shortens a pause. After it one
// request may go at once, so that what was held back does not come all together.
func (l *Limiter) Pause(until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !until.After(l.notBefore) || !until.After(time.Now()) {
		return
	}
	l.notBefore = until
	l.pacer.Spend(until)
}

// Drain takes what a rest has saved for spent: the next request waits as long as it would behind another one, also before the first
// answer. Call it when somebody else had the use of the key until now.
func (l *Limiter) Drain() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pacer.Empty(time.Now())
}

// sleep waits d. It fails with the context's error when ctx ends meanwhile, and at once when its deadline would.
func sleep(ctx context.Context, shut <-chan struct{}, d time.Duration) error {
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
	case <-shut:
		return errShut
	}
}
