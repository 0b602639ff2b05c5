package reconcile

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"

	"owlatsync/ledger"
)

const (
	// spoolBatch is how many items are handed to or taken from the ledger at once.
	spoolBatch = 500
	// spoolMemory is how many bytes of each sequence a run keeps in memory: several thousand rows or steps.
	spoolMemory = 4 << 20
	// What a row and a step take, about, besides the texts of the row.
	rowMemory  = 200
	stepMemory = 1000
)

// spool keeps the rows that a run has yet to plan, and then its plan: in memory where they are few, as they mostly are, and in
// the ledger's plan store where they are many, so that memory does not grow with them. One goroutine at a time uses it.
type spool struct {
	store ledger.PlanStore
	run   int64
	most  int // bytes in memory, of each sequence

	rows    spooled[*desired]
	chain   spooled[step] // of phaseChain
	refused spooled[step] // of phaseRefused
	steps   spooled[step]
}

// spooled is a sequence of which the later part is in memory: all of it, until it is too much.
type spooled[T any] struct {
	late  []T
	bytes int  // of them
	out   bool // the earlier part is in the ledger
}

func (s *spooled[T]) add(item T, bytes int) {
	s.late, s.bytes = append(s.late, item), s.bytes+bytes
}

// full reports whether what is in memory is to go to the ledger.
func (s *spooled[T]) full(most int) bool {
	return s.bytes > most || s.out && len(s.late) >= spoolBatch
}

// step is a planned item and where it stands in the plan.
type step struct {
	phase int
	order int64 // within the phase
	*item
}

// addRow keeps a row that is to be planned.
func (s *spool) addRow(ctx context.Context, d *desired) error {
	if !d.Own {
		d = d.clone()
	}
	s.rows.add(d, d.size()+rowMemory)
	if !s.rows.full(s.most) {
		return nil
	}
	return give(ctx, s, &s.rows, func(d *desired) (ledger.PlanItem, error) {
		body, err := json.Marshal(d)
		return ledger.PlanItem{Phase: phaseScan, Key: d.Key, Body: body}, err
	})
}

// addStep keeps a step of the plan, which nobody may change any more.
func (s *spool) addStep(ctx context.Context, st step) error { return s.addTo(ctx, &s.steps, st) }

// addChained keeps a rename that is to be put in order when all are known.
func (s *spool) addChained(ctx context.Context, it *item) error {
	return s.addTo(ctx, &s.chain, step{phaseChain, 0, it})
}

// addRefused keeps a rename whose failure is to be recorded when the plan is carried out.
func (s *spool) addRefused(ctx context.Context, it *item) error {
	return s.addTo(ctx, &s.refused, step{phaseRefused, 0, it})
}

func (s *spool) addTo(ctx context.Context, sequence *spooled[step], st step) error {
	sequence.add(st, st.Row.size()+stepMemory)
	if !sequence.full(s.most) {
		return nil
	}
	return give(ctx, s, sequence, stored)
}

// keep hands all steps to the ledger, where they outlive the run.
func (s *spool) keep(ctx context.Context) error { return give(ctx, s, &s.steps, stored) }

func stored(st step) (ledger.PlanItem, error) {
	body, err := json.Marshal(st.item)
	return ledger.PlanItem{Phase: st.phase, Order: st.order, Key: st.Row.Key, Body: body}, err
}

// give hands what is in memory to the ledger.
func give[T any](ctx context.Context, s *spool, of *spooled[T], encode func(T) (ledger.PlanItem, error)) error {
	all := of.late
	for batch := range slices.Chunk(all, spoolBatch) {
		items := make([]ledger.PlanItem, len(batch))
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
	s.rows, s.chain = spooled[*desired]{}, spooled[step]{}
	if s.steps.out {
		return s.keep(ctx)
	}
	slices.SortStableFunc(s.steps.late, func(a, b step) int {
		return cmp.Or(cmp.Compare(a.phase, b.phase), cmp.Compare(a.order, b.order))
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
	return s.allOf(ctx, &s.steps, phase)
}

// allChained returns the renames that are to be put in order. Steps and refused ones may be added meanwhile.
func (s *spool) allChained(ctx context.Context) iter.Seq2[step, error] {
	return s.allOf(ctx, &s.chain, phaseChain)
}

// allRefused returns the renames whose failure is to be recorded.
func (s *spool) allRefused(ctx context.Context) iter.Seq2[step, error] {
	return s.allOf(ctx, &s.refused, phaseRefused)
}

func (s *spool) allOf(ctx context.Context, sequence *spooled[step], phase int) iter.Seq2[step, error] {
	return func(yield func(step, error) bool) {
		if sequence.out {
			for st, err := range storedSteps(ctx, s.store, s.run, phase) {
				if !yield(st, err) {
					return
				}
			}
		}
		for _, st := range sequence.late {
			if st.phase == phase && !yield(st, nil) {
				return
			}
		}
	}
}

// storedSteps returns the steps of a phase that the ledger has.
func storedSteps(ctx context.Context, store ledger.PlanStore, run int64, phase int) iter.Seq2[step, error] {
	return func(yield func(step, error) bool) {
		for kept, err := range store.Spooled(ctx, run, phase) {
			st := step{phase, kept.Order, new(item)}
			if err == nil {
				err = json.Unmarshal(kept.Body, st.item)
			}
			if !yield(st, err) {
				return
			}
		}
	}
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
	c.Own = true
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
