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
	// Since is zero where Owlat told the very time. Else the opt-out was found by reading: the person was on the topic at Since, and was not
	// at At.
	Since time.Time
	// Written is when a write-back was last about to write the opt-out into a source; zero: never. A no of the row that is seen first after that
	// is its echo. It stays when a later opt-out is noted.
	Written time.Time
}

// Check returns what is wrong with the opt-out, nil if it is complete.
func (o OptOut) Check() error {
	switch {
	case o.ContactID == "" || o.Topic == "" || o.At.IsZero():
		return errors.New("an opt-out names no contact, no topic or no time")
	case o.Since.After(o.At):
		return errors.New("an opt-out was found before the person was on the topic")
	}
	return nil
}

// Later returns what two opt-outs of the same contact and topic come to: the later one, of two at one time that of which Owlat told.
func (o OptOut) Later(other OptOut) OptOut {
	if other.At.After(o.At) || other.At.Equal(o.At) && other.Since.IsZero() {
		o.At, o.Since = other.At, other.Since
	}
	if other.Written.After(o.Written) {
		o.Written = other.Written
	}
	return o
}
