package plan

import (
	"context"
	"fmt"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/ask"
	"owlatsync/reconcile/scan"
	"owlatsync/reconcile/step"
)

// Planner makes the plan of one run.
type Planner struct {
	Needs
	plan  *Plan
	scan  *scan.Scan
	adds  map[string]int // planned adds, by topic
	looks map[string]int // those of contacts that were there before, or may have been
	moved moved
	told  int // unchanged rows that were told
	back  int // rows that had departed
	now   time.Time
	there time.Time // now on Owlat's clock, as far as that is known
	err   error     // the error of Each
}

// moved are the rows that now have another key.
type moved struct {
	keys map[uint64]struct{} // hashes of their old keys
	live int                 // how many of these had not departed
}

// New returns a planner. The scan hands it the rows that need no step, through End.
func New(n Needs) *Planner {
	return &Planner{Needs: n, plan: newPlan(n), adds: make(map[string]int), looks: make(map[string]int), moved: moved{keys: make(map[uint64]struct{})}, now: n.Ledger.Now()}
}

// End counts and tells the outcome of a row that needs no step.
func (p *Planner) End(d step.Decision) { p.endAs(d, categoryOf(d.Outcome)) }

func (p *Planner) endAs(d step.Decision, category ledger.Category) {
	p.Notes.Note(d.Key, d.Outcome)
	p.plan.Summary.Outcomes[d.Outcome]++
	p.Tell.Row(d, category, false)
	p.tell(d)
}

func (p *Planner) tell(d step.Decision) {
	if p.Each != nil && p.err == nil {
		p.err = p.Each(d)
	}
}

// unchanged counts what the scan has found in step since it was last called.
func (p *Planner) unchanged() {
	p.plan.Summary.Outcomes[owlatsync.Unchanged] = p.scan.Unchanged
	p.Tell.Unchanged(p.scan.Unchanged - p.scan.Done - p.told)
	p.told = p.scan.Unchanged - p.scan.Done
}

func categoryOf(o owlatsync.Outcome) ledger.Category {
	switch o {
	case owlatsync.Invalid, owlatsync.Duplicate:
		return ledger.CategorySource
	case owlatsync.Failed:
		return ledger.CategoryWaiting
	case owlatsync.Skipped:
		return ledger.CategoryGone
	}
	return ""
}

// Make plans every waiting row. Scanned is what was read, nil if nothing was; scanErr says why it is incomplete. Make returns the
// plan so far with an error too; the caller must close it in any case.
func (p *Planner) Make(ctx context.Context, scanned *scan.Scan, scanErr error) (*Plan, error) {
	if scanned == nil {
		return p.plan, scanErr
	}
	p.scan = scanned
	p.plan.waiting = scanned.Waiting
	defer scanned.Release()
	p.unchanged()
	p.plan.Summary.Memberships.Unclear = scanned.Unclear
	if scanErr != nil {
		return p.plan, scanErr
	}
	return p.plan, p.make(ctx)
}

func (p *Planner) make(ctx context.Context) error {
	sum := &p.plan.Summary
	if sum.Rows, sum.Entries = p.scan.Read, p.Entries; !sum.OfChanges() {
		sum.Entries = p.scan.Entries()
	}
	if err := (tally{p}).countTurned(ctx); err != nil {
		return err
	}
	imports, err := awaiting{p}.due(ctx)
	if err != nil {
		return err
	}
	rows := ask.Rows{Unknown: p.scan.Unknown, Wants: p.scan.Wants, Adopted: p.Adopted, Imports: imports, Must: !p.Exporting.IsZero()}
	listed, how, err := p.Contacts.Adopt(ctx, rows, p.Tell.Listed)
	sum.Adoption = how
	if err != nil {
		return err
	}
	seen, err := looking{p}.look(ctx)
	if err != nil {
		return err
	}
	c, err := crowded(p.scan, p.plan.waiting.All())
	if err != nil {
		return fmt.Errorf("read the rows to plan: %w", err)
	}
	p.there, p.plan.Undated = p.now, p.now
	if p.Clock != nil {
		if earliest, _, known := p.Clock(p.now); known {
			p.there, p.plan.Undated = earliest, time.Time{}
		}
	}
	g := newGatherer(p.Needs, p.scan, listed, seen, c, p.now)
	for batch, err := range p.plan.batches() {
		if err != nil {
			return fmt.Errorf("read the rows to plan: %w", err)
		}
		if err := p.planBatch(ctx, g, batch); err != nil {
			return err
		}
	}
	if err := (raising{p}).planRaised(ctx, g); err != nil {
		return err
	}
	sum.Entries += p.back // for the guards they are rows that the ledger knows
	if err := (claiming{p}).settleClaims(ctx); err != nil {
		return err
	}
	if err := (ordering{p}).orderRenames(); err != nil {
		return err
	}
	if err := (absence{p}).planAbsent(ctx); err != nil {
		return err
	}
	if err := p.plan.complete(); err != nil {
		return err
	}
	if err := (tally{p}).countPending(ctx); err != nil {
		return err
	}
	if err := (tally{p}).recount(ctx); err != nil {
		return err
	}
	return p.err
}

