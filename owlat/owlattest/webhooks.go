package owlattest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"owlatsync/owlat/owlattest/internal/webhooks"
)

// Events that the emulator tells webhooks of. They can subscribe to Owlat's other events too.
const (
	WebhookContactCreated    = "contact.created"
	WebhookTopicUnsubscribed = "topic.unsubscribed"
	WebhookEmailBounced      = "email.bounced"
	WebhookEmailComplained   = "email.complained"
)

// Delivery is one attempt to deliver a webhook.
type Delivery struct {
	Time    time.Time `json:"at"`
	Webhook string    `json:"webhook"` // its id
	Event   string    `json:"event"`
	Attempt int       `json:"attempt"` // 1 to 3
	Status  int       `json:"status"`  // 0: no answer
	Body    string    `json:"body"`
}

// AddWebhook subscribes url to events, each delivery signed with secret, and returns the id of the subscription. Unlike
// Owlat the emulator also delivers to private and loopback addresses.
func (s *Server) AddWebhook(url, secret string, events ...string) (id string, err error) {
	if err := webhooks.Check(url, events); err != nil {
		return "", fmt.Errorf("add webhook: %w", err)
	}
	defer s.lock()()
	w := webhooks.Subscription{ID: s.model.Random.ID(), URL: url, Secret: secret, Events: slices.Clone(events)}
	s.hooks.Add(w)
	s.model.Changed()
	return w.ID, nil
}

// Deliveries returns the attempts to deliver webhooks since the last reset, in the order in which they ended.
func (s *Server) Deliveries() []Delivery { return deliveriesOf(s.hooks.Attempts()) }

func deliveriesOf(attempts []webhooks.Attempt) []Delivery {
	var out []Delivery
	for _, a := range attempts {
		out = append(out, Delivery(a))
	}
	return out
}

// WaitWebhooks waits until no webhook is being delivered and none waits for its next attempt, or until ctx ends.
func (s *Server) WaitWebhooks(ctx context.Context) error { return s.hooks.Wait(ctx) }

// Close ends the delivery of webhooks, now and for good, and returns when no goroutine is left. Everything else goes on
// working. A server that never had a webhook needs no Close.
func (s *Server) Close() error { return s.hooks.Close() }
