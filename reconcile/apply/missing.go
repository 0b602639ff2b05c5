package apply

import (
	"context"
	"fmt"
	"slices"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile/consent"
	"owlatsync/reconcile/remote"
	"owlatsync/reconcile/step"
)

func readLedger(err error) error { return fmt.Errorf("read the ledger: %w", err) }

// absence carries out what follows from the absence of a row.
type absence struct{ *row }

// remove carries out what follows from a row's absence.
func (r absence) remove(ctx context.Context) error {
	others, err := r.others(ctx)
	if err != nil {
		return err
	}
	for _, c := range r.s.Changes {
		// Another row may have taken the contact over in this run.
		if c.Kind == owlatsync.DeleteContact && len(others) > 0 || c.Kind == owlatsync.RemoveTopic && consent.WantedBy(others, c.Topic) {
			r.result.outcome, r.result.spared = owlatsync.Skipped, true
			r.result.reason = fmt.Sprintf("%s of sync %q has the contact now", step.RowName(others[0].Entry.Key), others[0].Sync)
			continue
		}
		switch c.Kind {
		case owlatsync.RemoveTopic:
			err = membership(r).removeTopic(ctx, c.Topic)
		case owlatsync.DeleteContact:
			err = r.delete(ctx)
		}
		if err != nil {
			return err
		}
	}
	r.e.Fingerprint, r.e.Doubt, r.e.Failure = ledger.Fingerprint{}, false, nil
	return nil
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

// delete deletes the contact for good. A contact that is gone counts as deleted. That it is about to is recorded right before, so that
// a row that comes back does not count as in step.
func (r absence) delete(ctx context.Context) error {
	before := r.e.Origin
	err := r.call(ctx, once(func(ctx context.Context) error {
		r.e.Origin, r.e.Doubt = ledger.OriginDeleting, true
		err := r.flush(ctx)
		if err != nil {
			r.e.Origin, r.e.Doubt = before, false
		}
		return err
	}), func(ctx context.Context) error { return r.client.Contacts.Delete(ctx, r.e.ContactID) })
	if err != nil && !remote.IsGone(err) {
		if !owlat.OutcomeUnknown(err) {
			r.e.Origin, r.e.Doubt = before, false
		}
		return err
	}
	r.e = remote.Deleted(r.e)
	r.event("deleted", "")
	return nil
}
