package owlat

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// DefaultWebhookTolerance is how far the time of a delivery may be from now, in both directions.
const DefaultWebhookTolerance = 5 * time.Minute

// The names of the events that have a typed payload.
const (
	WebhookTopicUnsubscribed = "topic.unsubscribed"
	WebhookContactCreated    = "contact.created"
	WebhookEmailBounced      = "email.bounced"
	WebhookEmailComplained   = "email.complained"
)

var (
	// ErrWebhookSignature means that the body was not signed with the secret, or not by Owlat. Answer 401.
	ErrWebhookSignature = errors.New("owlat: the webhook's signature does not match")
	// ErrWebhookTime means that the delivery has no time, or one too far from now: a replay, or a wrong clock. Answer 401.
	ErrWebhookTime = errors.New("owlat: the webhook's time is missing or too far from now")
	// ErrWebhookPayload means that the body is signed and not what Owlat documents. Answer 400.
	ErrWebhookPayload = errors.New("owlat: the webhook's body is not readable")
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
	ContactID      string
	Email          string // "" if the contact has none
	UnsubscribedAt time.Time
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

// WebhookOption changes how a webhook is verified.
type WebhookOption func(*webhookConfig) error

type webhookConfig struct{ tolerance time.Duration }

// WithTolerance sets how far the time of a delivery may be from now, in both directions; 0 turns the check off.
func WithTolerance(d time.Duration) WebhookOption {
	return func(c *webhookConfig) error {
		if d < 0 {
			return fmt.Errorf("the tolerance %v is negative", d)
		}
		c.tolerance = d
		return nil
	}
}

// VerifyWebhook checks the signature and the age of a delivery and returns its event. secret is the webhook's
// ("whsec_…"), header and body are the request's, the body exactly as it came; limit its size before reading it. The
// errors match [ErrWebhookSignature], [ErrWebhookTime] or [ErrWebhookPayload] and hold nothing of the body.
//
// The time of a delivery is not signed. Its check keeps out late repetitions by honest senders, not a forged header.
func VerifyWebhook(secret string, header http.Header, body []byte, opts ...WebhookOption) (*WebhookEvent, error) {
	cfg := webhookConfig{tolerance: DefaultWebhookTolerance}
	for _, opt := range opts {
		if opt == nil {
			return nil, errors.New("owlat: a webhook option is nil")
		}
		if err := opt(&cfg); err != nil {
			return nil, fmt.Errorf("owlat: %w", err)
		}
	}
	if secret == "" {
		return nil, errors.New("owlat: the webhook secret is empty")
	}
	if !signedBy(secret, header.Get("X-Signature"), body) {
		return nil, ErrWebhookSignature
	}
	event := &WebhookEvent{WebhookID: header.Get("X-Webhook-Id")}
	seconds, err := strconv.ParseInt(header.Get("X-Timestamp"), 10, 64)
	if err == nil {
		event.SentAt = time.Unix(seconds, 0)
	}
	if cfg.tolerance > 0 && (err != nil || time.Since(event.SentAt).Abs() > cfg.tolerance) {
		return nil, ErrWebhookTime
	}
	if err := event.read(body); err != nil {
		return nil, err
	}
	return event, nil
}

func signedBy(secret, signature string, body []byte) bool {
	claimed, err := hex.DecodeString(signature)
	if err != nil {
		return false
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return hmac.Equal(claimed, mac.Sum(nil))
}

func (e *WebhookEvent) read(body []byte) error {
	var envelope struct {
		Event     string          `json:"event"`
		Timestamp time.Time       `json:"timestamp"`
		Data      json.RawMessage `json:"data"`
	}
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
		e.Payload, err = readUnsubscribed(e.Data)
	case WebhookContactCreated:
		e.Payload, err = readPayload[WebhookContactCreatedPayload](e.Data)
	case WebhookEmailBounced:
		e.Payload, err = readPayload[WebhookEmailBouncedPayload](e.Data)
	case WebhookEmailComplained:
		e.Payload, err = readPayload[WebhookEmailComplainedPayload](e.Data)
	}
	if err != nil {
		e.Payload = nil
		return fmt.Errorf("%w: the data of %s is not as documented", ErrWebhookPayload, e.Event)
	}
	return nil
}

func readPayload[T any](raw json.RawMessage) (T, error) {
	var p *T
	if err := json.Unmarshal(raw, &p); err != nil {
		return *new(T), err
	}
	if p == nil {
		return *new(T), errors.New("no data")
	}
	return *p, nil
}

func readUnsubscribed(raw json.RawMessage) (WebhookTopicUnsubscribedPayload, error) {
	wire, err := readPayload[struct {
		ContactID      string `json:"contactId"`
		Email          string `json:"email"`
		UnsubscribedAt int64  `json:"unsubscribedAt"` // epoch milliseconds
		ListsRemoved   string `json:"listsRemoved"`   // JSON in a string
	}](raw)
	if err != nil {
		return WebhookTopicUnsubscribedPayload{}, err
	}
	p := WebhookTopicUnsubscribedPayload{
		ContactID:      wire.ContactID,
		Email:          wire.Email,
		UnsubscribedAt: time.UnixMilli(wire.UnsubscribedAt),
	}
	if wire.ListsRemoved != "" {
		err = json.Unmarshal([]byte(wire.ListsRemoved), &p.Topics)
	}
	return p, err
}
