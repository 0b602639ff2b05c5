// Package runform is how stores keep the record of a run: the values of its columns. It is pure.
package runform

import (
	"encoding/json"
	"fmt"
	"owlatsync/ledger"
	"owlatsync/ledger/internal/entry"
	"time"
)

// PartColumn is the place of the part among the columns of Encode.
const PartColumn = 8

// Encode returns the columns of a run that its end replaces, which every store has in this order. JSON is text.
func Encode(r *ledger.Run, heartbeat time.Time) ([]any, error) {
	status := r.Status
	if status == "" {
		status = ledger.StatusRunning
	}
	form := r.PlanForm
	if status != ledger.StatusHeld {
		form = 0
	}
	args := []any{
		string(r.Mode), entry.TimeOrNull(r.Started), entry.TimeOrNull(heartbeat), entry.TimeOrNull(r.Finished), string(r.Stage), string(status), r.Message,
	}
	for _, part := range []struct {
		value any
		none  bool
	}{
		{r.Owner, r.Owner == ledger.Owner{}}, {entry.EncodePart(r.Part), r.Part.Whole()}, {r.Report, r.Report == nil}, {r.Summary, r.Summary == nil},
		{r.Guards, len(r.Guards) == 0},
	} {
		text, err := JSONOrNull(part.value, part.none)
		if err != nil {
			return nil, fmt.Errorf("encode run: %w", err)
		}
		args = append(args, text)
	}
	return append(args, form), nil
}

// JSONOrNull returns the JSON of a value as a text, nil for none.
func JSONOrNull(value any, none bool) (any, error) {
	if none {
		return nil, nil
	}
	text, err := json.Marshal(value)
	return string(text), err
}
