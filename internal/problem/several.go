package problem

import (
	"errors"

	"owlatsync/internal/exitcode"
)

// Several are errors that are each told on their own lines, such as those of several syncs.
type Several []error

// Err returns nil for no error, and a single error itself. For more it returns an error that holds all of them and has the gravest
// of their exit codes.
func (e Several) Err() error {
	switch len(e) {
	case 0:
		return nil
	case 1:
		return e[0]
	}
	return exitcode.With(e.code(), e)
}

func (e Several) code() exitcode.Code {
	for _, code := range []exitcode.Code{
		exitcode.Interrupted, exitcode.Refused, exitcode.Locked, exitcode.Usage, exitcode.Error, exitcode.Held,
	} {
		for _, err := range e {
			if exitcode.Of(err) == code {
				return code
			}
		}
	}
	return exitcode.FailedRows
}

// Error returns the texts of all errors, each on a line.
func (e Several) Error() string { return errors.Join(e...).Error() }

// Unwrap returns the errors.
func (e Several) Unwrap() []error { return e }
