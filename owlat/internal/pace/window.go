package pace

import "time"

const (
	// firstInFlight is how many requests are sent before anything is known of the server: a connection that is yet to be
	// made would bunch them, and a key that is refused would be refused as often.
	firstInFlight = 3
	// growth is by how many every answer lets their number grow.
	growth = 3
	// maxInFlight is how many requests wait for answers at most, however slow these are.
	maxInFlight = 256
)

// Window decides how many requests may be in flight. [NewWindow] makes one.
type Window struct {
	inFlight int
	size     int           // how many may be in flight
	shrunk   time.Time     // when a failure last made it smaller
	latency  time.Duration // of late
}

// NewWindow returns the window of a server of which nothing is known.
func NewWindow() Window { return Window{size: firstInFlight} }

// Full reports whether another request has to wait until one has ended.
func (w *Window) Full() bool { return w.inFlight >= w.size }

// Latency returns how long answers take of late, 0 before the first.
func (w *Window) Latency() time.Duration { return w.latency }

// Enter counts a request that is sent.
func (w *Window) Enter() { w.inFlight++ }

// Leave counts a request that has ended, however it did.
func (w *Window) Leave() { w.inFlight-- }

// Grow hears, after Leave, of an answer that took so long.
func (w *Window) Grow(took time.Duration) {
	if w.latency == 0 {
		w.latency = took
	} else {
		w.latency += (took - w.latency) / 8
	}
	w.size = min(w.size+growth, maxInFlight)
}

// Shrink hears, after Leave, of a failure of a request that was sent at the given time. Those that were sent before the
// window last shrank say nothing new.
func (w *Window) Shrink(sent, now time.Time) {
	if !sent.Before(w.shrunk) {
		w.size, w.shrunk = max(min(w.size, w.inFlight+1)/2, 1), now
	}
}
