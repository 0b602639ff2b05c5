package ledger

import (
	"slices"
	"time"

	"owlatsync"
)

// FieldMark is what is remembered of a field of a contact beside its value, where a sync may not overwrite it in any case. A field without
// a mark holds what the sync last wrote there, or nothing, and no row was refused anything. Of addresses Sent and Row have hashes.
type FieldMark struct {
	Field string `json:"field"` // "email" or the name of a ContactField
	// Theirs says that Owlat holds what the sync did not write: somebody changed it there, or it was there before the sync.
	Theirs bool `json:"theirs,omitempty"`
	// Sent is what a request was about to write when the entry was last recorded, and whose outcome is not known; nil: there is none.
	Sent *string `json:"sent,omitempty"`
	// Row is what the row says in place of the value that was kept, and that was told; nil: the row says nothing else.
	Row *string             `json:"row,omitempty"`
	Why owlatsync.Overwrite `json:"why,omitempty"` // of Row: why the value was kept
	At  time.Time           `json:"at,omitzero"`   // of Row: when it was first kept
}

// Keeps reports whether the value that Owlat holds is kept although the row says something else.
func (m FieldMark) Keeps() bool { return m.Row != nil }

// EventKept is the line in the history of a row whose contact keeps what Owlat holds in some fields. Its note names them, with ", " between.
const EventKept = "kept"

// FieldMark returns the mark of a field, the zero value but for the name if there is none.
func (e *Entry) FieldMark(field string) FieldMark {
	for _, m := range e.FieldMarks {
		if m.Field == field {
			return m
		}
	}
	return FieldMark{Field: field}
}

// MarkField sets the mark of a field; one that says nothing is dropped. Copies of the entry keep theirs.
func (e *Entry) MarkField(m FieldMark) {
	e.FieldMarks = slices.DeleteFunc(slices.Clone(e.FieldMarks), func(was FieldMark) bool { return was.Field == m.Field })
	if m.Theirs || m.Sent != nil || m.Row != nil {
		e.FieldMarks = append(e.FieldMarks, m)
	}
	if len(e.FieldMarks) == 0 {
		e.FieldMarks = nil
	}
}
