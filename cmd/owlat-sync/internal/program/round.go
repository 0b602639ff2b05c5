package program

import (
	"context"
	"errors"

	"owlatsync/internal/exitcode"
	"owlatsync/internal/render"
	"owlatsync/internal/setup"
	"owlatsync/ledger"
	"owlatsync/reconcile/rounds"
)

// Round looks for people who have left, until stop is closed, and shows what it found. Quiet shows it only if somebody has left. The error is told to
// the caller alone.
func (a *App) Round(ctx context.Context, s *setup.Session, stop <-chan struct{}, all, quiet bool) error {
	kept, err := s.Poll(ctx, rounds.Options{All: all, Stop: stop})
	if errors.Is(err, rounds.ErrInterrupted) {
		err = exitcode.With(exitcode.Interrupted, err)
	}
	_, failed := errors.AsType[*ledger.LockedError](err)
	if failed || quiet && (err != nil || kept.People == 0) {
		return err
	}
	return errors.Join(err, render.Round(a.To(), kept))
}
