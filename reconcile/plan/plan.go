// Package plan is the second half of planning: it compares every changed row with what is known about its contact, once all rows of
// the source are known. Pure functions decide about one row, each in the file named after the question it answers. The planner
// gathers what they need and puts their steps in order. The package sends nothing.
package plan

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile/ask"
	"owlatsync/reconcile/policy"
	"owlatsync/reconcile/progress"
	"owlatsync/reconcile/scratch"
	"owlatsync/reconcile/step"
)

// Contacts asks Owlat for what the ledger does not know.
type Contacts interface {
	// Adopt finds contacts that were in Owlat before the sync, if that is worth its requests.
	Adopt(ctx context.Context, rows ask.Rows, tell func(contacts, total int)) (*ask.Listed, owlatsync.Adoption, error)
	// Look reads the contacts that are to be changed and may have been changed in Owlat, if one listing costs less than a look at each. Known is
	// how many contacts there are at least.
	Look(ctx context.Context, contacts map[string]struct{}, known int, tell func(contacts, total int)) (*ask.Seen, owlatsync.Looking, error)
	// Living tells which of the contacts are gone, and why it is not known of some. Its error says why nobody can be asked.
	Living(ctx context.Context, contacts []string) (gone map[string]bool, unknown map[string]string, err error)
	// Named returns those of the contacts that are known to exist. Its error says why nobody can be asked.
	Named(ctx context.Context, contacts []string) ([]owlat.Contact, error)
}

// Notes takes in what a later run must know about rows that this one leaves out of step.
type Notes interface {
	// Note is told every row that needs no step and is not unchanged.
	Note(key string, outcome owlatsync.Outcome)
	// Waits is told when the consequence of an absence is tried again.
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

	// Clock returns what Owlat's clock shows when the ledger's shows at, between two bounds, if that is known; nil: it is not.
	Clock func(at time.Time) (earliest, latest time.Time, known bool)

	Adopted   bool               // the sync has compared its rows with Owlat's contacts before
	Fresh     bool               // all entries were just compared with Owlat's contacts
	Lasting   bool               // the plan may be applied long after it was made: what Owlat told for it may be old then
	SetBack   bool               // the ledger is older than what was done
	Partial   bool               // the run applies a part, so nothing follows from absence
	Reading   *owlatsync.Reading // how the source is read; nil: all rows, always
	Entries   int                // the sync's entries in the ledger, if only changes are read
	Links     bool               // memberships can be read
	Unsettled map[string]string  // why rows wait, by their keys and by the addresses they may hold
	Makes     bool               // rows that were exported for Owlat's importer and have no contact are created
	Exporting time.Time          // when the export began for which the plan is made: what it has recorded is as if it were not; zero: for none
	Tried     time.Time          // rows that have failed since then are not tried again before they change; zero: all are
}

// Plan is the steps of a run in their order.
type Plan struct {
	Summary owlatsync.Summary
	// Undated is the time of the consents in the steps that is not on Owlat's clock but on the ledger's; zero: there is none.
	Undated time.Time

	sync      string
	exporting bool
	waiting   *scratch.Sequence[*step.Row] // rows of the scan
	planned   int                          // how many of waiting are planned
	phases    map[step.Phase]*scratch.Sequence[*step.Step]
	claims    *claims
	renames   *chain
	early     int // steps that withdraw consents before their turn comes
	refused   *scratch.Sequence[*step.Step]
	departs   *scratch.Sequence[string] // keys of rows that have left, and of whose absence nothing follows
	terms     string                    // under which they depart
	leaves    []string                  // topics that rows leave with that, unless other rows want their contacts there
}

// stepMemory is about how many bytes a step takes besides the texts of its row.
const stepMemory = 1000

func stepSize(s *step.Step) int { return s.Row.Size() + stepMemory }

func newPlan(n Needs) *Plan {
	p := &Plan{
		sync: n.Policies.Sync, exporting: !n.Exporting.IsZero(), phases: make(map[step.Phase]*scratch.Sequence[*step.Step]), renames: newChain(n.Place),
		refused: scratch.New(n.Place, stepSize), departs: scratch.New(n.Place, func(key string) int { return len(key) }), terms: n.Policies.Departure(),
		claims: newClaims(n.Place),
	}
	if !n.Policies.KeepsMissing() {
		for _, t := range n.Policies.Topics {
			p.leaves = append(p.leaves, t.ID)
		}
	}
	for _, phase := range step.Phases {
		p.phases[phase] = scratch.New(n.Place, stepSize)
	}
	p.Summary = owlatsync.Summary{Sync: n.Policies.Sync, FirstRun: !n.Adopted, SetBack: n.SetBack, Outcomes: make(map[owlatsync.Outcome]int), Reading: n.Reading}
	for _, o := range owlatsync.Outcomes {
		p.Summary.Outcomes[o] = 0
	}
	return p
}

// add puts a step into its phase. Nobody may change the step afterwards.
func (p *Plan) add(s *step.Step) error {
	if !p.exporting {
		dropProperties(s)
	}
	if s.WithdrawsEarly() {
		p.early++
	}
	return p.phases[s.Phase].Add(s)
}

// dropProperties drops the properties of the row, which only the messages need, and those are made.
func dropProperties(s *step.Step) {
	if s.Row.Properties != nil {
		row := *s.Row
		row.Properties, row.Says = nil, nil
		s.Row = &row
	}
}

// Early returns the steps that withdraw consents before their turn comes.
func (p *Plan) Early() iter.Seq2[*step.Step, error] {
	return func(yield func(*step.Step, error) bool) {
		if p.early == 0 {
			return
		}
		for _, phase := range []step.Phase{step.Rename, step.Update} {
			for s, err := range p.Steps(phase) {
				if err == nil && !s.WithdrawsEarly() {
					continue
				}
				if !yield(s, err) || err != nil {
					return
				}
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

// Refused returns the renames that have no order and need no request, and rows that were exported for import and have no contact. Their failures are yet to be recorded.
func (p *Plan) Refused() iter.Seq2[*step.Step, error] { return p.refused.All() }

// Departs returns the keys of rows that have left the source and of whose absence nothing follows, the terms under which rows depart,
// and the topics of which they let go.
func (p *Plan) Departs() (terms string, topics []string, keys iter.Seq2[string, error]) {
	return p.terms, p.leaves, p.departs.All()
}

// Rest returns the rows whose outcome was not told: those not planned yet, and those with a step. It is for a run that applies
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
		for _, undecided := range []iter.Seq2[*step.Step, error]{p.claims.waiting(), p.renames.waiting()} {
			for s, err := range undecided {
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
}

// batches returns the waiting rows in their order. A batch is valid until the next one.
func (p *Plan) batches() func(yield func([]*step.Row, error) bool) {
	return func(yield func([]*step.Row, error) bool) {
		batch := make([]*step.Row, 0, batchSize)
		for r, err := range p.waiting.All() {
			if err != nil {
				yield(nil, err)
				return
			}
			if batch = append(batch, r); len(batch) < batchSize {
				continue
			}
			if !yield(batch, nil) {
				return
			}
			batch = batch[:0]
		}
		if len(batch) > 0 {
			yield(batch, nil)
		}
	}
}

// complete drops the waiting rows once all are planned.
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
	errs := []error{p.waiting.Close(), p.refused.Close(), p.departs.Close(), p.claims.close(), p.renames.close()}
	for _, s := range p.phases {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}
