package sourcetest

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"owlatsync"
	"owlatsync/source"
)

func testColumns(t *testing.T, k Kind) {
	f := people()
	table := k.Store(t, f).Open(t, nil, peopleMapping)
	columns, err := table.Columns(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	want := slices.Clone(k.Own)
	for _, c := range columns {
		got = append(got, c.Name)
	}
	for _, c := range f.Columns {
		want = append(want, c.Name)
	}
	if !slices.Equal(got, want) {
		t.Errorf("columns %v, want %v", got, want)
	}
	if err := table.Check(t.Context()); err != nil {
		t.Errorf("check: %v", err)
	}
	if err := table.Ping(t.Context()); err != nil {
		t.Errorf("ping: %v", err)
	}
}

func testMissing(t *testing.T, k Kind) {
	stored := k.Store(t, people())
	for name, m := range map[string]source.Mapping{
		"emial":     {Key: []string{"id"}, Email: "emial"},
		"uid":       {Key: []string{"uid"}, Email: "email"},
		"fristname": {Email: "email", Fields: owlatsync.Texts{owlatsync.FirstName: "fristname"}},
		"surname":   {Email: "email", Fields: owlatsync.Texts{owlatsync.LastName: "surname"}},
		"consent":   {Email: "email", Topics: []string{"", "consent"}},
		"plan":      {Email: "email", Properties: []source.Property{{Name: "plan", Column: "plan"}}},
	} {
		table := stored.Open(t, nil, m)
		err := onlyError(t, table)
		var column *source.ColumnError
		if !errors.As(err, &column) || column.Column != name {
			t.Errorf("%s: %v, want a ColumnError that names it", name, err)
			continue
		}
		for _, word := range []string{"no such column", "id, email, first_name, last_name, newsletter"} {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%s: %v, want it to say %q", name, err, word)
			}
		}
		if name == "emial" && !strings.Contains(err.Error(), `did you mean "email"?`) {
			t.Errorf("%v, want it to suggest email", err)
		}
		if check := table.Check(t.Context()); check == nil || check.Error() != err.Error() {
			t.Errorf("%s: check says %v, the scan %v", name, check, err)
		}
	}
}

// onlyError returns the error of a scan that must give no row.
func onlyError(t *testing.T, table *source.Table) (err error) {
	t.Helper()
	for row, e := range table.Rows(t.Context()) {
		switch {
		case row != nil:
			t.Fatal("there is a row, want only an error")
		case err != nil:
			t.Fatal("the scan goes on after its error")
		}
		err = e
	}
	if err == nil {
		t.Fatal("the scan is a short success, want an error")
	}
	return err
}

func testDuplicate(t *testing.T, k Kind) {
	if k.NoDuplicate {
		t.Skip("two columns cannot have one name")
	}
	stored := k.Store(t, people())
	names := []string{"id", "email", "id", "last_name", "newsletter"}
	err := onlyError(t, stored.Open(t, names, source.Mapping{Key: []string{"id"}, Email: "email"}))
	var column *source.ColumnError
	if !errors.As(err, &column) || column.Column != "id" || !strings.Contains(err.Error(), "2 columns of this name") {
		t.Errorf("%v, want a ColumnError for id", err)
	}
	if got := collect(t, stored.Open(t, names, source.Mapping{Email: "email"})); len(got) != 3 {
		t.Errorf("%d rows, want 3: a doubled column that is not mapped does no harm", len(got))
	}
}

func testBinary(t *testing.T, k Kind) {
	if k.NoBinary {
		t.Skip("there is no binary data")
	}
	f := Fixture{
		Columns: []Column{{"id", Integer}, {"email", Text}, {"raw", Binary}},
		Rows:    [][]any{{int64(1), "a@example.com", []byte{0, 1, 2}}},
	}
	stored := k.Store(t, f)
	for name, m := range map[string]source.Mapping{
		"key":      {Key: []string{"raw"}, Email: "email"},
		"email":    {Email: "raw"},
		"name":     {Email: "email", Fields: owlatsync.Texts{owlatsync.FirstName: "raw"}},
		"topic":    {Email: "email", Topics: []string{"raw"}},
		"property": {Email: "email", Properties: []source.Property{{Name: "raw", Column: "raw"}}},
	} {
		err := onlyError(t, stored.Open(t, nil, m))
		var column *source.ColumnError
		if !errors.As(err, &column) || column.Column != "raw" || !strings.Contains(err.Error(), "binary") || !strings.Contains(err.Error(), "in the query, such as") {
			t.Errorf("%s: %v, want a ColumnError for raw that says what to do", name, err)
		}
	}
	if got := collect(t, stored.Open(t, nil, source.Mapping{Email: "email"})); len(got) != 1 {
		t.Errorf("%d rows, want 1: a binary column that is not mapped does no harm", len(got))
	}
}
