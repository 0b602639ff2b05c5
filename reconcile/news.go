package reconcile

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat"
)

const (
	// clocksApart is how far ahead of this machine's clock Owlat's is believed to be. An opt-out later than that would stand above
	// every later consent.
	clocksApart = 48 * time.Hour
	// maxDetail is how many bytes of a mail server's words are kept.
	maxDetail = 1000

	// webhookTest is what Owlat sends when somebody tries a webhook in the dashboard.
	webhookTest = "test"
	// hardBounce is the kind of a bounce that says something lasting about the address.
	hardBounce = "hard"
)

// Hear durably records what follows from a verified webhook of Owlat: opt-outs, suppressions of addresses, contacts that are there.
// Runs heed it from then on, also one that goes on. It may be called any number of times for one webhook, and in any order: isNew is
// false for what was recorded before, and for events from which nothing follows. Answer Owlat only after it.
func Hear(ctx context.Context, box ledger.Mailbox, e *owlat.WebhookEvent) (isNew bool, err error) {
	news, ok := News(e, box.Now())
	if !ok {
		return false, nil
	}
	took, err := box.TakeIn(ctx, news)
	if err != nil {
		return false, fmt.Errorf("record the webhook: %w", err)
	}
	return took.New, nil
}

// News returns what follows from a verified webhook that came at now, without deliveries; ok is false for events from which nothing
// follows. A bounce that is not hard is only recorded, as is a trial.
func News(e *owlat.WebhookEvent, now time.Time) (news ledger.News, ok bool) {
	f := ledger.Feedback{Hash: hashOf(e), Event: e.Event, Received: now}
	at := e.Timestamp
	switch p := e.Payload.(type) {
	case owlat.WebhookTopicUnsubscribedPayload:
		f.ContactID, f.Email, at = p.ContactID, normal(p.Email), p.UnsubscribedAt
		for _, t := range p.Topics {
			f.Topics = append(f.Topics, ledger.FeedbackTopic{ID: t.ID, Name: t.Name})
		}
	case owlat.WebhookContactCreatedPayload:
		f.ContactID, f.Email, f.Kind = p.ContactID, normal(p.Email), p.Source
		at = firstTime(p.Timestamp, at)
	case owlat.WebhookEmailBouncedPayload:
		f.Email, f.Kind, f.Detail = normal(p.Email), strings.ToLower(p.BounceType), shortened(p.Message)
		at = firstTime(p.Timestamp, at)
	case owlat.WebhookEmailComplainedPayload:
		f.Email = normal(p.Email)
		at = firstTime(p.Timestamp, at)
	default:
		if e.Event != webhookTest {
			return ledger.News{}, false
		}
	}
	f.At = believed(at, now)
	news.Feedback = f
	follow(&news)
	return news, true
}

// believed returns when something happened that Owlat dates at; what lies far in the future happened now. A time at the epoch or
// before is none.
func believed(at, now time.Time) time.Time {
	if at.Unix() <= 0 || at.After(now.Add(clocksApart)) {
		return now
	}
	return at
}

// Lasting reports whether the feedback is worth telling others: neither a trial nor a bounce that may pass.
func Lasting(f *ledger.Feedback) bool {
	return f.Event != webhookTest && (f.Event != owlat.WebhookEmailBounced || f.Kind == hardBounce)
}

// follow adds what the ledger must know because of the feedback.
func follow(news *ledger.News) {
	f := news.Feedback
	switch f.Event {
	case owlat.WebhookTopicUnsubscribed:
		for _, t := range f.Topics {
			if t.ID != "" {
				news.OptOuts = append(news.OptOuts, ledger.OptOut{ContactID: f.ContactID, Topic: t.ID, At: f.At})
			}
		}
	case owlat.WebhookContactCreated:
		if f.ContactID != "" && f.Email != "" {
			news.Known = map[string]string{f.Email: f.ContactID}
		}
	case owlat.WebhookEmailBounced:
		if Lasting(&f) && f.Email != "" {
			news.Suppressions = []ledger.Suppression{{Email: f.Email, Reason: ledger.Bounced, At: f.At}}
		}
	case owlat.WebhookEmailComplained:
		if f.Email != "" {
			news.Suppressions = []ledger.Suppression{{Email: f.Email, Reason: ledger.Complained, At: f.At}}
		}
	}
}

// hashOf tells deliveries apart by their content, because they carry no id: a repetition has the same body.
func hashOf(e *owlat.WebhookEvent) (sum [ledger.HashSize]byte) {
	h := sha256.New()
	var fixed [16]byte
	binary.BigEndian.PutUint64(fixed[:8], uint64(len(e.Event)))
	binary.BigEndian.PutUint64(fixed[8:], uint64(e.Timestamp.UnixNano()))
	h.Write(fixed[:])
	h.Write([]byte(e.Event))
	h.Write(e.Data)
	copy(sum[:], h.Sum(nil))
	return sum
}

func normal(address string) string { return owlatsync.LowerAddress(owlatsync.Trim(address)) }

func firstTime(times ...time.Time) time.Time {
	for _, t := range times {
		if !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}

func shortened(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) <= maxDetail {
		return text
	}
	end := maxDetail
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}
