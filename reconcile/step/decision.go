package step

import (
	"fmt"

	"owlatsync"
	"owlatsync/ledger"
)

// Decision is what a plan says about a row, or what became of it.
type Decision struct {
	Key      string // empty for a row without one
	Position string
	Outcome  owlatsync.Outcome
	Reason   string // why the row is not applied; holds no address
	Changes  []owlatsync.Change
	Events   []string // names of the events to be sent
	Requests int      // requests that the changes and events need
	Twin     bool     // an earlier row of the source has the key
	MayExist bool     // the contact to be created may exist already: then it is adopted instead
	Instead  *Instead // the row that counts instead of a duplicate; nil: it is none

	address string
}

// Instead is the row that counts instead of another one.
type Instead struct {
	Key     string `json:"key,omitempty"`     // empty: it may hold an address
	Same    bool   `json:"same,omitempty"`    // it has the same key
	Differs bool   `json:"differs,omitempty"` // the two consent to different topics
}

// NewDecision returns the decision about a row that needs no step.
func NewDecision(key string, position owlatsync.Position, address string, outcome owlatsync.Outcome, reason string) Decision {
	return Decision{Key: key, Position: position.String(), Outcome: outcome, Reason: reason, address: address}
}

// Address returns the row's address. It is personal data: use it only in reports that somebody asked for.
func (d Decision) Address() string { return d.address }

// AddressHash returns a short hash of the row's address for logs, empty if the row has none.
func (d Decision) AddressHash() string {
	if d.address == "" {
		return ""
	}
	return fmt.Sprintf("%08x", uint32(ledger.HashText(owlatsync.LowerAddress(owlatsync.Trim(d.address)))))
}

// PublicKey returns the row's key for logs and errors, empty if the key is or holds an address (Invariant 8).
func (d Decision) PublicKey() string {
	if private(d.Key) {
		return ""
	}
	return d.Key
}

// RowName names another row in a reason: by its key, unless the key may hold an address (Invariant 8).
func RowName(key string) string {
	if private(key) {
		return "another row"
	}
	return "the row with key " + key
}

// Ref names another row as RowName does; the zero value: its key may hold an address.
func Ref(sync, key string) ledger.RowRef {
	if private(key) {
		return ledger.RowRef{}
	}
	return ledger.RowRef{Sync: sync, Key: key}
}
