package reconcile

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"
)

const (
	// spoolBatch is how many items are handed to or taken from the ledger at once.
	spoolBatch = 500
	// spoolMemory is how many bytes of rows, and as many of steps, a run keeps in memory: several thousand of each.
	spoolMemory = 4 << 20
	// spoolItem is about what an item takes besides its texts.
	spoolItem = 200
)

// spool keeps the rows that a run has yet to plan, and then its plan: in memory where they are few, as they mostly are, and in
// the ledger's plan store where they are many, so that memory does not grow with them. One goroutine at a time uses it.
type spool struct {
	store PlanStore
	run   int64
	most  int // bytes in memory, of rows and of steps

	rows  spooled[*desired]
	steps spooled[PlanItem]
}

// spooled is a sequence of which the later part is in memory: all of it, until it is too much.
type spooled[T any] struct {
	late  []T
	bytes int  // of them
	out   bool // the earlier part is in the ledger
}

func (s *spooled[T]) add(item T, bytes int) {
	s.late, s.bytes = append(s.late, item), s.bytes+bytes+spoolItem
}

// full reports whether what is in memory is to go to the ledger.
func (s *spooled[T]) full(most int) bool {
	return s.bytes > most || s.out && len(s.late) >= spoolBatch
}

// step is a planned item and where it stands within its phase.
type step struct {
	order int64
	*item
}

// addRow keeps a copy of a row that is to be planned.
func (s *spool) addRow(ctx context.Context, d *desired) error {
	d = d.clone()
	s.rows.add(d, d.size())
	if !s.rows.full(s.most) {
		return nil
	}
	return give(ctx, s, &s.rows, func(d *desired) (PlanItem, error) {
		body, err := json.Marshal(d)
		return PlanItem{Phase: phaseScan, Key: d.Key, Body: body}, err
	})
}

// addStep keeps a step of the plan as it is now.
func (s *spool) addStep(ctx context.Context, it *item, phase int, order int64) error {
	body := it.encode()
	s.steps.add(PlanItem{Phase: phase, Order: order, Key: it.Row.Key, Body: body}, len(body))
	if !s.steps.full(s.most) {
		return nil
	}
	return s.keep(ctx)
}

// keep hands all steps to the ledger, where they outlive the run.
func (s *spool) keep(ctx context.Context) error {
	return give(ctx, s, &s.steps, func(p PlanItem) (PlanItem, error) { return p, nil })
}

// give hands what is in memory to the ledger.
func give[T any](ctx context.Context, s *spool, of *spooled[T], encode func(T) (PlanItem, error)) error {
	all := of.late
	for batch := range slices.Chunk(all, spoolBatch) {
		items := make([]PlanItem, len(batch))
		for i := range batch {
			var err error
			if items[i], err = encode(batch[i]); err != nil {
				return fmt.Errorf("keep the plan: %w", err)
			}
		}
		if err := s.store.Spool(ctx, s.run, items); err != nil {
			return fmt.Errorf("keep the plan: %w", err)
		}
		of.late, of.out = of.late[len(batch):], true
	}
	clear(all)
	of.late, of.bytes = all[:0], 0
	return nil
}

// complete is called when the plan is made: no row is left to plan, and the steps are in their order.
func (s *spool) complete(ctx context.Context) error {
	s.rows = spooled[*desired]{}
	if s.steps.out {
		return s.keep(ctx)
	}
	slices.SortStableFunc(s.steps.late, func(a, b PlanItem) int {
		return cmp.Or(cmp.Compare(a.Phase, b.Phase), cmp.Compare(a.Order, b.Order))
	})
	return nil
}

// allRows returns the rows in the sequence of the source. Steps may be added meanwhile.
func (s *spool) allRows(ctx context.Context) iter.Seq2[*desired, error] {
	return func(yield func(*desired, error) bool) {
		if s.rows.out {
			for kept, err := range s.store.Spooled(ctx, s.run, phaseScan) {
				d := new(desired)
				if err == nil {
					err = json.Unmarshal(kept.Body, d)
				}
				if !yield(d, err) {
					return
				}
			}
		}
		for _, d := range s.rows.late {
			if !yield(d, nil) {
				return
			}
		}
	}
}

// allSteps returns the steps of a phase, in their order once the plan is complete.
func (s *spool) allSteps(ctx context.Context, phase int) iter.Seq2[step, error] {
	return func(yield func(step, error) bool) {
		if s.steps.out {
			for st, err := range storedSteps(ctx, s.store, s.run, phase) {
				if !yield(st, err) {
					return
				}
			}
		}
		for _, p := range s.steps.late {
			if p.Phase == phase && !yield(decodeStep(p)) {
				return
			}
		}
	}
}

// storedSteps returns the steps of a phase that the ledger has.
func storedSteps(ctx context.Context, store PlanStore, run int64, phase int) iter.Seq2[step, error] {
	return func(yield func(step, error) bool) {
		for kept, err := range store.Spooled(ctx, run, phase) {
			var st step
			if err == nil {
				st, err = decodeStep(kept)
			}
			if !yield(st, err) {
				return
			}
		}
	}
}

func decodeStep(p PlanItem) (step, error) {
	it := new(item)
	err := json.Unmarshal(p.Body, it)
	return step{p.Order, it}, err
}

// size is about how many bytes of memory the row's texts take.
func (d *desired) size() int {
	n := len(d.Key) + len(d.Email) + len(d.Consents)
	for _, name := range []*string{d.FirstName, d.LastName} {
		if name != nil {
			n += len(*name)
		}
	}
	for name, value := range d.Properties {
		n += len(name) + len(value)
	}
	return n
}

// clone returns a copy that outlives the reader's next row. Its texts are its own: those of a source are parts of large ones.
func (d *desired) clone() *desired {
	if d == nil {
		return nil
	}
	c := *d
	var b strings.Builder
	b.Grow(d.size())
	own := func(s string) string {
		start := b.Len()
		b.WriteString(s)
		return b.String()[start:]
	}
	c.Key, c.Email = own(d.Key), own(d.Email)
	if d.FirstName != nil {
		c.FirstName = new(own(*d.FirstName))
	}
	if d.LastName != nil {
		c.LastName = new(own(*d.LastName))
	}
	c.Consents = slices.Clone(d.Consents)
	return &c
}
