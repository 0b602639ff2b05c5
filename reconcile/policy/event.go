package policy

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"

	"owlatsync/ledger"
)

// EventRule says which event a row sends to Owlat after it was applied. An event is sent at most once (Invariant 6).
type EventRule struct {
	Name string
	On   ledger.EventOn
	// Column is the property of the row on which OnWhen and OnChanges depend. A row that the sync meets after its first run has said no before.
	// Of OnFact it is when the fact happened: an RFC 3339 time, a date, or the seconds or milliseconds since 1970.
	Column string
	// From and To are texts of values between which OnChanges must find a change; empty: any.
	From, To []string
	// Existing says that what rows say when the rule first sees them fires, too: a yes, or any value of OnChanges that To lets pass.
	Existing   bool
	Properties map[string]string // name in Owlat → name of the row's property
	// Constants has the JSON of properties that are the same in every event: a string, a number, true or false.
	Constants map[string]json.RawMessage
}

const maxEventName = 100

// The pattern has no length: compiling a counted repetition would cost every start of the program.
var eventName = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9_-]*$`)

// ValidEventName reports whether Owlat accepts name as the name of an event.
func ValidEventName(name string) bool {
	return len(name) <= maxEventName && eventName.MatchString(name)
}

// Validate returns an error that says what is wrong with the rule.
func (r EventRule) Validate() error {
	if !ValidEventName(r.Name) {
		return fmt.Errorf("the event name %q is not a letter followed by at most 99 letters, digits, _ and -", r.Name)
	}
	if !r.On.Watches() && !slices.Contains([]ledger.EventOn{ledger.OnCreated, ledger.OnUpdated, ledger.OnAppears}, r.On) {
		return fmt.Errorf("event %q is on %q, none of %q, %q, %q, %q, %q and %q", r.Name, r.On,
			ledger.OnCreated, ledger.OnUpdated, ledger.OnAppears, ledger.OnWhen, ledger.OnChanges, ledger.OnFact)
	}
	switch {
	case r.On.Watches() != (r.Column != ""):
		return fmt.Errorf("event %q is on %q, and its column is %q: only %q, %q and %q have one", r.Name, r.On, r.Column, ledger.OnWhen, ledger.OnChanges, ledger.OnFact)
	case r.On != ledger.OnChanges && len(r.From)+len(r.To) > 0:
		return fmt.Errorf("event %q says from or to what a column changes, and is on %q", r.Name, r.On)
	case r.Existing && (r.On != ledger.OnWhen && r.On != ledger.OnChanges || len(r.From) > 0):
		return fmt.Errorf("event %q is to fire for what rows say already, which only %q does, and %q without a value to come from", r.Name, ledger.OnWhen, ledger.OnChanges)
	}
	for name, value := range r.Constants {
		if _, twice := r.Properties[name]; twice {
			return fmt.Errorf("the property %q of event %q is a column and a constant", name, r.Name)
		}
		if !json.Valid(value) {
			return fmt.Errorf("the constant %q of event %q is no JSON", name, r.Name)
		}
	}
	return nil
}

// Is reports whether the mark is of the rule.
func (r EventRule) Is(m ledger.EventMark) bool {
	return r.Name == m.Name && r.On == m.On && r.Column == m.Column
}

// Fires reports whether a column that said one thing and says another now makes the event due. Both are JSON.
func (r EventRule) Fires(from, to string) bool {
	switch {
	case from == to:
		return false
	case r.On == ledger.OnWhen:
		return to == ledger.SaidYes
	case r.On == ledger.OnFact: // nothing was done about it yet
		return from == ledger.SaidNothing
	}
	return among(r.From, from) && among(r.To, to)
}

// among reports whether a value has one of the texts, or there are none.
func among(texts []string, value string) bool {
	text := value
	if json.Unmarshal([]byte(value), &text) != nil { // what is no text is compared as it is written
		text = value
	}
	return len(texts) == 0 || slices.Contains(texts, text)
}
