package ledger

import (
	"errors"
	"time"
)

// OptOut says that a person left a topic.
type OptOut struct {
	ContactID string
	Topic     string
	At        time.Time
	// Written is when a write-back was last about to write the opt-out into a source; zero: never. A no of the row that is seen first after that
	// is its echo. It stays when a later opt-out is noted.
	Written time.Time
}

// Check returns what is missing in the opt-out, nil if it is complete.
func (o OptOut) Check() error {
	if o.ContactID == "" || o.Topic == "" || o.At.IsZero() {
		return errors.New("an opt-out names no contact, no topic or no time")
	}
	return nil
}

// Later returns what two opt-outs of the same contact and topic come to: the later of their times.
func (o OptOut) Later(other OptOut) OptOut {
	if other.At.After(o.At) {
		o.At = other.At
	}
	if other.Written.After(o.Written) {
		o.Written = other.Written
	}
	return o
}
