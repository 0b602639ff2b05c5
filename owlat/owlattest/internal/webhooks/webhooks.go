// Package webhooks tells webhooks what happens in a deployment, as Owlat does: three attempts, one and five minutes apart, with
// the same signed body. It hears of what happens as the deployment's observer and delivers on goroutines of its own.
package webhooks

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
)

// The events that are told, of those that a webhook can subscribe to.
const (
	ContactCreated    = "contact.created"
	TopicUnsubscribed = "topic.unsubscribed"
	EmailBounced      = "email.bounced"
	EmailComplained   = "email.complained"
)

var events = []string{
	ContactCreated, TopicUnsubscribed, EmailBounced, EmailComplained, "email.sent", "email.delivered", "email.opened", "email.clicked", "test",
}

// Subscription is a webhook.
type Subscription struct {
	ID     string
	URL    string
	Secret string
	Events []string
}

// Check refuses a subscription to unknown events or at what is no URL.
func Check(rawURL string, to []string) error {
	for _, e := range to {
		if !slices.Contains(events, e) {
			return fmt.Errorf("unknown event %q; known are %q", e, events)
		}
	}
	u, err := url.Parse(rawURL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("the url %q is not an http or https URL", rawURL)
	}
	return nil
}

// Attempt is one attempt to deliver a webhook.
type Attempt struct {
	Time    time.Time
	Webhook string // its id
	Event   string
	Attempt int // 1 to 3
	Status  int // 0: no answer
	Body    string
}

// Sender holds the subscriptions and delivers to them. The zero Sender has none. All methods may be called from any goroutine.
type Sender struct {
	// Client returns the client to deliver with, or nil for one of the package's own. It is set before the first event.
	Client func() *http.Client

	mu            sync.Mutex
	subscriptions []Subscription
	attempts      []Attempt
	ctx           context.Context // of the deliveries since the last Clear; nil without any
	cancel        context.CancelFunc
	pending       int
	idle          chan struct{} // closed once nothing is pending
	closed        bool
}

// Add subscribes a webhook that passed [Check].
func (s *Sender) Add(w Subscription) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.subscriptions = append(s.subscriptions, w)
}

// Subscriptions returns the webhooks in the order in which they were added.
func (s *Sender) Subscriptions() []Subscription {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.subscriptions)
}

// Attempts returns the attempts since the last Clear in the order in which they ended.
func (s *Sender) Attempts() []Attempt {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.attempts)
}

// Clear forgets everything and ends what is being delivered.
func (s *Sender) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cancel != nil {
		s.cancel()
	}
	s.subscriptions, s.attempts, s.ctx, s.cancel = nil, nil, nil, nil
}

// Wait waits until nothing is being delivered and nothing waits for its next attempt, or until ctx ends.
func (s *Sender) Wait(ctx context.Context) error {
	s.mu.Lock()
	pending, idle := s.pending, s.idle
	s.mu.Unlock()
	if pending == 0 {
		return nil
	}
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close ends the delivery now and for good, and returns when no goroutine is left.
func (s *Sender) Close() error {
	s.mu.Lock()
	s.closed = true
	if s.cancel != nil {
		s.cancel()
	}
	s.mu.Unlock()
	return s.Wait(context.Background())
}
