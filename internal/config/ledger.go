package config

import "owlatsync/internal/config/internal/ledgerdsn"

// DefaultSchema is the schema of a ledger in PostgreSQL whose DSN names none.
const DefaultSchema = ledgerdsn.DefaultSchema

// Ledger says where a ledger is: in a file of SQLite, or in a database of PostgreSQL. However it is printed, it shows no password.
// Two values are equal if they name the same ledger in the same words.
type Ledger = ledgerdsn.Ledger

// ParseLedger reads where a ledger is: the path of a file, which is relative to folder, or a URL that begins with postgres://. Its
// errors never repeat what may be a secret.
func ParseLedger(text, folder string) (Ledger, error) { return ledgerdsn.Parse(text, folder) }

// ExpandLedger is ParseLedger for a text in which ${NAME} is replaced by the environment's variable.
func ExpandLedger(text, folder string, lookup func(name string) (string, bool)) (Ledger, error) {
	return ledgerdsn.Expand(text, folder, lookup)
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
