package problem

import (
	"errors"

	"owlatsync/internal/exitcode"
)

// Several are errors of which each is told on lines of its own, such as those of several syncs.
type Several []error

// Err returns nil for no error, the error itself for one, and for more an error that holds all of them and means the exit
// code of which a caller must know first.
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
