package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
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
	StateCrowded   = "53300"
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
		return len(state) == 5 && (state[:3] == classAbsent || state[:2] == classConnect || state == StateCrowded)
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	return isBrokenOff(err) || err != nil && pgconn.SafeToRetry(err)
}

// isBrokenOff reports whether the error comes from the network.
func isBrokenOff(err error) bool {
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || pgconn.Timeout(err)
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
		return explainConnect(err)
	}
	switch state := StateOf(err); {
	case state == StateLost:
		return fmt.Errorf("%w (%w)", ledger.ErrLockLost, err)
	case state == StateDiskFull:
		return fmt.Errorf("%w (%w)", ledger.ErrFull, err)
	case state == StateReadOnly:
		return &worded{maybeStandby, ledger.ErrReadOnly, err}
	case state == StateDenied:
		return fmt.Errorf("the user of the ledger may not do this: let the owner of the schema run \"owlat-sync ledger migrate\" and grant it (%w)", err)
	case IsAway(err):
		return fmt.Errorf("%w (%w)", ledger.ErrAway, err)
	}
	return err
}

// explainConnect says why there is no connection and what to do. The connection may come later, whatever the reason is, so the error matches
// ledger.ErrAway unless the server knows neither the user nor the database.
func explainConnect(err error) error {
	said := told{err}
	switch state := StateOf(err); {
	case state == StateNoBase:
		return fmt.Errorf("the database of the ledger does not exist: create it, or name another (%w)", said)
	case strings.HasPrefix(state, classNotLetIn):
		return fmt.Errorf("the server does not let the user of the ledger in: see the user, the password and pg_hba.conf (%w)", said)
	case state == StateCrowded:
		return &worded{"the server of the ledger has no connection left for its user: raise max_connections there or the limit of the user, or lower pool_max_conns", ledger.ErrAway, said}
	case state != "" && !IsAway(err):
		return fmt.Errorf("the server of the ledger refuses the connection: remove the parameter that it names from \"ledger\", or correct it (%w)", said)
	case distrusted(err):
		return &worded{"the certificate of the server of the ledger is not trusted: see sslmode, sslrootcert and the name of the host", ledger.ErrAway, said}
	case state == "" && !isBrokenOff(err):
		return &worded{"the server of the ledger is not as the URL wants it: see sslmode, target_session_attrs, host and port", ledger.ErrAway, said}
	}
	return fmt.Errorf("%w (%w)", ledger.ErrAway, said)
}

// distrusted reports whether the certificate of a server is not the expected one.
func distrusted(err error) bool {
	return errors.As(err, new(*tls.CertificateVerificationError)) || errors.As(err, new(x509.HostnameError)) || errors.As(err, new(x509.UnknownAuthorityError))
}

// The words for a server that takes no writes.
const (
	isStandby    = "the server of the ledger is a standby, which takes no writes: name the primary, such as with target_session_attrs=read-write"
	maybeStandby = "the server of the ledger takes no writes, it may be a standby: name the primary, such as with target_session_attrs=read-write"
)

// ErrReadOnly matches ledger.ErrReadOnly. It says that the ledger was opened only to be read.
var ErrReadOnly error = &worded{"the ledger was opened only to be read", ledger.ErrReadOnly, nil}

// worded is an error of a kind in other words than those of the kind, which speak of files or of the usual reason.
type worded struct {
	text string
	kind error
	err  error // nil: nothing else is known
}

func (e *worded) Error() string {
	if e.err == nil {
		return e.text
	}
	return fmt.Sprintf("%s (%v)", e.text, e.err)
}

func (e *worded) Unwrap() []error {
	if e.err == nil {
		return []error{e.kind}
	}
	return []error{e.kind, e.err}
}

// told is why there is no connection, in one line: pgx makes a line of each address that it tries, with and without encryption.
type told struct{ error }

func (e told) Error() string {
	if pg, ok := errors.AsType[*pgconn.PgError](e.error); ok {
		return pg.Error()
	}
	var lines []string
	for line := range strings.SplitSeq(e.error.Error(), "\n") {
		line = strings.TrimSpace(line)
		if len(lines) == 0 || !strings.HasSuffix(lines[len(lines)-1], line) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, " ")
}

func (e told) Unwrap() error { return e.error }

// IsKnown reports whether the error already says what to do.
func IsKnown(err error) bool {
	for _, known := range []error{ledger.ErrLockLost, ledger.ErrLocked, ledger.ErrClosed, ledger.ErrFull, ledger.ErrAway, ledger.ErrReadOnly, ledger.ErrNoRun, ledger.ErrRunEnded, ErrOutdated} {
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
