package cluster

import (
	"context"
	"encoding/json"
	"time"

	"owlatsync/internal/schedule"
	"owlatsync/internal/turns"
	"owlatsync/reconcile/progress"
)

// Deployment is what every node knows of a deployment without opening it.
type Deployment struct {
	Name  string // empty: the only one of a configuration
	Syncs []string
	// Always says that the deployment listens for something, so that it always has a home.
	Always bool
	// Timetable has the syncs that are due by themselves.
	Timetable []schedule.Entry
	// Targets names what is told of feedback.
	Targets []string
	// Chores names those that are done for it.
	Chores []string
}

// Homes opens deployments on this node.
type Homes interface {
	// Open opens the parts of a deployment and begins nothing. The lease is that of the home, and is released by the caller. Ctx is the
	// lease's.
	Open(ctx context.Context, deployment string, lease Lease) (Home, error)
}

// Home is a deployment that is open on this node. Its methods are safe for concurrent use.
type Home interface {
	// Start begins whatever works by itself. Ctx ends when the lease is lost: nothing may be sent to Owlat any more.
	Start(ctx context.Context) error
	// Stop ends runs softly, aborts them when ctx ends, and closes everything. Do and Call return by then, and do nothing any more.
	Stop(ctx context.Context)
	// Do asks for a run and waits until the run that did it has ended. The end of ctx cancels what was asked for. Which rows a request
	// with a number is about is in the ledger.
	Do(ctx context.Context, r turns.Request) turns.Outcome
	// Call does one thing for somebody who has not the home. What it is is between those who call and the home.
	Call(ctx context.Context, request json.RawMessage) (json.RawMessage, error)
	// Cancel makes a run that goes on end softly, and does not wait for that. It fails with a *turns.NotCancellableError if it does not go
	// on here.
	Cancel(ctx context.Context, run int64) error
	// Waiting tells what waits of a sync here.
	Waiting(ctx context.Context, sync string) (turns.Waiting, error)
	// Progress returns how far a run is; ok is false if it does not go on here.
	Progress(run int64) (state progress.State, ok bool)
	// Idle is since when the home has had nothing to do, zero while it has. Listening is nothing to do: see Deployment.Always.
	Idle() time.Time
	// Unheard is what the home awaits an answer from, Owlat or a source, and for how long none has come; 0 if nothing is awaited in vain.
	// Before says that it has answered this home before.
	Unheard() (what string, lasts time.Duration, before bool)
}

// Lease is the right to be the home of a deployment.
type Lease interface {
	// Context ends when the lease is lost or released.
	Context() context.Context
	Epoch() int64
	// Check fails as soon as the lease may be lost.
	Check() error
	Release() error
}

// Leases gives leases out.
type Leases interface {
	// Home takes the lease of a deployment's home. Its error matches ledger.ErrLocked if another has it. The lease does not end with ctx.
	Home(ctx context.Context, deployment string) (Lease, error)
}

// WriteBacks tells the users' own systems what waits for them.
type WriteBacks interface {
	// Pass tells a target what is due, and returns when there is something to be told next, zero for never. It returns when ctx ends.
	Pass(ctx context.Context, deployment, target string) (next time.Time, err error)
}

// Chore is something that one node does at regular times, for all or for each deployment that has it. One of Do and Each is set.
type Chore struct {
	Name  string // unique
	Every time.Duration
	// Within is how long it may take.
	Within time.Duration
	Do     func(ctx context.Context) error
	Each   func(ctx context.Context, deployment string) error
}
