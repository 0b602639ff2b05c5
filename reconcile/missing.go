package reconcile

import (
	"context"
	"fmt"
	"slices"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat"
)

// planMissing returns the step for the entry of a row that has left the source, nil if there is none to take. Others are
// further entries, mostly of other syncs, for the same contact, from which nothing is taken. It is pure.
func planMissing(s *Sync, e *ledger.Entry, others []ledger.Holder, now time.Time) *item {
	if e.ContactID == "" || e.Origin == ledger.OriginGone || s.OnMissing == MissingKeep || s.OnMissing == "" {
		return nil
	}
	it := &item{Row: &desired{Key: e.Key, Email: e.Email}, Entry: e, Outcome: owlatsync.Removed, Missing: true}
	if f := e.Failure; f != nil && f.Fingerprint == ledger.OfAbsence && (f.Parked || now.Before(f.NextTry)) {
		return nil
	}
	if s.OnMissing == MissingDelete {
		switch {
		case e.Origin != ledger.OriginCreated && e.Origin != ledger.OriginDeleting:
			it.Reason = "the contact was in Owlat before the sync and is not deleted: it leaves the topics"
		case len(others) > 0:
			it.Reason = fmt.Sprintf("%s of sync %q has the contact too and it is not deleted: it leaves the topics of this one", rowName(others[0].Entry.Key), others[0].Sync)
		default:
			it.Changes = append(it.Changes, owlatsync.Change{Kind: owlatsync.DeleteContact, From: e.Email})
			return it
		}
	}
	for _, t := range s.Topics {
		m := e.Membership(t.ID)
		if m != nil && removable(m) && m.State != ledger.MemberOut && !wanted(others, t.ID) {
			it.Changes = append(it.Changes, owlatsync.Change{Kind: owlatsync.RemoveTopic, Topic: t.ID})
		}
	}
	if len(it.Changes) == 0 {
		return nil
	}
	return it
}

func wanted(others []ledger.Holder, topic string) bool {
	for _, h := range others {
		if m := h.Entry.Membership(topic); m != nil && m.Consent && !absent(m) && m.State != ledger.MemberOptedOut {
			return true
		}
	}
	return false
}

// planAbsent plans what follows from rows that left the source. It must come when every row of it is known.
func (p *planner) planAbsent(ctx context.Context) error {
	if p.reading.changes { // absence says nothing (Invariant 4)
		return nil
	}
	p.summary.Absent = p.scan.ix.unseen() - len(p.moved)
	if p.summary.Absent == 0 || p.sync.OnMissing == MissingKeep || p.sync.OnMissing == "" {
		return nil
	}
	if p.partial || p.scan.keyless > 0 {
		// A row that could not be told apart may be one of the absent.
		return nil
	}
	batch := make([]*ledger.Entry, 0, spoolBatch)
	for e, err := range p.ledger.All(ctx, p.sync.Name) {
		if err != nil {
			return fmt.Errorf("read the ledger: %w", err)
		}
		keyHash := ledger.HashText(e.Key)
		at := p.scan.ix.find(keyHash, e.Fingerprint.Lo)
		if _, moved := p.moved[keyHash]; moved || at != unknown && p.scan.ix.saw(at) {
			continue
		}
		if batch = append(batch, e); len(batch) == spoolBatch {
			if err := p.absentBatch(ctx, batch); err != nil {
				return err
			}
			batch = batch[:0]
		}
	}
	return p.absentBatch(ctx, batch)
}

