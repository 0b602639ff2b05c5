package plan

import (
	"encoding/json"
	"slices"
	"time"

	"owlatsync/ledger"
	"owlatsync/reconcile/policy"
	"owlatsync/reconcile/step"
)

// sighted returns a row's marks with what each watched column said before, for rules whose column the ledger has not seen. Met says that
// the source did not have the row when it was last read, so that it has said no.
func sighted(rules []policy.EventRule, marks []ledger.EventMark, r *step.Row, met bool, now time.Time) []ledger.EventMark {
	watching := 0
	for _, rule := range rules {
		if !rule.On.Watches() {
			continue
		}
		says := r.Said(watching)
		watching++
		if says == "" || slices.ContainsFunc(marks, func(m ledger.EventMark) bool { return rule.Is(m) && m.State == ledger.EventSeen && m.Value != "" }) {
			continue
		}
		known := slices.ContainsFunc(marks, func(m ledger.EventMark) bool { return rule.Is(m) && m.State == ledger.EventSeen })
		switch {
		case known: // the ledger was set back: nobody knows what was sent
		case rule.On == ledger.OnWhen && (met || rule.Existing):
			says = ledger.SaidNo
		case rule.On == ledger.OnChanges && rule.Existing, rule.On == ledger.OnFact && met:
			says = ledger.SaidNothing
		}
		marks = slices.DeleteFunc(slices.Clone(marks), func(m ledger.EventMark) bool { return rule.Is(m) && m.State == ledger.EventSeen })
		marks = append(marks, ledger.EventMark{Name: rule.Name, On: rule.On, Column: rule.Column, State: ledger.EventSeen, Value: says, At: now})
	}
	return marks
}

// watch adds to the marks of a row the event of a rule that watches a column, if what it says now makes it due. Otherwise the mark of what
// the column said changes. An event that was due and not sent is decided anew, so that only the last value counts.
func watch(rule policy.EventRule, marks []ledger.EventMark, says string, now time.Time) []ledger.EventMark {
	marks = slices.DeleteFunc(marks, func(m ledger.EventMark) bool { return rule.Is(m) && m.State == ledger.EventDue })
	at := slices.IndexFunc(marks, func(m ledger.EventMark) bool { return rule.Is(m) && m.State == ledger.EventSeen })
	if says == "" || at < 0 || marks[at].Value == says {
		return marks
	}
	if rule.Fires(marks[at].Value, says) {
		return append(marks, ledger.EventMark{Name: rule.Name, On: rule.On, Column: rule.Column, State: ledger.EventDue, Value: says, At: now})
	}
	marks[at].Value, marks[at].At = says, now
	return marks
}

// The properties of an event on a change, unless the rule has its own of these names.
const (
	propertyOld = "old"
	propertyNew = "new"
)

// turned returns the properties that tell what the column said before and says now.
func turned(m ledger.EventMark, marks []ledger.EventMark) map[string]json.RawMessage {
	if m.On != ledger.OnChanges {
		return nil
	}
	before := ledger.SaidNothing
	for _, seen := range marks {
		if seen.Of(m) && seen.State == ledger.EventSeen {
			before = seen.Value
		}
	}
	return map[string]json.RawMessage{propertyOld: json.RawMessage(before), propertyNew: json.RawMessage(m.Value)}
}
