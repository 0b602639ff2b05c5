package entry

import (
	"encoding/json"
	"fmt"
	"slices"

	"owlatsync/ledger"
)

// marks are what is kept of an entry whose fields have marks. Of others the list of the events alone is kept, as it was before fields had any.
type marks struct {
	Events []ledger.EventMark `json:"events,omitempty"`
	Fields []ledger.FieldMark `json:"fields"`
}

// EncodeMarks returns the JSON of the marks of events and fields of an entry, nil if there are none.
func EncodeMarks(e *ledger.Entry) ([]byte, error) {
	if len(e.Events) == 0 && len(e.FieldMarks) == 0 {
		return nil, nil
	}
	events, fields := slices.Clone(e.Events), slices.Clone(e.FieldMarks)
	for i := range events {
		events[i].At = events[i].At.UTC()
	}
	for i := range fields {
		fields[i].At = fields[i].At.UTC()
	}
	value := any(events)
	if len(fields) > 0 {
		value = marks{events, fields}
	}
	text, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("encode the marks of an entry: %w", err)
	}
	return text, nil
}

// DecodeMarks takes what EncodeMarks returned into an entry.
func DecodeMarks(text []byte, e *ledger.Entry) error {
	if len(text) == 0 {
		return nil
	}
	var err error
	if text[0] == '[' {
		err = json.Unmarshal(text, &e.Events)
	} else {
		var m marks
		err = json.Unmarshal(text, &m)
		e.Events, e.FieldMarks = m.Events, m.Fields
	}
	if err != nil {
		return fmt.Errorf("%w (the events of an entry cannot be read)", ledger.ErrCorrupt)
	}
	return nil
}
