package home

import (
	"context"
	"encoding/json"
)

// Call has a request to Owlat sent for somebody who has not the budget of the key, with that of the home. What is asked for and what
// comes back is sealed; see errand.Carrier.Carry.
func (h *Home) Call(ctx context.Context, sealed json.RawMessage) (json.RawMessage, error) {
	h.calls.Add(1)
	defer h.calls.Add(-1)
	return h.carrier.Carry(ctx, sealed)
}
