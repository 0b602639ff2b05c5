package owlattest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"owlatsync/owlat"
)

// Events that the emulator tells webhooks of. They can subscribe to Owlat's other events too.
const (
	WebhookContactCreated    = "contact.created"
	WebhookTopicUnsubscribed = "topic.unsubscribed"
	WebhookEmailBounced      = "email.bounced"
	WebhookEmailComplained   = "email.complained"
)

var webhookEvents = []string{
	WebhookContactCreated, WebhookTopicUnsubscribed, WebhookEmailBounced, WebhookEmailComplained,
	"email.sent", "email.delivered", "email.opened", "email.clicked", "test",
}

// webhookPauses stand before the three attempts of a delivery.
var webhookPauses = [...]time.Duration{0, time.Minute, 5 * time.Minute}

const webhookTimeout = 30 * time.Second

// webhook is a subscription.
type webhook struct {
	id     string
	url    string
	secret string
	events []string
}

// Delivery is one attempt to deliver a webhook.
type Delivery struct {
	Time    time.Time `json:"at"`
	Webhook string    `json:"webhook"` // its id
	Event   string    `json:"event"`
	Attempt int       `json:"attempt"` // 1 to 3
	Status  int       `json:"status"`  // 0: no answer
	Body    string    `json:"body"`
}

// hookTable holds the subscriptions and what is being delivered.
type hookTable struct {
	list       []*webhook
	deliveries []Delivery
	ctx        context.Context // of the deliveries since the last reset; nil without any
	cancel     context.CancelFunc
	pending    int
	idle       chan struct{} // closed once nothing is pending
	closed     bool
}

// clear forgets everything and ends what is being delivered.
func (h *hookTable) clear() {
	if h.cancel != nil {
		h.cancel()
	}
	*h = hookTable{pending: h.pending, idle: h.idle, closed: h.closed}
}

// topicRef is a topic that a person left.
type topicRef struct{ id, name string }

func validWebhookURL(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("the url %q is not an http or https URL", raw)
	}
	return nil
}

// AddWebhook subscribes url to events, each delivery signed with secret, and returns the id of the subscription. Unlike
// Owlat the emulator also delivers to private and loopback addresses.
func (s *Server) AddWebhook(url, secret string, events ...string) (id string, err error) {
	if err := checkWebhook(url, events); err != nil {
		return "", fmt.Errorf("add webhook: %w", err)
	}
	s.lock()
	defer s.mu.Unlock()
	return s.addWebhook(url, secret, events), nil
}

func checkWebhook(url string, events []string) error {
	for _, e := range events {
		if !slices.Contains(webhookEvents, e) {
			return fmt.Errorf("unknown event %q; known are %q", e, webhookEvents)
		}
	}
	return validWebhookURL(url)
}

func (s *Server) addWebhook(url, secret string, events []string) string {
	w := &webhook{id: s.newID(), url: url, secret: secret, events: slices.Clone(events)}
	s.hooks.list = append(s.hooks.list, w)
	return w.id
}

func (s *Server) fireCreated(c *contact, typed string, now time.Time) {
	s.fire(WebhookContactCreated, now, func(b []byte) []byte {
		b = appendText(append(b, `"contactId":`...), c.id)
		b = appendText(append(b, `,"email":`...), typed)
		b = appendText(append(b, `,"source":`...), c.source)
		return appendTime(append(b, `,"timestamp":`...), now)
	})
}

func (s *Server) fireUnsubscribed(c *contact, left []topicRef, now time.Time) {
	s.fire(WebhookTopicUnsubscribed, now, func(b []byte) []byte {
		lists := []byte("[")
		for i, t := range left {
			if i > 0 {
				lists = append(lists, ',')
			}
			lists = appendText(append(lists, `{"topicId":`...), t.id)
			lists = append(appendText(append(lists, `,"topicName":`...), t.name), '}')
		}
		b = appendText(append(b, `"contactId":`...), c.id)
		b = appendText(append(b, `,"email":`...), c.email)
		b = appendText(append(b, `,"listsRemoved":`...), string(append(lists, ']')))
		return strconv.AppendInt(append(b, `,"unsubscribedAt":`...), now.UnixMilli(), 10)
	})
}

