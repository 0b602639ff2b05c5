package reconcile

import (
	"fmt"
	"maps"
	"slices"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/plan"
	"owlatsync/reconcile/step"
)

// agreed is the plan that was approved, or confirmed as that of a first run. It covers what is left of that plan in later stretches,
// and nothing more. It takes 8 bytes for each change, and none in a run of one stretch.
type agreed struct {
	known   bool     // changes is complete
	changes []uint64 // hashes of the changes with the keys of their rows, ascending
}

// learn notes what the plan changes.
func (a *agreed) learn(p *plan.Plan) error {
	for s, err := range p.All() {
		if err != nil {
			return err
		}
		a.changes = append(a.changes, promises(s)...)
	}
	slices.Sort(a.changes)
	a.changes, a.known = slices.Compact(a.changes), true
	return nil
}

// covers reports whether all that the step sends was agreed to.
func (a *agreed) covers(s *step.Step) bool {
	for _, p := range promises(s) {
		if _, found := slices.BinarySearch(a.changes, p); !found {
			return false
		}
	}
	return true
}

// rest returns the sums of the plan without what was agreed to, for the guards: it is what any run would be asked about. The first
// run's question was answered.
func (a *agreed) rest(p *plan.Plan) (owlatsync.Summary, error) {
	sum := p.Summary
	sum.Outcomes = maps.Clone(sum.Outcomes)
	for s, err := range p.All() {
		if err != nil {
			return sum, err
		}
		if a.covers(s) {
			plan.Tally(&sum, s, -1)
		}
	}
	sum.FirstRun = false
	return sum, nil
}

// promises returns hashes of what a step sends.
func promises(s *step.Step) (hashes []uint64) {
	for _, c := range s.Changes {
		switch c.Kind {
		case owlatsync.AdoptContact, owlatsync.KeepField: // sends nothing
			continue
		case owlatsync.SetField, owlatsync.RenameContact:
			c.From = "" // what counts is what becomes of it
		}
		hashes = append(hashes, ledger.HashText(fmt.Sprintf("%q %q", s.Row.Key, c)))
	}
	for _, name := range s.Due() {
		hashes = append(hashes, ledger.HashText(fmt.Sprintf("%q event %q", s.Row.Key, name)))
	}
	return hashes
}
