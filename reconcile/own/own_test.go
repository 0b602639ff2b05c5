package own

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"owlatsync"
	"owlatsync/ledger"
)

var now = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

const first = owlatsync.FirstName

func rules(rule owlatsync.Overwrite) owlatsync.Overwrites {
	o := owlatsync.Overwrites{Email: rule}
	for f := range o.Fields {
		o.Fields[f] = rule
	}
	return o
}

// TestJudge goes through what Owlat may hold where a row says "Row", under each rule.
func TestJudge(t *testing.T) {
	t.Parallel()
	told := ledger.FieldMark{Field: "firstName", Theirs: true, Row: new("Row"), Why: owlatsync.OverwriteIfOurs, At: now.Add(-time.Hour)}
	for _, c := range []struct {
		state string
		held  string
		mark  ledger.FieldMark
		does  map[owlatsync.Overwrite]string // "write", "keep" and "quiet", which keeps and tells nothing
	}{
		{"empty", "", ledger.FieldMark{}, map[owlatsync.Overwrite]string{"": "write", "always": "write", "if_ours": "write", "if_empty": "write", "never": "keep"}},
		{"ours", "Ours", ledger.FieldMark{}, map[owlatsync.Overwrite]string{"": "write", "always": "write", "if_ours": "write", "if_empty": "keep", "never": "keep"}},
		{"corrected", "Theirs", ledger.FieldMark{Theirs: true}, map[owlatsync.Overwrite]string{"": "write", "always": "write", "if_ours": "keep", "if_empty": "keep", "never": "keep"}},
		{"cleared", "", ledger.FieldMark{Theirs: true}, map[owlatsync.Overwrite]string{"": "write", "always": "write", "if_ours": "keep", "if_empty": "write", "never": "keep"}},
		{"kept and told", "Theirs", told, map[owlatsync.Overwrite]string{"": "write", "always": "write", "if_ours": "quiet", "if_empty": "keep", "never": "keep"}},
		{"equal", "Row", ledger.FieldMark{Theirs: true}, map[owlatsync.Overwrite]string{"": "", "always": "", "if_ours": "", "if_empty": "", "never": ""}},
	} {
		for rule, want := range c.does {
			e := &ledger.Entry{ContactID: "c", Email: "a@example.com"}
			e.Fields[first] = c.held
			c.mark.Field = "firstName"
			e.MarkField(c.mark)
			before := append([]ledger.FieldMark(nil), e.FieldMarks...)
			v := Judge(rules(rule), e, Wanted{Email: "a@example.com", Fields: [owlatsync.NumContactFields]*string{first: new("Row")}}, now)
			got := ""
			switch {
			case v.Write.Fields[first] != nil:
				got = "write"
			case len(v.Changes) > 0:
				got = "keep"
			case len(v.Marks) > 0 && v.Marks[0].Keeps():
				got = "quiet"
			}
			if got != want {
				t.Errorf("%s under %q: %s (%+v), want %s", c.state, rule, got, v, want)
			}
			if guards := got == "write" && !rule.Always(); v.Guarded != guards {
				t.Errorf("%s under %q: guarded is %v", c.state, rule, v.Guarded)
			}
			if diff := cmp.Diff(before, e.FieldMarks); diff != "" {
				t.Errorf("%s under %q: the entry was changed:\n%s", c.state, rule, diff)
			}
			kept := ledger.Entry{FieldMarks: v.Marks}
			if m := kept.FieldMark("firstName"); got == "keep" && (*m.Row != "Row" || m.Why != rule || !m.At.Equal(now)) {
				t.Errorf("%s under %q: marked %+v", c.state, rule, m)
			}
			again := *e
			again.FieldMarks = v.Marks
			if v := Judge(rules(rule), &again, Wanted{Email: "a@example.com", Fields: [owlatsync.NumContactFields]*string{first: new("Row")}}, now.Add(time.Hour)); got == "keep" && len(v.Changes) > 0 {
				t.Errorf("%s under %q: told twice: %+v", c.state, rule, v.Changes)
			}
		}
	}
}

