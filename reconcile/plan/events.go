package plan

import (
	"encoding/json"
	"slices"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/policy"
	"owlatsync/reconcile/step"
)

// due returns the events of a row as they are once the row is in step: those of before, and those that the step's outcome makes
// due. Again says that the row was met before with a contact that no longer exists, so that it does not appear anew.
func due(rules []policy.EventRule, before []ledger.EventMark, r *step.Row, s *step.Step, again bool, now time.Time) []ledger.EventMark {
	marks := slices.DeleteFunc(ledger.OfEvents(before), func(m ledger.EventMark) bool {
		return m.State == ledger.EventAwaited || (m.State == ledger.EventDue || m.State == ledger.EventSeen) && ruleOf(rules, m) == nil
	})
	watching := 0
	for _, rule := range rules {
		if rule.On.Watches() {
			marks = watch(rule, marks, r.Said(watching), now)
			watching++
			continue
		}
		same := func(m ledger.EventMark) bool {
			return m.Name == rule.Name && m.On == rule.On && m.State != ledger.EventUnknown
		}
		if makesDue(s, rule.On) && !slices.ContainsFunc(marks, same) {
			marks = append(marks, ledger.EventMark{Name: rule.Name, On: rule.On, State: ledger.EventDue, At: now})
		}
	}
	if again {
		marks = slices.DeleteFunc(marks, func(m ledger.EventMark) bool { return m.On == ledger.OnAppears && m.State == ledger.EventDue })
	}
	return marks
}

// undue returns the marks without those of events that are not sent yet. What made them due counts as acted on.
func undue(marks []ledger.EventMark) []ledger.EventMark {
	for _, m := range marks {
		if m.State == ledger.EventDue {
			step.See(marks, m)
		}
	}
	return slices.DeleteFunc(marks, func(m ledger.EventMark) bool { return m.State == ledger.EventDue })
}

func makesDue(s *step.Step, on ledger.EventOn) bool {
	switch s.Outcome {
	case owlatsync.Created:
		return on == ledger.OnCreated || on == ledger.OnAppears
	case owlatsync.Adopted:
		return on == ledger.OnAppears
	case owlatsync.Updated, owlatsync.Renamed:
		return on == ledger.OnUpdated && s.Sets()
	}
	return false
}

func ruleOf(rules []policy.EventRule, m ledger.EventMark) *policy.EventRule {
	for i := range rules {
		if rules[i].Is(m) {
			return &rules[i]
		}
	}
	return nil
}

// messages returns the messages of the events that are due.
func messages(rules []policy.EventRule, marks []ledger.EventMark, r *step.Row) (all []step.Message) {
	for _, m := range marks {
		rule := ruleOf(rules, m)
		if m.State != ledger.EventDue || rule == nil {
			continue
		}
		message := step.Message{Name: m.Name, On: m.On, Column: m.Column, Properties: turned(m, marks)}
		put := func(name string, value json.RawMessage) {
			if message.Properties == nil {
				message.Properties = make(map[string]json.RawMessage, len(rule.Properties)+len(rule.Constants))
			}
			message.Properties[name] = value
		}
		for name, value := range rule.Constants {
			put(name, value)
		}
		for name, column := range rule.Properties {
			if value, ok := r.Properties[column]; ok {
				put(name, value)
			}
		}
		all = append(all, message)
	}
	return all
}
