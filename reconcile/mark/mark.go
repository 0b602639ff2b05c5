// Package mark records that a request is about to be sent: when it has its place in the budget, and before its bytes go out. So what
// waits for its turn when a run ends in any way was not sent for certain.
package mark

import (
	"context"

	"owlatsync/owlat"
	"owlatsync/reconcile/remote"
)

// Call makes a request that is in doubt until it is answered, once more after an answer that says only that the limit was met. mark records
// that, before every attempt; if it fails, nothing is sent. The client of the request must have Before.
func Call(ctx context.Context, mark func(context.Context) error, send func(context.Context) error) error {
	ctx = context.WithValue(ctx, key{}, mark)
	return remote.Call(ctx, func() error { return send(ctx) })
}

// key is the key under which the context of a request has its mark.
type key struct{}

// Before makes the mark of a request that has one. It is for owlat.WithBeforeSend.
func Before(ctx context.Context, _ owlat.Attempt) error {
	if mark, has := ctx.Value(key{}).(func(context.Context) error); has {
		return mark(ctx)
	}
	return nil
}

// Once is for a mark that further attempts need not make again.
func Once(mark func(context.Context) error) func(context.Context) error {
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

// None returns the context of a request that has no mark, although it is sent while another one is marked.
func None(ctx context.Context) context.Context { return context.WithValue(ctx, key{}, nil) }
