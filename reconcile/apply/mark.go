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
func (r *row) call(ctx context.Context, mark func(context.Context) error, send func(*owlat.Client) error) error {
	client, err := r.client.With(owlat.WithBeforeSend(func(ctx context.Context, _ owlat.Attempt) error { return mark(ctx) }))
	if err != nil {
		return err
	}
	return remote.Call(ctx, func() error { return send(client) })
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

// owlatTime returns the time on Owlat's clock between two bounds. If no answer has told it, that is this machine's.
func (r *row) owlatTime() (earliest, latest time.Time, known bool) {
	return r.client.ServerTime(time.Now())
}