// Bounce is a mail to that address coming back. A hard bounce blocks the address for transactional mail.
func (s *Server) Bounce(email string, hard bool, message string) {
	s.lock()
	defer s.mu.Unlock()
	kind, now := "soft", time.Now()
	if hard {
		kind = "hard"
		s.blocked[lower(email)] = true
		s.changed()
	}
	s.fire(WebhookEmailBounced, now, func(b []byte) []byte {
		b = appendText(append(b, `"email":`...), email)
		b = appendText(append(b, `,"bounceType":`...), kind)
		b = appendText(append(b, `,"message":`...), message)
		return appendTime(append(b, `,"timestamp":`...), now)
	})
}

// Complain is the person reporting a mail as unwanted, which blocks the address for transactional mail.
func (s *Server) Complain(email string) {
	s.lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.blocked[lower(email)] = true
	s.changed()
	s.fire(WebhookEmailComplained, now, func(b []byte) []byte {
		b = appendText(append(b, `"email":`...), email)
		return appendTime(append(b, `,"timestamp":`...), now)
	})
}

// fire starts a delivery to every webhook subscribed to the event.
func (s *Server) fire(event string, now time.Time, data func([]byte) []byte) {
	h := &s.hooks
	for _, w := range h.list {
		if h.closed || !slices.Contains(w.events, event) {
			continue
		}
		body := appendText([]byte(`{"event":`), event)
		body = appendTime(append(body, `,"timestamp":`...), now)
		body = append(data(append(body, `,"data":{`...)), "}}"...)
		if h.ctx == nil {
			h.ctx, h.cancel = context.WithCancel(context.Background())
		}
		if h.pending == 0 {
			h.idle = make(chan struct{})
		}
		h.pending++
		ctx := h.ctx
		go s.deliver(ctx, w, event, body)
	}
}

// deliver tries three times.
func (s *Server) deliver(ctx context.Context, w *webhook, event string, body []byte) {
	defer func() {
		s.lock()
		defer s.mu.Unlock()
		if s.hooks.pending--; s.hooks.pending == 0 {
			close(s.hooks.idle)
		}
	}()
	for i, pause := range webhookPauses {
		if pause > 0 && wait(ctx, pause) != nil {
			return
		}
		d := Delivery{Time: time.Now(), Webhook: w.id, Event: event, Attempt: i + 1, Body: string(body)}
		d.Status = s.attempt(ctx, w, body, d.Time)
		if ctx.Err() != nil {
			return
		}
		s.lock()
		s.hooks.deliveries = append(s.hooks.deliveries, d)
		s.mu.Unlock()
		if d.Status >= 200 && d.Status <= 299 {
			return
		}
	}
}

// attempt sends the webhook once and returns the answer's status, or 0 without an answer.
func (s *Server) attempt(ctx context.Context, w *webhook, body []byte, now time.Time) int {
	ctx, cancel := context.WithTimeout(ctx, webhookTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(body))
	if err != nil {
		return 0
	}
	req.Header = owlat.SignWebhook(w.secret, w.id, now, body)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Owlat-Webhooks/1.0")
	client := http.Client{}
	if s.WebhookClient != nil {
		client = *s.WebhookClient
	} else {
		transport := &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true}
		client.Transport = transport
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := client.Do(req)
	if err != nil {
		return 0
	}
	defer func() { _ = res.Body.Close() }()
	_, _ = io.CopyN(io.Discard, res.Body, 4<<10) // only the status counts
	return res.StatusCode
}

// Deliveries returns the attempts to deliver webhooks since the last reset, in the order in which they ended.
func (s *Server) Deliveries() []Delivery {
	s.lock()
	defer s.mu.Unlock()
	return slices.Clone(s.hooks.deliveries)
}

// WaitWebhooks waits until no webhook is being delivered and none waits for its next attempt, or until ctx ends.
func (s *Server) WaitWebhooks(ctx context.Context) error {
	s.lock()
	pending, idle := s.hooks.pending, s.hooks.idle
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

// Close ends the delivery of webhooks, now and for good, and returns when no goroutine is left. Everything else goes on
// working. A server that never had a webhook needs no Close.
func (s *Server) Close() error {
	s.lock()
	s.hooks.closed = true
	if s.hooks.cancel != nil {
		s.hooks.cancel()
	}
	s.mu.Unlock()
	return s.WaitWebhooks(context.Background())
}
