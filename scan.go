package owlatsync

import (
	"context"
	"time"
)

// Scan is one scan of a source that knows when its rows changed: what is asked of it and what it found out.
type Scan struct {
	// Since is the Mark of an earlier scan. Rows that have not changed since are left out; empty: none are.
	Since string
	// Again is called when the changed rows have been read, and names by their keys rows to give although they have not
	// changed, from the same snapshot; then again, until it names none. It may be nil and is not called without Since.
	Again func(context.Context) ([]string, error)

	// From is set before the first row: the value of the cursor from which on rows are given, for people; empty: all rows.
	From string
	// Mark is set at the complete end: what to give to the next scan as Since. It stays empty where no row has a value.
	Mark string
}

// Reading tells how a run reads a source that knows when its rows changed.
type Reading struct {
	Mode     ReadingMode `json:"mode"`
	Reason   string      `json:"reason,omitempty"`   // why all rows are read
	From     string      `json:"from,omitempty"`     // the value of the cursor from which on changed rows are read
	NextFull time.Time   `json:"next_full,omitzero"` // when all rows are to be read again
}

// ReadingMode is how much of a source is read.
type ReadingMode string

const (
	ReadAll     ReadingMode = "full"    // all rows
	ReadChanges ReadingMode = "changes" // rows that changed since a mark: absence says nothing
)
