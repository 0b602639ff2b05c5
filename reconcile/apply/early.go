package apply

import (
	"context"
)

// early is the part of a step that comes before its turn: consents that a row withdraws, and opt-outs.
type early struct{ *row }

// ended keeps what became of the part of a step that comes before its turn.
func (r early) ended(ctx context.Context, err error) {
	if err == nil {
		r.health(nil)
		r.mu.Lock()
		r.run.movedAt[r.s.Row.Key] = r.movedAt
		r.mu.Unlock()
		return
	}
	f, _ := setback(r).keepFailure(ctx, err)
	r.mu.Lock()
	r.withdrawn[r.s.Row.Key] = f
	r.mu.Unlock()
}

// reread reads the entry again if the row's early withdrawal has changed it.
func (r early) reread(ctx context.Context) error {
	if !r.s.WithdrawsEarly() {
		return nil
	}
	r.mu.Lock()
	r.movedAt = r.run.movedAt[r.s.Row.Key]
	r.mu.Unlock()
	entries, err := r.Ledger.Entries(ctx, r.Sync, []string{r.s.Row.Key})
	if err != nil {
		return r.readFailed(err)
	}
	if e := entries[r.s.Row.Key]; e != nil {
		r.e = e
		if e.ContactID != r.s.Entry.ContactID {
			heir(r).followed()
		}
	}
	return nil
}
