package schedule

import (
	"context"
	"sync"
	"time"
)

// glance is how long the loop sleeps at most. Timers stand still while a machine sleeps, and know nothing of a clock that is set.
const glance = 30 * time.Second

// Entry is a sync with its schedule.
type Entry struct {
	Sync     string
	Schedule *Schedule
	// Last is when the sync was last taken up by its schedule, as far as that is known; zero: never.
	Last time.Time
}

// Loop tells when syncs are due. It is safe for concurrent use.
type Loop struct {
	due     func(sync string)
	changed chan struct{}

	mu      sync.Mutex
	entries map[string]*entry
	looked  time.Time // when the clock was last looked at
}

type entry struct {
	*Schedule
	last, next time.Time
}

// NewLoop returns a loop that calls due for each sync that is due, one call at a time. The call must not block.
func NewLoop(due func(sync string)) *Loop {
	return &Loop{due: due, changed: make(chan struct{}, 1), entries: make(map[string]*entry)}
}

// Set replaces all entries. An entry that the loop knows already, with the same times, goes on as before, and its Last is ignored.
func (l *Loop) Set(entries []Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now().Round(0)
	before := l.entries
	l.entries = make(map[string]*entry, len(entries))
	for _, e := range entries {
		known := before[e.Sync]
		if known != nil && known.text == e.Schedule.text && known.delay == e.Schedule.delay {
			l.entries[e.Sync] = known
			continue
		}
		l.entries[e.Sync] = begin(e, known, now)
	}
	select {
	case l.changed <- struct{}{}:
	default:
	}
}

func begin(e Entry, known *entry, now time.Time) *entry {
	last := e.Last.Round(0)
	if known != nil {
		last = known.last
	}
	switch {
	case last.IsZero() && e.Schedule.AtOnce():
		return &entry{Schedule: e.Schedule, last: last, next: now}
	case last.IsZero(), last.After(now):
		last = now
	}
	return &entry{Schedule: e.Schedule, last: last, next: e.Schedule.Next(last)}
}

// Next returns when the sync is due next, zero if it has no schedule.
func (l *Loop) Next(sync string) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e := l.entries[sync]; e != nil {
		return e.next
	}
	return time.Time{}
}

// Run tells what is due until ctx ends.
func (l *Loop) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.changed:
		case <-timer.C:
		}
		due, wait := l.take(time.Now().Round(0))
		for _, name := range due {
			l.due(name)
		}
		timer.Reset(wait)
	}
}

// take returns the syncs that are due now, each once, and how long to wait for the next.
func (l *Loop) take(now time.Time) (due []string, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	wait = glance
	back := now.Before(l.looked.Add(-time.Second))
	l.looked = now
	for name, e := range l.entries {
		if back && !e.last.IsZero() { // the clock was put back: what is due counts from now, not from a time that is to come
			e.last = now
			e.next = e.Schedule.Next(now)
		}
		if !e.next.IsZero() && !e.next.After(now) {
			due = append(due, name)
			e.last, e.next = now, e.Schedule.Next(now)
		}
		if !e.next.IsZero() {
			wait = min(wait, e.next.Sub(now))
		}
	}
	return due, wait
}
