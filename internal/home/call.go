package home

import (
	"context"
	"encoding/json"

	"owlatsync/internal/errand"
)

// Call does an errand for somebody who has not the budget of the key, with that of the home; see errand.Carrier.
func (h *Home) Call(ctx context.Context, sealed json.RawMessage) (json.RawMessage, error) {
	h.calls.Add(1)
	defer h.calls.Add(-1)
	carrier, err := errand.NewCarrier(h.session.Client, h.session.Config.Owlat.APIKey.Reveal())
	if err != nil {
		return nil, err
	}
	return carrier.Carry(ctx, sealed)
}
