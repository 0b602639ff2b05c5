package config

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"owlatsync"
	"owlatsync/source"
)

func inFile(fields, events string) []byte {
	return []byte("owlat: {url: \"https://example.convex.site\"}\nsyncs:\n  users:\n    source: {dsn: \"csv:users.csv\"}\n    key: id\n" + fields + events)
}

// TestWhatIsMadeOfAColumn reads every form of a field.
func TestWhatIsMadeOfAColumn(t *testing.T) {
	t.Parallel()
	const first, last = owlatsync.FirstName, owlatsync.LastName
	for _, test := range []struct {
		fields string
		want   Fields
	}{
		{"{email: mail, firstName: {column: vorname}}", Fields{Email: "mail", Others: owlatsync.Texts{first: "vorname"}}},
		{`{email: {column: mail, split: ";"}, firstName: {column: name, split: " ", part: -1, title: true}, lastName: {value: "Customer"}}`,
			Fields{Email: "mail", Others: owlatsync.Texts{first: "name"}, Shapes: source.Shapes{Email: source.Shape{Split: ";", Part: 1},
				Fields: [owlatsync.NumContactFields]source.Shape{first: {Split: " ", Part: -1, Title: true}, last: {Value: "Customer"}}}}},
		{`{email: mail, fullName: {column: name, trim: "'*", title: true}}`,
			Fields{Email: "mail", FullName: "name", Shapes: source.Shapes{FullName: source.Shape{Trim: "'*", Title: true}}}},
		{`{email: mail, lastName: {value: "${WORD}"}}`,
			Fields{Email: "mail", Shapes: source.Shapes{Fields: [owlatsync.NumContactFields]source.Shape{last: {Value: "Kunde"}}}}},
	} {
		cfg, err := Parse("f.yaml", inFile("    fields: "+test.fields+"\n", ""), env(map[string]string{EnvAPIKey: testKey, "WORD": "Kunde"}))
		if err != nil {
			t.Errorf("%s: %v", test.fields, err)
			continue
		}
		if diff := cmp.Diff(test.want, cfg.Syncs[0].Fields); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.fields, diff)
		}
		if err := cfg.Syncs[0].Mapping().Validate(); err != nil {
			t.Errorf("%s: the source refuses it: %v", test.fields, err)
		}
	}
}

func TestBadFields(t *testing.T) {
	t.Parallel()
	const at = "f.yaml:6: syncs.users.fields"
	for fields, want := range map[string]string{
		"{email: {title: true}}":                                      at + `.email: names no column; add one, such as {column: name, title: true}`,
		"{email: {value: x@example.com}}":                             at + `.email: cannot be the same in every row; name its column`,
		"{email: m, firstName: {column: n, part: 2}}":                 at + `.firstName.part: means nothing without split; say what stands between the parts, such as split: ";"`,
		"{email: m, firstName: {column: n, split: \";\", part: 0}}":   at + `.firstName.part: must be the number of a part: 1 for the first, -1 for the last`,
		"{email: m, firstName: {column: n, split: \";\", part: two}}": at + `.firstName.part: must be the number of a part: 1 for the first, -1 for the last`,
		"{email: m, firstName: {column: n, value: Ada}}":              at + `.firstName.value: is the same in every row, so nothing else can stand beside it; remove it, or the rest`,
		"{email: m, firstName: {value: Ada, title: true}}":            at + `.firstName.value: is the same in every row, so nothing else can stand beside it; remove it, or the rest`,
		"{email: m, firstName: {column: n, title: 1}}":                at + `.firstName.title: must be true or false, not a number`,
		"{email: m, firstName: {column: n, upper: true}}":             at + `.firstName: unknown key "upper"; known here: column, trim, split, part, title, value, overwrite`,
		"{email: m, firstName: {column: n, split: \"\"}}":             at + `.firstName.split: is empty; give it a value or remove the line`,
		"{email: m, firstName: [a, b]}":                               at + `.firstName: must be a text, not a list`,
		"{email: m, fullName: {value: Ada Lovelace}}":                 at + `.fullName: cannot be the same in every row; give firstName and lastName values`,
		"{email: m, fullName: name, lastName: {value: X}}":            at + `.fullName: makes both names; remove it, or firstName and lastName`,
		"{email: m, language: lang}":                                  at + `: "language" is no field: Owlat's API can neither read nor set a contact's language; set it in Owlat's dashboard, or by its import of CSV files`,
		"{email: m, Locale: lang}":                                    at + `: "Locale" is no field: Owlat's API can neither read nor set a contact's language; set it in Owlat's dashboard, or by its import of CSV files`,
	} {
		_, err := Parse("f.yaml", inFile("    fields: "+fields+"\n", ""), env(map[string]string{EnvAPIKey: testKey}))
		if err == nil || err.Error() != want {
			t.Errorf("%s:\n got %v\nwant %s", fields, err, want)
		}
	}
	database := strings.Replace(valid, "email: email", "email: {column: email, split: \";\"}", 1)
	if _, err := Parse("f.yaml", []byte(database), env(map[string]string{EnvAPIKey: testKey})); err == nil || !strings.Contains(err.Error(), "make the address in the query") {
		t.Errorf("an address that is made of a column of a database: %v", err)
	}
}

func TestPropertiesThatAreTheSameInEveryEvent(t *testing.T) {
	t.Parallel()
	const events = "    events: [{name: joined, on: created, properties: {plan: plan_name, seats: {value: 3}, share: {value: 1.50}, trial: {value: true}, via: {value: \"3\"}}}]\n"
	cfg, err := Parse("f.yaml", inFile("    fields: {email: mail}\n", events), env(map[string]string{EnvAPIKey: testKey}))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]json.RawMessage{"seats": json.RawMessage("3"), "share": json.RawMessage("1.50"), "trial": json.RawMessage("true"), "via": json.RawMessage(`"3"`)}
	rule := cfg.Syncs[0].Reconcile(nil).Events[0]
	if diff := cmp.Diff(want, rule.Constants); diff != "" || rule.Validate() != nil {
		t.Errorf("%v (-want +got):\n%s", rule.Validate(), diff)
	}
	if diff := cmp.Diff([]source.Property{{Name: "plan_name", Column: "plan_name"}}, cfg.Syncs[0].Mapping().Properties); diff != "" {
		t.Errorf("columns (-want +got):\n%s", diff)
	}
	for value, want := range map[string]string{
		"{values: 3}":       `syncs.users.events[0].properties.p: unknown key "values"; did you mean "value"?`,
		"{value: }":         `syncs.users.events[0].properties.p.value: has no value; give it one or remove the line`,
		"{value: [1]}":      `syncs.users.events[0].properties.p.value: must be a text, not a list`,
		"{value: \"${X}\"}": `syncs.users.events[0].properties.p.value: the environment variable X is not set`,
		"{}":                `syncs.users.events[0].properties.p: must be a column, or have a value for all events, such as {value: 3}`,
	} {
		_, err := Parse("f.yaml", inFile("    fields: {email: mail}\n", "    events: [{name: joined, on: created, properties: {p: "+value+"}}]\n"), env(map[string]string{EnvAPIKey: testKey}))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s:\n got %v\nwant %s", value, err, want)
		}
	}
}
