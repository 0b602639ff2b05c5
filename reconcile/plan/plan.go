// Package plan is the second half of planning: every row that changed against what is known of its contact, now that all rows of the
// source are known. What is to be done for one row is decided by pure functions, each in the file named for the question it
// answers; the planner gathers what they need to know and puts their steps in order. It sends nothing.
package plan

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/ask"
	"owlatsync/reconcile/policy"
	"owlatsync/reconcile/progress"
	"owlatsync/reconcile/scratch"
	"owlatsync/reconcile/step"
)

// Contacts asks Owlat what the ledger does not know.
type Contacts interface {
	// Adopt finds contacts that were in Owlat before the sync, where that is worth it.
	Adopt(ctx context.Context, rows ask.Rows, tell func(contacts, total int)) (*ask.Listed, owlatsync.Adoption, error)
	// Living tells which of the contacts are gone.
	Living(ctx context.Context, contacts []string) (gone map[string]bool)
}

// Notes takes in what a later run must know of rows that this one leaves as they are.
type Notes interface {
	// Note is told of every row that needs no step and is not unchanged.
	Note(key string, outcome owlatsync.Outcome)
	// Waits is told when what follows from a row's absence is to be tried.
	Waits(until time.Time)
}

// Needs is what a planner works with.
type Needs struct {
	Policies *policy.Policies
	Ledger   ledger.Reader
	Contacts Contacts
	Place    *scratch.Place
	Tell     *progress.Teller
	Notes    Notes
	// Each is told every decision but unchanged; it may be nil. Its error ends the planning.
	Each func(step.Decision) error

	Adopted   bool               // the sync has compared its rows with Owlat's contacts before
	Partial   bool               // not every row is wanted, so that absence says nothing
	Reading   *owlatsync.Reading // how the source is read; nil: all rows, always
	Entries   int                // of the sync, where only changes are read
	Unsettled map[string]string  // why rows wait, by their keys and by the addresses that they may hold
}

// Plan is what is to be done, in order.
type Plan struct {
	Summary owlatsync.Summary

	sync    string
	waiting *scratch.Sequence[*step.Row] // rows of the scan
	planned int                          // of them
	phases  map[step.Phase]*scratch.Sequence[*step.Step]
	renames *chain
	early   int // steps that withdraw consents before their turn comes
	refused *scratch.Sequence[*step.Step]
}

// stepMemory is what a step takes, about, besides the texts of its row.
const stepMemory = 1000

func stepSize(s *step.Step) int { return s.Row.Size() + stepMemory }

func newPlan(n Needs) *Plan {
	p := &Plan{
		sync: n.Policies.Sync, phases: make(map[step.Phase]*scratch.Sequence[*step.Step]), renames: newChain(n.Place),
		refused: scratch.New(n.Place, stepSize),
	}
	for _, phase := range step.Phases {
		p.phases[phase] = scratch.New(n.Place, stepSize)
	}
	p.Summary = owlatsync.Summary{Sync: n.Policies.Sync, FirstRun: !n.Adopted, Outcomes: make(map[owlatsync.Outcome]int), Reading: n.Reading}
	for _, o := range owlatsync.Outcomes {
		p.Summary.Outcomes[o] = 0
	}
	return p
}

// add puts a step into its phase, where nobody may change it any more.
func (p *Plan) add(s *step.Step) error {
	dropProperties(s)
	if s.WithdrawsEarly() {
		p.early++
	}
	return p.phases[s.Phase].Add(s)
}

// dropProperties drops what only the messages need, which are made.
func dropProperties(s *step.Step) {
	if s.Row.Properties != nil {
		row := *s.Row
		row.Properties = nil
		s.Row = &row
	}
}

// Early returns the steps that withdraw consents before their turn comes.
func (p *Plan) Early() iter.Seq2[*step.Step, error] {
	return func(yield func(*step.Step, error) bool) {
		if p.early == 0 {
			return
		}
		for s, err := range p.Steps(step.Rename) {
			if err == nil && !s.WithdrawsEarly() {
				continue
			}
			if !yield(s, err) || err != nil {
				return
			}
		}
	}
}

// Steps returns the steps of a phase in their order.
func (p *Plan) Steps(phase step.Phase) iter.Seq2[*step.Step, error] {
	return func(yield func(*step.Step, error) bool) {
		for s, err := range p.phases[phase].All() {
			if err != nil {
				yield(nil, fmt.Errorf("read the plan: %w", err))
				return
			}
			s.Phase = phase
			if !yield(s, nil) {
				return
			}
		}
		if phase == step.Rename {
			p.renames.ordered(yield)
		}
	}
}

// All returns the steps of all phases in their order.
func (p *Plan) All() iter.Seq2[*step.Step, error] {
	return func(yield func(*step.Step, error) bool) {
		for _, phase := range step.Phases {
			for s, err := range p.Steps(phase) {
				if !yield(s, err) || err != nil {
					return
				}
			}
		}
	}
}

// Refused returns the renames that have no order, whose failure is to be recorded.
func (p *Plan) Refused() iter.Seq2[*step.Step, error] { return p.refused.All() }

// Rest returns the rows whose outcome was not told: those that wait to be planned, and those with a step. It is for a run that applies
// nothing.
func (p *Plan) Rest() iter.Seq2[*step.Row, error] {
	return func(yield func(*step.Row, error) bool) {
		at := 0
		for row, err := range p.waiting.All() {
			if at++; err == nil && at <= p.planned {
				continue
			}
			if !yield(row, err) || err != nil {
				return
			}
		}
		for s, err := range p.All() {
			if err != nil {
				yield(nil, err)
				return
			}
			if !s.Missing && !yield(s.Row, nil) {
				return
			}
		}
		for s, err := range p.renames.waiting() {
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(s.Row, nil) {
				return
			}
		}
	}
}

// complete drops the rows that were waiting: all have been planned.
func (p *Plan) complete() error {
	err := p.waiting.Close()
	p.waiting, p.planned = nil, 0
	return err
}

// Close drops the plan. A nil plan has nothing.
func (p *Plan) Close() error {
	if p == nil {
		return nil
	}
	errs := []error{p.waiting.Close(), p.refused.Close(), p.renames.close()}
	for _, s := range p.phases {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}
