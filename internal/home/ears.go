package home

import (
	"context"
	"fmt"
	"time"

	"owlatsync/internal/alert"
	"owlatsync/internal/events"
	"owlatsync/internal/feedback"
	"owlatsync/internal/writeback"
)

// ears hear what happens in a deployment.
type ears struct{ d *Deployment }

// FeedbackData is the data of the event that tells of a webhook. It names no person.
type FeedbackData struct {
	ID         int64  `json:"feedback"`
	Event      string `json:"event"`
	Deliveries int    `json:"deliveries,omitempty"` // that are to be written back
}

// heard takes in what became of a webhook.
func (s ears) heard(t feedback.Taken) {
	if t.Err != nil || !t.New {
		return
	}
	s.d.o.Metrics.Feedback(t.Feedback.Event, t.Left)
	s.d.hub.Publish(events.Event{Kind: events.Feedback, Data: FeedbackData{t.Feedback.ID, t.Feedback.Event, t.Deliveries}})
	if t.Deliveries > 0 {
		s.d.at().Due()
	}
}

// DeliveryData is the data of the event that tells what became of an attempt to write back. It names no person.
type DeliveryData struct {
	Delivery int64  `json:"delivery"`
	Target   string `json:"target"`
	Event    string `json:"event"`
	Error    string `json:"error,omitempty"`
	Dead     bool   `json:"dead,omitempty"` // it is given up
}

// delivered takes in an attempt to write back.
func (s ears) delivered(a writeback.Attempt) {
	s.d.o.Metrics.WriteBack(a.Delivery.Target, a.Err, a.Dead)
	data := DeliveryData{Delivery: a.Delivery.ID, Target: a.Delivery.Target, Event: a.Delivery.Feedback.Event, Dead: a.Dead}
	if a.Err != nil {
		data.Error = a.Err.Error()
	}
	s.d.hub.Publish(events.Event{Kind: events.WriteBack, Data: data})
}

// AlertData is the data of the event that tells of a message to a channel of alerts.
type AlertData struct {
	Channel string        `json:"channel"`
	Message alert.Message `json:"message"`
}

// told takes in an attempt to tell a channel what is wrong.
func (s ears) told(channel string, m alert.Message, err error) {
	s.d.o.Metrics.Alert(channel, err)
	if err == nil {
		s.d.hub.Publish(events.Event{Kind: events.Alert, Sync: m.Sync, Run: m.Run, Data: AlertData{channel, m}})
	}
}

// mistake returns why a new configuration is not taken over, empty if it is.
func (s ears) mistake() string {
	if why := s.d.wrong.Load(); why != nil {
		return *why
	}
	return ""
}

// silence returns why webhooks seem not to arrive, empty if they do.
func (s ears) silence(ctx context.Context) (string, error) {
	hooks, now := s.d.Config().Webhooks, s.d.ledger.Now()
	if len(hooks.Secrets) == 0 {
		return "", nil
	}
	heard, err := feedback.SilenceOf(ctx, s.d.ledger, now)
	if err != nil || !heard.Lasts(now, hooks.SilentAfter) {
		return "", err
	}
	return fmt.Sprintf("runs have created %d contacts since %s, and Owlat has told of none", heard.Contacts, heard.Since.UTC().Format(time.RFC3339)), nil
}
