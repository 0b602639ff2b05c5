package progress

import "sync"

// queued is how many values wait for an observer that is not complete.
const queued = 4096

// Observer is told what happens in a run, in its order, one value at a time, from goroutines that are not the caller's. What it is
// handed must not be changed.
type Observer struct {
	Each func(Value)
	// Complete makes the run wait for Each, which then is told everything: for what must not have gaps, such as a run's own output.
	// Without it the run never waits: what comes while too many values wait is replaced by a Dropped, and values may still be
	// told after the run has returned. Ended is the last one in either case.
	Complete bool
}

// listener hands values to one observer.
type listener struct {
	each func(Value)
	mu   sync.Mutex

	// Of an observer that is not complete:
	queue   chan Value
	dropped int
}

func listen(o Observer) *listener {
	l := &listener{each: o.Each}
	if o.Complete {
		return l
	}
	l.queue = make(chan Value, queued)
	go func() {
		for v := range l.queue {
			l.each(v)
		}
	}()
	return l
}

// tell hands over a value; about says which run what is dropped is about.
func (l *listener) tell(v Value, about About) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.queue == nil {
		l.each(v)
		return
	}
	if l.dropped > 0 { // it says so first, where there is room for that and the value
		if len(l.queue)+2 > cap(l.queue) {
			l.dropped++
			return
		}
		l.queue <- Dropped{about, l.dropped}
		l.dropped = 0
	}
	select {
	case l.queue <- v:
	default:
		l.dropped++
	}
}

// end hands over the last value, for which there is always room in the end, and lets the listener go when it has had all.
func (l *listener) end(v Value, about About) {
	if l.queue == nil {
		l.tell(v, about)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	go func(dropped int) {
		if dropped > 0 {
			l.queue <- Dropped{about, dropped}
		}
		l.queue <- v
		close(l.queue)
	}(l.dropped)
}
