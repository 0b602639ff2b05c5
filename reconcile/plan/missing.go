package plan

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/consent"
	"owlatsync/reconcile/policy"
	"owlatsync/reconcile/step"
)

// Missing returns the step for the entry of a row that has left the source, nil if nothing follows now. Departs says that nothing will
// follow later either. Others are the other entries for the same contact, mostly of other syncs; what they still want is not taken
// away. Pure.
func Missing(p *policy.Policies, e *ledger.Entry, others []ledger.Holder, now time.Time) (s *step.Step, departs bool) {
	if e.ContactID == "" || e.Origin == ledger.OriginGone || p.KeepsMissing() {
		return nil, !e.Doubt
	}
	s = &step.Step{
		Phase: step.Remove, Row: &step.Row{Key: e.Key, Email: e.Email}, Entry: e, Outcome: owlatsync.Removed, Missing: true, Departs: p.Departure(),
	}
	if f := e.Failure; f != nil && f.Absence && (f.Parked || f.Waits(now)) {
		return nil, false
	}
	for _, t := range p.Topics {
		m := e.Membership(t.ID)
		if m != nil && consent.Removable(m) && m.State != ledger.MemberOut && !consent.WantedBy(others, t.ID) {
			s.Topics = append(s.Topics, t.ID)
		}
	}
	if p.OnMissing == policy.MissingDelete {
		switch {
		case e.Origin != ledger.OriginCreated && e.Origin != ledger.OriginDeleting:
			s.Reason = madeBy(others) + " and is not deleted: it leaves the topics"
		case len(others) > 0:
			s.Reason = fmt.Sprintf("%s of sync %q has the contact too and it is not deleted: it leaves the topics of this one", step.RowName(others[0].Entry.Key), others[0].Sync)
		default:
			s.Changes = append(s.Changes, owlatsync.Change{Kind: owlatsync.DeleteContact, From: e.Email})
			return s, false
		}
	}
	for _, topic := range s.Topics {
		s.Changes = append(s.Changes, owlatsync.Change{Kind: owlatsync.RemoveTopic, Topic: topic})
	}
	if s.Topics = nil; len(s.Changes) == 0 {
		return nil, !e.Doubt
	}
	return s, false
}

// madeBy says how a contact came to be that this sync did not create. Others are the other entries for it.
func madeBy(others []ledger.Holder) string {
	for _, h := range others {
		if h.Entry.Origin == ledger.OriginCreated || h.Entry.Origin == ledger.OriginDeleting {
			return fmt.Sprintf("the contact was created by sync %q", h.Sync)
		}
	}
	return "the contact was in Owlat before the sync"
}

// absence plans what follows from rows that left the source.
type absence struct{ *Planner }

// doubtful reports whether the rows of the source that cannot be used may be those that seem to be absent: some have no key, or so many
// have turned invalid that the form of the source must have changed.
func (p *Planner) doubtful() bool { return p.scan.Keyless > 0 || p.plan.Summary.Spoiled() != "" }

// planAbsent plans what follows from rows that left the source. All rows of the source must be planned before it. Rows that departed
// earlier are looked at again only if that was under other terms.
func (p absence) planAbsent(ctx context.Context) error {
	sum := &p.plan.Summary
	if sum.OfChanges() { // a run of changes cannot tell who is absent (Invariant 4)
		return nil
	}
	sum.Absent = p.scan.Absent() - p.moved.live
	if p.Partial || p.doubtful() {
		// One of the absent may be among the rows that cannot be used, or outside the part.
		return nil
	}
	if sum.Absent > 0 {
		if err := p.absentEntries(ctx, p.scan.Missed(ctx)); err != nil {
			return err
		}
	}
	return p.absentEntries(ctx, p.Ledger.Departed(ctx, p.Policies.Sync, p.Policies.Departure()))
}

func (p absence) absentEntries(ctx context.Context, entries iter.Seq2[*ledger.Entry, error]) error {
	batch := make([]*ledger.Entry, 0, batchSize)
	for e, err := range entries {
		if err != nil {
			return readLedger(err)
		}
		_, moved := p.moved.keys[ledger.MemoryHash(e.Key)]
		_, freed := p.plan.claims.freed[ledger.MemoryHash(e.Key)]
		if there, _, _ := p.scan.Whereabouts(e); moved || freed || there {
			continue
		}
		if batch = append(batch, e); len(batch) == batchSize {
			if err := p.absentBatch(ctx, batch); err != nil {
				return err
			}
			batch = batch[:0]
		}
	}
	return p.absentBatch(ctx, batch)
}

func (p absence) absentBatch(ctx context.Context, batch []*ledger.Entry) error {
	others, err := sharers(ctx, p.Ledger, batch)
	if err != nil {
		return err
	}
	for _, e := range batch {
		if p.Unsettled[e.Key] != "" {
			continue
		}
		if f := e.Failure; f != nil && f.Absence && !f.Parked && f.Waits(p.now) {
			p.Notes.Waits(f.NextTry)
		}
		s, departs := Missing(p.Policies, e, apart(p.Policies.Sync, e, others[e.ContactID]), p.now)
		if s != nil {
			if e.Departed != "" { // it counts again until the step is done
				p.plan.Summary.Absent++
				p.plan.Summary.Entries++
			}
			err = p.add(s)
		} else if departs {
			err = p.plan.departs.Add(e.Key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// sharers returns the entries that stand for the contacts of the entries, by contact. Those of contacts that are gone are left
// out.
func sharers(ctx context.Context, l ledger.Reader, entries []*ledger.Entry) (map[string][]ledger.Holder, error) {
	var ids []string
	for _, e := range entries {
		if e.ContactID != "" {
			ids = append(ids, e.ContactID)
		}
	}
	found, err := l.Sharers(ctx, ids)
	if err != nil {
		return nil, readLedger(err)
	}
	byContact := make(map[string][]ledger.Holder)
	for _, h := range found {
		if h.Entry.Origin != ledger.OriginGone {
			byContact[h.Entry.ContactID] = append(byContact[h.Entry.ContactID], h)
		}
	}
	return byContact, nil
}

// apart returns the holders without the entry itself.
func apart(sync string, e *ledger.Entry, holders []ledger.Holder) []ledger.Holder {
	return slices.DeleteFunc(slices.Clone(holders), func(h ledger.Holder) bool { return h.Sync == sync && h.Entry.Key == e.Key })
}
