package webhooks

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"slices"
	"time"

	"owlatsync/owlat"
	"owlatsync/owlat/owlattest/internal/js"
)

// pauses stand before the attempts of a delivery.
var pauses = [...]time.Duration{0, time.Minute, 5 * time.Minute}

// timeout ends an attempt.
const timeout = 30 * time.Second

// fire starts a delivery to every webhook subscribed to the event.
func (s *Sender) fire(event string, now time.Time, data func([]byte) []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.subscriptions {
		if s.closed || !slices.Contains(w.Events, event) {
			continue
		}
		body := js.AppendText([]byte(`{"event":`), event)
		body = js.AppendTime(append(body, `,"timestamp":`...), now)
		body = append(data(append(body, `,"data":{`...)), "}}"...)
		if s.ctx == nil {
			s.ctx, s.cancel = context.WithCancel(context.Background())
		}
		if s.pending == 0 {
			s.idle = make(chan struct{})
		}
		s.pending++
		ctx := s.ctx
		go s.deliver(ctx, w, event, body)
	}
}

// deliver tries three times.
func (s *Sender) deliver(ctx context.Context, w Subscription, event string, body []byte) {
	defer s.done()
	for i, pause := range pauses {
		if pause > 0 {
			select {
			case <-time.After(pause):
			case <-ctx.Done():
				return
			}
		}
		a := Attempt{Time: time.Now(), Webhook: w.ID, Event: event, Attempt: i + 1, Body: string(body)}
		a.Status = s.attempt(ctx, w, body, a.Time)
		if ctx.Err() != nil {
			return
		}
		s.note(a)
		if a.Status >= 200 && a.Status <= 299 {
			return
		}
	}
}

func (s *Sender) note(a Attempt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.attempts = append(s.attempts, a)
}

func (s *Sender) done() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pending--; s.pending == 0 {
		close(s.idle)
	}
}

// attempt sends the webhook once and returns the answer's status, or 0 without an answer.
func (s *Sender) attempt(ctx context.Context, w Subscription, body []byte, now time.Time) int {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, bytes.NewReader(body))
	if err != nil {
		return 0
	}
	req.Header = owlat.SignWebhook(w.Secret, w.ID, now, body)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Owlat-Webhooks/1.0")
	client := http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true}}
	if given := s.Client(); given != nil {
		client = *given
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
