package plan

import (
	"context"
	"slices"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/step"
)

// tally brings the plan's sums in line with the ledger.
type tally struct{ *Planner }

// reasonOld says why a row stays as it is although it says yes.
const reasonOld = "its consent is not known to be new: left as it is"

// planned returns the decision about a step, and whether it is told: that of a row in step is not.
func planned(s *step.Step) (d step.Decision, told bool) {
	d = s.Decision()
	if d.Outcome == owlatsync.Unchanged && s.Skipped > 0 && d.Reason == "" {
		d.Reason = reasonOld
	}
	return d, d.Outcome != owlatsync.Unchanged || d.Reason != ""
}

// count adds a step to the plan's sums and tells its decision.
func (p *Planner) count(s *step.Step) {
	if d, told := planned(s); told {
		p.tell(d)
	}
	Tally(&p.plan.Summary, s, 1)
	if p.Links {
		p.plan.Summary.Links += s.Links()
	}
	for _, c := range s.Changes {
		if c.Kind == owlatsync.AddTopic {
			p.adds[c.Topic]++
			if s.Entry.Origin == ledger.OriginAdopted || s.MayExist {
				p.looks[c.Topic]++
			}
		}
	}
}

// Tally adds what a step does to the sums of a plan, times by: -1 takes it out of them.
func Tally(sum *owlatsync.Summary, s *step.Step, by int) {
	sum.Outcomes[s.Outcome] += by
	sum.Requests += by * s.Requests()
	sum.Events += by * len(s.Due())
	sum.Memberships.Skipped += by * s.Skipped
	sum.Kept += by * step.Keeps(s.Changes)
	if s.Looks {
		sum.Looks += by
	}
	least, most := s.Ends()
	sum.Least, sum.Most = sum.Least.Add(least.Times(by)), sum.Most.Add(most.Times(by))
	if s.MayExist {
		sum.MayExist += by
	}
	for _, c := range s.Changes {
		switch c.Kind {
		case owlatsync.AddTopic:
			sum.Memberships.Added += by
		case owlatsync.RemoveTopic:
			sum.Memberships.Removed += by
		case owlatsync.OptOut:
			sum.Memberships.OptedOut += by
		}
	}
	if s.Seeks {
		sum.Sought += by
	}
	if s.OptsOut() || s.Seeks && s.Met != nil && slices.ContainsFunc(s.Met.Changes, func(c owlatsync.Change) bool { return c.Kind == owlatsync.OptOut }) {
		sum.Links += by
	}
	if s.OptsOut() && !(sum.FirstRun && s.New) {
		sum.OptOuts += by
	}
	if s.Leaves() && !(sum.FirstRun && s.New) { // the guard of first runs asks about contacts that the ledger meets now
		sum.Removals += by
	}
	if s.Sets() && (s.Outcome == owlatsync.Updated || s.Outcome == owlatsync.Renamed) {
		sum.Updates += by
	}
	if s.Fires() {
		sum.Fires += by
	}
	if s.Begins {
		sum.Creates += by
	}
	if s.Joins {
		sum.TopicAdds += by
		if !s.New {
			sum.KnownAdds += by
		}
	}
}

// begins reports whether the step creates a contact that no earlier run began to create. What a run began has passed the guards.
func begins(s *step.Step) bool {
	return s.PhaseOf() == step.Create && (s.Import == nil || s.Import.Makes) && (s.New || s.Entry.Origin != ledger.OriginNone)
}

// joins reports whether the step puts the contact on a topic without an earlier run having begun that add. Before is the row's entry,
// nil if it is new.
func joins(s *step.Step, before *ledger.Entry) bool {
	if before != nil && before.ContactID == "" && !s.Begins && s.PhaseOf() == step.Create {
		return false
	}
	return slices.ContainsFunc(s.Changes, func(c owlatsync.Change) bool {
		if c.Kind != owlatsync.AddTopic || before == nil {
			return c.Kind == owlatsync.AddTopic
		}
		m := before.Membership(c.Topic)
		return m == nil || !m.Consent || m.State != ledger.MemberWanted && m.State != ledger.MemberSent
	})
}

// recount counts the sync's entries if a guard would hold a run of changes: runs that did not end may have added entries since the
// last count.
func (p tally) recount(ctx context.Context) error {
	sum := &p.plan.Summary
	if !sum.OfChanges() || len(p.Policies.Guards.Hits(*sum)) == 0 {
		return nil
	}
	standing, err := p.Ledger.Standing(ctx, p.Policies.Sync)
	if err != nil {
		return readLedger(err)
	}
	sum.Entries = standing.Entries + p.back
	return nil
}

// countTurned counts the rows that were in step and are invalid now.
func (p tally) countTurned(ctx context.Context) error {
	sum := &p.plan.Summary
	if sum.Turned = p.scan.Turned; !sum.OfChanges() {
		sum.InStep = p.scan.WereInStep()
		return nil
	}
	if sum.Turned == 0 {
		return nil
	}
	standing, err := p.Ledger.Standing(ctx, p.Policies.Sync)
	if err != nil {
		return readLedger(err)
	}
	sum.InStep = standing.Applied
	return nil
}

// countPending counts the adds to topics that ask people to confirm, as far as earlier answers have shown which do. A run looks at contacts
// that were there before: Owlat may have been waiting for them.
func (p tally) countPending(ctx context.Context) error {
	if len(p.adds) == 0 {
		return nil
	}
	asks, err := ledger.Asks(ctx, p.Ledger, p.Policies.Sync)
	if err != nil {
		return readLedger(err)
	}
	looks := 0
	for topic := range asks {
		p.plan.Summary.Memberships.Pending += p.adds[topic]
		looks += p.looks[topic]
	}
	p.plan.Summary.Most.Requests += min(looks, step.MostLooks)
	return nil
}
