package source_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"owlatsync"
	"owlatsync/source"
)

var idAndEmail = source.Mapping{Key: []string{"id"}, Email: "email"}

// read reads a scan to its end and returns copies of its rows and its error.
func read(ctx context.Context, table *source.Table) (rows []owlatsync.Row, err error) {
	for row, e := range table.Rows(ctx) {
		if e != nil {
			err = e
			continue
		}
		kept := *row
		kept.Consents, kept.Unclear = slices.Clone(row.Consents), slices.Clone(row.Unclear)
		kept.Properties = append([]owlatsync.Property(nil), row.Properties...)
		rows = append(rows, kept)
	}
	return rows, err
}

// fails reads a source that was made or not, and returns the error of the one or the other; there must be no row.
func fails(t *testing.T, table *source.Table, err error) error {
	t.Helper()
	if err != nil {
		return err
	}
	rows, err := read(t.Context(), table)
	if len(rows) > 0 {
		t.Errorf("there are %d rows, want only an error", len(rows))
	}
	if err == nil {
		t.Fatal("there is no error")
	}
	if check := table.Check(t.Context()); check != nil && check.Error() != err.Error() {
		t.Errorf("check says %q, the scan %q", check, err)
	}
	return err
}

// says reports what the error should say and does not, or should not and does.
func says(t *testing.T, err error, words ...string) {
	t.Helper()
	for _, word := range words {
		if not, found := strings.CutPrefix(word, "!"); found {
			if strings.Contains(err.Error(), not) {
				t.Errorf("the error says %q: %v", not, err)
			}
		} else if !strings.Contains(err.Error(), word) {
			t.Errorf("the error does not say %q: %v", word, err)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("the error has several lines: %q", err)
	}
}

// typed is a value of a database, and what becomes of it.
type typed struct {
	expression string // in the database's own SQL
	text       any    // as a field or key: nil is NULL
	property   any
}

// testTypes maps each value as a name and as a property.
func testTypes(t *testing.T, values []typed, open func(query string, m source.Mapping) (*source.Table, error)) {
	t.Helper()
	m := source.Mapping{Email: "v", Fields: owlatsync.Texts{owlatsync.FirstName: "v"}, Properties: []source.Property{{Name: "p", Column: "v"}}}
	for _, v := range values {
		table, err := open("SELECT "+v.expression+" AS v", m)
		if err != nil {
			t.Errorf("%s: %v", v.expression, err)
			continue
		}
		rows, err := read(t.Context(), table)
		if err != nil || len(rows) != 1 || rows[0].Defect != "" {
			t.Errorf("%s: %v, rows %+v", v.expression, err, rows)
			continue
		}
		want := owlatsync.Field{State: owlatsync.Null}
		if v.text != nil {
			want = owlatsync.Some(v.text.(string))
		}
		if got := rows[0].Fields[owlatsync.FirstName]; got != want {
			t.Errorf("%s is the text %+v, want %+v", v.expression, got, want)
		}
		if got := rows[0].Properties[0].Value; got != v.property {
			t.Errorf("%s is the property %#v, want %#v", v.expression, got, v.property)
		}
	}
}

// testRefused runs statements that are no query, and checks that nothing came of them.
func testRefused(t *testing.T, statements []string, open func(query string) (*source.Table, error), unchanged func()) {
	t.Helper()
	for _, statement := range statements {
		table, err := open(statement)
		if err == nil {
			var rows []owlatsync.Row
			if rows, err = read(t.Context(), table); len(rows) > 0 {
				t.Errorf("%s: %d rows", statement, len(rows))
			}
		}
		if err == nil {
			t.Errorf("%s: there is no error", statement)
		} else if !errors.Is(err, source.ErrNotQuery) {
			t.Errorf("%s: %v, want ErrNotQuery", statement, err)
		} else {
			says(t, err, source.ErrNotQuery.Error())
		}
		unchanged()
	}
}
