package dialects

import (
	"strings"
	"time"

	"owlatsync/source/internal/cell"
)

// MySQLKind returns the kind of a type of MySQL or MariaDB, as the driver names it.
func MySQLKind(databaseType string) cell.Kind {
	switch name := strings.TrimPrefix(databaseType, "UNSIGNED "); name {
	case "TINYINT", "SMALLINT", "MEDIUMINT", "INT", "BIGINT", "YEAR":
		return cell.Integer
	case "FLOAT", "DOUBLE", "DECIMAL":
		return cell.Number
	case "BIT":
		return cell.Bits
	case "CHAR":
		return cell.Padded
	case "DATETIME", "TIMESTAMP":
		return cell.Moment
	case "DATE":
		return cell.Day
	case "BINARY", "VARBINARY", "TINYBLOB", "BLOB", "MEDIUMBLOB", "LONGBLOB", "GEOMETRY", "VECTOR":
		return cell.Binary
	}
	return cell.Text
}

// MySQLTime uses only the clock: it is the server's, which is set to UTC, whatever zone the driver names.
func MySQLTime(at time.Time, k cell.Kind) (time.Time, string) {
	if k == cell.Day {
		return at.Add(12 * time.Hour), time.DateOnly // in a zone that skips midnight the driver gives a time near it
	}
	return at, "2006-01-02T15:04:05.999999999Z"
}
