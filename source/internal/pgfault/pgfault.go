// Package pgfault puts errors of PostgreSQL into words that say what to do, without what may be somebody's data.
package pgfault

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"owlatsync/internal/statement"
)

// Explain adds what to do to an error of PostgreSQL, and removes what may be somebody's data. Hint is for errors that have no better
// one.
func Explain(err error, hint string) error {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return &explained{oneLine(err.Error()), hint, err}
	}
	message := pg.Message
	switch {
	case strings.HasPrefix(pg.Code, "22"):
		// The message quotes a value that cannot be converted.
		message, _, _ = strings.Cut(message, `: "`)
		hint = "correct the query, or the value that it cannot convert"
	case pg.Code == "25006":
		return &explained{message, "", errors.Join(statement.ErrNotQuery, err)}
	case pg.Code == "42501":
		hint = "grant this user SELECT on what the query reads"
	case pg.Code == "55000":
		hint = cmp.Or(pg.Hint, hint) // such as a materialized view that has never been filled
	case pg.Code == "42601" && strings.Contains(pg.Routine, "exec_parse_message"):
		return &explained{"the query has several statements", "", errors.Join(statement.ErrNotQuery, err)}
	case pg.Hint != "":
		hint = pg.Hint
	}
	return &explained{withCode(message, pg.Code), hint, err}
}

// Connecting explains why there is no connection.
func Connecting(err error) error {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return &explained{oneLine(err.Error()), unreached(err), err}
	}
	hint := pg.Hint
	switch pg.Code {
	case "28P01":
		hint = "check user name and password in the DSN"
	case "28000":
		hint = "check user name and password in the DSN, and whether the server lets this user connect from here, with or without encryption (sslmode)"
	case "3D000":
		hint = "check the name of the database in the DSN"
	case "42704", "08P01", "0A000", "22023":
		hint = "remove that parameter from the DSN, or correct it"
	case "53300", "57P03":
		hint = "the server is busy; try again later"
	}
	return &explained{withCode(pg.Message, pg.Code), hint, err}
}

// Setting explains why the server refuses a setting that a DSN asks for.
func Setting(err error) error {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return Explain(err, "")
	}
	message, _, _ := strings.Cut(pg.Message, `: "`)
	return &explained{withCode(message, pg.Code), "remove that parameter from the DSN, or correct it", err}
}

// unreached says what to check if no server answers, or none that can be trusted.
func unreached(err error) string {
	switch {
	case errors.As(err, new(*tls.CertificateVerificationError)), errors.As(err, new(x509.HostnameError)), errors.As(err, new(x509.UnknownAuthorityError)):
		return "check sslmode and sslrootcert in the DSN"
	case errors.As(err, new(*net.OpError)), errors.As(err, new(*net.DNSError)):
		return "check host and port in the DSN"
	}
	return "check host, port and sslmode in the DSN"
}

func withCode(message, code string) string {
	if strings.Contains(message, code) {
		return message
	}
	return message + " (SQLSTATE " + code + ")"
}

// explained is an error of PostgreSQL with other words.
type explained struct {
	message, hint string
	err           error
}

func (e *explained) Error() string {
	text := e.message
	if errors.Is(e.err, statement.ErrNotQuery) {
		text += ": " + statement.ErrNotQuery.Error()
	}
	if e.hint != "" {
		text += fmt.Sprintf("; %s", e.hint)
	}
	return text
}

func (e *explained) Unwrap() error { return e.err }

// oneLine joins the lines that pgx writes for its attempts, and drops repetitions: pgx tries an address with and without
// encryption.
func oneLine(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return strings.Join(slices.Compact(lines), " ")
}
