// Package clock keeps how a server's clock differs from this machine's.
package clock

import (
	"net/http"
	"sync"
	"time"
)

// Clock is what is known of a server's clock from its answers. The zero value knows nothing. It is safe for concurrent use.
//
// Each answer says that the server's clock showed a time between two bounds while the request was under way. All answers together
// narrow that down, mostly to less than the time that one answer takes. The time in between is measured by the machine's steady
// clock, so that setting its date changes nothing.
type Clock struct {
	mu       sync.Mutex
	anchor   time.Time // this machine's time at the first answer; zero: there was none
	earliest time.Time // the server's clock at the anchor showed at least this
	latest   time.Time // and at most this
}

// hear takes in that the server's clock showed a time from earliest to latest at some instant between sent and received. A header
// that contradicts the answers before counts alone, because one of the clocks was set.
func (c *Clock) hear(earliest, latest, sent, received time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.anchor.IsZero() {
		c.anchor = received
	}
	earliest, latest = earliest.Add(c.anchor.Sub(received)), latest.Add(c.anchor.Sub(sent))
	if c.earliest.IsZero() || earliest.After(c.latest) || latest.Before(c.earliest) {
		c.earliest, c.latest = earliest, latest
		return
	}
	c.narrow(earliest, latest)
}

// Wrote takes in that the server's clock showed t, in whole milliseconds, at some instant between sent and received. It comes after
// the headers of the same answer, and does not count if it contradicts them.
func (c *Clock) Wrote(t, sent, received time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	earliest, latest := t.Add(c.anchor.Sub(received)), t.Add(time.Millisecond).Add(c.anchor.Sub(sent))
	if !c.anchor.IsZero() && !earliest.After(c.latest) && !latest.Before(c.earliest) {
		c.narrow(earliest, latest)
	}
}

func (c *Clock) narrow(earliest, latest time.Time) {
	if earliest.After(c.earliest) {
		c.earliest = earliest
	}
	if latest.Before(c.latest) {
		c.latest = latest
	}
}

// Answered takes in what the headers of an answer say: Owlat's own X-RateLimit-Reset, unless that is zero, else the Date of whoever
// answered.
func (c *Clock) Answered(h http.Header, reset, sent, received time.Time) {
	if !reset.IsZero() { // the server's time plus one second, rounded up to the second
		c.hear(reset.Add(-2*time.Second), reset.Add(-time.Second), sent, received)
		return
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil { // rounded down to the second
		c.hear(date, date.Add(time.Second), sent, received)
	}
}

// At returns the bounds of what the server's clock shows at a time of this machine.
func (c *Clock) At(t time.Time) (earliest, latest time.Time, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.anchor.IsZero() {
		return t, t, false
	}
	since := t.Sub(c.anchor)
	return c.earliest.Add(since), c.latest.Add(since), true
}
