package differences

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"owlatsync"
	"owlatsync/internal/render"
	"owlatsync/internal/words"
	"owlatsync/ledger"
	"owlatsync/reconcile"
	"owlatsync/reconcile/members"
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
	for _, to := range []render.To{{W: &text}, {W: &json, JSON: true}} {
		v := New(to)
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
	v := New(render.To{W: &text})
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

// TestMembershipsAreTold in words and as data, with what could not be read.
func TestMembershipsAreTold(t *testing.T) {
	t.Parallel()
	result := reconcile.Verified{Contacts: 9, Entries: 9, Findings: map[reconcile.FindingKind]int{
		reconcile.LeftTopic: 1, reconcile.DueTopic: 2, reconcile.OffTopic: 1, reconcile.NoSuchTopic: 1, reconcile.SourceAhead: 2,
	}, Members: &members.Read{Contacts: 7, Unread: 2, Why: errors.New("no answer"), Departures: 1, Due: 2}}
	left := members.Finding{Verdict: members.Judge(members.Case{Has: &ledger.Membership{Consent: true, State: ledger.MemberAdded}, Is: members.IsOff}),
		Sync: "users", Key: "1", ContactID: "k1", Topic: "k57", Name: "News\u202e"}
	left.Recorded = &ledger.Membership{Consent: true, State: ledger.MemberAdded}
	gone := members.Finding{Verdict: members.Judge(members.Case{Is: members.IsGone}), Sync: "users", Topic: "k58"}
	var text, json strings.Builder
	for _, to := range []render.To{{W: &text}, {W: &json, JSON: true}} {
		v := New(to)
		if err := v.Reading(100_000, 20, func(format string, args ...any) { fmt.Fprintf(to.W, format, args...) }); err != nil {
			t.Fatal(err)
		}
		for _, m := range []members.Finding{left, gone} {
			if err := v.Row(reconcile.Finding{Kind: reconcile.FindingKind(m.Kind), Sync: m.Sync, Key: m.Key, ContactID: m.ContactID, Member: &m}); err != nil {
				t.Fatal(err)
			}
		}
		if err := v.End(result, true, words.Typed{}); err != nil {
			t.Fatal(err)
		}
	}
	want := `reading the memberships of 100000 contacts by links: about 1h23m at 20 a second; --memberships=false leaves them out
  left      users, row 1: topic k57 ("News\u202e"): should be on it, recorded as added, is not on it: they have left since, or were taken off in Owlat
  topic     users: topic k58: there is no such topic any more, so no run can put anybody on it

Compared 9 rows of the ledger with 9 contacts in Owlat: 4 differences (2 source, 1 left, 1 topic).
Read the memberships of 7 contacts; for information 2 due (the next run sees to it), 1 off (the row says yes, and no run puts them there). Owlat does not show who is yet to confirm (double opt-in): they count as on the topic.
2 contacts were not read: no answer
1 departure recorded, 2 removals are due; the run follows.

`
	if text.String() != want {
		t.Errorf("text:\n%s\nwant:\n%s", text.String(), want)
	}
	want = `{"type":"reading","contacts":100000,"per_second":20,"seconds":5000}
{"type":"finding","kind":"left","sync":"users","key":"1","contact_id":"k1","topic":"k57","topic_name":"News` + "\u202e" + `","should":"on","recorded":"added","is":"off","why":"they have left since, or were taken off in Owlat"}
{"type":"finding","kind":"topic","sync":"users","topic":"k58","should":"either","is":"gone","why":"no run can put anybody on it"}
{"type":"verified","contacts":9,"rows":9,"differences":4,"findings":{"due":2,"left":1,"off":1,"source":2,"topic":1},"corrected":0,"invalid":0,"memberships":{"contacts":7,"unread":2,"error":"no answer","departures":1,"due":2}}
`
	if json.String() != want {
		t.Errorf("JSON:\n%s\nwant:\n%s", json.String(), want)
	}
}
