package render

import (
	"fmt"
	"strings"
	"testing"

	"owlatsync"
	"owlatsync/internal/words"
	"owlatsync/reconcile"
)

func TestFindings(t *testing.T) {
	t.Parallel()
	found := []reconcile.Finding{
		{Kind: reconcile.SourceAhead, Sync: "users", Key: "1", Decision: &reconcile.Decision{Key: "1", Outcome: owlatsync.Updated, Changes: []owlatsync.Change{{Kind: owlatsync.SetField, Field: "firstName", From: "A", To: "B"}}}},
		{Kind: reconcile.ChangedInOwlat, Sync: "users", Key: "2", Field: "firstName", Owlat: "X", Ledger: "Y"},
		{Kind: reconcile.MissingInOwlat, Sync: "users", Key: "3", ContactID: "k3", Address: "cy@example.com"},
		{Kind: reconcile.TwinInOwlat, ContactID: "k4", Address: "dee@example.com", Owlat: "k5"},
		{Kind: reconcile.UnknownInOwlat, ContactID: "k6"},
	}
	result := reconcile.Verified{Contacts: 6, Entries: 3, Findings: map[reconcile.FindingKind]int{}}
	for _, f := range found {
		result.Findings[f.Kind]++
	}
	var text, json strings.Builder
	for _, to := range []To{{W: &text}, {W: &json, JSON: true}} {
		v := NewFindings(to)
		for _, f := range found {
			if err := v.Row(f); err != nil {
				t.Fatal(err)
			}
		}
		if err := v.End(result, false, words.Typed{Config: "x.yaml"}); err != nil {
			t.Fatal(err)
		}
	}
	want := `  source    users, row 1: the next run would update: firstName "A" -> "B"
  changed   users, row 2: firstName is "X" in Owlat, and "Y" was written
  missing   users, row 3: its contact k3 (cy@example.com) is not in Owlat
  twin      contact k4: dee@example.com is the address of the older contact k5 too
  unknown   contact k6: no address: no row stands for it

Compared 3 rows of the ledger with 6 contacts in Owlat (no row stands for 1 of them): 4 differences (1 source, 1 changed, 1 missing, 1 twin).
"owlat-sync verify --repair" corrects the ledger to what Owlat holds and runs the syncs.
Of contacts with one address merge or delete in Owlat what is wrong: no run does.
`
	if text.String() != want {
		t.Errorf("text:\n%s\nwant:\n%s", text.String(), want)
	}
	lines := strings.Split(strings.TrimSpace(json.String()), "\n")
	if len(lines) != 6 || !strings.Contains(lines[0], `"plan":{"type":"row","sync":"users","key":"1"`) ||
		lines[5] != `{"type":"verified","contacts":6,"rows":3,"differences":4,"findings":{"changed":1,"missing":1,"source":1,"twin":1,"unknown":1},"corrected":0,"invalid":0}` {
		t.Errorf("JSON:\n%s", json.String())
	}
}

func TestAMergedContactIsNamed(t *testing.T) {
	t.Parallel()
	f := reconcile.Finding{Kind: reconcile.MissingInOwlat, Sync: "users", Key: "3", ContactID: "k3", Address: "cy@example.com", Owlat: "k4"}
	if got, want := findingWords(f), "its contact k3 (cy@example.com) is not in Owlat; k4 has the address, so most likely the two were merged"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestARowThatWouldFailIsTold(t *testing.T) {
	t.Parallel()
	failing := reconcile.Finding{Kind: reconcile.SourceAhead, Sync: "users", Key: "1", Decision: &reconcile.Decision{Outcome: owlatsync.Failed, Reason: "the answer was lost"}}
	if got, want := findingWords(failing), "the next run would fail: the answer was lost"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestManyFindingsAreCounted(t *testing.T) {
	t.Parallel()
	const n = shownFindings + 3
	var text strings.Builder
	v := NewFindings(To{W: &text})
	for i := range n {
		if err := v.Row(reconcile.Finding{Kind: reconcile.SourceAhead, Sync: "users", Key: fmt.Sprint(i), Decision: &reconcile.Decision{Outcome: owlatsync.Created}}); err != nil {
			t.Fatal(err)
		}
	}
	result := reconcile.Verified{Findings: map[reconcile.FindingKind]int{reconcile.SourceAhead: n}}
	if err := v.End(result, false, words.Typed{}); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(text.String(), "the next run would"); got != shownFindings {
		t.Errorf("%d rows are shown, want %d", got, shownFindings)
	}
	if want := "  source    and 3 more; --json lists all\n"; !strings.Contains(text.String(), want) {
		t.Errorf("%q is missing in\n%s", want, text.String())
	}
	if want := "\"owlat-sync run\" does what the source asks for; Owlat is as the ledger says.\n"; !strings.HasSuffix(text.String(), want) {
		t.Errorf("it ends otherwise than %q:\n%s", want, text.String())
	}
}
