package config

import (
	"errors"
	"path/filepath"
	"strings"

	"owlatsync/internal/config/internal/expand"
	"owlatsync/internal/config/internal/ledgerdsn"
)

// DefaultSchema is the schema of a ledger in PostgreSQL whose DSN names none.
const DefaultSchema = ledgerdsn.DefaultSchema

// Ledger says where a ledger is: in a file of SQLite, or in a database of PostgreSQL. However it is printed, it shows no password.
// Two values are equal if they name the same ledger in the same words.
type Ledger struct {
	Path string // of SQLite's file, absolute; empty: the ledger is in PostgreSQL
	DSN  Secret // of PostgreSQL, as a URL that may have the option "schema"; empty: the ledger is a file
}

// Postgres reports whether the ledger is in PostgreSQL.
func (l Ledger) Postgres() bool { return l.DSN != "" }

// String returns the path of the file, or the DSN without password and options, for people.
func (l Ledger) String() string {
	if !l.Postgres() {
		return l.Path
	}
	shown, err := ledgerdsn.Show(l.DSN.Reveal())
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

// ParseLedger reads where a ledger is: the path of a file, which is relative to folder, or a URL that begins with postgres://. Its
// errors never repeat what may be a secret.
func ParseLedger(text, folder string) (Ledger, error) {
	text = strings.TrimSpace(text)
	scheme, _, isURL := strings.Cut(text, "://")
	switch {
	case !isURL && ledgerdsn.OtherForm(text): // as a file's name it would put the password into messages
		return Ledger{}, errors.New("must be the path of a file, or a URL such as postgres://user@host/database; a connection string of another form cannot be used")
	case !isURL && filepath.IsAbs(text):
		return Ledger{Path: filepath.Clean(text)}, nil
	case !isURL:
		return Ledger{Path: filepath.Join(folder, text)}, nil
	case scheme != "postgres" && scheme != "postgresql":
		return Ledger{}, errors.New("must be the path of a file, or a URL that begins with postgres://")
	}
	if _, err := ledgerdsn.Show(text); err != nil {
		return Ledger{}, err
	}
	return Ledger{DSN: Secret(text)}, nil
}

// ExpandLedger is ParseLedger for a text in which ${NAME} is replaced by the environment's variable.
func ExpandLedger(text, folder string, lookup func(name string) (string, bool)) (Ledger, error) {
	text, _, err := expand.Variables(text, lookup)
	if err != nil {
		return Ledger{}, err
	}
	if strings.TrimSpace(text) == "" {
		return Ledger{}, errors.New("is empty")
	}
	return ParseLedger(text, folder)
}

// ledger reads the setting of the ledger.
func (d *decoder) ledger(v value) Ledger {
	text := DefaultLedger
	if v.given {
		text = v.text
	}
	l, err := ParseLedger(text, d.dir)
	if err != nil {
		v.refuse(d, "%s", err)
	}
	return l
}
