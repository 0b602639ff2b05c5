// Package seats limits how many runs of a process read and compare at once. That work takes processors and memory, which all
// deployments of a node share; what comes after it waits for Owlat, and takes neither.
//
// The idea to know: there is one line for all deployments. A free seat goes to the run that was asked for first, not to the one that came to
// the line first. A deployment makes one run at a time, so of many syncs that are due only one stands in the line. If it began at the
// end each time, the last of them would wait for as many rounds of the line as there are syncs.
package seats

import (
	"container/heap"
	"context"
	"runtime"
	"sync"
	"time"
)

// perProcessor is how many seats there are for a processor: while one run waits for a database, another computes.
const perProcessor = 2

// Room has the seats of a process. It is safe for concurrent use.
type Room struct {
	mu   sync.Mutex
	free int
	line line
	came uint64 // runs that have come to the line
}

// New returns a room with so many seats; with 0, two for each processor.
func New(seats int) *Room {
	if seats == 0 {
		seats = perProcessor * runtime.GOMAXPROCS(0)
	}
	return &Room{free: seats}
}

// Seat returns the seat of one run that was asked for at that time. The run does not have it yet.
func (r *Room) Seat(asked time.Time) *Seat { return &Seat{room: r, asked: asked} }

// leave passes a seat on. The caller holds the mutex.
func (r *Room) leave() {
	if len(r.line) == 0 {
		r.free++
		return
	}
	w := heap.Pop(&r.line).(*waiter)
	w.seat.taken = true
	close(w.got)
}

// Seat is the seat that one run takes again and again. It is safe for concurrent use.
type Seat struct {
	room  *Room
	asked time.Time // zero: it is asked for when it is taken; guarded by the room's mutex, as what follows
	taken bool
}

// Take waits for the seat. It returns the cause of ctx if that ends before; a seat that is free is taken all the same. A run that has the seat
// keeps it. Only one Take of a seat may go on at a time.
func (s *Seat) Take(ctx context.Context) error {
	r := s.room
	r.mu.Lock()
	if s.taken {
		r.mu.Unlock()
		return nil
	}
	if s.asked.IsZero() {
		s.asked = time.Now()
	}
	if r.free > 0 {
		r.free--
		s.taken = true
		r.mu.Unlock()
		return nil
	}
	r.came++
	w := &waiter{seat: s, asked: s.asked, came: r.came, got: make(chan struct{})}
	heap.Push(&r.line, w)
	r.mu.Unlock()
	select {
	case <-w.got:
		return nil
	case <-ctx.Done():
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.taken {
		return nil // it came at the same moment
	}
	heap.Remove(&r.line, w.at)
	return context.Cause(ctx)
}

// Leave gives the seat to whoever is next. Without the seat it does nothing. When the run takes it again, it counts as asked for then.
func (s *Seat) Leave() {
	s.room.mu.Lock()
	defer s.room.mu.Unlock()
	if !s.taken {
		return
	}
	s.taken, s.asked = false, time.Time{}
	s.room.leave()
}

// waiter stands in the line.
type waiter struct {
	seat  *Seat
	asked time.Time
	came  uint64
	got   chan struct{} // closed when the seat is its own
	at    int           // its place in the heap
}

// line has those first who were asked for first. It implements heap.Interface.
type line []*waiter

func (l line) Len() int { return len(l) }

func (l line) Less(i, j int) bool {
	if c := l[i].asked.Compare(l[j].asked); c != 0 {
		return c < 0
	}
	return l[i].came < l[j].came
}

func (l line) Swap(i, j int) {
	l[i], l[j] = l[j], l[i]
	l[i].at, l[j].at = i, j
}

func (l *line) Push(x any) {
	w := x.(*waiter)
	w.at = len(*l)
	*l = append(*l, w)
}

func (l *line) Pop() any {
	last := len(*l) - 1
	w := (*l)[last]
	(*l)[last] = nil
	*l = (*l)[:last]
	return w
}
