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
	Name       string
	On         ledger.EventOn
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
	if !slices.Contains([]ledger.EventOn{ledger.OnCreated, ledger.OnUpdated, ledger.OnAppears}, r.On) {
		return fmt.Errorf("event %q is on %q, none of %q, %q and %q", r.Name, r.On, ledger.OnCreated, ledger.OnUpdated, ledger.OnAppears)
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
