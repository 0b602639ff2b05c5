package apply

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile/mark"
	"owlatsync/reconcile/remote"
	"owlatsync/reconcile/step"
)

// errBarred ends an event that is not sent, because no mail may go to the address.
var errBarred = errors.New("no mail may go to the address")

// notice sends the events of a row.
type notice struct{ *row }

// notify sends the events that are due. An event that an earlier run sent without an answer is reported, not repeated (Invariant
// 6).
func (r notice) notify(ctx context.Context) error {
	lost := ""
	for i := 0; i < len(r.e.Events); {
		m := &r.e.Events[i]
		switch m.State {
		case ledger.EventUnknown, ledger.EventSeen:
			i++
			continue
		case ledger.EventSent:
			lost = r.lose(m, lost)
			i++
			continue
		}
		message := r.message(*m)
		if message == nil { // the event is no longer configured
			r.e.Events = slices.Delete(r.e.Events, i, i+1)
			continue
		}
		if err := r.flushFirst(ctx); err != nil {
			return err
		}
		unsent := slices.Clone(r.e.Events)
		err := mark.Call(ctx, mark.Once(func(ctx context.Context) error {
			if barred, err := never(r).barred(ctx); err != nil || barred != "" {
				return cmp.Or(err, errBarred)
			}
			m.State, m.At = ledger.EventSent, r.clock.Now()
			step.See(r.e.Events, *m)
			err := r.flush(ctx)
			if err != nil {
				copy(r.e.Events, unsent)
			}
			return err
		}), func(ctx context.Context) error {
			_, err := r.client.Events.Send(ctx, r.request(message))
			return err
		})
		switch {
		case errors.Is(err, errBarred):
			r.event("event left out", m.Name)
			r.Tell.Events(owlatsync.EventCounts{LeftOut: 1})
			step.See(r.e.Events, *m)
			r.e.Events = slices.Delete(r.e.Events, i, i+1)
		case err == nil:
			r.event("event sent", m.Name)
			r.Tell.Events(owlatsync.EventCounts{Sent: 1})
			r.e.Events = slices.Delete(r.e.Events, i, i+1)
		case owlat.OutcomeUnknown(err):
			lost = r.lose(m, lost)
			r.result.erred = true
			i++
		case remote.IsGone(err) && r.s.Matches:
			r.event("event left out", m.Name)
			r.Tell.Events(owlatsync.EventCounts{LeftOut: 1})
			r.unmatched = true
			r.e.Events = slices.Delete(r.e.Events, i, i+1)
		case remote.IsGone(err):
			copy(r.e.Events, unsent)
			return r.whoIsUnknown(ctx, err)
		default:
			copy(r.e.Events, unsent)
			return err
		}
	}
	if lost != "" { // no later run repeats this failure
		r.result.outcome, r.result.category = owlatsync.Failed, ledger.CategoryEvent
		r.result.reason = fmt.Sprintf("it is not known whether the event %s arrived: its answer was lost, and it is not sent again", lost)
	}
	return nil
}

// lose notes that it is unknown whether an event arrived, and returns the name of the first such event.
func (r notice) lose(m *ledger.EventMark, first string) string {
	m.State = ledger.EventUnknown
	r.event("event unknown", m.Name)
	r.Tell.Events(owlatsync.EventCounts{Unknown: 1})
	if first == "" {
		return m.Name
	}
	return first
}

// whoIsUnknown tells a deleted contact from one whose address was changed in Owlat, because events go by address.
func (r notice) whoIsUnknown(ctx context.Context, notFound error) error {
	switch _, err := remote.Find(ctx, r.client, r.e.ContactID); {
	case remote.IsGone(err):
		r.gone = true
		return nil
	case err != nil:
		return notFound
	}
	return &remote.Failure{Class: ledger.GiveUp, Category: ledger.CategoryAddress, Err: notFound, Reason: "the contact has another address in Owlat than was written, " +
		"and an event goes by address: `owlat-sync verify --repair`, then run"}
}

func (r notice) message(m ledger.EventMark) *step.Message {
	for i := range r.s.Messages {
		if of := &r.s.Messages[i]; of.Name == m.Name && of.On == m.On && of.Column == m.Column {
			return &r.s.Messages[i]
		}
	}
	return nil
}

func (r notice) request(m *step.Message) owlat.SendEventRequest {
	request := owlat.SendEventRequest{Email: r.e.Email, Name: m.Name}
	if len(m.Properties) > 0 {
		request.Properties = make(map[string]any, len(m.Properties))
	}
	for name, value := range m.Properties {
		request.Properties[name] = value
	}
	return request
}
