// Package sourcetest is the conformance suite of sources: it tests on real rows what every kind of source must do alike.
//
// A kind says how it stores a [Fixture] and what it cannot do; [Run] and [RunMemory] test the rest.
package sourcetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"owlatsync"
	"owlatsync/source"
)

// Type is the type of a fixture's column.
type Type uint8

// The types of columns.
const (
	Text    Type = iota
	Char         // of 8 characters, padded where the source pads
	Integer      // 64 bits
	Boolean
	Number  // decimal
	Exact   // decimal of up to 30 digits, 10 of them behind the point
	Instant // date and time
	Date
	Binary
)

// Column is a column of a fixture.
type Column struct {
	Name string
	Type Type
}

// Fixture is a table of rows. A value is nil, a string, an int64, a bool, a float64, a [encoding/json.Number] for an exact number, a
// time.Time in UTC, a string such as 2006-01-02 for a date, a []byte for a binary column, [NotUTF8] or [NUL]. The first column
// is an integer in ascending order.
type Fixture struct {
	Columns []Column
	Rows    [][]any
}

// BadText is the type of NotUTF8 and NUL, which are stored byte by byte.
type BadText string

const (
	// NotUTF8 is a text that is not valid UTF-8.
	NotUTF8 BadText = "Z\xff"
	// NUL is a text with a NUL byte.
	NUL BadText = "Z\x00\u00eb"
)

// Kind is a kind of source, and what it cannot do.
type Kind struct {
	// Store keeps the fixture for the length of the test.
	Store func(t testing.TB, f Fixture) Stored

	Unit  string // unit of positions, such as "row" or "line"
	First int    // number of the first row's position

	Untyped     bool // all values are text, and the empty text is NULL
	NoBooleans  bool // booleans are the numbers 0 and 1
	NoDuplicate bool // two columns cannot have one name
	NoBinary    bool // there is no binary data
	NoBadText   bool // all text is valid UTF-8
	NoNUL       bool // no text has a NUL byte
	Doubles     bool // decimals are kept as floating point numbers of 64 bits
	NoSnapshot  bool // a change during a scan may show, or fail the scan
	NoLoss      bool // nothing between the source and its reader can break

	// Own are columns that the source has before those of a fixture.
	Own []string

	// Wide is a number of rows of 2 kB that is more than all buffers between the source and its reader hold.
	Wide int
}

// Stored is a stored fixture.
type Stored struct {
	// Open returns a source of all rows in their order. names are its names of the columns; nil: the fixture's names.
	Open func(t testing.TB, names []string, m source.Mapping) *source.Table
	// Change deletes the last row, changes the address of the last but one to changed@example.com, and adds a row, all committed.
	Change func(t testing.TB)
	// Break cuts off the running scans.
	Break func(t testing.TB)
	// Idle reports whether no scan holds anything.
	Idle func(t testing.TB) bool
}

// Run tests a kind of source. Its parts run in parallel.
func Run(t *testing.T, k Kind) {
	for name, test := range map[string]func(*testing.T, Kind){
		"values":            testValues,
		"null and empty":    testNulls,
		"full names":        testFullNames,
		"keys":              testKeys,
		"consents":          testConsents,
		"never mail":        testNever,
		"properties":        testProperties,
		"exact numbers":     testExact,
		"dates and times":   testTimes,
		"defects":           testDefects,
		"NUL":               testNUL,
		"repeated":          testRepeated,
		"strings stay":      testStringsStay,
		"columns":           testColumns,
		"missing column":    testMissing,
		"duplicate column":  testDuplicate,
		"binary column":     testBinary,
		"no rows":           testNoRows,
		"break":             testBreak,
		"cancelled before":  testCancelledBefore,
		"cancelled between": testCancelledBetween,
		"snapshot":          testSnapshot,
		"lost":              testLost,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, k)
		})
	}
}

// people is a small table as people have it.
func people() Fixture {
	return Fixture{
		Columns: []Column{
			{"id", Integer}, {"email", Text}, {"first_name", Text}, {"last_name", Text}, {"newsletter", Boolean},
		},
		Rows: [][]any{
			{int64(1), "ada@example.com", "Ada", "Løve", true},
			{int64(2), " Bob@Example.ORG ", "Bob", "O'Neill, \"Jr\"", false},
			{int64(3), "carla@example.net", "Carla\nMaria", "王😀", true},
		},
	}
}

var peopleMapping = source.Mapping{
	Key: []string{"id"}, Email: "email", Fields: owlatsync.Texts{owlatsync.FirstName: "first_name", owlatsync.LastName: "last_name"}, Topics: []string{"newsletter", ""},
}

// wide is a table of rows of 2 kB.
func wide(rows int) Fixture {
	f := Fixture{Columns: []Column{{"id", Integer}, {"email", Text}, {"filler", Text}}}
	filler := strings.Repeat("x", 2000)
	for i := range rows {
		f.Rows = append(f.Rows, []any{int64(i + 1), fmt.Sprintf("user%d@example.com", i+1), filler})
	}
	return f
}

var wideMapping = source.Mapping{Key: []string{"id"}, Email: "email", Fields: owlatsync.Texts{owlatsync.FirstName: "filler"}}

// collect reads a scan that must succeed, with copies of its rows.
func collect(t *testing.T, table *source.Table) []owlatsync.Row {
	t.Helper()
	var rows []owlatsync.Row
	for row, err := range table.Rows(t.Context()) {
		if err != nil {
			t.Fatalf("the scan failed after %d rows: %v", len(rows), err)
		}
		rows = append(rows, keep(row))
	}
	return rows
}

func keep(r *owlatsync.Row) owlatsync.Row {
	kept := *r
	kept.Consents, kept.Unclear = slices.Clone(r.Consents), slices.Clone(r.Unclear)
	kept.Properties = slices.Clone(r.Properties)
	return kept
}

func (k Kind) position(i int) owlatsync.Position {
	return owlatsync.Position{Unit: k.Unit, Number: k.First + i}
}
