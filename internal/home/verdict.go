package home

import (
	"context"
	"errors"
	"log/slog"

	"owlatsync/internal/exitcode"
	"owlatsync/internal/problem"
	"owlatsync/ledger"
	"owlatsync/reconcile"
)

// mayPass reports whether a run failed for a reason that may pass by itself, so that it is made again soon. What a guard holds, what
// Owlat refuses and what is configured wrongly waits for a person.
func mayPass(ctx context.Context, err error) bool {
	if err == nil || ctx.Err() != nil || errors.Is(err, ledger.ErrLocked) {
		return false
	}
	if errors.Is(err, ledger.ErrRunEnded) || errors.Is(err, ledger.ErrNoRun) || errors.Is(err, reconcile.ErrOldPlan) || errors.Is(err, reconcile.ErrNotHeld) {
		return false
	}
	switch exitcode.Of(err) {
	case exitcode.Held, exitcode.Interrupted, exitcode.Usage, exitcode.Refused:
		return false
	}
	return true
}

// hintOf returns what the log says about what to do, nothing if the error does not know.
func hintOf(err error) slog.Attr {
	if hint := problem.HintOf(err); hint != "" {
		return slog.String("hint", hint)
	}
	return slog.Attr{}
}
