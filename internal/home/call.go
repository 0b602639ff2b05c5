package home

import (
	"context"
	"encoding/json"
)

// Call does an errand for somebody who has not the budget of the key; see package errand. What it is asked for and answers is sealed.
func (h *Home) Call(ctx context.Context, sealed json.RawMessage) (json.RawMessage, error) {
	h.calls.Add(1)
	defer h.calls.Add(-1)
	return h.errands.Carry(ctx, sealed)
}
