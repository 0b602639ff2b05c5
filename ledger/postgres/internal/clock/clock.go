// Package clock tells the time as the clock of PostgreSQL does, whatever the machine's own says.
//
// The idea to know: PostgreSQL is asked now and then, and each answer says that its clock showed a time at some instant between the question
// and the answer. In between the time goes on with the machine's steady clock, which nobody sets. So the time costs no way to the server,
// and is known to be wrong by no more than a bound.
package clock

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"owlatsync/ledger/postgres/internal/lease"
	"owlatsync/ledger/postgres/internal/server"
)

const (
	// askEvery is how old the latest answer may be when somebody wants to know the time. PostgreSQL is not asked while nobody does.
	askEvery = 10 * time.Second
	// askAgain is how long after a question that was not answered the next one comes.
	askAgain = time.Second
	// askWithin is how long an answer may take.
	askWithin = 5 * time.Second
	// drift is in how long a machine's clock goes wrong by one unit at the most.
	drift = 1000
	// farOff is from when on somebody should set the machine's clock, and warnAgain how often that is said.
	farOff, warnAgain = 5 * time.Second, time.Hour
)

// Clock goes as PostgreSQL's does. It is safe for concurrent use.
type Clock struct {
	ask    func(ctx context.Context, ready func()) (time.Time, error)
	log    *slog.Logger
	steady func() time.Duration
	wall   func() time.Time
	ctx    context.Context // ends with the clock
	cancel context.CancelFunc
	asking sync.WaitGroup

	mu               sync.Mutex
	zero             time.Time     // what Now would have said when the steady clock began
	earliest, latest time.Time     // between which PostgreSQL's clock was then, as of heard
	heard            time.Duration // by the steady clock; 0: never
	due              time.Duration // by the steady clock, when PostgreSQL is to be asked again
	told             time.Time     // the latest that Now has said
	warned           time.Duration // by the steady clock; 0: the machine's clock is right
}

// Of returns the clock of a server. It goes as the machine's does until Ask.
func Of(db *server.DB) *Clock {
	return New(func(ctx context.Context, ready func()) (now time.Time, err error) {
		conn, err := db.Pool.Acquire(ctx)
		if err != nil {
			return now, err
		}
		defer conn.Release()
		ready()
		// One way there and back, and a form that no setting of the server changes.
		var micros int64
		err = conn.QueryRow(ctx, "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint", pgx.QueryExecModeSimpleProtocol).Scan(&micros)
		return time.UnixMicro(micros), err
	}, db.Log)
}

// New returns a clock that goes as the machine's does until PostgreSQL has answered; see Ask. The function ask asks PostgreSQL, and
// calls ready when the question is about to be sent.
func New(ask func(ctx context.Context, ready func()) (time.Time, error), log *slog.Logger) *Clock {
	c := &Clock{ask: ask, log: log, steady: lease.Steady, wall: time.Now}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.zero = c.machine().Add(-c.steady())
	return c
}

// Follow makes the clock go as now does, and not as PostgreSQL's, for tests whose time is made up. Nobody may have asked for the time yet.
func (c *Clock) Follow(now func() time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	began := now().Round(0)
	c.steady, c.wall = func() time.Duration { return now().Round(0).Sub(began) }, now
	c.ask = func(_ context.Context, ready func()) (time.Time, error) { ready(); return now(), nil }
	c.zero, c.earliest, c.latest, c.heard, c.due, c.told = began, began, began, 0, 0, time.Time{}
}

// machine is what the machine's own clock says.
func (c *Clock) machine() time.Time { return c.wall().Round(0) }

// Close ends questions that go on. The clock still tells the time.
func (c *Clock) Close() {
	c.mu.Lock()
	c.cancel()
	c.mu.Unlock()
	c.asking.Wait()
}

// Now returns the time by PostgreSQL's clock. If the latest answer is old, PostgreSQL is asked meanwhile.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.steady()
	if now >= c.due && c.ctx.Err() == nil {
		c.due = now + askWithin // one question at a time
		c.asking.Go(func() { _ = c.Ask(c.ctx) })
	}
	if t := c.zero.Add(now); t.After(c.told) { // what an answer corrects does not turn the order around of what was dated before
		c.told = t
	}
	return c.told
}

// Within is by how much Now may be wrong, as of the latest answer.
func (c *Clock) Within() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return max(c.latest.Sub(c.zero), c.zero.Sub(c.earliest))
}

// Ahead is by how much the machine's own clock is ahead of PostgreSQL's; below zero: it is behind.
func (c *Clock) Ahead() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ahead()
}

func (c *Clock) ahead() time.Duration { return c.machine().Sub(c.zero.Add(c.steady())) }

// Ask asks PostgreSQL for the time.
func (c *Clock) Ask(ctx context.Context) error {
	ctx, done := context.WithTimeout(ctx, askWithin)
	defer done()
	asked := c.steady()
	now, err := c.ask(ctx, func() { asked = c.steady() })
	if err != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.due = c.steady() + askAgain
		return err
	}
	c.set(now, asked, c.steady())
	return nil
}

// Asks is for who asks PostgreSQL for the time along with something else. It is called right before that, and told is when the answer is
// there.
func (c *Clock) Asks() (told func(now time.Time)) {
	asked := c.steady()
	return func(now time.Time) { c.set(now, asked, c.steady()) }
}

// set takes in that PostgreSQL's clock showed a time at some instant between two of the steady clock. The time of Now changes by no more than
// the answer makes certain, so that answers that took long do no harm. An answer that contradicts those before counts alone:
// PostgreSQL's clock was set, or another server has taken over.
func (c *Clock) set(now time.Time, asked, answered time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now = now.Round(0)
	earliest, latest := now.Add(-answered), now.Add(-asked)
	wrong := max(answered-c.heard, 0) / drift
	before, after := c.earliest.Add(-wrong), c.latest.Add(wrong)
	if c.heard != 0 && !before.After(latest) && !after.Before(earliest) {
		earliest, latest = later(earliest, before), earlier(latest, after)
		c.zero = later(earlier(c.zero, latest), earliest)
	} else {
		was := c.zero
		c.zero, c.told = earliest.Add(latest.Sub(earliest)/2), time.Time{}
		if by := c.zero.Sub(was); c.heard != 0 && by.Abs() > farOff {
			c.log.Warn("the clock of PostgreSQL was set, or another server has taken over", "by", by.Round(time.Millisecond))
		}
	}
	c.earliest, c.latest, c.heard, c.due = earliest, latest, answered, answered+askEvery
	c.warn(answered)
}

// warn says that the machine's own clock is wrong, and when it is right again. The caller holds the mutex.
func (c *Clock) warn(now time.Duration) {
	switch ahead := c.ahead(); {
	case ahead.Abs() > farOff && (c.warned == 0 || now-c.warned >= warnAgain):
		c.warned = now
		c.log.Warn("the clock of this machine and that of PostgreSQL are apart: what is shared goes by PostgreSQL's", "ahead", ahead.Round(time.Millisecond),
			"hint", "let NTP set the clocks of all machines")
	case ahead.Abs() <= farOff/2 && c.warned != 0:
		c.warned = 0
		c.log.Info("the clock of this machine and that of PostgreSQL agree again")
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
