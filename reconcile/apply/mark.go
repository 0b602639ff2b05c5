package apply

import (
	"context"
	"time"

	"owlatsync/owlat"
	"owlatsync/reconcile/remote"
)

// call makes a request that is in doubt until it is answered, once more after an answer that says only that the limit was met. mark
// records that, before every attempt: when the request has its place in the budget, and before its bytes go out. So what waits for
// its turn when the run ends in any way was not sent for certain. If mark fails, nothing is sent.
func (r *row) call(ctx context.Context, mark func(context.Context) error, send func(context.Context) error) error {
	ctx = context.WithValue(ctx, markKey{}, mark)
	return remote.Call(ctx, func() error { return send(ctx) })
}

// markKey is the key under which the context of a request has its mark.
type markKey struct{}

// beforeSend makes the mark of a request that has one.
func beforeSend(ctx context.Context, _ owlat.Attempt) error {
	if mark, has := ctx.Value(markKey{}).(func(context.Context) error); has {
		return mark(ctx)
	}
	return nil
}

// once is for a mark that further attempts need not make again.
func once(mark func(context.Context) error) func(context.Context) error {
	made := false
	return func(ctx context.Context) error {
		if made {
			return nil
		}
		err := mark(ctx)
		made = err == nil
		return err
	}
}

// flushFirst makes durable what Owlat has confirmed for the row, because the next request may wait long for its turn. Where nothing
// waits, the mark of that request does it.
func (r *row) flushFirst(ctx context.Context) error {
	if rate, _ := r.client.Rate(); len(r.pending) == 0 || rate == 0 {
		return nil
	}
	return r.flush(ctx)
}

// now returns the time on Owlat's clock, as far as that is known.
func (r *row) now() time.Time {
	_, latest, _ := r.owlatTime()
	return latest
}

// askTimeout is how long a run waits to be told the time.
const askTimeout = 5 * time.Second

// askTime asks for the time on Owlat's clock if no answer has told it. That costs nothing of the budget.
func (r *row) askTime(ctx context.Context) {
	if _, _, known := r.owlatTime(); !known {
		r.askOwlat(ctx)
	}
}

func (r *row) askOwlat(ctx context.Context) {
	if client, err := r.client.With(owlat.WithRetries(0), owlat.WithTimeout(askTimeout)); err == nil {
		_, _ = client.Health(context.WithValue(ctx, markKey{}, nil)) // without an answer the time stays unknown
	}
}

// date puts the times of the plan on Owlat's clock, if the plan could not and that is known now.
func (r *row) date() {
	if r.Undated.IsZero() {
		return
	}
	earliest, _, known := remote.There(r.client, r.Ledger, r.Undated)
	for i := range r.e.Memberships {
		if m := &r.e.Memberships[i]; known {
			if m.At.Equal(r.Undated) {
				m.At = earliest
			}
			if m.Renewed.Equal(r.Undated) {
				m.Renewed = earliest
			}
		}
	}
}

// owlatTime returns the time on Owlat's clock between two bounds. If no answer has told it, that is the ledger's.
func (r *row) owlatTime() (earliest, latest time.Time, known bool) {
	return remote.There(r.client, r.Ledger, r.Ledger.Now())
}
