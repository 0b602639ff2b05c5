package explain_test

import (
	"slices"
	"testing"
	"time"

	"owlatsync"
	"owlatsync/internal/config"
	"owlatsync/internal/explain"
	"owlatsync/ledger"
)

// TestKept tells both values and why, and of an address only what the source tells.
func TestKept(t *testing.T) {
	t.Parallel()
	since := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	entry := ledger.Entry{
		ContactID: "c", Email: "right@example.com", Fields: owlatsync.Texts{owlatsync.FirstName: "Anne", owlatsync.LastName: "Archer"},
		FieldMarks: []ledger.FieldMark{
			{Field: "firstName", Theirs: true, Row: new("Hanna"), Why: owlatsync.OverwriteIfOurs, At: since},
			{Field: "lastName", Theirs: true}, // nothing else was asked for
			{Field: "email", Row: new("a hash"), Why: owlatsync.OverwriteNever, At: since},
		},
	}
	says := func(tale *explain.Tale) (all []string) {
		for _, k := range tale.Kept() {
			if !k.Since.Equal(since) {
				t.Errorf("%s since %v", k.Field, k.Since)
			}
			all = append(all, k.Says())
		}
		return all
	}
	first := `first name is "Anne" in Owlat and "Hanna" in the row: it is not what this sync wrote (overwrite: if_ours)`
	tale := &explain.Tale{Entry: &entry}
	if got := says(tale); !slices.Equal(got, []string{`address is "right@example.com" in Owlat and another in the row: existing contacts are not changed (overwrite: never)`, first}) {
		t.Errorf("without the source: %q", got)
	}
	tale.Row = &owlatsync.Row{Email: owlatsync.Some(" Row@example.com")}
	if got := says(tale); !slices.Equal(got, []string{`address is "right@example.com" in Owlat and "row@example.com" in the row: existing contacts are not changed (overwrite: never)`, first}) {
		t.Errorf("with the source: %q", got)
	}
	entry.Origin = ledger.OriginGone
	if got := says(tale); got != nil {
		t.Errorf("of a contact that is gone: %q", got)
	}
	tale.Sync = config.Sync{Overwrite: owlatsync.Overwrites{Fields: [owlatsync.NumContactFields]owlatsync.Overwrite{owlatsync.LastName: owlatsync.OverwriteIfEmpty}}}
	if tale.Keeps("firstName", "Anne") || !tale.Keeps("lastName", "Archer") || tale.Keeps("lastName", "") {
		t.Error("another rule decides what stays")
	}
	if got := explain.Happened(ledger.HistoryLine{Event: ledger.EventKept, Note: "email, firstName"}); got != "kept what Owlat has as the address, firstName, although the row says something else" {
		t.Errorf("the history says %q", got)
	}
}
