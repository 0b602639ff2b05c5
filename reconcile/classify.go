package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"owlatsync/ledger"
	"owlatsync/owlat"
)

// rowError is a failure that the engine itself has understood.
type rowError struct {
	class    ledger.Class
	category string
	reason   string
	err      error
}

func (e *rowError) Error() string { return e.reason }
func (e *rowError) Unwrap() error { return e.err }

// outage reports whether the failure speaks of the deployment rather than of the row.
func (e *rowError) outage() bool {
	switch e.category {
	case "network", "timeout", "answer", string(owlat.CategoryInternal), string(owlat.CategoryRateLimited):
		return true
	}
	return false
}

// classify is the one place that decides what a failed call means. The reason holds no address.
func classify(err error) *rowError {
	if known, ok := errors.AsType[*rowError](err); ok {
		return known
	}
	re := &rowError{class: ledger.RetryLater, category: "network", reason: err.Error(), err: err}
	answer, answered := errors.AsType[*owlat.Error](err)
	switch {
	case errors.Is(err, owlat.ErrNoRoute), errors.Is(err, owlat.ErrRedirect):
		re.class, re.category = ledger.StopRun, "route"
	case answered:
		re.category = string(answer.Category)
		switch {
		case errors.Is(err, owlat.ErrUnauthenticated), errors.Is(err, owlat.ErrLimitReached), errors.Is(err, owlat.ErrForbidden):
			re.class = ledger.StopRun
		case errors.Is(err, owlat.ErrRateLimited), errors.Is(err, owlat.ErrInvalidInput), answer.StatusCode >= 500:
			re.class = ledger.RetryLater
		default:
			re.class = ledger.GiveUp
		}
	case errors.Is(err, owlat.ErrParse):
		re.category = "answer"
	case errors.Is(err, owlat.ErrTimeout):
		re.category = "timeout"
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		re.category = "interrupted"
	}
	return re
}

// StoppedError says that a run was ended because no request would pass: the key or a scope was refused, or the base URL
// does not lead to Owlat.
type StoppedError struct{ Err error }

func (e *StoppedError) Error() string { return fmt.Sprintf("the run was stopped: %v", e.Err) }

// Unwrap returns the refusal, an *owlat.Error.
func (e *StoppedError) Unwrap() error { return e.Err }

// stopped turns an error that would meet every request into a *StoppedError and returns others as they are.
func stopped(err error) error {
	if classify(err).class == ledger.StopRun {
		return &StoppedError{Err: err}
	}
	return err
}

// ErrInterrupted ends a run that was asked to stop; what was in flight is finished and recorded.
var ErrInterrupted = errors.New("the run was interrupted; the next one goes on from here")

// ErrUnavailable ends a run in which so many requests in a row failed that the rest would too.
var ErrUnavailable = errors.New("the deployment does not answer")

// limitedTries is how often a call that only met the rate limit is repeated: it had no effect, and somebody else may be
// using the key.
const limitedTries = 20

// call repeats what only met the rate limit.
func call(ctx context.Context, send func() error) error {
	var err error
	for range limitedTries {
		if err = send(); !errors.Is(err, owlat.ErrRateLimited) || ctx.Err() != nil {
			break
		}
	}
	return err
}

const (
	maxAttempts = 8 // after which a row is parked
	longestWait = 24 * time.Hour
)

// fail returns the failure of a row's further attempt. The second attempt may come at once, those after it wait twice as
// long each.
func fail(before *ledger.Failure, print ledger.Fingerprint, re *rowError, status int, now time.Time) *ledger.Failure {
	f := &ledger.Failure{Class: re.class, Category: re.category, Status: status, Reason: re.reason, First: now, Last: now, Fingerprint: print}
	if before != nil && before.Fingerprint == print {
		f.First, f.Attempts = before.First, before.Attempts
	}
	f.Attempts++
	f.NextTry = now
	if f.Attempts > 1 {
		f.NextTry = now.Add(min(time.Minute<<(f.Attempts-2), longestWait))
	}
	f.Parked = re.class == ledger.GiveUp || f.Attempts >= maxAttempts
	return f
}
