package cluster

import (
	"sync/atomic"
	"time"
)

// clock tells the time as PostgreSQL does, whatever the clock of this machine says: River compares times that nodes write with the
// database's. It goes on with the machine's monotonic clock, and is set again now and then. It is safe for concurrent use.
type clock struct {
	start time.Time
	ahead atomic.Int64 // of PostgreSQL, at the start
}

func newClock() *clock { return &clock{start: time.Now()} }

// slowest is the longest way to PostgreSQL and back by which the clock is set.
const slowest = time.Second

// set notes what PostgreSQL's clock said at some instant between two.
func (c *clock) set(database, asked, answered time.Time) {
	way := answered.Sub(asked)
	if way > slowest && c.ahead.Load() != 0 {
		return
	}
	c.ahead.Store(int64(database.Sub(c.start.Round(0)) - asked.Sub(c.start) - way/2))
}

// Now implements rivertype.TimeGenerator. It keeps the monotonic reading.
func (c *clock) Now() time.Time {
	return c.start.Add(time.Since(c.start) + time.Duration(c.ahead.Load()))
}

// NowOrNil implements rivertype.TimeGenerator. It is never nil: what River inserts would have this machine's time.
func (c *clock) NowOrNil() *time.Time {
	now := c.Now()
	return &now
}
