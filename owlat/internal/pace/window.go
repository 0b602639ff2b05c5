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
	// hush is how long no answer comes, beyond the time that answers take, before nothing more is sent but probes: what was sent may be
	// kept back on the way, and arrives in one piece then. The first probe follows after firstProbe, each further one after twice the time.
	hush       = 300 * time.Millisecond
	firstProbe = 6 * time.Second
	// bunched is for how long requests may be kept back without harm (see the package documentation).
	bunched = 700 * time.Millisecond
	// forgotten is how long after a failure the next request says something new.
	forgotten = 30 * time.Second
)

// Window decides how many requests may be in flight. [NewWindow] makes one.
type Window struct {
	inFlight int
	size     int           // how many may be in flight
	shrunk   time.Time     // when a failure last made it smaller
	latency  time.Duration // of late

	heard  bool      // there was an answer, so that it is known how long they take
	asked  time.Time // since when answers are awaited and none has come; zero: none is awaited
	failed time.Time // when a request last failed since then
	probes int       // that were sent since then
	lost   bool      // one of those that failed since then may still be on its way
}

// NewWindow returns the window of a server of which nothing is known.
func NewWindow() Window { return Window{size: firstInFlight} }

// Full reports whether another request has to wait until one has ended.
func (w *Window) Full() bool { return w.inFlight >= w.size }

// Latency returns how long answers take of late, 0 before the first.
func (w *Window) Latency() time.Duration { return w.latency }

// Enter counts a request that is sent.
func (w *Window) Enter(now time.Time) {
	if w.asked.IsZero() || w.inFlight == 0 && now.Sub(w.failed) >= forgotten {
		w.asked, w.failed, w.probes, w.lost = now, time.Time{}, 0, false
	}
	if w.hushed(now) {
		w.probes++
	}
	w.inFlight++
}

// Leave counts a request that has ended, however it did.
func (w *Window) Leave() { w.inFlight-- }

// GiveUp hears, after Leave, of a request whose answer nobody wants any more.
func (w *Window) GiveUp() {
	if w.inFlight == 0 && w.failed.IsZero() {
		w.asked = time.Time{}
	}
}

// Answer hears, after Leave, of any answer. It reports whether requests may have been kept back until now.
func (w *Window) Answer(now time.Time) (late bool) {
	late = (w.inFlight >= firstInFlight || w.lost) && w.Silence(now) > bunched+w.latency
	w.heard, w.asked, w.failed, w.probes, w.lost = true, time.Time{}, time.Time{}, 0, false
	if w.inFlight > 0 {
		w.asked = now
	}
	return late
}

// Silence returns for how long answers have been awaited and none has come; 0 if none is awaited. It stands still while nothing is in flight.
func (w *Window) Silence(now time.Time) time.Duration { return w.SilenceSince(time.Time{}, now) }

// SilenceSince is Silence where an answer to somebody else came at that time, too.
func (w *Window) SilenceSince(answer, now time.Time) time.Duration {
	if w.asked.IsZero() {
		return 0
	}
	asked := later(w.asked, answer)
	if w.inFlight == 0 {
		return max(0, w.failed.Sub(asked))
	}
	return now.Sub(asked)
}

// Hush returns how long the next request has to wait for an answer to another one at most.
func (w *Window) Hush(now time.Time) time.Duration {
	if !w.hushed(now) {
		return 0
	}
	return max(0, w.asked.Add(firstProbe<<min(w.probes, 10)).Sub(now))
}

func (w *Window) hushed(now time.Time) bool {
	return (w.inFlight > 0 || w.lost) && w.heard && w.Silence(now) > hush+w.latency
}

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
	if !w.asked.IsZero() {
		w.failed = now
		w.lost = w.lost || now.Sub(sent) > hush+w.latency
	}
	if !sent.Before(w.shrunk) {
		w.size, w.shrunk = max(min(w.size, w.inFlight+1)/2, 1), now
	}
}
