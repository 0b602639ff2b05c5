// Package queue is where requests wait for each other: a [Queue] lets them go, one after the other, when the arithmetic of package
// pace says so. [Work] decides when another piece of work is worth beginning.
package queue

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"

	"owlatsync/owlat/internal/pace"
	"owlatsync/owlat/internal/wait"
)

// Queue serves its callers in the order in which they came. It has a bucket for each of one or several keys: whoever is next goes
// with the first that has a token. [Queue.Make] begins it. It is safe for concurrent use.
type Queue struct {
	turn chan struct{} // held by the caller that is next
	room chan struct{} // told that a request in flight has ended

	mu      sync.Mutex
	buckets []bucket
	next    int       // the bucket that is asked first, so that all are used alike
	heard   time.Time // when the latest answer came
}

// bucket is what is known of the budget of one key.
type bucket struct {
	pacer     pace.Pacer
	window    pace.Window
	notBefore time.Time
}

// May says which of the buckets a caller may use, by their numbers from 0; nil: each.
type May func(bucket int) bool

func (m May) use(bucket int) bool { return m == nil || m(bucket) }

// Make begins a queue with a bucket of that pace for each of so many keys.
func (q *Queue) Make(pacer pace.Pacer, keys int) {
	q.turn, q.room = make(chan struct{}, 1), make(chan struct{}, 1)
	q.buckets = make([]bucket, keys)
	for i := range q.buckets {
		q.buckets[i] = bucket{pacer: pacer, window: pace.NewWindow()}
	}
}

// Made reports whether the queue was begun.
func (q *Queue) Made() bool { return q.turn != nil }

// Keys returns how many buckets there are.
func (q *Queue) Keys() int { return len(q.buckets) }

// Rate returns how many requests a second are sent at most as things stand, and how many at once after a rest, by the buckets that
// may be used together.
func (q *Queue) Rate(may May) (perSecond float64, burst int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	for i := range q.buckets {
		if b := &q.buckets[i]; may.use(i) {
			perSecond += b.pacer.Pace(now)
			burst += b.pacer.Burst()
		}
	}
	return perSecond, burst
}

