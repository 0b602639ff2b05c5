// Package kept is the form in which a ledger keeps the plan of a held run: of each step that sends something a hash of what it does, which approval
// compares, and what it does, for people. Before them stand a few steps of each kind, so that a look at a large plan is quick.
//
// The idea to know: nothing that is kept is ever applied. step.Form changes with whatever is written here.
package kept

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"iter"
	"slices"

	"owlatsync/ledger"
	"owlatsync/reconcile/step"
)

// samplePhase is where the sample is: before all phases of steps. sampled is how many steps of each kind it has.
const (
	samplePhase = 0
	sampled     = 3
)

// Item is what is kept of a step; does is the hash of what it does.
func Item(s *step.Step, does uint64) ledger.PlanItem {
	body := encode(binary.LittleEndian.AppendUint64(nil, does), s.Decision(), cmp.Or(s.Row.Email, s.Entry.Email))
	return ledger.PlanItem{Phase: int(s.Phase), Order: s.Order, Key: s.Row.Key, Addresses: addressesOf(s), Body: body}
}

// addressesOf returns the hashes of the addresses that a step concerns.
func addressesOf(s *step.Step) (hashes []uint64) {
	for _, address := range []string{s.Row.Email, s.Entry.Email, s.Entry.Identity} {
		if hash := ledger.HashText(address); address != "" && !slices.Contains(hashes, hash) {
			hashes = append(hashes, hash)
		}
	}
	return hashes
}

// Sampling takes the first few items of each kind. Its zero value has none.
type Sampling struct {
	Items []ledger.PlanItem
	taken map[string]int
}

// Take takes the item of a step, if there are few of its kind so far.
func (a *Sampling) Take(s *step.Step, item ledger.PlanItem) {
	kind := string(s.Outcome)
	if len(s.Changes) > 0 {
		kind += " " + string(s.Changes[0].Kind)
	}
	if a.taken == nil {
		a.taken = make(map[string]int)
	}
	if a.taken[kind]++; a.taken[kind] <= sampled {
		item.Phase, item.Order = samplePhase, int64(len(a.Items))
		a.Items = append(a.Items, item)
	}
}

// Plans reads the plans of held runs. See ledger.Journal.
type Plans interface {
	Plan(ctx context.Context, run int64) iter.Seq2[ledger.PlanItem, error]
	PlanPart(ctx context.Context, want ledger.PlanPart) ([]ledger.PlacedItem, error)
}

// Hashes streams the keys of the rows for which a held plan has steps, each with the hash of what the step does.
func Hashes(ctx context.Context, l Plans, run int64) iter.Seq2[Hash, error] {
	return func(yield func(Hash, error) bool) {
		for item, err := range l.Plan(ctx, run) {
			if err == nil && item.Phase == samplePhase {
				continue
			}
			if err == nil && len(item.Body) < 8 {
				err = ledger.ErrCorrupt
			}
			if err != nil {
				yield(Hash{}, unread(run, err))
				return
			}
			if !yield(Hash{item.Key, binary.LittleEndian.Uint64(item.Body)}, nil) {
				return
			}
		}
	}
}

// Hash is what approval compares of a step.
type Hash struct {
	Key  string
	Does uint64
}

func unread(run int64, err error) error { return fmt.Errorf("read the plan of run %d: %w", run, err) }

// Samples streams a few steps of each kind of the plan of a held run, in the order in which they would be applied. Its time does not grow
// with the plan. There are none of a plan that another version of the program kept. They hold addresses and names.
func Samples(ctx context.Context, l Plans, run int64) iter.Seq2[step.Decision, error] {
	return func(yield func(step.Decision, error) bool) {
		for item, err := range l.Plan(ctx, run) {
			if err == nil && item.Phase != samplePhase {
				return
			}
			var d step.Decision
			if err == nil {
				d, err = decode(item)
			}
			if err != nil {
				yield(step.Decision{}, unread(run, err))
				return
			}
			if !yield(d, nil) {
				return
			}
		}
	}
}
