package scan

import (
	"encoding/json"
	"testing"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/policy"
)

// TestTimeOf reads times as databases and files have them.
func TestTimeOf(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 1, 31, 12, 30, 0, 0, time.UTC)
	for _, value := range []any{
		"2026-01-31T12:30:00Z", "2026-01-31T13:30:00+01:00", "2026-01-31T12:30:00", "2026-01-31 12:30:00", "2026-01-31 12:30", noon.Unix(), noon.UnixMilli(), float64(noon.Unix()),
	} {
		if at, known := timeOf(value); !known || !at.Equal(noon) {
			t.Errorf("%v is %s, known %v", value, at, known)
		}
	}
	if at, known := timeOf("2026-01-31"); !known || !at.Equal(noon.Truncate(24*time.Hour)) {
		t.Errorf("a date is %s", at)
	}
	for _, value := range []any{nil, true, "", "soon", json.Number("1")} {
		if at, known := timeOf(value); known {
			t.Errorf("%v is %s", value, at)
		}
	}
}

// TestTruth reads yes and no of the types that a source gives.
func TestTruth(t *testing.T) {
	t.Parallel()
	for value, want := range map[any]string{
		nil: ledger.SaidNo, true: ledger.SaidYes, false: ledger.SaidNo, int64(1): ledger.SaidYes, int64(0): ledger.SaidNo, int64(2): "", 1.0: ledger.SaidYes, 0.5: "",
		" YES ": ledger.SaidYes, "off": ledger.SaidNo, "": ledger.SaidNo, "perhaps": "", json.Number("1"): ledger.SaidYes, 'x': "",
	} {
		if got := truth(value); got != want {
			t.Errorf("%v says %q, want %q", value, got, want)
		}
	}
}

// TestWhatNoEventDependsOnIsNoPartOfTheFingerprint: without such events a row has the fingerprint that it always had, and what it says costs nothing.
func TestWhatNoEventDependsOnIsNoPartOfTheFingerprint(t *testing.T) {
	t.Parallel()
	read := func(plan string, rules ...policy.EventRule) ledger.Fingerprint {
		row := &owlatsync.Row{Key: "1", Email: owlatsync.Some("ada@example.com"), Properties: []owlatsync.Property{{Name: "plan", Value: plan}}}
		d, _, invalid := NewReader(&policy.Policies{Events: rules}).Read(row)
		if invalid != "" || len(rules) == 0 && d.Says != nil {
			t.Fatalf("%+v, %s", d, invalid)
		}
		return d.Fingerprint
	}
	created := policy.EventRule{Name: "x", On: ledger.OnCreated, Properties: map[string]string{"plan": "plan"}}
	watching := policy.EventRule{Name: "x", On: ledger.OnChanges, Column: "plan"}
	if bare := read("free"); bare != read("pro") || bare != read("pro", created) || bare == read("free", watching) || read("free", watching) == read("pro", watching) {
		t.Error("the fingerprint has what no event depends on, or lacks what one does")
	}
}
