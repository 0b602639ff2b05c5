package render

import (
	"fmt"
	"time"

	"owlatsync"
	"owlatsync/internal/config"
	"owlatsync/internal/words"
	"owlatsync/ledger"
)

// readingWords says how a run reads a source with a cursor.
func readingWords(r *owlatsync.Reading, cursor string) string {
	if r.Mode == owlatsync.ReadAll {
		return "all rows: " + r.Reason
	}
	if r.Mode == owlatsync.ReadKeys {
		return fmt.Sprintf("only %s by key, and those that hold their addresses", owlatsync.Counted(r.Keys, "row"))
	}
	return fmt.Sprintf("only what changed, from %s %s on; all rows again from %s", cursor, r.From, words.Clock(r.NextFull))
}

// readingStatus says how far a sync with a cursor has read its source.
type readingStatus struct {
	Cursor   string     `json:"cursor"`
	NextFull *time.Time `json:"next_full,omitempty"` // absent: the next run reads all rows
	Again    int        `json:"again"`               // unchanged rows that are read again because they are out of step
}

// newReadingStatus returns how far the sync has read, nil for a sync without a cursor.
func newReadingStatus(sync config.Sync, b ledger.Bookmark) *readingStatus {
	if sync.Cursor.Column == "" {
		return nil
	}
	r := &readingStatus{Cursor: sync.Cursor.Column, Again: len(b.Again)}
	if next := b.NextFull(sync.FullEvery); !next.IsZero() {
		r.NextFull = &next
	}
	return r
}

func (r *readingStatus) words() string {
	if r.NextFull == nil || !time.Now().Before(*r.NextFull) {
		return fmt.Sprintf("the next run reads all rows; those after it only what changed by %s", r.Cursor)
	}
	text := fmt.Sprintf("runs read only what changed by %s; all rows again from %s", r.Cursor, words.Clock(*r.NextFull))
	if r.Again > 0 {
		text += fmt.Sprintf("; %s not in step and read each time", words.Several(r.Again, "row is", "rows are"))
	}
	return text
}
