package progress

import "sync"

// queued is how many values wait for an observer that is not complete.
const queued = 4096

// Observer is told what happens in a run, in order and one value at a time, from goroutines of the engine. It must not change the
// values.
type Observer struct {
	Each func(Value)
	// Complete makes the run wait for Each, so that the observer gets every value. Use it for what must have no gaps, such as a
	// run's own output. Without it the run never waits. If too many values wait, new ones are replaced by a Dropped, and values may
	// come after the run has returned. Ended is the last value in either case.
	Complete bool
}

// listener hands values to one observer.
type listener struct {
	each func(Value)
	mu   sync.Mutex

	// Both are for an observer that is not complete.
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

// tell hands over a value; about is for a Dropped.
func (l *listener) tell(v Value, about About) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.queue == nil {
		l.each(v)
		return
	}
	if l.dropped > 0 { // Dropped goes first, once there is room for it and the value
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

// end hands over the last value, for which it waits in the background, and ends the listener after it.
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
