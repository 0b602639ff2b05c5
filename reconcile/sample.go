package reconcile

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/step"
)

// samplePhase is where a held plan keeps a few of its steps as they are, for people: before all phases of steps. sampled is how many of each
// kind.
const (
	samplePhase = 0
	sampled     = 3
)

// sampling takes the first few steps of each kind.
type sampling struct {
	items []ledger.PlanItem
	taken map[string]int
}

// sampleBody is what is kept of such a step beside its key.
type sampleBody struct {
	Outcome owlatsync.Outcome  `json:"outcome"`
	Changes []owlatsync.Change `json:"changes,omitempty"`
	Events  []string           `json:"events,omitempty"`
}

func (a *sampling) take(s *step.Step) error {
	kind := string(s.Outcome)
	if len(s.Changes) > 0 {
		kind += " " + string(s.Changes[0].Kind)
	}
	if a.taken == nil {
		a.taken = make(map[string]int)
	}
	if a.taken[kind]++; a.taken[kind] > sampled {
		return nil
	}
	body, err := json.Marshal(sampleBody{Outcome: s.Outcome, Changes: s.Changes, Events: s.Due()})
	if err != nil {
		return fmt.Errorf("keep a sample of the plan: %w", err)
	}
	a.items = append(a.items, ledger.PlanItem{Phase: samplePhase, Order: int64(len(a.items)), Key: s.Row.Key, Addresses: addressesOf(s), Body: body})
	return nil
}

// Plans reads the plans of held runs. See ledger.Journal.
type Plans interface {
	Plan(ctx context.Context, run int64) iter.Seq2[ledger.PlanItem, error]
}

// Samples streams a few steps of each kind of the plan of a held run, in the order in which they would be applied. Its time does not grow
// with the plan. There are none of a plan that another version of the program kept. They hold addresses and names.
func Samples(ctx context.Context, l Plans, run int64) iter.Seq2[Decision, error] {
	return func(yield func(Decision, error) bool) {
		for item, err := range l.Plan(ctx, run) {
			if err == nil && item.Phase != samplePhase {
				return
			}
			var body sampleBody
			if err == nil && json.Unmarshal(item.Body, &body) != nil {
				err = ledger.ErrCorrupt
			}
			if err != nil {
				yield(Decision{}, fmt.Errorf("read the plan of run %d: %w", run, err))
				return
			}
			if !yield(Decision{Key: item.Key, Outcome: body.Outcome, Changes: body.Changes, Events: body.Events}, nil) {
				return
			}
		}
	}
}
