package source

import (
	"strings"
	"testing"
)

func TestDescribeStopsSomewhere(t *testing.T) {
	t.Parallel()
	columns := make([]column, 100)
	for i := range columns {
		columns[i].Name = "c\n"
	}
	got := describe(columns)
	if !strings.HasSuffix(got, `"c\n" and 70 more`) || strings.Contains(got, "\n") {
		t.Errorf("%q, want 30 quoted names and 70 more", got)
	}
}

func TestMappingValidate(t *testing.T) {
	t.Parallel()
	for want, m := range map[string]Mapping{
		"": {Key: []string{"a", "b"}, Email: "email", Topics: []string{"", "x", "x"}},
		"no column is mapped to the email address":                    {Key: []string{"id"}},
		"a key column has no name":                                    {Key: []string{""}, Email: "email"},
		"the full name makes both names; map no other column to them": {Email: "email", FullName: "name", Fields: [2]string{"", "x"}},
		`the key names column "id" twice`:                             {Key: []string{"id", "id"}, Email: "email"},
		`the event property from column "x" has no name`:              {Email: "email", Properties: []Property{{"", "x"}}},
		`the event property "p" has no column`:                        {Email: "email", Properties: []Property{{"p", ""}}},
		`the event property "p" is mapped twice`:                      {Email: "email", Properties: []Property{{"p", "a"}, {"p", "b"}}},
	} {
		err := m.Validate()
		if err == nil && want != "" || err != nil && err.Error() != want {
			t.Errorf("%v, want %q", err, want)
		}
		if _, sqlErr := CSV(File("x"), m); (sqlErr == nil) != (err == nil) {
			t.Errorf("CSV takes the mapping: %v, want %q", sqlErr, want)
		}
	}
}

func TestDialects(t *testing.T) {
	t.Parallel()
	if _, err := Dialect(99).rules(); err == nil {
		t.Error("an unknown dialect has rules")
	}
	if _, err := SQL(nil, SQLite, "SELECT 1", Mapping{Email: "email"}); err == nil {
		t.Error("no database passes for one")
	}
	for _, d := range []Dialect{Generic, MySQL, SQLite} {
		if rules, err := d.rules(); err != nil || rules.begin == nil || rules.kindOf == nil || rules.name == "" || rules.castHint == "" {
			t.Errorf("dialect %d: %+v and %v", d, rules, err)
		}
	}
}
