package owlatsync

import (
	"context"
	"time"
)

// Scan is one scan of a source that knows when its rows changed: what it is asked and what it found out.
type Scan struct {
	// Since is the Mark of an earlier scan. Rows that have not changed since are left out; empty means that no row is.
	Since string
	// Again is called after the changed rows have been read. It returns the keys of rows to read from the same snapshot although
	// they have not changed. It is called again until it returns no keys. It may be nil, and is not called without Since.
	Again func(context.Context) ([]string, error)

	// From is set before the first row, for people: the value of the cursor from which on rows are read; empty means all rows.
	From string
	// Mark is set at the complete end: the Since of the next scan. It stays empty if no row has a value.
	Mark string
}

// Reading tells how a run reads a source that knows when its rows changed, or that it asks for single rows.
type Reading struct {
	Mode     ReadingMode `json:"mode"`
	Reason   string      `json:"reason,omitempty"`   // why all rows are read
	From     string      `json:"from,omitempty"`     // value of the cursor from which on rows are read
	Keys     int         `json:"keys,omitempty"`     // how many rows were asked for by key
	NextFull time.Time   `json:"next_full,omitzero"` // when a run must read all rows again
}

// ReadingMode says how much of a source is read.
type ReadingMode string

const (
	ReadAll     ReadingMode = "full"    // all rows
	ReadChanges ReadingMode = "changes" // rows that changed since a mark: absence says nothing
	ReadKeys    ReadingMode = "keys"    // rows that were asked for by key: absence says nothing
)
