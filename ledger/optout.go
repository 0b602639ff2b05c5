package ledger

import "time"

// OptOut says that a person left a topic.
type OptOut struct {
	ContactID string
	Topic     string
	At        time.Time
}
