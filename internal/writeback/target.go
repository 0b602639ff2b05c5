// Package writeback tells the user's own systems what Owlat told by webhooks: by a statement in a database, a line in a file, or a
// webhook. What is to be told waits in the ledger; a [Sender] tells it at least once, of each person in order.
//
// The one idea to know: an attempt ends in one of three ways. It was done, the target refused this notice, or the target is down
// for every notice (a [DownError]), which then wait without using up their refusals.
package writeback

import (
	"context"
	"errors"
	"time"
)

// Notice is one thing that Owlat told about one person and, of an opt-out, one topic. An empty text means that it is not known.
type Notice struct {
	ID        int64 // of the delivery: the same at each attempt
	Event     string
	At        time.Time // when it happened, by Owlat's clock
	Received  time.Time // when Owlat told it
	Told      time.Time // now, by the ledger's clock
	Email     string    // normalised
	ContactID string
	Topic     string
	TopicName string
	Reason    string   // a mail server's words about a bounce, or how a contact came to be
	Keys      []string // of the rows that stand for the person
}

// Result is what became of a notice.
type Result struct {
	Err   error // nil: it was done; it holds nothing about the person and no secret
	Wrote bool  // a statement found rows
}

// Target is a system of the user's that is told.
type Target interface {
	// Name is what the configuration calls the target.
	Name() string
	// Sync is the sync whose rows' keys the target wants to know; empty: none.
	Sync() string
	// Writes reports whether it may change what a source says.
	Writes() bool
	// Check tells whether the target can be told, without telling it anything. It fails with a *DownError if that cannot be known
	// now, and with another error if the target would refuse everything until its settings or the target are changed.
	Check(ctx context.Context) error
	// Deliver tells the target about different persons, and returns a result for each notice. If the target is down, the notices that it
	// was not told fail with a *DownError.
	Deliver(ctx context.Context, notices []Notice) []Result
	// Close ends what the target has open.
	Close() error
}

// DownError says that the target cannot be told anything now, whoever it is about.
type DownError struct {
	Err error
	// misfit says that the target is there, and that what it is told does not fit it.
	misfit bool
}

func (e *DownError) Error() string { return e.Err.Error() }
func (e *DownError) Unwrap() error { return e.Err }

// IsDown reports whether the error says that the target is down.
func IsDown(err error) bool {
	_, down := errors.AsType[*DownError](err)
	return down
}

// SyntaxError says that a statement is wrong in itself, whatever the database holds.
type SyntaxError struct{ Err error }

func (e *SyntaxError) Error() string { return e.Err.Error() }
func (e *SyntaxError) Unwrap() error { return e.Err }

// IsWrong reports whether the error of a check says that the target is configured wrongly. Any other error may pass by what is done in
// the database or in the file system.
func IsWrong(err error) bool {
	_, wrong := errors.AsType[*SyntaxError](err)
	return wrong
}

// down makes err one that says that the target is down; nil stays nil.
func down(err error) error {
	if err == nil || IsDown(err) {
		return err
	}
	return &DownError{Err: err}
}

// misfit makes err one that says that the target refuses every notice until something is changed.
func misfit(err error) error { return &DownError{Err: err, misfit: true} }

// settled returns the error for a check: what does not fit is no matter of time.
func settled(err error) error {
	if d, down := errors.AsType[*DownError](err); down && d.misfit {
		return d.Err
	}
	return err
}

// all returns the same result for each of n notices.
func all(n int, err error) []Result {
	results := make([]Result, n)
	for i := range results {
		results[i].Err = err
	}
	return results
}
