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

// count adds a step to the plan's sums and tells its decision.
func (p *Planner) count(s *step.Step) {
	d, sum := s.Decision(), &p.plan.Summary
	p.tell(d)
	sum.Outcomes[s.Outcome]++
	sum.Requests += d.Requests
	least, most := s.Ends()
	sum.Least, sum.Most = sum.Least.Add(least), sum.Most.Add(most)
	if s.MayExist {
		sum.MayExist++
	}
	sum.Events += len(d.Events)
	sum.Memberships.Skipped += s.Skipped
	for _, c := range s.Changes {
		switch c.Kind {
		case owlatsync.AddTopic:
			sum.Memberships.Added++
		case owlatsync.RemoveTopic:
			sum.Memberships.Removed++
		}
	}
	if s.Leaves() {
		sum.Removals++
	}
	if s.Sets() && (s.Outcome == owlatsync.Updated || s.Outcome == owlatsync.Renamed) {
		sum.Updates++
	}
	if s.Begins {
		sum.Creates++
	}
	if s.Joins {
		sum.TopicAdds++
		if !s.New {
			sum.KnownAdds++
		}
	}
}

// begins reports whether the step creates a contact that no earlier run began to create. What a run began has passed the guards.
func begins(s *step.Step) bool {
	return s.PhaseOf() == step.Create && (s.New || s.Entry.Origin != ledger.OriginNone)
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
	sum.Entries = standing.Entries
	return nil
}

// countTurned counts the rows that were in step and are invalid now.
func (p tally) countTurned(ctx context.Context) error {
	sum := &p.plan.Summary
	if sum.Turned = p.scan.Turned; !sum.OfChanges() {
		sum.InStep = p.scan.InStep()
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
