// Package ledgerdsn says where a ledger is: in a file, or in PostgreSQL, by a URL that may name the ledger's schema.
package ledgerdsn

import (
	"errors"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"

	"owlatsync/internal/config/internal/expand"
	"owlatsync/internal/config/internal/secret"
	"owlatsync/internal/sourcedsn"
)

// DefaultSchema is the schema of a ledger whose DSN names none.
const DefaultSchema = "owlat_sync"

var schemaName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)

// otherForm matches what names a database in other forms than a URL.
var otherForm = regexp.MustCompile(`(?i)^postgres(ql)?:|(^|\s)(host|hostaddr|port|user|password|passfile|dbname|database|service|sslmode)\s*=`)

// Ledger says where a ledger is: in a file of SQLite, or in a database of PostgreSQL. However it is printed, it shows no password.
// Two values are equal if they name the same ledger in the same words.
type Ledger struct {
	Path string      // of SQLite's file, absolute; empty: the ledger is in PostgreSQL
	DSN  secret.Text // of PostgreSQL, as a URL that may have the option "schema"; empty: the ledger is a file
}

// Postgres reports whether the ledger is in PostgreSQL.
func (l Ledger) Postgres() bool { return l.DSN != "" }

// String returns the path of the file, or the DSN without password and options, for people.
func (l Ledger) String() string {
	if !l.Postgres() {
		return l.Path
	}
	shown, err := show(l.DSN.Reveal())
	if err != nil {
		return "postgres://…"
	}
	return shown
}

// Folder returns the folder in which temporary files belong that hold what the ledger holds; empty: that of the system.
func (l Ledger) Folder() string {
	if l.Postgres() {
		return ""
	}
	return filepath.Dir(l.Path)
}

// Of returns the ledger of one of several deployments: its own file beside that of SQLite, or the same database of PostgreSQL, in
// which each deployment has its own rows.
func (l Ledger) Of(deployment string) Ledger {
	if l.Postgres() || deployment == "" {
		return l
	}
	ending := filepath.Ext(l.Path)
	return Ledger{Path: strings.TrimSuffix(l.Path, ending) + "." + deployment + ending}
}

// Parse reads where a ledger is: the path of a file, which is relative to folder, or a URL that begins with postgres://. Its
// errors never repeat what may be a secret.
func Parse(text, folder string) (Ledger, error) {
	text = strings.TrimSpace(text)
	scheme, _, isURL := strings.Cut(text, "://")
	switch {
	case !isURL && otherForm.MatchString(text): // as a file's name it would put the password into messages
		return Ledger{}, errors.New("must be the path of a file, or a URL such as postgres://user@host/database; a connection string of another form cannot be used")
	case !isURL && filepath.IsAbs(text):
		return Ledger{Path: filepath.Clean(text)}, nil
	case !isURL:
		return Ledger{Path: filepath.Join(folder, text)}, nil
	case scheme != "postgres" && scheme != "postgresql":
		return Ledger{}, errors.New("must be the path of a file, or a URL that begins with postgres://")
	}
	if _, err := show(text); err != nil {
		return Ledger{}, err
	}
	return Ledger{DSN: secret.Text(text)}, nil
}

// Expand is Parse for a text in which ${NAME} is replaced by the environment's variable.
func Expand(text, folder string, lookup func(name string) (string, bool)) (Ledger, error) {
	text, _, err := expand.Variables(text, lookup)
	if err != nil {
		return Ledger{}, err
	}
	if strings.TrimSpace(text) == "" {
		return Ledger{}, errors.New("is empty")
	}
	return Parse(text, folder)
}

// show checks the DSN of a ledger, and returns it without what is secret.
func show(dsn string) (string, error) {
	// The option "schema" means the ledger's own schema here, not a search path.
	rest, options, _ := strings.Cut(dsn, "?")
	var others []string
	schema := ""
	for option := range strings.SplitSeq(options, "&") {
		name, value, _ := strings.Cut(option, "=")
		switch {
		case option == "":
		case name != "schema":
			others = append(others, option)
		case schema != "":
			return "", errors.New("has the option \"schema\" twice; remove one")
		default:
			var err error
			if schema, err = url.QueryUnescape(value); err != nil || !schemaName.MatchString(schema) || strings.HasPrefix(schema, "pg_") {
				return "", errors.New("the option \"schema\" must be a name of small letters, digits and \"_\", at most 63, that does not begin with a digit or \"pg_\"")
			}
		}
	}
	if len(others) > 0 {
		rest += "?" + strings.Join(others, "&")
	}
	target, err := sourcedsn.Parse(rest, "")
	if err != nil {
		return "", errors.New(strings.TrimPrefix(err.Error(), "read the DSN: "))
	}
	if schema == "" || schema == DefaultSchema {
		return target.String(), nil
	}
	return target.String() + "?schema=" + schema, nil
}