// Estimate returns how long it takes from now until n more requests are answered with the buckets that may be used, for each of which
// as many are under way at once as work says.
func (q *Queue) Estimate(n int, work float64, may May) time.Duration {
	if n <= 0 {
		return 0
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	var used []*bucket
	latency := time.Duration(0)
	for i := range q.buckets {
		if b := &q.buckets[i]; may.use(i) {
			used = append(used, b)
			latency = max(latency, b.window.Latency())
		}
	}
	if len(used) == 0 {
		return 0
	}
	slow := time.Duration(float64(n) / (work * float64(len(used))) * float64(latency)) // where answers take longer than the pace allows for
	return max(sent(used, n, now)+latency, slow)
}

// sent returns in how long the buckets have let n requests go. Those that would not let one go by then take no part.
func sent(used []*bucket, n int, now time.Time) time.Duration {
	slices.SortStableFunc(used, func(a, b *bucket) int { return int(a.wait(now) - b.wait(now)) })
	for ; ; used = used[:len(used)-1] {
		already, rate := 0.0, 0.0
		for _, b := range used {
			every := float64(b.pacer.Every(now))
			already += 1 - float64(b.pacer.Wait(now))/every
			rate += 1 / every
		}
		last := time.Duration(math.Round((float64(n) - already) / rate))
		if last = max(0, last, used[0].wait(now)); len(used) == 1 || used[len(used)-1].wait(now) <= last {
			return last
		}
	}
}

// wait returns how long the next request with the key has to wait.
func (b *bucket) wait(now time.Time) time.Duration {
	return max(0, b.notBefore.Sub(now), b.pacer.Wait(now))
}

// delay is how long whoever is next has to wait.
type delay struct {
	sure  time.Duration // until a bucket has a token for certain, below 0 where none does by itself
	hush  time.Duration // until a probe may go, 0 if none is to
	every time.Duration // between two requests, by all buckets together
	room  bool          // there may be room earlier
}

// Enter waits until a request may be sent with one of the buckets that may be used, and no longer than shut is open, and returns
// which one and when. A request that is counted as in flight is ended by Leave; its number is bounded.
func (q *Queue) Enter(ctx context.Context, shut <-chan struct{}, counted bool, dither float64, may May) (int, time.Time, error) {
	if err := wait.Turn(ctx, shut, q.turn); err != nil {
		return 0, time.Time{}, err
	}
	defer func() { <-q.turn }()
	return q.enter(ctx, shut, counted, dither, may)
}

// EnterEach enters once with each bucket, before anybody who comes later.
func (q *Queue) EnterEach(ctx context.Context) error {
	if err := wait.Turn(ctx, nil, q.turn); err != nil {
		return err
	}
	defer func() { <-q.turn }()
	for i := range q.buckets {
		if _, _, err := q.enter(ctx, nil, false, 0, func(bucket int) bool { return bucket == i }); err != nil {
			return err
		}
	}
	return nil
}

// enter is Enter for whoever has the turn.
func (q *Queue) enter(ctx context.Context, shut <-chan struct{}, counted bool, dither float64, may May) (int, time.Time, error) {
	for {
		select {
		case <-shut:
			return 0, time.Time{}, wait.ErrShut
		default:
		}
		now := time.Now()
		i, d := q.take(now, counted, may)
		if i >= 0 {
			return i, now, nil
		}
		if d.sure > 0 && dither > 0 {
			d.sure += time.Duration(dither * float64(d.every))
			dither = 0
		}
		if err := q.sleep(ctx, shut, d); err != nil {
			return 0, time.Time{}, err
		}
	}
}

// take takes a token of a bucket that has one, and returns its number; or how long the wait is.
func (q *Queue) take(now time.Time, counted bool, may May) (int, delay) {
	q.mu.Lock()
	defer q.mu.Unlock()
	d := delay{sure: -1}
	rate := 0.0
	for n := range q.buckets {
		i := (q.next + n) % len(q.buckets)
		b := &q.buckets[i]
		if !may.use(i) {
			continue
		}
		rate += b.pacer.Pace(now)
		if counted && b.window.Full() {
			d.room = true
			continue
		}
		if hush := time.Duration(0); counted {
			if hush = b.window.Hush(now); hush > 0 {
				d.room = true
				if d.hush == 0 || hush < d.hush {
					d.hush = hush
				}
				continue
			}
		}
		pause := b.wait(now)
		if pause <= 0 {
			b.pacer.Take(now)
			if counted {
				b.window.Enter(now)
			}
			q.next = (i + 1) % len(q.buckets)
			return i, d
		}
		if d.sure < 0 || pause < d.sure {
			d.sure = pause
		}
	}
	d.every = time.Duration(float64(time.Second) / rate)
	return -1, d
}

// sleep waits as long as d says.
func (q *Queue) sleep(ctx context.Context, shut <-chan struct{}, d delay) error {
	if !d.room {
		return wait.Sleep(ctx, shut, d.sure)
	}
	probe := time.Hour // without one there is room before
	if d.hush > 0 {
		probe = d.hush
	}
	if d.sure > 0 {
		probe = min(probe, d.sure)
	}
	select {
	case <-q.room:
	case <-time.After(probe):
	case <-ctx.Done():
		return ctx.Err()
	case <-shut:
		return wait.ErrShut
	}
	return nil
}

// Leave ends a request that was sent at the given time with that bucket. told is the limit that its answer, if it was answered, named;
// 0 if none.
func (q *Queue) Leave(i int, sent time.Time, v pace.Verdict, told int, answered bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	b, now := &q.buckets[i], time.Now()
	b.window.Leave()
	if answered {
		q.heard = now
		if b.window.Answer(now) {
			b.pacer.Late(now)
		}
	}
	lower := b.pacer.Limit(told, v == pace.Refused, now)
	switch v {
	case pace.Passed:
		b.window.Grow(now.Sub(sent))
		b.pacer.Pass(now)
	case pace.Refused:
		b.pacer.Refuse(sent, now, lower)
	case pace.Silent:
		b.window.GiveUp()
	case pace.Failed:
		b.window.Shrink(sent, now)
		b.pacer.Falter(now, now)
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
	now, longest := time.Now(), time.Duration(0)
	for i := range q.buckets {
		longest = max(longest, q.buckets[i].window.SilenceSince(q.heard, now))
	}
	return longest
}

// Pause holds everybody back who would use that bucket until the given time, and leaves one token then. It never shortens a pause.
func (q *Queue) Pause(i int, until time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	b := &q.buckets[i]
	if !until.After(b.notBefore) || !until.After(time.Now()) {
		return
	}
	b.notBefore = until
	b.pacer.Spend(until)
}

// Drain takes what a rest has saved for spent, of all buckets.
func (q *Queue) Drain() {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	for i := range q.buckets {
		q.buckets[i].pacer.Empty(now)
	}
}
