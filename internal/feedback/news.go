package feedback

import (
	"slices"
	"time"

	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile"
)

// Route says which events go to a write-back.
type Route struct {
	Target string
	On     []string
}

// newsOf returns what follows from an event, with what the write-backs are told; ok is false for events that nothing follows from.
func newsOf(e *owlat.WebhookEvent, routes []Route, now time.Time) (news ledger.News, ok bool) {
	news, ok = reconcile.News(e, now)
	if ok && reconcile.Lasting(&news.Feedback) {
		news.Deliveries = deliveriesOf(news.Feedback, routes, now)
	}
	return news, ok
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
