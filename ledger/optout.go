package ledger

import "time"

// OptOut is that a person left a topic.
type OptOut struct {
	ContactID string
	Topic     string
	At        time.Time
}
