package home

import (
	"context"
	"encoding/json"
	"fmt"

	"owlatsync/owlat"
)

// Forward makes a request to Owlat for somebody who has not the budget of the key, with that of the home; see owlat.Client.Forward.
func (h *Home) Forward(ctx context.Context, r owlat.Forwarded) (*owlat.Answer, error) {
	h.calls.Add(1)
	defer h.calls.Add(-1)
	return h.session.Client.Forward(ctx, r)
}

// Call is Forward for a request and an answer in JSON: those of owlat.Forwarded and owlat.Answer.
func (h *Home) Call(ctx context.Context, request json.RawMessage) (json.RawMessage, error) {
	var r owlat.Forwarded
	if err := json.Unmarshal(request, &r); err != nil {
		return nil, fmt.Errorf("read a request for Owlat: %w", err)
	}
	answer, err := h.Forward(ctx, r)
	if err != nil {
		return nil, err
	}
	return json.Marshal(answer)
}
