package wake

import (
	"maps"
	"slices"
	"sync"
	"time"
)

const (
	// quiet is how long nothing more must be heard before a run is asked for, and patience how long it is put off at most.
	quiet, patience = 50 * time.Millisecond, 250 * time.Millisecond
	// mostKeys is the most keys of one run; if more changed, everything that changed is read, so that the guards see it all.
	mostKeys = 100
	// strangePause is the least time between two runs of everything that follow keys which no row has: where a table has rows that the
	// sync does not read, their keys come too.
	strangePause = time.Minute
)

// batch gathers what is heard of one sync until it is quiet for a moment. It is safe for concurrent use.
type batch struct {
	ask func(keys []string) // no keys: everything that changed

	mu    sync.Mutex
	keys  map[string]bool
	all   bool
	first time.Time // when the first of what waits was heard; zero: nothing waits
	timer *time.Timer
	over  bool

	strange time.Time   // when a run of everything was last asked for because of keys that no row has
	later   *time.Timer // asks for the next one; nil: nothing does
}

// hear takes in keys of rows that changed; none means that any may have.
func (b *batch) hear(keys []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over {
		return
	}
	now := time.Now()
	if b.first.IsZero() {
		b.first, b.keys = now, make(map[string]bool)
	}
	for _, key := range keys {
		b.keys[key] = true
	}
	if b.all = b.all || len(keys) == 0 || len(b.keys) > mostKeys; b.all {
		clear(b.keys)
	}
	wait := min(quiet, b.first.Add(patience).Sub(now))
	if b.timer == nil {
		b.timer = time.AfterFunc(wait, b.fire)
		return
	}
	b.timer.Reset(wait)
}

// fire asks for a run of what was heard.
func (b *batch) fire() {
	b.mu.Lock()
	if b.over || b.first.IsZero() {
		b.mu.Unlock()
		return
	}
	keys := slices.Sorted(maps.Keys(b.keys))
	b.keys, b.all, b.first = nil, false, time.Time{}
	b.mu.Unlock()
	b.ask(keys)
}

// astray asks for a run of everything that changed, because what was heard named no row: at once, or when the pause after the last such
// run is over.
func (b *batch) astray() {
	b.mu.Lock()
	wait := time.Duration(0)
	if !b.strange.IsZero() {
		wait = time.Until(b.strange.Add(strangePause))
	}
	switch {
	case b.over || b.later != nil:
		b.mu.Unlock()
		return
	case wait > 0:
		b.later = time.AfterFunc(wait, func() {
			b.mu.Lock()
			b.later = nil
			b.mu.Unlock()
			b.astray()
		})
		b.mu.Unlock()
		return
	}
	b.strange = time.Now()
	b.mu.Unlock()
	b.hear(nil)
}

// end drops what waits.
func (b *batch) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.over = true
	for _, t := range []*time.Timer{b.timer, b.later} {
		if t != nil {
			t.Stop()
		}
	}
}
