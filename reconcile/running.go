package reconcile

import (
	"sync"

	"owlatsync/reconcile/progress"
)

// running knows the runs of an engine that go on.
type running struct {
	mu      sync.Mutex
	tellers map[string]*progress.Teller // by sync
}

// state returns the state of the sync's run; ok is false if none goes on.
func (r *running) state(sync string) (s progress.State, ok bool) {
	r.mu.Lock()
	t := r.tellers[sync]
	r.mu.Unlock()
	if t == nil {
		return s, false
	}
	return t.State(), true
}

// goesOn registers the run of a sync until rest is called. A run that has lost its lock may end after its successor began.
func (r *running) goesOn(sync string, t *progress.Teller) (rest func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tellers[sync] = t
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.tellers[sync] == t {
			delete(r.tellers, sync)
		}
	}
}
