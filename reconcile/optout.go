package reconcile

import (
	"context"
	"fmt"
	"time"

	"owlatsync/ledger"
	"owlatsync/owlat"
)

// clocksApart is how far ahead of this machine's Owlat's clock is believed to be. An opt-out later than that would stand above every
// later consent.
const clocksApart = 48 * time.Hour

// Unsubscribed records the opt-outs of Owlat's webhook topic.unsubscribed (see owlat.VerifyWebhook). No add that is still due puts
// the person back, not even with `existing: add`. Only a consent that a run first saw after the opt-out does. It may be called
// while a run goes on: the run then holds back adds that are not sent yet.
func Unsubscribed(ctx context.Context, inbox ledger.Inbox, u owlat.WebhookTopicUnsubscribedPayload) error {
	at := u.UnsubscribedAt
	if now := time.Now(); at.IsZero() || at.After(now.Add(clocksApart)) {
		at = now
	}
	optOuts := make([]ledger.OptOut, 0, len(u.Topics))
	for _, t := range u.Topics {
		optOuts = append(optOuts, ledger.OptOut{ContactID: u.ContactID, Topic: t.ID, At: at})
	}
	if err := inbox.NoteOptOuts(ctx, optOuts...); err != nil {
		return fmt.Errorf("record who left a topic: %w", err)
	}
	return nil
}
