package home

import (
	"context"
	"encoding/json"
	"sync/atomic"

	"owlatsync/internal/setup"
)

// calls are what a home does for those who have not the budget of the key.
type calls struct {
	errands *setup.Errands
	goOn    atomic.Int64 // how many
}

// Call does an errand; see package errand. What is asked for and what comes back is sealed.
func (c *calls) Call(ctx context.Context, sealed json.RawMessage) (json.RawMessage, error) {
	c.goOn.Add(1)
	defer c.goOn.Add(-1)
	return c.errands.Carry(ctx, sealed)
}