// TestJudgeTellsAChangedRowAgain: the same correction stands in the way of another value.
func TestJudgeTellsAChangedRowAgain(t *testing.T) {
	t.Parallel()
	e := &ledger.Entry{ContactID: "c", FieldMarks: []ledger.FieldMark{{Field: "firstName", Theirs: true, Row: new("Row"), Why: owlatsync.OverwriteIfOurs, At: now}}}
	e.Fields[first] = "Theirs"
	o := owlatsync.Overwrites{Fields: [owlatsync.NumContactFields]owlatsync.Overwrite{first: owlatsync.OverwriteIfOurs}}
	v := Judge(o, e, Wanted{Fields: [owlatsync.NumContactFields]*string{first: new("Other")}}, now)
	want := []owlatsync.Change{{Kind: owlatsync.KeepField, Field: "firstName", From: "Theirs", To: "Other"}}
	if diff := cmp.Diff(want, v.Changes); diff != "" {
		t.Error(diff)
	}
	if reason := Reason(o, &ledger.Entry{FieldMarks: v.Marks}, v.Changes); reason != "Owlat's first name is kept: it is not what this sync wrote (overwrite: if_ours)" {
		t.Errorf("the reason is %q", reason)
	}
	// A row that says nothing keeps the mark of who wrote it, and asks for nothing.
	v = Judge(o, e, Wanted{}, now)
	if diff := cmp.Diff([]ledger.FieldMark{{Field: "firstName", Theirs: true}}, v.Marks); diff != "" || len(v.Changes) > 0 {
		t.Errorf("%v\n%s", v.Changes, diff)
	}
}

// TestJudgeAddress: the address is a field as any.
func TestJudgeAddress(t *testing.T) {
	t.Parallel()
	for rule, writes := range map[owlatsync.Overwrite]bool{"": true, "always": true, "if_ours": true, "if_empty": false, "never": false} {
		e := &ledger.Entry{ContactID: "c", Email: "old@example.com"}
		v := Judge(rules(rule), e, Wanted{Email: "new@example.com"}, now)
		if got := v.Write.Email == "new@example.com" && v.Changes[0].Kind == owlatsync.RenameContact; got != writes {
			t.Errorf("%q: %+v", rule, v)
		}
		if address := Address(rules(rule), e, "new@example.com"); (address == "new@example.com") != writes {
			t.Errorf("%q: the contact is to have %s", rule, address)
		}
		if !writes && strings.Contains(Reason(rules(rule), e, v.Changes), "@") {
			t.Errorf("%q: the reason holds an address", rule)
		}
	}
	e := &ledger.Entry{ContactID: "c", Email: "corrected@example.com", FieldMarks: []ledger.FieldMark{{Field: Email, Theirs: true}}}
	if v := Judge(rules(owlatsync.OverwriteIfOurs), e, Wanted{Email: "new@example.com"}, now); v.Write.Email != "" {
		t.Errorf("a corrected address is overwritten: %+v", v)
	}
}

// TestSee goes through what an answer shows of a field in which the ledger has "Known".
func TestSee(t *testing.T) {
	t.Parallel()
	theirs := ledger.FieldMark{Field: "firstName", Theirs: true}
	for _, c := range []struct {
		name  string
		known string
		mark  ledger.FieldMark
		held  string
		how   How
		want  ledger.FieldMark
	}{
		{"as known", "Known", ledger.FieldMark{}, "Known", Read, ledger.FieldMark{}},
		{"corrected", "Known", ledger.FieldMark{}, "Other", Read, theirs},
		{"cleared", "Known", ledger.FieldMark{}, "", Read, theirs},
		{"filled", "", ledger.FieldMark{}, "Other", Read, theirs},
		{"still theirs", "Known", theirs, "Known", Read, theirs},
		{"corrected again is untold", "Known", ledger.FieldMark{Theirs: true, Row: new("Row")}, "Other", Read, theirs},
		{"kept and told", "Known", ledger.FieldMark{Theirs: true, Row: new("Row")}, "Known", Read, ledger.FieldMark{Field: "firstName", Theirs: true, Row: new("Row")}},
		{"an update took effect", "Known", ledger.FieldMark{Sent: new("Sent")}, "Sent", Read, ledger.FieldMark{}},
		{"an update did not", "Known", ledger.FieldMark{Sent: new("Sent")}, "Known", Read, ledger.FieldMark{}},
		{"an update, and a correction after it", "Known", ledger.FieldMark{Sent: new("Sent")}, "Other", Read, theirs},
		{"the answer to an update", "Known", ledger.FieldMark{Theirs: true, Sent: new("Sent")}, "Sent", Answered, ledger.FieldMark{}},
		{"the answer to an update of another field", "Known", ledger.FieldMark{}, "Other", Answered, theirs},
		{"the first contact", "", ledger.FieldMark{}, "Other", Another, theirs},
		{"the first contact is empty", "", ledger.FieldMark{}, "", Another, ledger.FieldMark{}},
		{"merged, with our value", "Known", ledger.FieldMark{}, "Known", Another, ledger.FieldMark{}},
		{"merged, with another", "Known", ledger.FieldMark{}, "Other", Another, theirs},
		{"merged, with none", "Known", theirs, "", Another, ledger.FieldMark{}},
		{"made by a create without an answer", "", ledger.FieldMark{Sent: new("Sent")}, "Sent", Another, ledger.FieldMark{}},
		{"made by it, and cleared since", "", ledger.FieldMark{Sent: new("Sent")}, "", Another, theirs},
	} {
		e := &ledger.Entry{Email: "a@example.com"}
		e.Fields[first] = c.known
		c.mark.Field = "firstName"
		e.MarkField(c.mark)
		h := Held{Email: "a@example.com", Fields: owlatsync.Texts{first: c.held}}
		took := Took(rules(owlatsync.OverwriteIfOurs), e, h)
		See(rules(owlatsync.OverwriteIfOurs), e, h, c.how)
		c.want.Field = "firstName"
		if diff := cmp.Diff(c.want, e.FieldMark("firstName")); diff != "" || e.Fields[first] != c.held {
			t.Errorf("%s: %q %s", c.name, e.Fields[first], diff)
		}
		if want := c.held == "Sent"; took != want {
			t.Errorf("%s: the request took effect: %v", c.name, took)
		}
		always := &ledger.Entry{FieldMarks: []ledger.FieldMark{c.mark}}
		if See(owlatsync.Overwrites{}, always, h, c.how); always.FieldMarks != nil {
			t.Errorf("%s: under no rule %+v is remembered", c.name, always.FieldMarks)
		}
	}
}

