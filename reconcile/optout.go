package reconcile

import (
	"context"
	"errors"
	"fmt"

	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile/consent"
)

// Heed returns the entry with what follows from the opt-outs of its contact, as the next run that plans its row takes it. It changes
// nothing it is given.
func Heed(e *ledger.Entry, optOuts []ledger.OptOut) *ledger.Entry {
	heeded := *e
	heeded.Memberships = consent.Heed(e.Memberships, optOuts)
	return &heeded
}

// Unsubscribed records the opt-outs of Owlat's webhook topic.unsubscribed (see owlat.VerifyWebhook); Hear takes in every webhook. No add that is still due puts
// the person back, not even with `existing: add`. Only a consent that a run first saw after the opt-out does. It may be called
// while a run goes on: the run then holds back adds that are not sent yet. An opt-out without a time counts as of now; one without a
// contact or a topic is an error, and nothing is recorded.
func Unsubscribed(ctx context.Context, inbox ledger.Inbox, u owlat.WebhookTopicUnsubscribedPayload) error {
	if u.ContactID == "" {
		return errors.New("record who left a topic: the opt-out names no contact")
	}
	at := believed(u.UnsubscribedAt, inbox.Now())
	optOuts := make([]ledger.OptOut, 0, len(u.Topics))
	for _, t := range u.Topics {
		if t.ID == "" {
			return fmt.Errorf("record who left a topic: the opt-out of contact %s names a topic without an id", u.ContactID)
		}
		optOuts = append(optOuts, ledger.OptOut{ContactID: u.ContactID, Topic: t.ID, At: at})
	}
	if err := inbox.NoteOptOuts(ctx, optOuts...); err != nil {
		return fmt.Errorf("record who left a topic: %w", err)
	}
	return nil
}