func (p *planner) absentBatch(ctx context.Context, batch []*ledger.Entry) error {
	var ids []string
	for _, e := range batch {
		if e.ContactID != "" {
			ids = append(ids, e.ContactID)
		}
	}
	sharers, err := p.ledger.Sharers(ctx, ids)
	if err != nil {
		return fmt.Errorf("read the ledger: %w", err)
	}
	others := make(map[string][]ledger.Holder)
	for _, h := range sharers {
		if h.Entry.Origin != ledger.OriginGone {
			others[h.Entry.ContactID] = append(others[h.Entry.ContactID], h)
		}
	}
	for _, e := range batch {
		if p.unsettled[e.Key] != "" {
			continue
		}
		elsewhere := slices.DeleteFunc(slices.Clone(others[e.ContactID]), func(h ledger.Holder) bool { return h.Sync == p.sync.Name && h.Entry.Key == e.Key })
		if f := e.Failure; f != nil && f.Fingerprint == ledger.OfAbsence && !f.Parked && p.now.Before(f.NextTry) {
			p.reading.again.waits(f.NextTry)
		}
		if it := planMissing(p.sync, e, elsewhere, p.now); it != nil {
			if err := p.add(ctx, it, phaseRemove, 0); err != nil {
				return err
			}
		}
	}
	return nil
}

// remove carries out what follows from a row's absence.
func (r *rowRun) remove(ctx context.Context) error {
	others, err := r.others(ctx)
	if err != nil {
		return r.ledgerFailed(err)
	}
	for _, c := range r.it.Changes {
		// Another row may have got the contact in this very run.
		if c.Kind == owlatsync.DeleteContact && len(others) > 0 || c.Kind == owlatsync.RemoveTopic && wanted(others, c.Topic) {
			r.it.Outcome, r.it.spared = owlatsync.Skipped, true
			r.it.Reason = fmt.Sprintf("%s of sync %q has the contact now", rowName(others[0].Entry.Key), others[0].Sync)
			continue
		}
		switch c.Kind {
		case owlatsync.RemoveTopic:
			if err := r.removeTopic(ctx, c.Topic); err != nil {
				return err
			}
		case owlatsync.DeleteContact:
			if err := r.delete(ctx); err != nil {
				return err
			}
		}
	}
	r.e.Fingerprint, r.e.Failure = ledger.Fingerprint{}, nil
	return nil
}

// forgone returns what is left of an entry whose contact was deleted in Owlat and is to be created again.
func forgone(e *ledger.Entry) *ledger.Entry {
	again := deleted(e)
	again.Failure = e.Failure
	return again
}

// others returns the further entries for the contact.
func (r *rowRun) others(ctx context.Context) ([]ledger.Holder, error) {
	holders, err := r.engine.ledger.Sharers(ctx, []string{r.e.ContactID})
	if err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	return slices.DeleteFunc(holders, func(h ledger.Holder) bool {
		return h.Entry.Origin == ledger.OriginGone || h.Sync == r.sync.Name && h.Entry.Key == r.e.Key
	}), nil
}

// delete removes the contact for good. That it is gone already comes to the same. That it is about to is recorded first, so
// that a row which comes back is not taken to be in step.
func (r *rowRun) delete(ctx context.Context) error {
	r.e.Origin, r.e.Fingerprint = ledger.OriginDeleting, ledger.Doubtful
	err := r.flush(ctx)
	if err == nil {
		err = call(ctx, func() error { return r.client.Contacts.Delete(ctx, r.e.ContactID) })
	}
	if err != nil && !isGone(err) {
		if !owlat.OutcomeUnknown(err) {
			r.e.Origin, r.e.Fingerprint = ledger.OriginCreated, ledger.Fingerprint{}
		}
		return err
	}
	r.e = deleted(r.e)
	r.event("deleted", "")
	return nil
}

// deleted returns what the ledger keeps of an entry whose contact is no more: that it left its topics, since the deletion may
// have been an opt-out, and that nothing is left to take it off.
func deleted(e *ledger.Entry) *ledger.Entry {
	kept := &ledger.Entry{Key: e.Key, Origin: ledger.OriginDeleted, FirstSeen: e.FirstSeen, Memberships: slices.Clone(e.Memberships)}
	for i := range kept.Memberships {
		switch m := &kept.Memberships[i]; {
		case !m.Consent:
			m.State = ledger.MemberOut
		case m.State != ledger.MemberOptedOut && m.State != ledger.MemberLeft:
			m.State, m.At = ledger.MemberLeft, time.Now()
		}
	}
	return kept
}
