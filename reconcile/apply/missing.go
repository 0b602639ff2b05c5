package apply

import (
	"context"
	"fmt"
	"slices"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile/consent"
	"owlatsync/reconcile/mark"
	"owlatsync/reconcile/remote"
	"owlatsync/reconcile/step"
)

func readLedger(err error) error { return fmt.Errorf("read the ledger: %w", err) }

// absence carries out what follows from the absence of a row.
type absence struct{ *row }

// remove carries out what follows from a row's absence.
func (r absence) remove(ctx context.Context) error {
	var others []ledger.Holder
	var err error
	of := ""
	for _, c := range r.s.Changes {
		if r.e.ContactID != of { // also for the one into which it was merged
			if others, err = r.others(ctx); err != nil {
				return err
			}
			of = r.e.ContactID
		}
		// Another row may have taken the contact over in this run.
		if c.Kind == owlatsync.DeleteContact && len(others) > 0 || c.Kind == owlatsync.RemoveTopic && consent.WantedBy(others, c.Topic) {
			r.result.outcome, r.result.category, r.result.spared = owlatsync.Skipped, ledger.CategoryKept, true
			r.result.reason = fmt.Sprintf("%s of sync %q has the contact now", step.RowName(others[0].Entry.Key), others[0].Sync)
			continue
		}
		switch c.Kind {
		case owlatsync.RemoveTopic:
			err = withdrawal(r).removeTopic(ctx, c.Topic)
		case owlatsync.DeleteContact:
			err = r.delete(ctx)
		}
		if err != nil {
			return err
		}
	}
	_, topics, _ := r.plan.Departs()
	if r.e.Departed == "" {
		r.event(ledger.EventRowLeft, "")
	}
	depart(r.e, r.s.Departs, topics)
	return nil
}

// depart notes that the row of an entry has left. It lets go of the topics on which its contact stays because another row wants it
// there: that row may take the contact off, and a row that comes back is no consent.
func depart(e *ledger.Entry, terms string, topics []string) {
	for _, topic := range topics {
		m := e.Membership(topic)
		if e.ContactID != "" && e.Origin != ledger.OriginGone && m != nil && consent.Removable(m) && m.State != ledger.MemberOut {
			m.State = ledger.MemberLeft
		}
	}
	e.Depart(terms)
}

// merged takes the contact into which that of the row was merged off the topics.
func (r absence) merged(ctx context.Context, topics []string) error {
	for _, topic := range topics {
		if spared, err := r.spares(ctx, topic); err != nil {
			return err
		} else if spared {
			continue
		}
		if err := withdrawal(r).removeTopic(ctx, topic); err != nil {
			return err
		}
	}
	return nil
}

// spares reports whether another row wants the contact on the topic.
func (r absence) spares(ctx context.Context, topic string) (bool, error) {
	others, err := r.others(ctx)
	return err == nil && consent.WantedBy(others, topic), err
}

// departure records who has left.
type departure struct{ *run }

// depart records the rows that have left the source and of whose absence nothing follows.
func (a departure) depart(ctx context.Context) error {
	terms, topics, keys := a.plan.Departs()
	batch := make([]string, 0, settleBatch)
	do := func() error {
		if len(batch) == 0 || a.stopping(ctx) {
			return nil
		}
		entries, err := a.Ledger.Entries(ctx, a.Sync, batch)
		if err != nil {
			return readLedger(err)
		}
		records, left := make([]ledger.Record, 0, len(entries)), 0
		for _, key := range batch {
			e := entries[key]
			if e == nil || e.Doubt {
				continue
			}
			event := ""
			if e.Departed == "" {
				left++ // ChangedAt stays: it tells who had an address last
				event = ledger.EventRowLeft
			}
			depart(e, terms, topics)
			records = append(records, ledger.Record{Sync: a.Sync, Run: a.Run, Entry: e, Event: event})
		}
		batch = batch[:0]
		if err := a.Writer.Record(context.WithoutCancel(ctx), records...); err != nil {
			return fmt.Errorf("record the rows that left the source: %w", err)
		}
		a.Notes.Left(left)
		return nil
	}
	for key, err := range keys {
		if err != nil {
			return err
		}
		if batch = append(batch, key); len(batch) == settleBatch {
			if err := do(); err != nil {
				return err
			}
		}
	}
	return do()
}

// others returns the other entries for the contact.
func (r absence) others(ctx context.Context) ([]ledger.Holder, error) {
	holders, err := r.Ledger.Sharers(ctx, []string{r.e.ContactID})
	if err != nil {
		return nil, r.readFailed(err)
	}
	return slices.DeleteFunc(holders, func(h ledger.Holder) bool {
		return h.Entry.Origin == ledger.OriginGone || h.Sync == r.Sync && h.Entry.Key == r.e.Key
	}), nil
}

// delete deletes the contact for good. A contact that is gone counts as deleted, but the one into which it was merged is not ours to
// delete. That it is about to is recorded right before, so that a row that comes back does not count as in step.
func (r absence) delete(ctx context.Context) error {
	before := r.e.Origin
	err := mark.Call(ctx, mark.Once(func(ctx context.Context) error {
		r.e.Origin, r.e.Doubt = ledger.OriginDeleting, true
		err := r.flush(ctx)
		if err != nil {
			r.e.Origin, r.e.Doubt = before, false
		}
		return err
	}), func(ctx context.Context) error { return r.client.Contacts.Delete(ctx, r.e.ContactID) })
	if err != nil && !owlat.OutcomeUnknown(err) {
		r.e.Origin, r.e.Doubt = before, false
	}
	if err != nil && !remote.IsGone(err) {
		return err
	}
	if err != nil {
		if err := heir(r).follow(ctx); err != nil {
			return err
		}
		if !r.gone {
			return r.merged(ctx, r.s.Topics)
		}
		r.gone = false
	}
	r.e = remote.Deleted(r.e, r.clock.Now())
	r.event("deleted", "")
	return nil
}
