package sourcetest

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"owlatsync"
	"owlatsync/source"
)

func testValues(t *testing.T, k Kind) {
	f := people()
	f.Rows[2][2] = "Carla Maria" // a line break would move the later positions of a file
	got := collect(t, k.Store(t, f).Open(t, nil, peopleMapping))
	var want []owlatsync.Row
	for i, row := range f.Rows {
		want = append(want, owlatsync.Row{
			Key: fmt.Sprint(row[0]), Position: k.position(i),
			Email: owlatsync.Some(row[1].(string)), Fields: owlatsync.Fields{owlatsync.FirstName: owlatsync.Some(row[2].(string)), owlatsync.LastName: owlatsync.Some(row[3].(string))},
			Consents: []owlatsync.Consent{owlatsync.ConsentOf(row[4].(bool)), owlatsync.Yes},
		})
	}
	if diff := cmp.Diff(want, got, emptyIsNil); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

// emptyIsNil treats an empty slice like a nil one.
var emptyIsNil = cmp.FilterValues(func(a, b []owlatsync.Property) bool { return len(a)+len(b) == 0 }, cmp.Ignore())

func testNulls(t *testing.T, k Kind) {
	f := people()
	f.Rows = f.Rows[:2]
	f.Rows[0][1], f.Rows[0][2], f.Rows[0][4] = nil, nil, nil
	f.Rows[1][1], f.Rows[1][2] = "", ""
	m := peopleMapping
	m.Fields[owlatsync.LastName] = ""
	got := collect(t, k.Store(t, f).Open(t, nil, m))
	null, empty := owlatsync.Field{State: owlatsync.Null}, owlatsync.Some("")
	if k.Untyped {
		empty = null
	}
	for i, want := range []owlatsync.Field{null, empty} {
		if got[i].Email != want || got[i].Fields[owlatsync.FirstName] != want {
			t.Errorf("%s: address %+v and first name %+v, want %+v", got[i].Position, got[i].Email, got[i].Fields[owlatsync.FirstName], want)
		}
		if got[i].Fields[owlatsync.LastName] != (owlatsync.Field{}) {
			t.Errorf("%s: last name %+v, want it unmapped", got[i].Position, got[i].Fields[owlatsync.LastName])
		}
	}
	if got[0].Consents[0] != owlatsync.No {
		t.Error("NULL is taken for a consent")
	}
}

func testFullNames(t *testing.T, k Kind) {
	f := people()
	f.Rows = f.Rows[:3]
	f.Rows[0][2], f.Rows[1][2], f.Rows[2][2] = "Dr. Ada Lovelace", "Lovelace, Ada", nil
	m := peopleMapping
	m.Fields, m.FullName = owlatsync.Texts{}, f.Columns[2].Name
	null := owlatsync.Field{State: owlatsync.Null}
	both := owlatsync.Fields{owlatsync.FirstName: owlatsync.Some("Ada"), owlatsync.LastName: owlatsync.Some("Lovelace")}
	for i, row := range collect(t, k.Store(t, f).Open(t, nil, m)) {
		if want := []owlatsync.Fields{both, both, {null, null}}[i]; row.Fields != want {
			t.Errorf("%s: the names are %+v, want %+v", row.Position, row.Fields, want)
		}
	}
}

func testKeys(t *testing.T, k Kind) {
	f := Fixture{
		Columns: []Column{{"n", Integer}, {"email", Text}, {"tenant", Text}, {"code", Char}},
		Rows: [][]any{
			{int64(-40), "d@example.com", "ü", "d d"},
			{int64(1), "a@example.com", "a/b", "c"},
			{int64(2), "b@example.com", "a", "b/c"},
			{int64(3), "c@example.com", `a\`, "AB"},
		},
	}
	stored := k.Store(t, f)
	for _, test := range []struct {
		key  []string
		want []string
	}{
		{nil, []string{"", "", "", ""}},
		{[]string{"n"}, []string{"-40", "1", "2", "3"}},
		{[]string{"code"}, []string{"d d", "c", "b/c", "AB"}},
		{[]string{"tenant", "code"}, []string{"ü/d d", `a\/b/c`, `a/b\/c`, `a\\/AB`}},
		{[]string{"code", "n"}, []string{"d d/-40", "c/1", `b\/c/2`, "AB/3"}},
		{[]string{"email"}, []string{"d@example.com", "a@example.com", "b@example.com", "c@example.com"}},
	} {
		var got []string
		for _, row := range collect(t, stored.Open(t, nil, source.Mapping{Key: test.key, Email: "email"})) {
			got = append(got, row.Key)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("key %v: %q, want %q", test.key, got, test.want)
		}
	}
}

func testConsents(t *testing.T, k Kind) {
	yes := []any{"t", "T", "true", "TRUE", "y", "Y", "yes", "Yes", "on", "ON", "1", " yes "}
	no := []any{"f", "F", "false", "False", "n", "N", "no", "NO", "off", "Off", "0", "", nil}
	bad := []any{"2", "maybe", "ja", "truely", "-", "-1", "2026-11-03"}
	f := Fixture{Columns: []Column{{"id", Integer}, {"email", Text}, {"optin", Text}, {"flags", Integer}}}
	for i, value := range slices.Concat(yes, no, bad) {
		flags := int64(i % 2)
		if i%3 == 0 {
			flags -= 7 // a number other than 0 and 1
		}
		f.Rows = append(f.Rows, []any{int64(i), "a@example.com", value, flags})
	}
	m := source.Mapping{Key: []string{"id"}, Email: "email", Topics: []string{"optin", "flags", "", "optin", "flags"}, Words: []source.Words{
		{}, {}, {}, {Yes: []string{"Maybe", "JA", " -1"}, No: []string{"2", "yes"}}, {Yes: []string{"-7"}},
	}}
	for i, row := range collect(t, k.Store(t, f).Open(t, nil, m)) {
		value := f.Rows[i][2]
		want := []owlatsync.Consent{owlatsync.ConsentOf(i < len(yes)), owlatsync.ConsentOf(i%2 != 0), owlatsync.Yes, owlatsync.Unclear, owlatsync.No}
		if i >= len(yes)+len(no) {
			want[0] = owlatsync.Unclear
		}
		if i%3 == 0 {
			want[1], want[4] = owlatsync.Unclear, owlatsync.Unclear
		} else if i%2 != 0 {
			want[4] = owlatsync.Unclear // 1 is not in the list
		}
		if f.Rows[i][3] == int64(-7) {
			want[4] = owlatsync.Yes
		}
		switch text, _ := value.(string); strings.ToLower(strings.TrimSpace(text)) {
		case "maybe", "ja", "-1":
			want[3] = owlatsync.Yes
		case "2", "yes", "":
			want[3] = owlatsync.No
		}
		if row.Defect != "" || !slices.Equal(row.Consents, want) {
			t.Errorf("%v and %v: consents %v, want %v; defect %q", value, f.Rows[i][3], row.Consents, want, row.Defect)
		}
		for j, c := range row.Consents {
			shown := []string{fmt.Sprint(value), fmt.Sprint(f.Rows[i][3])}[j%3%2]
			if c == owlatsync.Unclear && row.Unclear[j] != shown {
				t.Errorf("%v and %v: the value of topic %d is shown as %q", value, f.Rows[i][3], j, row.Unclear[j])
			}
		}
		if row.Unclear != nil && !slices.Contains(row.Consents, owlatsync.Unclear) {
			t.Errorf("%v: unclear %v of %v", value, row.Unclear, row.Consents)
		}
	}
}

func testProperties(t *testing.T, k Kind) {
	f := Fixture{
		Columns: []Column{
			{"id", Integer}, {"email", Text}, {"plan", Text}, {"visits", Integer}, {"score", Number}, {"active", Boolean}, {"seen", Instant},
		},
		Rows: [][]any{
			{int64(1), "a@example.com", "pro", int64(9007199254740993), 1.25, true, time.Date(2026, 11, 3, 4, 5, 6, 120_000_000, time.UTC)},
			{int64(2), "b@example.com", nil, nil, nil, nil, nil},
			{int64(3), "c@example.com", "12", int64(-7), -3.5, false, time.Date(1999, 12, 31, 23, 59, 59, 0, time.UTC)},
		},
	}
	m := source.Mapping{Key: []string{"id"}, Email: "email"}
	for _, c := range f.Columns[2:] {
		m.Properties = append(m.Properties, source.Property{Name: "p_" + c.Name, Column: c.Name})
	}
	for i, row := range collect(t, k.Store(t, f).Open(t, nil, m)) {
		var want []owlatsync.Property
		for j, c := range f.Columns[2:] {
			want = append(want, owlatsync.Property{Name: "p_" + c.Name, Value: k.property(f.Rows[i][j+2])})
		}
		if diff := cmp.Diff(want, row.Properties); diff != "" {
			t.Errorf("%s (-want +got):\n%s", row.Position, diff)
		}
	}
}

// property returns a stored value as an event property.
func (k Kind) property(value any) any {
	switch v := value.(type) {
	case nil:
		return nil
	case time.Time:
		return v.Format(time.RFC3339Nano)
	case bool:
		if k.NoBooleans && v {
			return int64(1)
		} else if k.NoBooleans {
			return int64(0)
		}
	}
	if k.Untyped {
		return fmt.Sprint(value)
	}
	return value
}

func testExact(t *testing.T, k Kind) {
	f := Fixture{
		Columns: []Column{{"id", Integer}, {"email", Text}, {"amount", Exact}, {"big", Integer}},
		Rows: [][]any{
			{int64(1), "a@example.com", json.Number("12345678901234567890.1234567891"), int64(math.MaxInt64)},
			{int64(2), "b@example.com", json.Number("12345678901234567890.1234567892"), int64(math.MinInt64)},
			{int64(3), "c@example.com", json.Number("-9007199254740993.0000000001"), int64(1<<53 + 1)},
			{int64(4), "d@example.com", json.Number("1.0000000001"), int64(-1<<53 - 1)}, // a double holds all its digits
			{int64(5), "e@example.com", 0.5, int64(0)},
			{int64(6), "f@example.com", -1234567890.0625, int64(-1)},
		},
	}
	if k.Doubles {
		t.Skip("decimals are rounded when they are stored")
	}
	stored := k.Store(t, f)
	m := source.Mapping{Key: []string{"amount"}, Email: "email", Fields: owlatsync.Texts{owlatsync.FirstName: "big"}, Properties: []source.Property{{Name: "amount", Column: "amount"}, {Name: "big", Column: "big"}}}
	for i, row := range collect(t, stored.Open(t, nil, m)) {
		want := []owlatsync.Property{{Name: "amount", Value: k.property(f.Rows[i][2])}, {Name: "big", Value: k.property(f.Rows[i][3])}}
		if i == 3 && !k.Untyped {
			want[0].Value = 1.0000000001
		}
		if diff := cmp.Diff(want, row.Properties); diff != "" {
			t.Errorf("%s (-want +got):\n%s", row.Position, diff)
		}
		if digits, exact := f.Rows[i][2].(json.Number); exact && row.Key != string(digits) {
			t.Errorf("%s: the key is %q, want %q", row.Position, row.Key, digits)
		}
		if want := owlatsync.Some(fmt.Sprint(f.Rows[i][3])); row.Fields[owlatsync.FirstName] != want {
			t.Errorf("%s: the name is %+v, want %+v", row.Position, row.Fields[owlatsync.FirstName], want)
		}
	}
}

func testTimes(t *testing.T, k Kind) {
	f := Fixture{Columns: []Column{{"id", Integer}, {"email", Text}, {"seen", Instant}, {"born", Date}}}
	for i, at := range []time.Time{
		time.Date(2026, 11, 3, 0, 0, 0, 0, time.UTC),
		time.Date(2026, 3, 29, 1, 30, 0, 500_000_000, time.UTC), // no such time in Berlin
		time.Date(2026, 3, 8, 2, 30, 0, 0, time.UTC).Add(24 * time.Hour),
		time.Date(1999, 12, 31, 23, 59, 59, 0, time.UTC),
		time.Date(2026, 11, 1, 1, 30, 0, 0, time.UTC), // twice in New York
		time.Date(2018, 11, 4, 12, 0, 0, 0, time.UTC), // a day that has no midnight in São Paulo
	} {
		f.Rows = append(f.Rows, []any{int64(i), "a@example.com", at, at.Format(time.DateOnly)})
	}
	m := source.Mapping{Key: []string{"born", "seen"}, Email: "email", Fields: owlatsync.Texts{owlatsync.FirstName: "born", owlatsync.LastName: "seen"},
		Properties: []source.Property{{Name: "born", Column: "born"}, {Name: "seen", Column: "seen"}}}
	for i, row := range collect(t, k.Store(t, f).Open(t, nil, m)) {
		born, seen := f.Rows[i][3].(string), f.Rows[i][2].(time.Time).Format(time.RFC3339Nano)
		want := owlatsync.Row{
			Key: born + "/" + seen, Position: k.position(i), Email: owlatsync.Some("a@example.com"), Fields: owlatsync.Fields{owlatsync.FirstName: owlatsync.Some(born), owlatsync.LastName: owlatsync.Some(seen)},
			Properties: []owlatsync.Property{{Name: "born", Value: born}, {Name: "seen", Value: seen}}, Consents: []owlatsync.Consent{},
		}
		if diff := cmp.Diff(want, row, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", row.Position, diff)
		}
	}
}

func testNUL(t *testing.T, k Kind) {
	if k.NoNUL {
		t.Skip("no text has a NUL byte")
	}
	f := people()
	f.Columns[0].Name, f.Columns[2].Name = "n", "uid"
	f.Rows[2][2] = "Carla Maria"
	f.Rows = append(f.Rows, []any{int64(4), "d@example.com", "four", "Good", true})
	mappings := map[string]source.Mapping{
		"key":      {Key: []string{"uid"}, Email: "email"},
		"name":     {Email: "email", Fields: owlatsync.Texts{owlatsync.LastName: "uid"}},
		"address":  {Email: "uid"},
		"property": {Email: "email", Properties: []source.Property{{Name: "p", Column: "uid"}}},
		"unmapped": {Key: []string{"n"}, Email: "email"},
	}
	f.Rows[1][2] = NUL
	stored := k.Store(t, f)
	for name, m := range mappings {
		rows := collect(t, stored.Open(t, nil, m))
		if len(rows) != len(f.Rows) {
			t.Fatalf("%s: %d rows, want %d: a defect must not end the scan", name, len(rows), len(f.Rows))
		}
		for i, row := range rows {
			want := ""
			if i == 1 && name != "unmapped" {
				want = `column "uid" holds a NUL byte, which is part of no text`
			}
			if row.Defect != want {
				t.Errorf("%s, %s: defect %q, want %q", name, row.Position, row.Defect, want)
			}
		}
	}
}

func testDefects(t *testing.T, k Kind) {
	f := people()
	f.Columns[0].Name, f.Columns[2].Name = "n", "uid"
	f.Rows = append(f.Rows, []any{int64(4), "d@example.com", "four", "Good", true})
	f.Rows[0][2] = nil
	f.Rows[1][2] = "  "
	wants := []string{`column "uid" is empty, but is part of the key`, `column "uid" is empty, but is part of the key`, "", ""}
	keys := []string{"", "", "Carla Maria", "four"}
	f.Rows[2][2] = "Carla Maria"
	if !k.NoBadText {
		f.Rows[2][3], wants[2] = NotUTF8, `column "last_name" is not valid UTF-8`
	}
	m := source.Mapping{Key: []string{"uid"}, Email: "email", Fields: owlatsync.Texts{owlatsync.LastName: "last_name"}}
	got := collect(t, k.Store(t, f).Open(t, nil, m))
	if len(got) != len(wants) {
		t.Fatalf("%d rows, want %d: a defect must not end the scan", len(got), len(wants))
	}
	for i, row := range got {
		if row.Defect != wants[i] || row.Key != keys[i] || row.Position != k.position(i) {
			t.Errorf("%s: defect %q and key %q, want %q and %q at %s", row.Position, row.Defect, row.Key, wants[i], keys[i], k.position(i))
		}
	}
}
