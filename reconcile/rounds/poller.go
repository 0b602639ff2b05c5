// Package rounds looks for people who have left topics without anybody having told it: a round reads the memberships of those who may have left,
// by the links in Owlat's mails, and compares them with what the ledger records.
//
// The idea to know: every way to lose a membership moves the contact's updatedAt. So a round lists the contacts, which takes one request of the
// budget for a hundred, and reads only those whose updatedAt is another than that of the last answer that was seen. What it has read it keeps in
// the ledger at once, so that a round which breaks off is worth what it has done.
package rounds

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile/consent"
	"owlatsync/reconcile/remote"
)

// What a round reads.
const (
	Moved = "moved" // contacts that Owlat says were changed
	All   = "all"   // everybody who was put on a topic
)

// Poller makes rounds.
type Poller struct {
	Client *owlat.Client
	Ledger ledger.Store
	// Acquire takes the lock of the ledger.
	Acquire func(ctx context.Context, claim ledger.Claim) (ledger.Lock, error)
	// Departed durably records that a person has left topics.
	Departed func(ctx context.Context, d consent.Departure) error
	Log      *slog.Logger
}

// Turn lets runs have their turn while a round goes on; see reconcile.Turn.
type Turn interface {
	// Wanted reports whether a run waits for its turn.
	Wanted() bool
	// Yield lets runs have their turn, and returns when the round may go on. The ledger's lock is free meanwhile. An error ends the round.
	Yield(ctx context.Context) error
}

// Options are the options of a round.
type Options struct {
	// All reads everybody who was put on a topic, and not only contacts that Owlat says were changed. That takes nothing of the budget.
	All bool
	// Stop ends the round when it is closed; the next one goes on from there, or costs only what is left.
	Stop <-chan struct{}
	// Turn lets runs have their turn while the round goes on; nil: they wait for its end.
	Turn Turn
	// Tell is told how far the round is; nil: nobody is.
	Tell func(Progress)
}

// Progress is how far a round is.
type Progress struct {
	ledger.RoundCounts     // so far
	Total              int // contacts that are listed, or read of all; 0: not known yet
	Rate               float64
}

// ErrInterrupted ends a round that was asked to stop.
var ErrInterrupted = errors.New("the round was interrupted; the next one goes on from here")

// ErrUntold says that memberships cannot be read: there is no unsubscribe secret, or the deployment refuses it.
var ErrUntold = remote.ErrUntold

// Poll makes a round: it reads the memberships of those who may have left topics, and records who has, as if a webhook had told it. It holds the lock
// as a run does. It goes on with a round that broke off, and returns what is known of rounds then. Where it fails, what it has found is recorded, and
// the returned round says why in Open. Where the key has not the scope contacts:read, everybody is read.
//
// Errors: *ledger.LockedError, *ledger.DeploymentError, ledger.ErrLockLost, ErrUntold, ErrInterrupted, *remote.StoppedError, the context's cause, and
// those of Owlat and the ledger.
func (p Poller) Poll(ctx context.Context, o Options) (kept ledger.Round, err error) {
	h := &held{Poller: p, options: o, claim: ledger.Claim{Purpose: "a look for people who have left", Deployment: p.Client.BaseURL()}, outer: ctx}
	counter := new(remote.Counter)
	look := func(context.Context, owlat.Attempt) error { return h.lock.Check() }
	client, err := p.Client.With(owlat.WithObserver(counter.Observe), owlat.WithBeforeSend(look))
	if err != nil {
		return kept, fmt.Errorf("count the requests of the round: %w", err)
	}
	if h.lock, err = p.Acquire(ctx, h.claim); err != nil {
		return kept, err
	}
	defer func() {
		if released := h.lock.Release(); released != nil {
			err = errors.Join(err, released)
		}
	}()
	ctx, free := context.WithCancelCause(ctx)
	defer free(nil)
	defer remote.Heed(o.Stop, free, ErrInterrupted)()
	if _, _, known := remote.There(client, p.Ledger, p.Ledger.Now()); !known {
		_, _ = p.Client.Health(ctx) // tells the time on Owlat's clock, and costs nothing; without an answer the reading itself tells it
	}
	read := Moved
	if o.All {
		read = All
	}
	kept, err = makeRound(ctx, needs{
		Client: client, Counter: counter, Links: remote.NewLinks(client, 0, nil), Ledger: p.Ledger, Lock: h.lock, Departed: p.Departed, Log: p.Log, Read: read,
		Between: h.between, Tell: o.Tell,
	})
	switch lost := context.Cause(h.lock.Context()); {
	case err == nil:
		p.Log.Info("a look for people who have left ended", "read", kept.Read, "contacts", kept.Contacts, "people", kept.People, "topics", kept.Topics,
			"requests", kept.Requests.Total, "links", kept.Requests.Links, "seconds", kept.Seconds)
	case errors.Is(lost, ledger.ErrLockLost) && errors.Is(err, context.Canceled):
		err = lost
	case !errors.Is(err, ErrUntold):
		err = remote.Stopped(err)
	}
	return kept, err
}

// held is a round with its lock, which it gives back while others have their turn.
type held struct {
	Poller
	options Options
	claim   ledger.Claim
	outer   context.Context
	lock    ledger.Lock
}

// between lets runs have their turn, if one waits.
func (h *held) between(ctx context.Context) (ledger.Lock, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if h.options.Turn == nil || !h.options.Turn.Wanted() {
		return h.lock, nil
	}
	if err := h.lock.Release(); err != nil {
		return nil, err
	}
	if err := h.options.Turn.Yield(ctx); err != nil {
		return nil, err
	}
	claim := h.claim
	claim.Wait = true
	waiting, cancel := context.WithCancelCause(h.outer)
	over := context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })
	lock, err := h.Acquire(waiting, claim)
	if over(); err != nil {
		cancel(nil)
		return nil, err
	}
	h.lock = lock
	return lock, nil
}
