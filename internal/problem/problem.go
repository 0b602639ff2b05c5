// Package problem has what an error carries to a person besides its text: a hint about what to do next, the mark that it was told
// already, and several errors that are each told. Package exitcode says what an error means for the process.
package problem

import (
	"errors"
	"fmt"

	"owlatsync/internal/exitcode"
)

// hinted is an error with advice about what to do next.
type hinted struct {
	error
	hint string
}

func (e *hinted) Unwrap() error { return e.error }

// Hint returns err with advice about what to do next, which is not part of its text; nil stays nil.
func Hint(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return &hinted{error: err, hint: fmt.Sprintf(format, args...)}
}

// HintOf returns the outermost advice of err, empty if it has none.
func HintOf(err error) string {
	if h, ok := errors.AsType[*hinted](err); ok {
		return h.hint
	}
	return ""
}

// Usage marks err as the user's mistake in the command line or the configuration; nil stays nil.
func Usage(err error) error { return exitcode.With(exitcode.Usage, err) }

// told is an error whose text was already shown, for example by a report: only its exit code counts.
type told struct{ error }

func (e told) Unwrap() error { return e.error }

// Told returns an error that only sets the exit code, because its meaning was already shown.
func Told(code exitcode.Code) error {
	return exitcode.With(code, told{errors.New(code.String())})
}

// WasTold reports whether err comes from Told.
func WasTold(err error) bool {
	_, yes := errors.AsType[told](err)
	return yes
}

// reworded is an error in other words.
type reworded struct {
	error
	text string
}

func (e *reworded) Error() string { return e.text }
func (e *reworded) Unwrap() error { return e.error }

// Reword returns err with another text; its chain stays as it is.
func Reword(err error, text string) error { return &reworded{err, text} }
