// Package dialects says what databases mean: the kinds of values that their types have, the moments and days that drivers make of
// their times, and what to do about their errors.
package dialects

import (
	"slices"
	"strings"
	"time"

	"owlatsync/source/internal/cell"
)

// genericBinary are words in database type names for binary data.
var genericBinary = []string{"BLOB", "BINARY", "BYTEA", "BYTES", "IMAGE", "RAW"}

// GenericKind returns the kind of a type by its name, in any database.
func GenericKind(databaseType string) cell.Kind {
	name := strings.ToUpper(databaseType)
	switch {
	case slices.ContainsFunc(genericBinary, func(b string) bool { return strings.Contains(name, b) }):
		return cell.Binary
	case name == "CHAR", name == "NCHAR", name == "BPCHAR", name == "CHARACTER":
		return cell.Padded
	case name == "DATE":
		return cell.Day
	case name == "BIT":
		return cell.Bits
	case strings.HasPrefix(name, "DECIMAL"), strings.HasPrefix(name, "NUMERIC"), name == "NUMBER", name == "MONEY":
		return cell.Number
	case strings.HasPrefix(name, "BOOL"):
		return cell.Boolean
	case strings.Contains(name, "INT") && !strings.Contains(name, "INTERVAL") && !strings.Contains(name, "POINT"):
		return cell.Integer
	case strings.Contains(name, "FLOAT"), strings.Contains(name, "DOUBLE"), name == "REAL":
		return cell.Number
	case strings.HasPrefix(name, "TIMESTAMP"), strings.HasPrefix(name, "DATETIME"):
		return cell.Moment
	}
	return cell.Text
}

// GenericTime takes the moment that the driver gives. Midnight in the driver's zone is a day; not all databases keep only a date in
// a DATE.
func GenericTime(at time.Time, k cell.Kind) (time.Time, string) {
	if k == cell.Day && midnight(at) {
		return at, time.DateOnly
	}
	return at.UTC(), time.RFC3339Nano
}

func midnight(at time.Time) bool {
	return at.Hour() == 0 && at.Minute() == 0 && at.Second() == 0 && at.Nanosecond() == 0
}
