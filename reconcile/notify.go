package reconcile

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat"
)

// EventRule sends an event to Owlat after a row was applied. An event is sent at most once (Invariant 6).
type EventRule struct {
	Name       string
	On         ledger.EventOn
	Properties map[string]string // name in Owlat → name of the row's property
}

const maxEventName = 100

// Without a length in it: compiling repetitions that are counted costs every start of the program.
var eventName = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9_-]*$`)

// ValidEventName reports whether Owlat accepts name as the name of an event.
func ValidEventName(name string) bool {
	return len(name) <= maxEventName && eventName.MatchString(name)
}

func (r EventRule) validate() error {
	if !ValidEventName(r.Name) {
		return fmt.Errorf("the event name %q is not a letter followed by at most 99 letters, digits, _ and -", r.Name)
	}
	if !slices.Contains([]ledger.EventOn{ledger.OnCreated, ledger.OnUpdated, ledger.OnAppears}, r.On) {
		return fmt.Errorf("event %q is on %q, none of %q, %q and %q", r.Name, r.On, ledger.OnCreated, ledger.OnUpdated, ledger.OnAppears)
	}
	return nil
}

// properties keeps the row's properties as the JSON that will be sent.
func properties(row *owlatsync.Row) (map[string]json.RawMessage, error) {
	if len(row.Properties) == 0 {
		return nil, nil
	}
	out := make(map[string]json.RawMessage, len(row.Properties))
	for _, p := range row.Properties {
		value, err := json.Marshal(p.Value)
		if err != nil {
			return nil, fmt.Errorf("the property %s cannot be sent: %w", p.Name, err)
		}
		out[p.Name] = value
	}
	return out, nil
}

// fire notes the events that the outcome makes due, after those that were due before.
func (it *item) fire(rules []EventRule, now time.Time) {
	marks := slices.DeleteFunc(slices.Clone(it.Entry.Events), func(m ledger.EventMark) bool { return m.State == ledger.EventAwaited })
	for _, rule := range rules {
		due := false
		switch it.Outcome {
		case owlatsync.Created:
			due = rule.On == ledger.OnCreated || rule.On == ledger.OnAppears
		case owlatsync.Adopted:
			due = rule.On == ledger.OnAppears && it.OldKey == ""
		case owlatsync.Updated, owlatsync.Renamed:
			due = rule.On == ledger.OnUpdated && it.sets()
		}
		same := func(m ledger.EventMark) bool {
			return m.Name == rule.Name && m.On == rule.On && m.State != ledger.EventUnknown
		}
		if due && !slices.ContainsFunc(marks, same) {
			marks = append(marks, ledger.EventMark{Name: rule.Name, On: rule.On, State: ledger.EventDue, At: now})
		}
	}
	it.Events = marks
}

// awaited returns what is due already and, as awaited, what an update that is about to be sent makes due: no later run could
// tell that the update was the cause.
func (it *item) awaited(due []ledger.EventMark) []ledger.EventMark {
	marks := slices.Clone(it.Events)
	for i, m := range marks {
		same := func(d ledger.EventMark) bool { return d.Name == m.Name && d.On == m.On && d.State == m.State }
		if m.On == ledger.OnUpdated && !slices.ContainsFunc(due, same) {
			marks[i].State = ledger.EventAwaited
		}
	}
	return marks
}

// settleAwaited makes due what awaited an update that took effect, and drops it otherwise.
func settleAwaited(e *ledger.Entry, updated bool) {
	e.Events = slices.DeleteFunc(slices.Clone(e.Events), func(m ledger.EventMark) bool { return m.State == ledger.EventAwaited && !updated })
	for i := range e.Events {
		if e.Events[i].State == ledger.EventAwaited {
			e.Events[i].State = ledger.EventDue
		}
	}
}

// again takes back what is due because a row appears: it was met before, with a contact that is no more.
func (it *item) again() {
	it.Events = slices.DeleteFunc(it.Events, func(m ledger.EventMark) bool { return m.On == ledger.OnAppears && m.State == ledger.EventDue })
}

// pending counts the events that are to be sent or to be reported.
func (it *item) pending() (n int) {
	for _, m := range it.Events {
		if m.State != ledger.EventUnknown {
			n++
		}
	}
	return n
}

// due lists the events that are to be sent.
func (it *item) due() (names []string) {
	for _, m := range it.Events {
		if m.State == ledger.EventDue {
			names = append(names, m.Name)
		}
	}
	return names
}

// sets reports whether the item changes a field of the contact.
func (it *item) sets() bool {
	return slices.ContainsFunc(it.Changes, func(c owlatsync.Change) bool {
		return c.Kind == owlatsync.SetField || c.Kind == owlatsync.RenameContact
	})
}

// notify sends the events that are due. One that was sent by an earlier run and never answered is reported, not repeated.
func (r *rowRun) notify(ctx context.Context) error {
	var lost []string
	for i := 0; i < len(r.e.Events); {
		m := &r.e.Events[i]
		switch m.State {
		case ledger.EventUnknown:
			i++
			continue
		case ledger.EventSent:
			m.State = ledger.EventUnknown
			r.event("event unknown", m.Name)
			lost = append(lost, m.Name)
			i++
			continue
		}
		rule := r.rule(*m)
		if rule == nil { // no longer configured
			r.e.Events = slices.Delete(r.e.Events, i, i+1)
			continue
		}
		m.State, m.At = ledger.EventSent, time.Now()
		if err := r.flush(ctx); err != nil {
			m.State = ledger.EventDue
			return err
		}
		err := call(ctx, func() error {
			_, err := r.client.Events.Send(ctx, r.message(rule))
			return err
		})
		switch {
		case err == nil:
			r.event("event sent", m.Name)
			r.e.Events = slices.Delete(r.e.Events, i, i+1)
		case owlat.OutcomeUnknown(err):
			m.State = ledger.EventUnknown
			r.event("event unknown", m.Name)
			lost = append(lost, m.Name)
			r.it.erred = true
			i++
		case isGone(err):
			m.State = ledger.EventDue
			return r.whoIsUnknown(ctx, err)
		default:
			m.State = ledger.EventDue
			return err
		}
	}
	if len(lost) > 0 {
		r.unsure("event", fmt.Sprintf("it is not known whether the event %s arrived: its answer was lost, and it is not sent again", lost[0]))
	}
	return nil
}

// whoIsUnknown tells a deleted contact from one whose address was changed in Owlat: events go by address.
func (r *rowRun) whoIsUnknown(ctx context.Context, notFound error) error {
	switch _, err := find(ctx, r.client, r.e.ContactID); {
	case isGone(err):
		r.gone = true
		return nil
	case err != nil:
		return notFound
	}
	return &rowError{class: ledger.GiveUp, category: "address", err: notFound, reason: "the contact has another address in Owlat than was written, " +
		"and an event goes by address: `owlat-sync verify --repair`, then run"}
}

func (r *rowRun) rule(m ledger.EventMark) *EventRule {
	for i, rule := range r.sync.Events {
		if rule.Name == m.Name && rule.On == m.On {
			return &r.sync.Events[i]
		}
	}
	return nil
}

func (r *rowRun) message(rule *EventRule) owlat.SendEventRequest {
	ev := owlat.SendEventRequest{Email: r.e.Email, Name: rule.Name}
	if len(rule.Properties) > 0 {
		ev.Properties = make(map[string]any, len(rule.Properties))
	}
	for _, name := range slices.Sorted(maps.Keys(rule.Properties)) {
		if value, ok := r.it.Row.Properties[rule.Properties[name]]; ok {
			ev.Properties[name] = value
		}
	}
	return ev
}

// unsure makes the row's outcome a failure that no later run repeats.
func (r *rowRun) unsure(category, reason string) {
	r.it.Unsure, r.it.Outcome, r.it.Reason = true, owlatsync.Failed, reason
	r.category = category
}
