// Package exitcode has the exit codes of owlat-sync, and is the only place that decides which code an error means.
package exitcode

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile"
	"owlatsync/source"
)

// Code is a process's exit code.
type Code int

// The exit codes of every command. Scripts depend on them: they are part of the program's interface.
const (
	OK          Code = 0
	Error       Code = 1
	Usage       Code = 2
	FailedRows  Code = 3
	Refused     Code = 4
	Locked      Code = 5
	Held        Code = 6
	Interrupted Code = 130
)

// All lists the codes in ascending order.
func All() []Code { return []Code{OK, Error, Usage, FailedRows, Refused, Locked, Held, Interrupted} }

// String returns what the code means, as the help texts show it.
func (c Code) String() string {
	switch c {
	case OK:
		return "ok"
	case Error:
		return "error"
	case Usage:
		return "wrong usage or configuration"
	case FailedRows:
		return "finished, but some rows failed"
	case Refused:
		return "Owlat refused the API key, or it lacks a scope"
	case Locked:
		return "another run holds the ledger"
	case Held:
		return "held by a guard, nothing was changed"
	case Interrupted:
		return "interrupted"
	}
	return fmt.Sprintf("exit code %d", int(c))
}

// Help returns the lines that list the codes in a help text, indented by two spaces.
func Help() string {
	var b strings.Builder
	for _, c := range All() {
		fmt.Fprintf(&b, "  %3d  %s\n", int(c), c)
	}
	return b.String()
}

// With returns err with a code, which Of returns; nil stays nil. Text and chain of err stay as they are.
func With(code Code, err error) error {
	if err == nil {
		return nil
	}
	return &coded{error: err, code: code}
}

type coded struct {
	error
	code Code
}

func (e *coded) Unwrap() error { return e.error }

// Of returns the exit code of err: the outermost one given by With, else the one for its kind.
func Of(err error) Code {
	if err == nil {
		return OK
	}
	if c, ok := errors.AsType[*coded](err); ok {
		return c.code
	}
	_, misfit := errors.AsType[*source.ColumnError](err)
	_, elsewhere := errors.AsType[*ledger.DeploymentError](err)
	unsigned, _ := errors.AsType[*owlat.PreferencesError](err)
	_, moved := errors.AsType[*reconcile.MovedError](err)
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, reconcile.ErrInterrupted):
		return Interrupted
	case errors.Is(err, ledger.ErrLocked):
		return Locked
	case errors.Is(err, reconcile.ErrHeld), moved:
		return Held
	case errors.Is(err, owlat.ErrUnauthenticated), errors.Is(err, owlat.ErrForbidden), errors.Is(err, owlat.ErrLimitReached):
		return Refused
	case unsigned != nil && unsigned.Reason == owlat.ReasonInvalidSignature, errors.Is(err, owlat.ErrNoUnsubscribeSecret):
		return Usage // the secret is not that of the deployment
	case misfit, elsewhere, errors.Is(err, source.ErrNotQuery), errors.Is(err, ledger.ErrBadURL):
		return Usage // the configuration does not fit the source or the ledger
	}
	return Error
}
