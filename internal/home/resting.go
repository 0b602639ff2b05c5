package home

import (
	"context"
	"sync"
	"time"
)

// resting knows since when a home has had nothing to do. It is safe for concurrent use.
type resting struct {
	mu   sync.Mutex
	from time.Time // zero: it has
}

// since takes in whether the home has something to do, and returns since when it has not.
func (r *resting) since(busy bool) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case busy:
		r.from = time.Time{}
	case r.from.IsZero():
		r.from = time.Now()
	}
	return r.from
}

// restLooked is how often a home looks whether it has something to do.
const restLooked = time.Second

// rest looks, for a home of a cluster: nobody may ask while something is done.
func (h *Home) rest(ctx context.Context) {
	if !h.o.Shared {
		return
	}
	ticker := time.NewTicker(restLooked)
	defer ticker.Stop()
	for {
		h.Idle()
		h.hearing.look(ctx, h.d.Config().Syncs, time.Now())
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
