// Package remote has what the engine knows about calls to Owlat: what a failed call means for a row and for the run, when a call is
// repeated, and how contacts are read and listed.
package remote

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"owlatsync/ledger"
	"owlatsync/owlat"
)

// Failure is a failed call and what it means.
type Failure struct {
	Class    ledger.Class
	Category ledger.Category
	Reason   string        // for people; holds no address
	Err      error         // nil: no call failed
	Holder   ledger.RowRef // see ledger.Failure
}

func (f *Failure) Error() string { return f.Reason }

// Unwrap returns the error of the call.
func (f *Failure) Unwrap() error { return f.Err }

// Outage reports whether the failure is about the deployment and not about the row.
func (f *Failure) Outage() bool {
	switch f.Category {
	case ledger.CategoryNetwork, ledger.CategoryTimeout, ledger.CategoryAnswer, ledger.Category(owlat.CategoryInternal), ledger.Category(owlat.CategoryRateLimited):
		return true
	}
	return false
}

// Status returns the HTTP status of the answer, 0 if there was none.
func (f *Failure) Status() int {
	if answer, ok := errors.AsType[*owlat.Error](f.Err); ok {
		return answer.StatusCode
	}
	return 0
}

// Classify returns what a failed call means. It is the only place that decides that.
func Classify(err error) *Failure {
	if known, ok := errors.AsType[*Failure](err); ok {
		return known
	}
	f := &Failure{Class: ledger.RetryLater, Category: ledger.CategoryNetwork, Reason: err.Error(), Err: err}
	answer, answered := errors.AsType[*owlat.Error](err)
	switch {
	case errors.Is(err, owlat.ErrNoRoute), errors.Is(err, owlat.ErrRedirect):
		f.Class, f.Category = ledger.StopRun, ledger.CategoryRoute
	case answered:
		f.Category = ledger.Category(answer.Category)
		switch {
		case errors.Is(err, owlat.ErrUnauthenticated), errors.Is(err, owlat.ErrLimitReached), errors.Is(err, owlat.ErrForbidden):
			f.Class = ledger.StopRun
		case errors.Is(err, owlat.ErrRateLimited), errors.Is(err, owlat.ErrInvalidInput), answer.StatusCode >= 500:
			f.Class = ledger.RetryLater
		default:
			f.Class = ledger.GiveUp
		}
	case IsGone(err): // told by a link
		f.Class, f.Category = ledger.GiveUp, ledger.Category(owlat.CategoryNotFound)
	case errors.Is(err, owlat.ErrParse):
		f.Category = ledger.CategoryAnswer
	case errors.Is(err, owlat.ErrTimeout):
		f.Category = ledger.CategoryTimeout
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		f.Category = ledger.CategoryInterrupted
	}
	return f
}

// StoppedError says that a run ended because Owlat would refuse every request: it refused the key or a scope, or the base URL does
// not lead to Owlat.
type StoppedError struct{ Err error }

func (e *StoppedError) Error() string { return fmt.Sprintf("the run was stopped: %v", e.Err) }

// Unwrap returns the refusal, an *owlat.Error.
func (e *StoppedError) Unwrap() error { return e.Err }

// Stopped turns an error that every request would meet into a *StoppedError. It returns other errors as they are.
func Stopped(err error) error {
	if Classify(err).Class == ledger.StopRun {
		return &StoppedError{Err: err}
	}
	return err
}

// IsGone reports whether the error is a 404 of Owlat itself. A gateway's 404 says nothing about the contact.
func IsGone(err error) bool {
	if refusal, ok := errors.AsType[*owlat.PreferencesError](err); ok {
		return refusal.Reason == owlat.ReasonContactNotFound
	}
	answer, ok := errors.AsType[*owlat.Error](err)
	return ok && answer.StatusCode == http.StatusNotFound && errors.Is(err, owlat.ErrNotFound) && !errors.Is(err, owlat.ErrNoRoute)
}

// limitedTries is how often a call that met only the rate limit is sent in all. Such a call had no effect, and somebody else may be
// using the key.
const limitedTries = 20

// Call sends, and sends again after an answer that says only that the rate limit was met.
func Call(ctx context.Context, send func() error) error {
	var err error
	for range limitedTries {
		if err = send(); !errors.Is(err, owlat.ErrRateLimited) || ctx.Err() != nil {
			break
		}
	}
	return err
}

// Find reads a contact by its address or id.
func Find(ctx context.Context, client *owlat.Client, ref string) (c *owlat.Contact, err error) {
	err = Call(ctx, func() (err error) {
		c, err = client.Contacts.Get(ctx, ref)
		return err
	})
	return c, err
}

// MaxAttempts is the number of attempts after which a row is parked.
const MaxAttempts = 8

// Again returns the failure after a further attempt, for the ledger. The second attempt may come at once; each later one waits
// twice as long as the one before, a minute at first. Before is the earlier failure or nil; it counts if it is of the same attempt.
func (f *Failure) Again(before *ledger.Failure, of Attempt, now time.Time) *ledger.Failure {
	again := &ledger.Failure{
		Class: f.Class, Category: f.Category, Status: f.Status(), Reason: f.Reason, First: now, Last: now,
		Fingerprint: of.Fingerprint, Absence: of.Absence, Holder: f.Holder,
	}
	if before != nil && before.Fingerprint == of.Fingerprint && before.Absence == of.Absence {
		again.First, again.Attempts = before.First, before.Attempts
	}
	again.Attempts++
	again.NextTry = now
	if again.Attempts > 1 {
		again.NextTry = now.Add(time.Minute << (again.Attempts - 2))
	}
	again.Parked = f.Class == ledger.GiveUp || again.Attempts >= MaxAttempts
	return again
}

// Attempt is what a row tried: its fingerprint, or its absence.
type Attempt struct {
	Fingerprint ledger.Fingerprint // of the row; zero for an absence
	Absence     bool               // the attempt follows from the row's absence
}
