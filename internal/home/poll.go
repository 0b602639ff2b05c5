package home

import (
	"context"
	"errors"
	"time"

	"owlatsync/internal/feedback"
	"owlatsync/internal/setup"
	"owlatsync/internal/turns"
	"owlatsync/reconcile/rounds"
)

// roundLooked is how often a home looks at most whether a round is due: the configuration and the clock may be set.
const roundLooked = 30 * time.Second

// poller looks for people who have left.
type poller struct{ *Home }

// poll looks for people who have left, whenever a round is due, between runs.
func (h poller) poll(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		wait := h.untilRound(ctx)
		if wait <= 0 {
			h.round(ctx)
			wait = min(h.d.Config().Feedback.Every, roundLooked) // it may have failed to begin
		}
		timer.Reset(min(wait, roundLooked))
	}
}

// untilRound returns how long it is until a round is due, and roundLooked where none will be or that is not known.
func (h poller) untilRound(ctx context.Context) time.Duration {
	every := h.d.Config().Feedback.Every
	if every == 0 {
		return roundLooked
	}
	kept, err := h.session.Ledger.Round(ctx)
	if err != nil {
		return roundLooked
	}
	now := h.session.Ledger.Now()
	return setup.RoundDue(kept, every, now).Sub(now)
}

// round makes a round when its turn among the runs has come.
func (h poller) round(ctx context.Context) {
	err := turns.Aside{Queue: h.syncs.queue}.Do(ctx, func(work context.Context, j *turns.Job) error {
		_, err := h.session.Poll(work, rounds.Options{All: h.d.Config().Feedback.All, Stop: j.Stop, Turn: j})
		return err
	})
	switch {
	case err == nil, ctx.Err() != nil, rounds.IsPause(err), errors.Is(err, turns.ErrEnding):
	default:
		h.log.WarnContext(ctx, "nobody knows who has left since the last round: it did not come to its end, and is tried again", "error", err, hintOf(err))
	}
	if h.outbox != nil {
		h.outbox.wake()
	}
}

// opener returns the opener of the home's session: what is found goes to the write-backs of the present configuration, and is told as a webhook is.
func (h poller) opener() setup.Opener {
	opener := h.o.Opener
	opener.Attempt = h.attempt
	opener.Routes = func() []feedback.Route { return setup.RoutesOf(h.d.Config()) }
	opener.Found = func(t feedback.Taken) { ears{h.d}.heard(t) }
	return opener
}
