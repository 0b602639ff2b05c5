package clock

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// world is a PostgreSQL in fake time whose clock is ahead of the machine's, and which takes a while to answer.
type world struct {
	ahead time.Duration
	way   time.Duration // there, and as long back
	asked int
	fails error
	log   bytes.Buffer
}

func (w *world) ask(ctx context.Context, ready func()) (time.Time, error) {
	w.asked++
	if w.fails != nil {
		return time.Time{}, w.fails
	}
	ready()
	time.Sleep(w.way)
	now := time.Now().Add(w.ahead)
	time.Sleep(w.way)
	return now, ctx.Err()
}

func (w *world) now() time.Time { return time.Now().Add(w.ahead) }

// clock returns a clock of the world that has asked once.
func (w *world) clock(t *testing.T) *Clock {
	t.Helper()
	c := New(w.ask, slog.New(slog.NewTextHandler(&w.log, nil)))
	began := time.Now()
	c.steady = func() time.Duration { return time.Since(began) + time.Hour }
	c.wall = time.Now
	c.zero = began.Round(0).Add(-time.Hour)
	t.Cleanup(c.Close)
	if err := c.Ask(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

// near fails unless the clock is right to a bound that it names itself.
func (w *world) near(t *testing.T, c *Clock, within time.Duration) {
	t.Helper()
	if off := c.Now().Sub(w.now()); off.Abs() > c.Within() || c.Within() > within {
		t.Errorf("the clock is %v off and says %v, want at most %v", off, c.Within(), within)
	}
}

func TestAClockThatIsApart(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{-10 * time.Minute, 0, 10 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			w := &world{ahead: ahead, way: 20 * time.Millisecond}
			c := w.clock(t)
			w.near(t, c, 21*time.Millisecond)
			if off := c.Ahead() + ahead; off.Abs() > c.Within() {
				t.Errorf("the machine's clock is %v ahead, want %v", c.Ahead(), -ahead)
			}
			if said := strings.Contains(w.log.String(), "are apart"); said != (ahead != 0) {
				t.Errorf("the log is %q", &w.log)
			}
			time.Sleep(time.Minute)
			c.Now()
			synctest.Wait()
			time.Sleep(time.Second)
			w.near(t, c, 21*time.Millisecond)
			if n := strings.Count(w.log.String(), "are apart"); ahead != 0 && n != 1 {
				t.Errorf("it was said %d times", n)
			}
		})
	}
}

// TestWhoAsksForTheTimeWaitsForNothing: PostgreSQL is asked when the answer is old, once, and not at all while nobody wants to know.
func TestWhoAsksForTheTimeWaitsForNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &world{ahead: time.Minute, way: time.Second}
		c := w.clock(t)
		for range 1000 {
			c.Now()
		}
		time.Sleep(time.Hour)
		if w.asked != 1 {
			t.Fatalf("PostgreSQL was asked %d times", w.asked)
		}
		for range 1000 {
			c.Now()
		}
		synctest.Wait()
		time.Sleep(3 * time.Second)
		if w.asked != 2 {
			t.Errorf("PostgreSQL was asked %d times", w.asked)
		}
		w.near(t, c, 1100*time.Millisecond)
	})
}

// TestSlowAnswersDoNoHarm: the time does not leap with answers that took long.
func TestSlowAnswersDoNoHarm(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &world{ahead: time.Hour, way: time.Millisecond}
		c := w.clock(t)
		for range 10 {
			time.Sleep(time.Second)
			before := c.Now()
			told := c.Asks()
			at := w.now() // long before the answer
			time.Sleep(4 * time.Second)
			told(at)
			if moved := c.Now().Sub(before) - 4*time.Second; moved != 0 {
				t.Errorf("the clock moved by %v", moved)
			}
			w.near(t, c, 100*time.Millisecond)
		}
	})
}

// TestTheClockOfPostgreSQLIsSet while nodes work, or another server takes over.
func TestTheClockOfPostgreSQLIsSet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &world{way: time.Millisecond}
		c := w.clock(t)
		for _, ahead := range []time.Duration{10 * time.Minute, -10 * time.Minute, 0} {
			w.ahead = ahead
			time.Sleep(askEvery + time.Second)
			c.Now()
			time.Sleep(time.Second)
			w.near(t, c, 10*time.Millisecond)
			if !strings.Contains(w.log.String(), "was set, or another server has taken over") {
				t.Errorf("the log is %q", &w.log)
			}
			w.log.Reset()
		}
	})
}

// TestAMachineThatRunsFast is followed, and what it drifts is no leap.
func TestAMachineThatRunsFast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &world{way: 2 * time.Millisecond}
		c := w.clock(t)
		for range 1000 {
			time.Sleep(2 * time.Second)
			w.ahead += 200 * time.Microsecond
			if err := c.Ask(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.near(t, c, 10*time.Millisecond)
		}
		if w.log.Len() > 0 {
			t.Errorf("the log is %q", &w.log)
		}
	})
}

// TestWithoutAnAnswerTheTimeGoesOn, and PostgreSQL is asked again once a second, while somebody wants to know.
func TestWithoutAnAnswerTheTimeGoesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &world{ahead: -10 * time.Minute, way: time.Millisecond}
		c := w.clock(t)
		w.fails = errors.New("it is away")
		for range 60 * 10 {
			time.Sleep(100 * time.Millisecond)
			w.near(t, c, 100*time.Millisecond)
		}
		if w.asked < 40 || w.asked > 60 {
			t.Errorf("PostgreSQL was asked %d times", w.asked)
		}
		c.Close()
		if c.Now().Sub(w.now()).Abs() > time.Millisecond {
			t.Error("a clock that is closed tells another time")
		}
	})
}
