package source_test

import (
	"database/sql"
	"io"
	"strings"
	"testing"

	"owlatsync"
	"owlatsync/source"
)

// TestWhatIsMadeOfAColumn reads a file whose columns hold more, or less, than a field.
func TestWhatIsMadeOfAColumn(t *testing.T) {
	t.Parallel()
	const file = `id,contact,person
1,ada@example.com; ada@work.example,"'LOVELACE' ; ADA"
2,*grace@example.com*,hopper
3,,McDonald;Ronald
4,;x@example.com,;
`
	m := source.Mapping{
		Key: []string{"id"}, Email: "contact", Fields: owlatsync.Texts{owlatsync.LastName: "person"},
		Shapes: source.Shapes{Email: source.Shape{Trim: "*", Split: ";", Part: 1}, Fields: [owlatsync.NumContactFields]source.Shape{
			owlatsync.FirstName: {Value: "Customer"}, owlatsync.LastName: {Trim: "'", Split: ";", Part: 1, Title: true}}},
	}
	table, err := source.CSV(func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(file)), nil }, m)
	if err != nil {
		t.Fatal(err)
	}
	null := owlatsync.Field{State: owlatsync.Null}
	want := [][3]owlatsync.Field{
		{owlatsync.Some("ada@example.com"), owlatsync.Some("Customer"), owlatsync.Some("Lovelace")},
		{owlatsync.Some("grace@example.com"), owlatsync.Some("Customer"), owlatsync.Some("Hopper")},
		{null, owlatsync.Some("Customer"), owlatsync.Some("McDonald")},
		{null, owlatsync.Some("Customer"), null},
	}
	n := 0
	for row, err := range table.Rows(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if got := [3]owlatsync.Field{row.Email, row.Fields[owlatsync.FirstName], row.Fields[owlatsync.LastName]}; got != want[n] {
			t.Errorf("row %s: %v, want %v", row.Key, got, want[n])
		}
		n++
	}
	if n != len(want) {
		t.Errorf("%d rows", n)
	}
}

// TestShapesThatContradictThemselves hands in shapes that belong to nothing, and one of an address by which rows are found.
func TestShapesThatContradictThemselves(t *testing.T) {
	t.Parallel()
	name := func(s source.Shape) source.Shapes {
		return source.Shapes{Fields: [owlatsync.NumContactFields]source.Shape{s}}
	}
	for want, m := range map[string]source.Mapping{
		"the address: a value for every row stands beside a column":                       {Email: "email", Shapes: source.Shapes{Email: source.Shape{Value: "x"}}},
		"firstName: it says what is made of a column, and names none":                     {Email: "email", Shapes: name(source.Shape{Title: true})},
		"firstName: a value for every row stands beside a column or what is made of one":  {Email: "email", Shapes: name(source.Shape{Value: "x", Title: true})},
		"firstName: what stands between parts and the number of the part belong together": {Email: "email", Fields: owlatsync.Texts{"name"}, Shapes: name(source.Shape{Part: 1})},
		"the full name: it says what is made of a column, and names none":                 {Email: "email", Shapes: source.Shapes{FullName: source.Shape{Title: true}}},
		"the full name makes both names; map no other column to them":                     {Email: "email", FullName: "name", Shapes: name(source.Shape{Value: "x"})},
	} {
		if err := m.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %s", m.Shapes, err, want)
		}
	}
	_, err := source.SQL(new(sql.DB), source.SQLite, "SELECT id, email FROM users", source.Mapping{Email: "email", Shapes: source.Shapes{Email: source.Shape{Split: ";", Part: 1}}})
	if err == nil || !strings.Contains(err.Error(), "make it in the query") {
		t.Errorf("an address that is made of a column of a database: %v", err)
	}
}
