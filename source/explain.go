package source

import (
	"cmp"
	"errors"
	"fmt"

	"owlatsync/source/internal/statement"
)

// reservedTable says what to do about a table of the query whose name is a word of SQL without quotes, or nothing.
func reservedTable(query string, l statement.Lexicon) string {
	word := statement.ReservedTable(query, l)
	if word == "" {
		return ""
	}
	quote := `"`
	if l.Backslash {
		quote = "`"
	}
	return fmt.Sprintf("%s is a word of SQL: as the name of a table it stands in quotes, %s%s%s", word, quote, word, quote)
}

// explain adds to an error of the database what to do about it.
func (d *dialect) explain(err error, query string) error {
	hint := reservedTable(query, d.lexicon)
	var coded interface{ Code() int } // as drivers for SQLite have it
	if d.hints != nil && errors.As(err, &coded) {
		hint = cmp.Or(d.hints[coded.Code()], d.hints[coded.Code()&0xFF], hint)
	}
	if hint == "" {
		return err
	}
	return fmt.Errorf("%w; %s", err, hint)
}

const (
	sqliteLocked = "another program holds the database for writing: try again when it has ended, or read a copy, as made by sqlite3 app.db \".backup copy.db\""
	sqliteWAL    = "the database is in WAL mode, which needs files beside it, and its folder cannot be written: let this user write there, or read a copy; " +
		"if nothing writes to the file, add ?immutable=1 to the DSN"
)

// sqliteHints say what to do about codes of SQLite's errors: primary ones, and those that only say more where the primary one is not
// enough.
var sqliteHints = map[int]string{
	5: sqliteLocked, 6: sqliteLocked,
	264: sqliteWAL, 520: sqliteWAL, 1288: sqliteWAL, 1544: sqliteWAL,
	10: "the disk or the network share failed; read a copy of the file",
	11: "the file is damaged, or was copied while a program wrote to it; make a copy with sqlite3 app.db \".backup copy.db\"",
	14: "SQLite cannot open the file or those beside it: let this user read the file. If it is in WAL mode, let the user write in its folder, or read a copy; if nothing writes to the file, add ?immutable=1 to the DSN",
	26: "if it is one of SQLite, it is encrypted; read a copy that is not",
}
