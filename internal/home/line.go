package home

import (
	"context"
	"time"

	"owlatsync/internal/api"
	"owlatsync/internal/setup"
	"owlatsync/internal/turns"
	"owlatsync/reconcile/progress"
)

// Line is the way to the home of a deployment, wherever that is. A *Home is the one of its own process. Its methods are safe for
// concurrent use.
type Line interface {
	// Desk takes what people ask for by name.
	api.Desk
	// Due says that deliveries of write-backs may be due. It never blocks.
	Due()
	// Waiting tells what waits of a sync, and what goes on.
	Waiting(ctx context.Context, sync string) (turns.Waiting, error)
	// Next returns when the schedule has the next run of a sync; zero: never, or it is not known.
	Next(sync string) time.Time
	// Progress returns how far a run is; ok is false if it does not go on, or nothing is known of it here.
	Progress(run int64) (state progress.State, ok bool)
	// Alive returns why what is asked for is not done, nil if it is. The reason holds no secret and no address.
	Alive(ctx context.Context) error
}

var (
	_ Line     = (*Home)(nil)
	_ api.Desk = typing{}
)

// typing is the desk for people, who type keys in any form.
type typing struct {
	Line
	d *Deployment
}

// Trigger implements api.Desk.
func (t typing) Trigger(ctx context.Context, sync string, o turns.Options) (int64, error) {
	if s := t.d.Config().Sync(sync); s != nil {
		o.Part.Only = setup.RowKeys(*s, o.Part.Only)
	}
	return t.Line.Trigger(ctx, sync, o)
}
