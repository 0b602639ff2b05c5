package seats

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// crowd are runs that take a seat one after the other came to the line, and note who had it when.
type crowd struct {
	room *Room
	all  sync.WaitGroup

	mu  sync.Mutex
	had []int
}

// comes lets a run come to the line that was asked for so long ago, and has its seat for a second.
func (c *crowd) comes(t *testing.T, name int, ago time.Duration) {
	seat := c.room.Seat(time.Now().Add(-ago))
	c.all.Go(func() {
		if err := seat.Take(t.Context()); err != nil {
			t.Error(err)
			return
		}
		c.mu.Lock()
		c.had = append(c.had, name)
		c.mu.Unlock()
		time.Sleep(time.Second)
		seat.Leave()
	})
	synctest.Wait()
}

// TestWhoWasAskedForFirst has runs that come to the line in another order than they were asked for.
func TestWhoWasAskedForFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &crowd{room: New(1)}
		c.comes(t, 0, 0) // has the seat
		for name, ago := range map[int]time.Duration{3: time.Minute, 1: time.Hour, 2: 30 * time.Minute} {
			c.comes(t, name, ago)
		}
		c.comes(t, 4, 0)
		c.comes(t, 5, 0) // as old as the one before
		c.all.Wait()
		if !slices.Equal(c.had, []int{0, 1, 2, 3, 4, 5}) {
			t.Errorf("they had the seat in the order %v", c.had)
		}
	})
}

// TestOneOfManySyncsDoesNotWaitForRounds has one deployment with many syncs beside others with one: each sync waits about as long.
func TestOneOfManySyncsDoesNotWaitForRounds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const others, syncs = 20, 10
		room, began := New(2), time.Now()
		var all sync.WaitGroup
		var mu sync.Mutex
		longest := make(map[string]time.Duration)
		run := func(kind string, due time.Time) {
			seat := room.Seat(due)
			if err := seat.Take(t.Context()); err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			longest[kind] = max(longest[kind], time.Since(due))
			mu.Unlock()
			time.Sleep(time.Second)
			seat.Leave()
		}
		all.Go(func() {
			for range syncs { // a deployment makes one run at a time
				run("many", began)
			}
		})
		for range others {
			all.Go(func() {
				for range 5 { // again and again
					run("one", time.Now())
				}
			})
		}
		all.Wait()
		if fair := time.Duration(syncs+others) / 2 * time.Second; longest["many"] > 2*fair {
			t.Errorf("the last of %d syncs waits %s, where %s are fair", syncs, longest["many"], fair)
		}
	})
}

func TestWhoGivesUpLosesNoSeat(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		room := New(1)
		first, second, third := room.Seat(time.Time{}), room.Seat(time.Time{}), room.Seat(time.Time{})
		if err := first.Take(t.Context()); err != nil {
			t.Fatal(err)
		}
		why := errors.New("it is asked to stop")
		ctx, stop := context.WithCancelCause(t.Context())
		gives := make(chan error, 1)
		go func() { gives <- second.Take(ctx) }()
		synctest.Wait()
		waits := make(chan error, 1)
		go func() { waits <- third.Take(t.Context()) }()
		synctest.Wait()
		stop(why)
		if err := <-gives; !errors.Is(err, why) {
			t.Errorf("who gives up is told %v", err)
		}
		second.Leave() // has none
		second.Leave()
		select {
		case err := <-waits:
			t.Errorf("two have the only seat: %v", err)
		default:
		}
		first.Leave()
		if err := <-waits; err != nil {
			t.Error(err)
		}
		if err := third.Take(ctx); err != nil {
			t.Errorf("who has the seat is told %v", err)
		}
		third.Leave()
		third.Leave()
		if err := second.Take(ctx); err != nil { // free, whatever became of the context
			t.Error(err)
		}
		if room.free != 0 || len(room.line) != 0 {
			t.Errorf("%d seats are free, %d wait", room.free, len(room.line))
		}
	})
}

// TestAnyHistory has runs that come, give up and leave at random.
func TestAnyHistory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const seats = 3
		room := New(seats)
		var all sync.WaitGroup
		var mu sync.Mutex
		have, most, given := 0, 0, 0
		for n := range uint64(200) {
			chance := rand.New(rand.NewPCG(n, 1))
			all.Go(func() {
				span := func(most int) time.Duration { return time.Duration(chance.IntN(most)) * time.Millisecond }
				time.Sleep(span(1000))
				seat := room.Seat(time.Now().Add(-span(1000)))
				for range 10 {
					ctx, done := context.WithTimeout(t.Context(), span(3000))
					err := seat.Take(ctx)
					done()
					if err != nil {
						continue
					}
					mu.Lock()
					have, given = have+1, given+1
					most = max(most, have)
					mu.Unlock()
					time.Sleep(span(50))
					mu.Lock()
					have--
					mu.Unlock()
					seat.Leave()
				}
			})
		}
		all.Wait()
		if most != seats || room.free != seats || len(room.line) != 0 || given == 0 {
			t.Errorf("%d of %d seats were had at once, %d are free, %d wait, %d were given", most, seats, room.free, len(room.line), given)
		}
	})
}

func TestSeatsFitTheProcessors(t *testing.T) {
	t.Parallel()
	if r := New(0); r.free != 2*runtime.GOMAXPROCS(0) {
		t.Errorf("%d seats", r.free)
	}
}
