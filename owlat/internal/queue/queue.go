// Package queue is where requests with one API key wait for each other: a [Queue] lets them go, one after the other, when the
// arithmetic of package pace says so.
package queue

import (
	"cmp"
	"context"
	"sync"
	"time"

	"owlatsync/owlat/internal/pace"
	"owlatsync/owlat/internal/wait"
)

// Queue serves its callers in the order in which they came. [Queue.Make] begins it. It is safe for concurrent use.
type Queue struct {
	turn chan struct{} // held by the caller that is next
	room chan struct{} // told that a request in flight has ended

	mu        sync.Mutex
	pacer     pace.Pacer
	window    pace.Window
	notBefore time.Time
}

// Make begins a queue with that pace.
func (q *Queue) Make(pacer pace.Pacer) {
	q.turn, q.room = make(chan struct{}, 1), make(chan struct{}, 1)
	q.pacer, q.window = pacer, pace.NewWindow()
}

// Made reports whether the queue was begun.
func (q *Queue) Made() bool { return q.turn != nil }

// Rate returns how many requests a second are sent at most as things stand, and how many at once after a rest.
func (q *Queue) Rate() (perSecond float64, burst int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.pacer.Pace(time.Now()), q.pacer.Burst()
}

// Estimate returns how long it takes from now until n more requests are answered, of which as many are under way at once as work
// says.
func (q *Queue) Estimate(n int, work float64) time.Duration {
	if n <= 0 {
		return 0
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	latency := q.window.Latency()
	last := max(0, q.pacer.Wait(now)+time.Duration(float64(n-1)*float64(q.pacer.Every(now))))
	slow := time.Duration(float64(n) / work * float64(latency)) // where answers take longer than the pace allows for
	return max(last+latency, slow)
}

// Enter waits until a request may be sent, and no longer than shut is open. A request that is counted as in flight is ended by
// Leave; its number is bounded.
func (q *Queue) Enter(ctx context.Context, shut <-chan struct{}, counted bool, dither float64) (time.Time, error) {
	if err := wait.Turn(ctx, shut, q.turn); err != nil {
		return time.Time{}, err
	}
	defer func() { <-q.turn }()
	for {
		select {
		case <-shut:
			return time.Time{}, wait.ErrShut
		default:
		}
		q.mu.Lock()
		now := time.Now()
		crowded, hush := counted && q.window.Full(), time.Duration(0)
		if counted && !crowded {
			hush = q.window.Hush(now)
		}
		pause := max(q.notBefore.Sub(now), q.pacer.Wait(now))
		if pause > 0 && dither > 0 {
			pause += time.Duration(dither * float64(q.pacer.Every(now)))
			dither = 0
		}
		if !crowded && hush <= 0 && pause <= 0 {
			q.pacer.Take(now)
			if counted {
				q.window.Enter(now)
			}
			q.mu.Unlock()
			return now, nil
		}
		q.mu.Unlock()
		if !crowded && hush <= 0 {
			if err := wait.Sleep(ctx, shut, pause); err != nil {
				return time.Time{}, err
			}
			continue
		}
		probe := time.After(cmp.Or(hush, time.Hour)) // without a hush there is room before
		select {
		case <-q.room:
		case <-probe:
		case <-ctx.Done():
			return time.Time{}, ctx.Err()
		case <-shut:
			return time.Time{}, wait.ErrShut
		}
	}
}

// Leave ends a request that was sent at the given time. told is the limit that its answer, if it was answered, named; 0 if none.
func (q *Queue) Leave(sent time.Time, v pace.Verdict, told int, answered bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	q.window.Leave()
	if answered && q.window.Answer(now) {
		q.pacer.Late(now)
	}
	lower := q.pacer.Limit(told, v == pace.Refused, now)
	switch v {
	case pace.Passed:
		q.window.Grow(now.Sub(sent))
		q.pacer.Pass(now)
	case pace.Refused:
		q.pacer.Refuse(sent, now, lower)
	case pace.Silent:
		q.window.GiveUp()
	case pace.Failed:
		q.window.Shrink(sent, now)
		q.pacer.Falter(now, now)
	}
	select {
	case q.room <- struct{}{}:
	default:
	}
}

// Silence returns for how long answers have been awaited without any coming.
func (q *Queue) Silence() time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.window.Silence(time.Now())
}

// Pause holds everybody back until the given time, and leaves one token then. It never shortens a pause.
func (q *Queue) Pause(until time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !until.After(q.notBefore) || !until.After(time.Now()) {
		return
	}
	q.notBefore = until
	q.pacer.Spend(until)
}

// Drain takes what a rest has saved for spent.
func (q *Queue) Drain() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.pacer.Empty(time.Now())
}
