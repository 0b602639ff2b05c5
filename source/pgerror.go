package source

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// explainPostgres adds what to do to an error of PostgreSQL, and removes what may be somebody's data. Hint is for errors that did
// not come from the server, or that have no better hint.
func explainPostgres(err error, hint string) error {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return &pgExplained{oneLine(err.Error()), hint, err}
	}
	message := pg.Message
	switch {
	case strings.HasPrefix(pg.Code, "22"):
		// The message quotes a value that cannot be converted.
		message, _, _ = strings.Cut(message, `: "`)
		hint = "correct the query, or the value that it cannot convert"
	case pg.Code == "25006":
		return &pgExplained{message, "", errors.Join(ErrNotQuery, err)}
	case pg.Code == "28P01", pg.Code == "28000":
		hint = "check user name and password in the DSN"
	case pg.Code == "3D000":
		hint = "check the name of the database in the DSN"
	case pg.Code == "42501":
		hint = "grant this user SELECT on what the query reads"
	case pg.Code == "42601" && strings.Contains(pg.Routine, "exec_parse_message"):
		return &pgExplained{"the query has several statements", "", errors.Join(ErrNotQuery, err)}
	case pg.Hint != "":
		hint = pg.Hint
	}
	if !strings.Contains(message, pg.Code) {
		message += " (SQLSTATE " + pg.Code + ")"
	}
	return &pgExplained{message, hint, err}
}

// pgExplained is an error of PostgreSQL with other words.
type pgExplained struct {
	message, hint string
	err           error
}

func (e *pgExplained) Error() string {
	text := e.message
	if errors.Is(e.err, ErrNotQuery) {
		text += ": " + ErrNotQuery.Error()
	}
	if e.hint != "" {
		text += fmt.Sprintf("; %s", e.hint)
	}
	return text
}

func (e *pgExplained) Unwrap() error { return e.err }

// oneLine joins the lines that pgx writes for its attempts, and drops repetitions: pgx tries an address with and without
// encryption.
func oneLine(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return strings.Join(slices.Compact(lines), " ")
}
