package feedback

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile"
)

// Find durably records that a person was found to have left topics, as a Receiver does with a webhook that tells it: the opt-outs, and what the
// write-backs are told. Told may be nil, and is else called as that of a Receiver is. What a webhook or another reading has told before changes nothing.
func Find(ctx context.Context, box Mailbox, d reconcile.Departure, routes []Route, told func(Taken)) error {
	news := found(d, routes, box.Now())
	took, err := box.TakeIn(ctx, news)
	if told != nil {
		told(takenOf(news, took, err))
	}
	if err != nil {
		return fmt.Errorf("record who has left: %w", err)
	}
	return nil
}

// found returns what follows from a departure that was found by reading.
func found(d reconcile.Departure, routes []Route, now time.Time) ledger.News {
	f := ledger.Feedback{
		Hash: hashOf(d), Event: owlat.WebhookTopicUnsubscribed, ContactID: d.ContactID, Email: d.Email, At: d.At, Received: now, Kind: ledger.KindRead,
	}
	for _, t := range d.Topics {
		f.Topics = append(f.Topics, t.FeedbackTopic)
	}
	return ledger.News{Feedback: f, OptOuts: d.OptOuts(), Deliveries: deliveriesOf(f, routes, now)}
}

// hashOf tells departures apart: by the contact, the topics and the times.
func hashOf(d reconcile.Departure) (sum [ledger.HashSize]byte) {
	h := sha256.New()
	text := func(s string) {
		_ = binary.Write(h, binary.BigEndian, uint64(len(s)))
		h.Write([]byte(s))
	}
	at := func(t time.Time) { _ = binary.Write(h, binary.BigEndian, t.UnixMicro()) }
	text(ledger.KindRead)
	text(d.ContactID)
	at(d.At)
	for _, t := range d.Topics {
		text(t.ID)
		at(t.Since)
	}
	copy(sum[:], h.Sum(nil))
	return sum
}