// batchSize is how many rows are looked up in the ledger at once.
const batchSize = 500

func (p *Planner) planBatch(ctx context.Context, g *gatherer, batch []*step.Row) error {
	valid := make([]*step.Row, 0, len(batch))
	for _, r := range batch {
		if r.Invalid == "" {
			valid = append(valid, r)
		}
	}
	known, err := g.gather(ctx, valid)
	if err != nil {
		return err
	}
	var entries map[string]*ledger.Entry
	var suppressed map[string]ledger.Suppression
	if len(valid) < len(batch) {
		if entries, suppressed, err = (withdrawing{p}).invalid(ctx, batch); err != nil {
			return err
		}
	}
	at := 0
	for _, r := range batch {
		p.plan.planned++
		if r.Invalid != "" {
			e := entries[r.Key]
			err = withdrawing{p}.end(g.contest.lift(r), e, e != nil && !suppressed[e.ContactID].Told.IsZero(), owlatsync.Invalid, r.Invalid, nil)
		} else {
			if err = p.planRow(known[at].row, &known[at]); err == nil && known[at].winner != nil {
				raising{p}.hear(g, r, &known[at])
			}
			at++
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// planRow ends a row that needs no step, and adds the step of any other row to the plan.
func (p *Planner) planRow(r *step.Row, k *known) error {
	switch {
	case k.unchanged:
		p.scan.InStep(r)
		p.unchanged()
		return nil
	case k.waits != "":
		return withdrawing{p}.end(r, k.entry, k.told, owlatsync.Failed, k.waits, nil)
	case k.winner != nil:
		return withdrawing{p}.end(r, k.entry, k.told, owlatsync.Duplicate, k.winner.Reason(), &step.Instead{Key: step.Ref("", k.winner.Key).Key, Same: k.winner.Twin, Differs: k.winner.Differs})
	}
	k.There, k.FirstRun = p.there, !p.Adopted
	k.Absent = p.plan.Summary.Adoption.Mode == owlatsync.AdoptListing && !k.doubtful
	s := Row(p.Policies, r, k.Known, p.now)
	if s.OldKey != "" {
		p.moved.keys[ledger.MemoryHash(s.OldKey)] = struct{}{}
		if k.rekeyed.Departed == "" {
			p.moved.live++
		}
	}
	if k.back() {
		p.back++
	}
	if k.matched {
		p.plan.Summary.Adoption.Matched++
	}
	if s.Only {
		return p.add(s)
	}
	if (withdrawing{p}).idles(r, s, k.entry) {
		return nil
	}
	if s.Outcome == owlatsync.Failed && s.Entry.Origin == ledger.OriginExported {
		return awaiting{p}.missing(s)
	}
	s.Awaits, s.After = k.awaits, k.left
	s.MayExist = s.Outcome == owlatsync.Created && s.Entry.ContactID == "" && (k.doubtful || p.plan.Summary.Adoption.Mode != owlatsync.AdoptListing)
	s.Begins = begins(s)
	s.Joins = joins(s, k.Entry)
	if s.Outcome == owlatsync.Skipped && !s.Never && s.OldKey == "" && !k.back() || s.Outcome == owlatsync.Failed {
		p.End(s.Decision())
		return nil
	}
	if len(s.After) > 0 {
		return p.plan.claims.add(s)
	}
	return p.order(s)
}

// order puts a step into its phase, or among the renames that wait for an address.
func (p *Planner) order(s *step.Step) error {
	if s.Phase = s.PhaseOf(); s.Phase == step.Rename && (s.Awaits || len(s.After) > 0) {
		return p.plan.renames.add(s)
	}
	return p.add(s)
}

// add counts a step and puts it into the plan.
func (p *Planner) add(s *step.Step) error {
	p.count(s)
	return p.plan.add(s)
}
