package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/puddle/v2"

	"owlatsync/ledger"
)

// The states of SQL that something is done about.
const (
	StateLost      = "OW001" // see fence in the migrations
	StateAhead     = "OW002"
	StateBehind    = "OW003"
	StateUnique    = "23505"
	StateReadOnly  = "25006"
	StateDenied    = "42501"
	StateNoBase    = "3D000"
	StateDiskFull  = "53100"
	StateNotLocked = "55P03"
	classAbsent    = "57P" // the server ends, or begins
	classConnect   = "08"
	classNotLetIn  = "28"
)

// StateOf returns the state of SQL of an error, "" if it is none of the server's.
func StateOf(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return ""
}

// IsAway reports whether the error says that the server cannot be reached, or has broken the connection off.
func IsAway(err error) bool {
	if state := StateOf(err); state != "" {
		return len(state) == 5 && (state[:3] == classAbsent || state[:2] == classConnect || state == "53300")
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || pgconn.Timeout(err) || err != nil && pgconn.SafeToRetry(err)
}

// Explain says what an error of the server means and what to do. The end of the context counts more than what it has led to.
func Explain(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil && (errors.Is(err, ctx.Err()) || IsAway(err)):
		return context.Cause(ctx)
	case errors.Is(err, puddle.ErrClosedPool):
		return ledger.ErrClosed
	case IsKnown(err):
		return err
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		err = oneLine{err}
	}
	switch state := StateOf(err); {
	case state == StateNoBase:
		return fmt.Errorf("the database of the ledger does not exist: create it, or name another (%w)", err)
	case strings.HasPrefix(state, classNotLetIn):
		return fmt.Errorf("the server does not let the user of the ledger in: see the user, the password and pg_hba.conf (%w)", err)
	case state == StateLost:
		return fmt.Errorf("%w (%w)", ledger.ErrLockLost, err)
	case state == StateDiskFull:
		return fmt.Errorf("%w (%w)", ledger.ErrFull, err)
	case state == StateReadOnly:
		return fmt.Errorf("the server of the ledger takes no writes, it may be a standby: name the primary, such as with target_session_attrs=read-write (%w)", err)
	case state == StateDenied:
		return fmt.Errorf("the user of the ledger may not do this: let the owner of the schema run \"owlat-sync ledger migrate\" and grant it (%w)", err)
	case IsAway(err):
		return fmt.Errorf("%w (%w)", ledger.ErrAway, err)
	}
	return err
}

// oneLine is an error of which pgx has made several lines, one for each address that it tried.
type oneLine struct{ error }

func (e oneLine) Error() string { return strings.Join(strings.Fields(e.error.Error()), " ") }
func (e oneLine) Unwrap() error { return e.error }

// IsKnown reports whether the error already says what to do.
func IsKnown(err error) bool {
	for _, known := range []error{ledger.ErrLockLost, ledger.ErrLocked, ledger.ErrClosed, ledger.ErrFull, ledger.ErrAway, ledger.ErrReadOnly, ledger.ErrNoRun, ledger.ErrRunEnded} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}

// UnansweredError says that it is not known whether a transaction was committed.
type UnansweredError struct{ Err error }

func (e *UnansweredError) Error() string { return e.Err.Error() }

// Unwrap returns why the answer did not come.
func (e *UnansweredError) Unwrap() error { return e.Err }
