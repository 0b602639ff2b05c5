package sourcetest

import (
	"fmt"
	"slices"
	"testing"

	"owlatsync/source"
)

// testNever reads a column that says to whom no mail may ever go: a boolean, and a text whose values are listed or not. NULL is a no. A value that says neither makes a defect
// that names the column, and not the value.
func testNever(t *testing.T, k Kind) {
	const yes, no, neither = "yes", "no", "neither"
	f := Fixture{Columns: []Column{{"id", Integer}, {"email", Text}, {"blocked", Boolean}, {"status", Text}}}
	values := []struct {
		blocked, status          any
		isBlocked, plain, listed string
	}{
		{true, "yes", yes, yes, neither},
		{false, "no", no, no, neither},
		{nil, nil, no, no, no},
		{true, "Blocked", yes, neither, yes},
		{false, " deceased ", no, neither, yes},
		{nil, "ACTIVE", no, neither, no},
		{false, "", no, no, no},
		{false, "1", no, yes, neither},
	}
	for i, v := range values {
		f.Rows = append(f.Rows, []any{int64(i + 1), fmt.Sprintf("user%d@example.com", i), v.blocked, v.status})
	}
	stored := k.Store(t, f)
	for name, test := range map[string]struct {
		column string
		words  source.Words
		want   func(i int) string
	}{
		"boolean":   {"blocked", source.Words{}, func(i int) string { return values[i].isBlocked }},
		"text":      {"status", source.Words{}, func(i int) string { return values[i].plain }},
		"listed":    {"status", source.Words{Yes: []string{"blocked", "Deceased"}, No: []string{"active"}}, func(i int) string { return values[i].listed }},
		"no column": {"", source.Words{}, func(int) string { return no }},
	} {
		rows := collect(t, stored.Open(t, nil, source.Mapping{Key: []string{"id"}, Email: "email", Suppressed: test.column, SuppressedWords: test.words}))
		if len(rows) != len(values) {
			t.Fatalf("%s: %d rows", name, len(rows))
		}
		var got, want []string
		for i, row := range rows {
			says := no
			switch {
			case row.Defect != "" && row.Suppressed:
				says = "both"
			case row.Defect != "":
				says = neither
			case row.Suppressed:
				says = yes
			}
			got, want = append(got, says), append(want, test.want(i))
			if row.Key == "" {
				t.Errorf("%s, %s: the row has no key", name, row.Position)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}
