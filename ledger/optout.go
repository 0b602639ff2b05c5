package ledger

import "time"

// OptOut says that a person left a topic.
type OptOut struct {
	ContactID string
	Topic     string
	At        time.Time
	// Written is when a write-back last wrote the opt-out into a source; zero: never. A no of the row that is seen first after that
	// is its echo.
	Written time.Time
}
