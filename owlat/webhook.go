package owlat

import (
	"encoding/json"
	"fmt"
	"time"

	"owlatsync/owlat/internal/payload"
)

// The names of the events that have a typed payload.
const (
	WebhookTopicUnsubscribed = "topic.unsubscribed"
	WebhookContactCreated    = "contact.created"
	WebhookEmailBounced      = "email.bounced"
	WebhookEmailComplained   = "email.complained"
)

// WebhookEvent is a verified delivery.
//
// Deliveries carry no id, and Owlat repeats one up to twice when the receiver does not answer 2xx within 30 s. Handle
// them so that a repetition does no harm; a repetition has the same body.
type WebhookEvent struct {
	Event     string    // such as WebhookTopicUnsubscribed; ignore those you do not know
	Timestamp time.Time // when it happened
	SentAt    time.Time // when this attempt was sent; not signed
	WebhookID string    // the subscription in Owlat; not signed
	Data      json.RawMessage
	// Payload is a WebhookTopicUnsubscribedPayload, WebhookContactCreatedPayload, WebhookEmailBouncedPayload or WebhookEmailComplainedPayload, or nil for other events.
	Payload any
}

// WebhookTopicUnsubscribedPayload says that a person left topics by a mail's link or the preference page. It does not say whether that
// was an opt-out from everything.
type WebhookTopicUnsubscribedPayload struct {
	ContactID      string    // never empty
	Email          string    // "" if the contact has none
	UnsubscribedAt time.Time // the event's own time if the data have none; zero if it has none either
	Topics         []WebhookRemovedTopic
}

// WebhookRemovedTopic is a topic that a person left.
type WebhookRemovedTopic struct {
	ID   string `json:"topicId"`
	Name string `json:"topicName"`
}

// WebhookContactCreatedPayload says that a contact was made, be it by this program.
type WebhookContactCreatedPayload struct {
	ContactID string    `json:"contactId"`
	Email     string    `json:"email"` // as it was typed, not lower-cased
	Source    string    `json:"source"`
	Timestamp time.Time `json:"timestamp"`
}

// WebhookEmailBouncedPayload says that a mail came back.
type WebhookEmailBouncedPayload struct {
	Email      string    `json:"email"`
	BounceType string    `json:"bounceType"` // hard or soft
	Message    string    `json:"message"`
	Timestamp  time.Time `json:"timestamp"`
}

// WebhookEmailComplainedPayload says that a person marked a mail as spam.
type WebhookEmailComplainedPayload struct {
	Email     string    `json:"email"`
	Timestamp time.Time `json:"timestamp"`
}

func (e *WebhookEvent) read(body []byte) error {
	var envelope payload.Envelope
	if err := json.Unmarshal(body, &envelope); err != nil {
		return fmt.Errorf("%w: it is not the JSON of an event", ErrWebhookPayload)
	}
	if envelope.Event == "" {
		return fmt.Errorf("%w: it names no event", ErrWebhookPayload)
	}
	e.Event, e.Timestamp, e.Data = envelope.Event, envelope.Timestamp, envelope.Data
	var err error
	switch e.Event {
	case WebhookTopicUnsubscribed:
		e.Payload, err = readUnsubscribed(e.Data, e.Timestamp)
	case WebhookContactCreated:
		e.Payload, err = payload.Read[WebhookContactCreatedPayload](e.Data)
	case WebhookEmailBounced:
		e.Payload, err = payload.Read[WebhookEmailBouncedPayload](e.Data)
	case WebhookEmailComplained:
		e.Payload, err = payload.Read[WebhookEmailComplainedPayload](e.Data)
	}
	if err != nil {
		e.Payload = nil
		return fmt.Errorf("%w: the data of %s is not as documented", ErrWebhookPayload, e.Event)
	}
	return nil
}

// readUnsubscribed reads who left what. One who left without its time did at the given one.
func readUnsubscribed(raw json.RawMessage, at time.Time) (p WebhookTopicUnsubscribedPayload, err error) {
	u, at, err := payload.ReadUnsubscribed(raw, at, &p.Topics)
	p.ContactID, p.Email, p.UnsubscribedAt = u.ContactID, u.Email, at
	return p, err
}
