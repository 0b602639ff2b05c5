package api

import (
	"context"
	"net/http"
	"time"

	"owlatsync/internal/access"
	"owlatsync/internal/config"
	"owlatsync/ledger"
)

// mail shows what Owlat told, and what is told to the user's own systems about it.
type mail struct{ views }

// feedbackJSON is one thing that Owlat told by a webhook. A viewer gets no Email and no Detail.
type feedbackJSON struct {
	ID        int64                  `json:"id"`
	Event     string                 `json:"event"`
	At        *time.Time             `json:"at,omitempty"` // by Owlat's clock
	Received  time.Time              `json:"received"`
	ContactID string                 `json:"contact_id,omitempty"`
	Email     string                 `json:"email,omitempty"`
	Topics    []ledger.FeedbackTopic `json:"topics,omitempty"` // that the person left
	Kind      string                 `json:"kind,omitempty"`   // more about the event
	Detail    string                 `json:"detail,omitempty"` // a mail server's words
}

func newFeedbackJSON(f ledger.Feedback, sees bool) feedbackJSON {
	j := feedbackJSON{ID: f.ID, Event: f.Event, At: someTime(f.At), Received: f.Received.UTC(), ContactID: f.ContactID, Topics: f.Topics, Kind: f.Kind}
	if sees {
		j.Email, j.Detail = f.Email, f.Detail
	}
	return j
}

func (m mail) feedback(c *call) error {
	q := newQuery(c.r)
	event, person := q.word("event", config.FeedbackEvents...), q.text("person")
	before, limit := q.number("before", 1, 1<<62, 0), q.limit()
	if err := q.done(); err != nil {
		return err
	}
	if person != "" && !c.sees() { // the number of answers tells whether an address is known
		return &access.Refusal{Status: http.StatusForbidden, Code: access.CodeRole, Message: "a viewer cannot search for a person", Hint: "use a token with the role operator"}
	}
	found, err := m.d.Ledger.Feedbacks(c.r.Context(), event, person, before, limit)
	if err != nil {
		return err
	}
	all := make([]feedbackJSON, len(found))
	for i, f := range found {
		all[i] = newFeedbackJSON(f, c.sees())
	}
	body := map[string]any{"feedback": all}
	if len(found) == limit {
		body["before"] = found[len(found)-1].ID
	}
	answer(c.w, http.StatusOK, body)
	return nil
}

// deliveryJSON is what is told to the user's own systems about one feedback.
type deliveryJSON struct {
	ID       int64                `json:"id"`
	Target   string               `json:"target"`
	State    ledger.DeliveryState `json:"state"`
	Topic    string               `json:"topic,omitempty"`
	Attempts int                  `json:"attempts"`
	Due      *time.Time           `json:"due,omitempty"` // when it is tried next
	Done     *time.Time           `json:"done_at,omitempty"`
	Error    string               `json:"error,omitempty"` // of the latest attempt
	Feedback feedbackJSON         `json:"feedback"`
}

// counts returns the numbers of deliveries, an empty map if there is no write-back.
func (m mail) counts(ctx context.Context) (map[string]map[ledger.DeliveryState]int, error) {
	all := make(map[string]map[ledger.DeliveryState]int)
	if m.d.Outbox == nil {
		return all, nil
	}
	found, err := m.d.Outbox.DeliveryCounts(ctx)
	for target, counts := range found {
		all[target] = map[ledger.DeliveryState]int{ledger.DeliveryWaiting: counts[ledger.DeliveryWaiting], ledger.DeliveryDone: counts[ledger.DeliveryDone], ledger.DeliveryDead: counts[ledger.DeliveryDead]}
	}
	return all, err
}

func (m mail) writeBacks(c *call) error {
	q := newQuery(c.r)
	state := ledger.DeliveryState(q.word("state", string(ledger.DeliveryWaiting), string(ledger.DeliveryDone), string(ledger.DeliveryDead)))
	limit := q.limit()
	if err := q.done(); err != nil {
		return err
	}
	counts, err := m.counts(c.r.Context())
	if err != nil {
		return err
	}
	all := []deliveryJSON{}
	if m.d.Outbox != nil {
		found, err := m.d.Outbox.Deliveries(c.r.Context(), state, limit)
		if err != nil {
			return err
		}
		for _, d := range found {
			j := deliveryJSON{
				ID: d.ID, Target: d.Target, State: d.State, Topic: d.Topic, Attempts: d.Attempts, Done: someTime(d.Done), Error: d.Error,
				Feedback: newFeedbackJSON(d.Feedback, c.sees()),
			}
			if d.State == ledger.DeliveryWaiting {
				j.Due = someTime(d.Due)
			}
			all = append(all, j)
		}
	}
	answer(c.w, http.StatusOK, map[string]any{"targets": counts, "deliveries": all})
	return nil
}

func (m mail) retry(c *call) error {
	if err := newQuery(c.r).done(); err != nil {
		return err
	}
	var ids []int64
	var every bool
	if err := decode(c.w, c.r, fields{"ids": &ids, "all": &every}); err != nil {
		return err
	}
	switch {
	case every && len(ids) > 0:
		return wrongBody("the body has \"ids\" and \"all\"; say one of them")
	case !every && len(ids) == 0:
		return wrongBody("the body must say which deliveries: \"ids\", or \"all\": true for all dead ones")
	case len(ids) > maxKeys:
		return wrongBody("\"ids\" names %d deliveries, and may name %d; \"all\": true means all dead ones", len(ids), maxKeys)
	}
	retried := 0
	if m.d.Outbox != nil {
		var err error
		if retried, err = m.d.Outbox.RetryDeliveries(c.r.Context(), ids, m.d.Outbox.Now()); err != nil {
			return err
		}
	}
	m.log.Info("dead deliveries are tried again", "token", c.who.Name, "deliveries", retried)
	if retried > 0 {
		m.note(c, ledger.AuditLine{What: ledger.DeedRetryWriteBacks, Count: retried})
	}
	answer(c.w, http.StatusOK, map[string]int{"retried": retried})
	return nil
}
