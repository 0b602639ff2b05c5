// Package events carries what happens in the service to whoever looks: a page, a program that follows a run, metrics, alerts. It
// decides nothing and keeps nothing for long.
//
// The idea to know: whoever looks never holds up what happens. Publish never waits; a subscriber that is too slow loses events and is
// told how many.
package events

import (
	"slices"
	"sync"
	"time"
)

// Kind is what an event is about.
type Kind string

const (
	Queued    Kind = "queued"     // a run waits for its turn
	Started   Kind = "started"    // a run has begun
	Paused    Kind = "paused"     // a long run lets other syncs have their turn
	Resumed   Kind = "resumed"    // it goes on
	Stage     Kind = "stage"      // a run enters another stage, or reads its source again
	Planned   Kind = "planned"    // a run has a plan
	Held      Kind = "held"       // a guard holds a run
	Row       Kind = "row"        // what became of a row that was not unchanged
	Progress  Kind = "progress"   // how far a run is
	Ended     Kind = "ended"      // a run has ended
	Feedback  Kind = "feedback"   // Owlat told something
	WriteBack Kind = "write_back" // what became of a delivery of a write-back
	Alert     Kind = "alert"      // something is wrong, or right again
	Reload    Kind = "reload"     // the configuration was read again
	Lost      Kind = "lost"       // the subscriber was too slow; Data is a Gap
)

// Kinds lists all kinds.
var Kinds = []Kind{Queued, Started, Paused, Resumed, Stage, Planned, Held, Row, Progress, Ended, Feedback, WriteBack, Alert, Reload, Lost}

// fleeting are the kinds that come in great numbers and are out of date at once: nobody is told of them later.
func (k Kind) fleeting() bool { return k == Row || k == Progress || k == Lost }

// Event is one thing that happened. It must not be changed.
type Event struct {
	ID   int64     `json:"id"` // ascends, also from one process to the next
	At   time.Time `json:"at"`
	Kind Kind      `json:"kind"`
	Sync string    `json:"sync,omitempty"`
	Run  int64     `json:"run,omitempty"` // 0: none, or it has no number yet
	Data any       `json:"data,omitempty"`
}

// Gap is the data of Lost.
type Gap struct {
	// Events is how many were lost; 0: some, nobody knows how many.
	Events int `json:"events,omitempty"`
}

// Filter says which events a subscriber wants. The zero value means all, from now on.
type Filter struct {
	Sync  string // empty: any
	Run   int64  // 0: any
	Kinds []Kind // empty: any; Lost always comes
	// After is the ID of the last event that the subscriber has had: those since then come first, as far as the hub still has
	// them. A Lost is before them if some are missing. Events of kinds Row and Progress are never told later. 0: none.
	After int64
}

func (f *Filter) wants(e Event) bool {
	return (f.Sync == "" || f.Sync == e.Sync) && (f.Run == 0 || f.Run == e.Run) && (len(f.Kinds) == 0 || slices.Contains(f.Kinds, e.Kind))
}

const (
	backlog = 1024 // events that the hub keeps
	queue   = 1024 // events that wait for a subscriber, besides those of the backlog
)

// Hub hands events to subscribers. It is safe for concurrent use.
type Hub struct {
	mu          sync.Mutex
	last        int64   // the latest ID
	first       int64   // events after this one are in recent
	recent      []Event // oldest first, without fleeting ones
	subscribers map[*subscriber]struct{}
	closed      bool
	now         func() time.Time
}

// NewHub returns a hub without subscribers. IDs are times by the clock, so that those of a later process are larger, and those of several nodes
// that tell the same hardly differ.
func NewHub(now func() time.Time) *Hub {
	first := now().UnixMicro()
	return &Hub{now: now, last: first, first: first, subscribers: make(map[*subscriber]struct{})}
}

type subscriber struct {
	filter Filter
	c      chan Event
	lost   int
}

// Publish hands an event to all who want it, and never waits. It sets ID, and At if that is zero.
func (h *Hub) Publish(e Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return
	}
	h.last = max(h.last+1, h.now().UnixMicro())
	e.ID = h.last
	if e.At.IsZero() {
		e.At = h.now()
	}
	for s := range h.subscribers {
		if s.filter.wants(e) {
			s.offer(e)
		}
	}
	if e.Kind.fleeting() {
		return
	}
	if len(h.recent) == backlog {
		h.first = h.recent[0].ID
		h.recent = append(h.recent[:0], h.recent[1:]...)
	}
	h.recent = append(h.recent, e)
}

// offer hands over an event. What was lost is told first, once there is room for both.
func (s *subscriber) offer(e Event) {
	if s.lost > 0 {
		if len(s.c)+2 > cap(s.c) {
			s.lost++
			return
		}
		s.c <- Event{ID: e.ID - 1, At: e.At, Kind: Lost, Data: Gap{s.lost}}
		s.lost = 0
	}
	select {
	case s.c <- e:
	default:
		s.lost++
	}
}

// Wanted reports whether somebody would be told of an event of that kind now, so that nobody makes one for nothing.
func (h *Hub) Wanted(kind Kind) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.subscribers {
		if len(s.filter.Kinds) == 0 || slices.Contains(s.filter.Kinds, kind) {
			return true
		}
	}
	return false
}

// Subscribe returns a channel of the wanted events in their order. Cancel ends the subscription and closes the channel; it may be
// called again. The channel is also closed when the hub is.
func (h *Hub) Subscribe(f Filter) (c <-chan Event, cancel func()) {
	f.Kinds = slices.Clone(f.Kinds)
	h.mu.Lock()
	defer h.mu.Unlock()
	var earlier []Event
	if f.After != 0 {
		earlier = h.since(&f)
	}
	s := &subscriber{filter: f, c: make(chan Event, len(earlier)+queue)}
	for _, e := range earlier {
		s.c <- e
	}
	if h.closed {
		close(s.c)
		return s.c, func() {}
	}
	h.subscribers[s] = struct{}{}
	return s.c, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if _, ok := h.subscribers[s]; ok {
			delete(h.subscribers, s)
			close(s.c)
		}
	}
}

// since returns the wanted events after the one that the filter names, and before them a Lost if some are not known any more, or if that one
// is of another process whose clock is ahead, so that nobody knows.
func (h *Hub) since(f *Filter) (events []Event) {
	if f.After < h.first || f.After > h.last {
		events = append(events, Event{ID: h.first, At: h.now(), Kind: Lost, Data: Gap{}})
	}
	for _, e := range h.recent {
		if e.ID > f.After && f.wants(e) {
			events = append(events, e)
		}
	}
	return events
}

// Close ends all subscriptions. Later events are dropped. It may be called again.
func (h *Hub) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for s := range h.subscribers {
		delete(h.subscribers, s)
		close(s.c)
	}
}
