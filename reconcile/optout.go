package reconcile

import (
	"context"
	"fmt"
	"time"

	"owlatsync/ledger"
	"owlatsync/owlat"
)

// Unsubscribed records what Owlat's webhook topic.unsubscribed tells (see owlat.VerifyWebhook), so that no add that is
// still due puts the person back, not even one that `existing: add` asks for: only a consent of the source that is newer
// does, as of when a run first saw it. It may be called while a run goes on, and keeps back what is not yet sent.
func Unsubscribed(ctx context.Context, inbox ledger.Inbox, u owlat.WebhookTopicUnsubscribedPayload) error {
	at := u.UnsubscribedAt
	if now := time.Now(); at.IsZero() || at.After(now) {
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
