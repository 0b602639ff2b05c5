package scan

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/policy"
	"owlatsync/reconcile/step"
)

func name(s string) *string { return &s }

func TestReaderNormalisesAndRefuses(t *testing.T) {
	t.Parallel()
	set := owlatsync.Some
	owls := strings.Repeat("🦉", 101) // 202 UTF-16 units
	for _, tt := range []struct {
		name    string
		row     owlatsync.Row
		sync    policy.Policies
		invalid string
		want    step.Row
	}{
		{"trimmed and lower-cased", owlatsync.Row{Key: "1", Email: set(" Ada@Example.com "), Fields: owlatsync.Fields{owlatsync.FirstName: set(" Ada\t"), owlatsync.LastName: owlatsync.Field{State: owlatsync.Null}}},
			policy.Policies{}, "", step.Row{Key: "1", Email: "ada@example.com", Fields: step.Wanted{owlatsync.FirstName: name("Ada")}}},
		{"NULL clears", owlatsync.Row{Key: "1", Email: set("a@example.com"), Fields: owlatsync.Fields{owlatsync.LastName: owlatsync.Field{State: owlatsync.Null}}},
			policy.Policies{Nulls: policy.NullsClear}, "", step.Row{Key: "1", Email: "a@example.com", Fields: step.Wanted{owlatsync.LastName: name("")}}},
		{"the address is the key", owlatsync.Row{Email: set("A@example.com")}, policy.Policies{KeyIsAddress: true}, "", step.Row{Key: "a@example.com", Email: "a@example.com"}},
		{"no key", owlatsync.Row{Email: set("a@example.com")}, policy.Policies{}, "the row has no key", step.Row{}},
		{"no address", owlatsync.Row{Key: "1", Email: owlatsync.Field{State: owlatsync.Null}}, policy.Policies{}, "the address is empty", step.Row{}},
		{"blank address", owlatsync.Row{Key: "1", Email: set("  ")}, policy.Policies{}, "the address is empty", step.Row{}},
		{"bad address", owlatsync.Row{Key: "1", Email: set("ada@example")}, policy.Policies{}, "the domain of the address has no dot", step.Row{}},
		{"defect", owlatsync.Row{Key: "1", Defect: `column "email" is not UTF-8`}, policy.Policies{}, `column "email" is not UTF-8`, step.Row{}},
		{"first name too long", owlatsync.Row{Key: "1", Email: set("a@example.com"), Fields: owlatsync.Fields{owlatsync.FirstName: set(owls)}}, policy.Policies{}, "the first name is longer than Owlat's 200 characters", step.Row{}},
		{"last name too long", owlatsync.Row{Key: "1", Email: set("a@example.com"), Fields: owlatsync.Fields{owlatsync.LastName: set(owls)}}, policy.Policies{}, "the last name is longer than Owlat's 200 characters", step.Row{}},
		{"name just short enough", owlatsync.Row{Key: "1", Email: set("a@example.com"), Fields: owlatsync.Fields{owlatsync.FirstName: set(owls[4:] + "  ")}}, policy.Policies{}, "",
			step.Row{Key: "1", Email: "a@example.com", Fields: step.Wanted{owlatsync.FirstName: name(owls[4:])}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d, _, invalid := NewReader(&tt.sync).Read(&tt.row)
			if invalid != tt.invalid {
				t.Fatalf("invalid because %q, want %q", invalid, tt.invalid)
			}
			if invalid != "" {
				return
			}
			got := *d
			if got.Fingerprint.IsZero() {
				t.Error("a valid row without a fingerprint")
			}
			got.Fingerprint = ledger.Fingerprint{}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestFingerprintTellsRowsAndSettingsApart(t *testing.T) {
	t.Parallel()
	base := func() owlatsync.Row {
		return owlatsync.Row{Key: "1", Email: owlatsync.Some("ab@example.com"), Fields: owlatsync.Fields{owlatsync.FirstName: owlatsync.Some("c"), owlatsync.LastName: owlatsync.Some("")}, Consents: []owlatsync.Consent{owlatsync.Yes, owlatsync.No}}
	}
	topics := []policy.Topic{{ID: "t1"}, {ID: "t2"}}
	seen := make(map[ledger.Fingerprint]string)
	check := func(what string, s policy.Policies, change func(*owlatsync.Row)) {
		row := base()
		change(&row)
		d, _, invalid := NewReader(&s).Read(&row)
		if invalid != "" {
			t.Fatalf("%s: %s", what, invalid)
		}
		if other, twice := seen[d.Fingerprint]; twice {
			t.Errorf("%s has the fingerprint of %s", what, other)
		}
		seen[d.Fingerprint] = what
	}
	s := policy.Policies{Topics: topics}
	check("the row", s, func(*owlatsync.Row) {})
	check("another key", s, func(r *owlatsync.Row) { r.Key = "2" })
	check("another address", s, func(r *owlatsync.Row) { r.Email.Value = "b@example.com" })
	check("another name", s, func(r *owlatsync.Row) { r.Fields[owlatsync.FirstName].Value = "d" })
	check("names moved", s, func(r *owlatsync.Row) {
		r.Fields[owlatsync.FirstName].Value, r.Fields[owlatsync.LastName].Value = "", "c"
	})
	check("an unmapped name", s, func(r *owlatsync.Row) { r.Fields[owlatsync.LastName] = owlatsync.Field{} })
	check("consents swapped", s, func(r *owlatsync.Row) { r.Consents = []owlatsync.Consent{owlatsync.No, owlatsync.Yes} })
	check("another topic", policy.Policies{Topics: []policy.Topic{{ID: "t1"}, {ID: "t3"}}}, func(*owlatsync.Row) {})
	check("existing added", policy.Policies{Topics: []policy.Topic{{ID: "t1", Existing: policy.ExistingAdd}, {ID: "t2"}}}, func(*owlatsync.Row) {})

	padded := base()
	padded.Email.Value, padded.Fields[owlatsync.FirstName].Value = " AB@Example.com ", "c "
	d, _, _ := NewReader(&s).Read(&padded)
	if seen[d.Fingerprint] != "the row" {
		t.Error("letter case and blanks around values change the fingerprint")
	}
}
