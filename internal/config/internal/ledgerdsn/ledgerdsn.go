// Package ledgerdsn knows the DSN of a ledger in PostgreSQL: a URL that may name the ledger's schema.
package ledgerdsn

import (
	"errors"
	"net/url"
	"regexp"
	"strings"

	"owlatsync/internal/sourcedsn"
)

// DefaultSchema is the schema of a ledger whose DSN names none.
const DefaultSchema = "owlat_sync"

var schemaName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)

var otherForm = regexp.MustCompile(`(?i)^postgres(ql)?:|(^|\s)(host|hostaddr|port|user|password|passfile|dbname|database|service|sslmode)\s*=`)

// OtherForm reports whether the text names a database in another form than a URL.
func OtherForm(text string) bool { return otherForm.MatchString(text) }

// Show checks the DSN of a ledger, and returns it without what is secret.
func Show(dsn string) (string, error) {
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
