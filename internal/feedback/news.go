package feedback

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat"
)

// eventTest is what Owlat sends when somebody tries a webhook in the dashboard.
const eventTest = "test"

const (
	// clocksApart is how far ahead of this machine's clock Owlat's is believed to be. An opt-out later than that would stand above
	// every later consent.
	clocksApart = 48 * time.Hour
	// maxDetail is how many bytes of a mail server's words are kept.
	maxDetail = 1000
)

// Route says which events go to a write-back.
type Route struct {
	Target string
	On     []string
}

// newsOf returns what follows from an event; ok is false for events that nothing follows from. A bounce that is not hard is only
// recorded: it says nothing lasting about the address.
func newsOf(e *owlat.WebhookEvent, routes []Route, now time.Time) (news ledger.News, ok bool) {
	f := ledger.Feedback{Hash: hashOf(e), Event: e.Event, Received: now}
	at := e.Timestamp
	final := true
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
		final = f.Kind == "hard"
	case owlat.WebhookEmailComplainedPayload:
		f.Email = normal(p.Email)
		at = firstTime(p.Timestamp, at)
	default:
		if e.Event != eventTest {
			return ledger.News{}, false
		}
	}
	if f.At = at; at.Unix() <= 0 || at.After(now.Add(clocksApart)) { // a time at the epoch or before is none
		f.At = now
	}
	news.Feedback = f
	follow(&news, final)
	if final && f.Event != eventTest {
		news.Deliveries = deliveriesOf(f, routes, now)
	}
	return news, true
}

// follow adds what the ledger must know because of the feedback.
func follow(news *ledger.News, final bool) {
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
		if final && f.Email != "" {
			news.Suppressions = []ledger.Suppression{{Email: f.Email, Reason: ledger.Bounced, At: f.At}}
		}
	case owlat.WebhookEmailComplained:
		if f.Email != "" {
			news.Suppressions = []ledger.Suppression{{Email: f.Email, Reason: ledger.Complained, At: f.At}}
		}
	}
}

// deliveriesOf returns what the write-backs are told: of an opt-out once for each topic.
func deliveriesOf(f ledger.Feedback, routes []Route, now time.Time) []ledger.Delivery {
	person := f.Email
	if person == "" {
		person = f.ContactID
	}
	topics := []string{""}
	if len(f.Topics) > 0 {
		topics = nil
		for _, t := range f.Topics {
			topics = append(topics, t.ID)
		}
	}
	var deliveries []ledger.Delivery
	for _, r := range routes {
		if !slices.Contains(r.On, f.Event) {
			continue
		}
		for _, topic := range topics {
			deliveries = append(deliveries, ledger.Delivery{Target: r.Target, Person: person, Topic: topic, Due: now})
		}
	}
	return deliveries
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
