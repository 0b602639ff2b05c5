package reconcile

import (
	"context"
	"sync"
	"time"

	"owlatsync"
	"owlatsync/owlat"
	"owlatsync/reconcile/ask"
	"owlatsync/reconcile/plan"
	"owlatsync/reconcile/remote"
)

// Seat lets only so many runs of a process read and compare at once, which takes processors and memory. A run takes it before it begins,
// and before it reads its source again. It leaves it whenever it asks Owlat for something, when its source lets it wait, and once it has
// planned. A run that waits for its first seat has neither the lock nor a record; one that waits later keeps its lock.
type Seat interface {
	// Take waits until the run has the seat, and returns the cause of ctx if that ends before. A run that has the seat keeps it.
	Take(ctx context.Context) error
	// Leave gives the seat to another run. Without the seat it does nothing. It may be called from several goroutines.
	Leave()
}

const (
	// patience is how long a run with a seat reads before it is judged whether it needs one.
	patience = time.Second
	// brisk is how many rows it must have read meanwhile: with fewer it waits for its source and not for a processor.
	brisk = 25_000
)

// seat is that of a work. The zero value is that of a work that needs none.
type seat struct {
	of   Seat // nil: none is needed
	stop <-chan struct{}
}

// take waits for the seat, or until the run is asked to stop.
func (s *seat) take(ctx context.Context) error {
	if s.of == nil {
		return nil
	}
	ctx, free := context.WithCancelCause(ctx)
	defer free(nil)
	defer remote.Heed(s.stop, free, ErrInterrupted)()
	return s.of.Take(ctx)
}

func (s *seat) leave() {
	if s.of != nil {
		s.of.Leave()
	}
}

// read leaves the seat as soon as the reading, of which rows tells how many there are so far, waits for its source: others must not wait for
// that. It watches until end is called.
func (s *seat) read(rows func() int) (end func()) {
	if s.of == nil {
		return func() {}
	}
	over, watching := make(chan struct{}), sync.WaitGroup{}
	watching.Go(func() {
		tick := time.NewTicker(patience)
		defer tick.Stop()
		for before := 0; ; {
			select {
			case <-over:
				return
			case <-tick.C:
			}
			now := rows()
			if now-before < brisk {
				s.leave()
				return
			}
			before = now
		}
	})
	return func() {
		close(over)
		watching.Wait()
	}
}

// unseated asks Owlat without the seat.
type unseated struct {
	plan.Contacts
	seat *seat
}

// Adopt implements plan.Contacts.
func (u unseated) Adopt(ctx context.Context, rows ask.Rows, tell func(contacts, total int)) (*ask.Listed, owlatsync.Adoption, error) {
	u.seat.leave()
	return u.Contacts.Adopt(ctx, rows, tell)
}

// Look implements plan.Contacts.
func (u unseated) Look(ctx context.Context, contacts map[string]struct{}, known int, tell func(contacts, total int)) (*ask.Seen, owlatsync.Looking, error) {
	u.seat.leave()
	return u.Contacts.Look(ctx, contacts, known, tell)
}

// Living implements plan.Contacts.
func (u unseated) Living(ctx context.Context, contacts []string) (gone map[string]bool, unknown map[string]string, err error) {
	u.seat.leave()
	return u.Contacts.Living(ctx, contacts)
}

// Named implements plan.Contacts.
func (u unseated) Named(ctx context.Context, contacts []string) ([]owlat.Contact, error) {
	u.seat.leave()
	return u.Contacts.Named(ctx, contacts)
}
