package plan

import (
	"context"
	"fmt"
	"iter"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/policy"
	"owlatsync/reconcile/scratch"
	"owlatsync/reconcile/step"
)

// claims has the steps that need the address of a contact whose row left the source. Whether the contact is deleted first is decided
// once all rows are planned: until then another row may take the contact over.
type claims struct {
	steps *scratch.Sequence[*step.Step] // in the order of their rows
	done  int                           // steps decided
	freed map[uint64]struct{}           // hashes of the keys whose contacts are deleted for them
}

func newClaims(place *scratch.Place) *claims {
	return &claims{steps: scratch.New(place, stepSize), freed: make(map[uint64]struct{})}
}

func (c *claims) add(s *step.Step) error {
	dropProperties(s)
	return c.steps.Add(s)
}

// waiting returns the steps that are not decided yet.
func (c *claims) waiting() iter.Seq2[*step.Step, error] { return after(c.steps, &c.done) }

func (c *claims) close() error {
	err := c.steps.Close()
	c.done = 0
	return err
}

// after returns the values behind the first done ones.
func after[T any](all *scratch.Sequence[T], done *int) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		at, skip := 0, *done
		for v, err := range all.All() {
			if at++; err == nil && at <= skip {
				continue
			}
			if !yield(v, err) || err != nil {
				return
			}
		}
	}
}

// claiming decides what the steps that need the address of a departed row's contact do.
type claiming struct{ *Planner }

// settleClaims decides every claim. All rows of the source must be planned before it, and the renames put in order after it.
func (p claiming) settleClaims(ctx context.Context) error {
	c := p.plan.claims
	batch := make([]*step.Step, 0, batchSize)
	for s, err := range c.waiting() {
		if err != nil {
			return fmt.Errorf("read the renames: %w", err)
		}
		if batch = append(batch, s); len(batch) == batchSize {
			if err := p.settleBatch(ctx, batch); err != nil {
				return err
			}
			batch = batch[:0]
		}
	}
	return p.settleBatch(ctx, batch)
}

func (p claiming) settleBatch(ctx context.Context, batch []*step.Step) error {
	var keys []string
	for _, s := range batch {
		keys = append(keys, s.After...)
	}
	if len(keys) == 0 {
		return nil
	}
	entries, err := p.Ledger.Entries(ctx, p.Policies.Sync, keys)
	if err != nil {
		return readLedger(err)
	}
	all := make([]*ledger.Entry, 0, len(entries))
	for _, e := range entries {
		all = append(all, e)
	}
	others, err := sharers(ctx, p.Ledger, all)
	if err != nil {
		return err
	}
	for _, s := range batch {
		p.plan.claims.done++
		if err := p.settle(s, entries, others); err != nil {
			return err
		}
	}
	return nil
}

// settle plans the deletes that free the address of a step, and puts them before it. If one of them must not be, none is, and the
// step is tried as it is: somebody may have freed the address in Owlat.
func (p claiming) settle(s *step.Step, entries map[string]*ledger.Entry, others map[string][]ledger.Holder) error {
	deletes, why := p.deletes(s.After, entries, others)
	if why != "" {
		s.After, s.Left = nil, why
	}
	if f := s.Entry.Failure; len(s.After) == 0 && waits(f, s.Row.Fingerprint, p.now) {
		p.End(step.NewDecision(s.Row.Key, s.Row.Position, s.Row.Email, owlatsync.Failed, waiting(f)))
		return nil
	}
	for _, gone := range deletes {
		gone.Phase = step.Rename
		p.plan.claims.freed[ledger.MemoryHash(gone.Row.Key)] = struct{}{}
		if err := p.add(gone); err != nil {
			return err
		}
	}
	return p.order(s)
}

// deletes returns the steps that delete the contacts of the departed rows, or says why one of them keeps its address.
func (p claiming) deletes(keys []string, entries map[string]*ledger.Entry, others map[string][]ledger.Holder) (steps []*step.Step, why string) {
	for _, key := range keys {
		e := entries[key]
		if e == nil || e.ContactID == "" || e.Origin == ledger.OriginGone {
			continue
		}
		hash := ledger.MemoryHash(key)
		if _, moved := p.moved.keys[hash]; moved { // its contact has a row again
			continue
		}
		if _, freed := p.plan.claims.freed[hash]; freed {
			continue
		}
		elsewhere := apart(p.Policies.Sync, e, others[e.ContactID])
		gone, _ := Missing(p.Policies, e, elsewhere, p.now)
		stays := Stays{
			OfChanges: p.plan.Summary.OfChanges(), Partial: p.Partial, Keyless: p.doubtful(), Unsettled: p.Unsettled[key] != "",
			Deletes: gone != nil && gone.Deletes(), Others: elsewhere,
		}
		if why := stays.Why(p.Policies, e); why != "" {
			if stays.OfChanges && stays.Deletes {
				p.Notes.Waits(p.now) // the next run reads all rows
			}
			return nil, why
		}
		steps = append(steps, gone)
	}
	return steps, ""
}

// Stays is what decides whether the contact of a row that left the source keeps the address that another row needs.
type Stays struct {
	OfChanges bool            // only changed rows were read
	Partial   bool            // the run applies a part
	Keyless   bool            // some rows have no key, or too many have turned invalid
	Unsettled bool            // it is not known what became of an earlier request
	Deletes   bool            // the contact is deleted because its row left
	Others    []ledger.Holder // other entries for the contact
}

// Why says which row left, why its contact keeps the address, and what to do. It is empty if the contact is deleted first. Pure.
func (s Stays) Why(p *policy.Policies, e *ledger.Entry) string {
	held := fmt.Sprintf("%s has left the source, and its contact %s still has it", step.RowName(e.Key), e.ContactID)
	byHand := "delete that contact in Owlat, or give it another address there"
	switch {
	case p.OnMissing != policy.MissingDelete:
		return held + ", because on_missing does not delete it: " + byHand
	case e.Origin != ledger.OriginCreated && e.Origin != ledger.OriginDeleting:
		return held + ": " + madeBy(s.Others) + ", so it is not deleted: " + byHand
	case len(s.Others) > 0:
		return held + fmt.Sprintf(": %s of sync %q has it too, so it is not deleted: give that row another address, or take it out of its source",
			step.RowName(s.Others[0].Entry.Key), s.Others[0].Sync)
	case e.Failure != nil && e.Failure.Absence && !s.Deletes:
		return held + ", because deleting it failed and is tried again later: `owlat-sync retry` tries at once"
	case s.Unsettled:
		return held + ", because it is not known whether an earlier request deleted it: run again"
	case s.Keyless:
		return held + ", because nothing is deleted while rows of the source have no key, or many have turned invalid: mend the source, and run again"
	case s.Partial:
		return held + ", because a run of a part deletes nothing: run without --only and --limit"
	case s.OfChanges:
		return held + ", because a run of changed rows deletes nothing: the next run reads all rows, deletes the contact and gives the address on"
	}
	return ""
}

// waits reports whether a failed row is not tried yet.
func waits(f *ledger.Failure, print ledger.Fingerprint, now time.Time) bool {
	return f != nil && !f.Absence && f.Fingerprint == print && (f.Parked || f.Waits(now))
}