// TestSend: what is about to be written is remembered only where it may matter, and forgotten when it was not sent.
func TestSend(t *testing.T) {
	t.Parallel()
	o := owlatsync.Overwrites{Fields: [owlatsync.NumContactFields]owlatsync.Overwrite{first: owlatsync.OverwriteIfOurs}}
	e := &ledger.Entry{}
	Send(o, e, Wanted{Email: "a@example.com", Fields: [owlatsync.NumContactFields]*string{new("Ada"), new("Lovelace")}})
	if diff := cmp.Diff([]ledger.FieldMark{{Field: "firstName", Sent: new("Ada")}}, e.FieldMarks); diff != "" {
		t.Error(diff)
	}
	if Unsent(e); e.FieldMarks != nil {
		t.Errorf("%+v is left", e.FieldMarks)
	}
}

// TestMarksHoldNoAddress: who is forgotten is found by the addresses of contacts, so a mark has none.
func TestMarksHoldNoAddress(t *testing.T) {
	t.Parallel()
	o := rules(owlatsync.OverwriteIfOurs)
	e := &ledger.Entry{ContactID: "c", Email: "corrected@example.com", FieldMarks: []ledger.FieldMark{{Field: Email, Theirs: true}}}
	v := Judge(o, e, Wanted{Email: "row@example.com"}, now)
	Send(o, e, Wanted{Email: "sent@example.com"})
	for _, m := range append(v.Marks, e.FieldMarks...) {
		for _, text := range []*string{m.Row, m.Sent} {
			if text != nil && (strings.Contains(*text, "example") || *text == "") {
				t.Errorf("a mark has %q", *text)
			}
		}
	}
	e.FieldMarks = v.Marks
	if v := Judge(o, e, Wanted{Email: "row@example.com"}, now); len(v.Changes) > 0 {
		t.Errorf("told twice: %+v", v.Changes)
	}
	Send(o, e, Wanted{Email: "sent@example.com"})
	if See(o, e, Held{Email: "sent@example.com"}, Read); e.FieldMarks != nil {
		t.Errorf("what was sent is not the sync's own: %+v", e.FieldMarks)
	}
}

// TestSettle tells what an update wrote whose answer was lost from what somebody made of it since, also if that is the value from before.
func TestSettle(t *testing.T) {
	t.Parallel()
	o := rules(owlatsync.OverwriteIfOurs)
	for _, c := range []struct {
		first, last string // what Owlat holds of "Known" and "Known", for which "Sent" and "Sent" were sent
		moved       bool
		want        [2]bool // theirs
		took        bool
	}{
		{"Known", "Known", false, [2]bool{}, false},
		{"Sent", "Sent", true, [2]bool{}, true},
		{"Sent", "Known", true, [2]bool{false, true}, true},
		{"Other", "Sent", true, [2]bool{true, false}, true},
		{"Known", "Known", true, [2]bool{true, true}, false}, // undone, or never done and changed otherwise: nobody can tell
		{"Other", "Known", true, [2]bool{true, true}, false},
	} {
		e := &ledger.Entry{Email: "a@example.com", Fields: owlatsync.Texts{"Known", "Known"}}
		Send(o, e, Wanted{Fields: [owlatsync.NumContactFields]*string{new("Sent"), new("Sent")}})
		took := Settle(o, e, Held{Email: "a@example.com", Fields: owlatsync.Texts{c.first, c.last}}, c.moved)
		got := [2]bool{e.FieldMark("firstName").Theirs, e.FieldMark("lastName").Theirs}
		if got != c.want || took != c.took || e.FieldMark("firstName").Sent != nil || e.Fields != (owlatsync.Texts{c.first, c.last}) {
			t.Errorf("%+v: theirs %v, took %v, %+v", c, got, took, e)
		}
	}
}
