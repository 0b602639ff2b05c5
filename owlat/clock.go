package owlat

import (
	"net/http"
	"sync"
	"time"
)

// clock keeps how the server's clock differs from this machine's, as the answers tell it. It is safe for concurrent use.
//
// Each answer says that the server's clock showed a time between two bounds while the request was under way. All answers together
// narrow that down, mostly to less than the time that one answer takes. The time in between is measured by the machine's steady
// clock, so that setting its date changes nothing.
type clock struct {
	mu       sync.Mutex
	anchor   time.Time // this machine's time at the first answer; zero: there was none
	earliest time.Time // the server's clock at the anchor showed at least this
	latest   time.Time // and at most this
}

// hear takes in that the server's clock showed a time from earliest to latest at some instant between sent and received. A header
// that contradicts the answers before counts alone, because one of the clocks was set.
func (c *clock) hear(earliest, latest, sent, received time.Time) {
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

// wrote takes in that the server's clock showed t, in whole milliseconds, at some instant between sent and received. It comes after
// the headers of the same answer, and does not count if it contradicts them.
func (c *clock) wrote(t, sent, received time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	earliest, latest := t.Add(c.anchor.Sub(received)), t.Add(time.Millisecond).Add(c.anchor.Sub(sent))
	if !c.anchor.IsZero() && !earliest.After(c.latest) && !latest.Before(c.earliest) {
		c.narrow(earliest, latest)
	}
}

func (c *clock) narrow(earliest, latest time.Time) {
	if earliest.After(c.earliest) {
		c.earliest = earliest
	}
	if latest.Before(c.latest) {
		c.latest = latest
	}
}

// answered takes in what the headers of an answer say: Owlat's own X-RateLimit-Reset, else the Date of whoever answered.
func (c *clock) answered(h http.Header, limit RateLimit, sent, received time.Time) {
	if !limit.Reset.IsZero() { // the server's time plus one second, rounded up to the second
		c.hear(limit.Reset.Add(-2*time.Second), limit.Reset.Add(-time.Second), sent, received)
		return
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil { // rounded down to the second
		c.hear(date, date.Add(time.Second), sent, received)
	}
}

// at returns the bounds of what the server's clock shows at a time of this machine.
func (c *clock) at(t time.Time) (earliest, latest time.Time, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.anchor.IsZero() {
		return t, t, false
	}
	since := t.Sub(c.anchor)
	return c.earliest.Add(since), c.latest.Add(since), true
}

// ServerTime returns what the server's clock shows when this machine's shows at: a time from earliest to latest, mostly less than a
// second apart, on which all answers so far agree. Compare only these with times that Owlat tells, such as [Contact.CreatedAt]: the
// clocks of two machines may differ by minutes. Before the first answer the difference is not known, and both times are at.
// [Client.Health] gets an answer that costs nothing of the budget.
func (c *Client) ServerTime(at time.Time) (earliest, latest time.Time, known bool) {
	return c.core.clock.at(at)
}
