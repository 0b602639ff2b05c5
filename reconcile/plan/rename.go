package plan

import (
	"cmp"
	"fmt"
	"iter"
	"slices"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/remote"
	"owlatsync/reconcile/scratch"
	"owlatsync/reconcile/step"
)

// chain has the renames that wait for the address of another row of the sync, and puts them in order once all are known.
type chain struct {
	steps *scratch.Sequence[*step.Step] // in the order of their rows
	links map[uint64]*link              // by the hash of the address that each gives up; nil once all are in order
	order []turn
	done  int // steps put in order or refused
}

// link is a waiting rename.
type link struct {
	key   string
	needs uint64 // hash of the address that it waits for
	level int64  // 1 + the level of the rename that frees its address; 0: not known yet
}

// turn is the place of a rename in the order.
type turn struct {
	level int64
	at    int // position in steps
}

func newChain(place *scratch.Place) *chain {
	return &chain{steps: scratch.NewIndexed(place, stepSize), links: make(map[uint64]*link)}
}

func (c *chain) add(s *step.Step) error {
	dropProperties(s)
	c.links[ledger.MemoryHash(s.Entry.Email)] = &link{key: s.Row.Key, needs: ledger.MemoryHash(s.Row.Email)}
	return c.steps.Add(s)
}

// ordered hands over the renames in the order in which each finds its address free.
func (c *chain) ordered(yield func(*step.Step, error) bool) {
	for _, t := range c.order {
		s, err := c.steps.At(t.at)
		if err != nil {
			yield(nil, fmt.Errorf("read the renames: %w", err))
			return
		}
		s.Phase, s.Order = step.Rename, t.level
		if !yield(s, nil) {
			return
		}
	}
}

// waiting returns the renames that are not in order yet.
func (c *chain) waiting() iter.Seq2[*step.Step, error] { return after(c.steps, &c.done) }

func (c *chain) close() error {
	err := c.steps.Close()
	c.links, c.order, c.done = nil, nil, 0
	return err
}

// cyclic is the level of a rename in a circle, or of one that waits for a circle.
const cyclic = -1

// level returns the level of a rename that needs the address, cyclic if no order frees it.
func (c *chain) level(address uint64) int64 {
	const visiting = -2
	var path []*link
	level := int64(1) // no rename of the chain frees the address
	for at := c.links[address]; at != nil; at = c.links[at.needs] {
		if at.level == visiting || at.level == cyclic {
			level = cyclic
			break
		}
		if at.level > 0 {
			level = at.level + 1
			break
		}
		at.level = visiting
		path = append(path, at)
	}
	for _, at := range slices.Backward(path) {
		if at.level = level; level != cyclic {
			level++
		}
	}
	return level
}

// ordering puts the renames in their order.
type ordering struct{ *Planner }

// orderRenames puts the waiting renames into an order in which each finds its address free. Rows that exchange addresses have no
// such order: Owlat refuses an address that is held, and an invented one in between could receive mail.
func (p ordering) orderRenames() error {
	c := p.plan.renames
	for s, err := range c.steps.All() {
		if err != nil {
			return fmt.Errorf("read the renames: %w", err)
		}
		at := c.done
		c.done++
		level := c.level(ledger.MemoryHash(s.Row.Email))
		if level == cyclic {
			if err := p.refuse(s, c.links[ledger.MemoryHash(s.Row.Email)].key); err != nil {
				return err
			}
			continue
		}
		p.count(s)
		if s.Phase = step.Rename; s.WithdrawsEarly() {
			p.plan.early++
		}
		c.order = append(c.order, turn{level, at})
	}
	slices.SortStableFunc(c.order, func(a, b turn) int { return cmp.Compare(a.level, b.level) })
	c.links = nil
	return nil
}

// refuse fails a rename that has no order, and keeps only the consents that the row withdraws. The ledger keeps the failure until
// it passes. Every run checks again, because that costs nothing and other rows decide when it passes. Holder is the key of the row
// whose address the rename waits for.
func (p ordering) refuse(s *step.Step, holder string) error {
	refusal := &remote.Failure{Class: ledger.RetryLater, Category: ledger.CategoryExchange, Holder: step.Ref(p.Policies.Sync, holder)}
	refusal.Reason = fmt.Sprintf("the address belongs to the contact of %s, which is to take another that is not free: "+
		"rows that exchange addresses cannot be renamed by Owlat's API. Give one of them a third address, run, then its final one",
		step.RowName(holder))
	s = refused(s, refusal.Reason)
	f := refusal.Again(nil, remote.Attempt{Fingerprint: s.Row.Fingerprint}, p.now)
	known := s.Entry.Failure
	told := known != nil && known.Category == f.Category && known.Reason == f.Reason && known.Fingerprint == f.Fingerprint
	if !told {
		Failing(s.Entry, f)
	}
	if len(s.Changes) > 0 { // applying the changes records the failure
		s.Phase = step.Withdraw
		return p.add(s)
	}
	p.endAs(s.Decision(), ledger.CategoryExchange)
	if told {
		return nil
	}
	return p.plan.refused.Add(s)
}

// refused returns the part of a rename without an order that is still carried out.
func refused(s *step.Step, reason string) *step.Step {
	left, entry := *s, *s.Entry
	left.Entry, left.Refused, left.Outcome, left.Reason = &entry, true, owlatsync.Failed, reason
	left.Events = entry.Events // nothing changes that a new event could tell
	left.Messages = slices.DeleteFunc(slices.Clone(s.Messages), func(m step.Message) bool {
		return !slices.ContainsFunc(entry.Events, func(e ledger.EventMark) bool { return e.Name == m.Name && e.On == m.On })
	})
	left.Begins, left.Joins = false, false
	left.Changes = slices.DeleteFunc(slices.Clone(s.Changes), func(c owlatsync.Change) bool { return c.Kind != owlatsync.RemoveTopic && c.Kind != owlatsync.OptOut })
	return &left
}

// Failing notes the failure of a row. The entry is no longer in step, even if the row changes back.
func Failing(e *ledger.Entry, f *ledger.Failure) {
	e.Failure, e.Fingerprint = f, ledger.Fingerprint{}
}
