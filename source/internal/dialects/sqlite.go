package dialects

import (
	"strings"
	"time"

	"owlatsync/source/internal/cell"
)

// SQLiteKind returns the kind of a declared type of SQLite.
func SQLiteKind(declared string) cell.Kind {
	name, _, _ := strings.Cut(strings.ToUpper(declared), "(")
	switch strings.TrimSpace(name) {
	case "BOOLEAN", "BOOL":
		return cell.Boolean
	case "BLOB", "BINARY", "VARBINARY":
		return cell.Binary
	case "DATETIME", "TIMESTAMP":
		return cell.Moment
	case "DATE":
		return cell.Day
	}
	return cell.Text
}

// SQLiteTime uses the time that the driver makes of a text. A day is midnight in UTC or in the driver's zone.
func SQLiteTime(at time.Time, k cell.Kind) (time.Time, string) {
	switch utc := at.UTC(); {
	case k != cell.Day:
		return utc, time.RFC3339Nano
	case midnight(at) && !midnight(utc):
		return at, time.DateOnly
	default:
		return utc, time.DateOnly
	}
}

const (
	sqliteLocked = "another program holds the database for writing: try again when it has ended, or read a copy, as made by sqlite3 app.db \".backup copy.db\""
	sqliteWAL    = "the database is in WAL mode, which needs files beside it, and its folder cannot be written: let this user write there, or read a copy; " +
		"if nothing writes to the file, add ?immutable=1 to the DSN"
)

// SQLiteHints say what to do about codes of SQLite's errors: primary ones, and those that only say more where the primary one is not
// enough.
var SQLiteHints = map[int]string{
	5: sqliteLocked, 6: sqliteLocked,
	264: sqliteWAL, 520: sqliteWAL, 1288: sqliteWAL, 1544: sqliteWAL,
	10: "the disk or the network share failed; read a copy of the file",
	11: "the file is damaged, or was copied while a program wrote to it; make a copy with sqlite3 app.db \".backup copy.db\"",
	14: "SQLite cannot open the file or those beside it: let this user read the file. If it is in WAL mode, let the user write in its folder, or read a copy; if nothing writes to the file, add ?immutable=1 to the DSN",
	26: "if it is one of SQLite, it is encrypted; read a copy that is not",
}
