package plan

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/policy"
	"owlatsync/reconcile/step"
)

// TestMakesDue says which outcome makes which event due.
func TestMakesDue(t *testing.T) {
	t.Parallel()
	name := owlatsync.Change{Kind: owlatsync.SetField, Field: "firstName"}
	topic := owlatsync.Change{Kind: owlatsync.AddTopic, Topic: "news"}
	rename := owlatsync.Change{Kind: owlatsync.RenameContact}
	for _, tt := range []struct {
		outcome owlatsync.Outcome
		change  owlatsync.Change
		want    []ledger.EventOn
	}{
		{owlatsync.Created, owlatsync.Change{Kind: owlatsync.CreateContact}, []ledger.EventOn{ledger.OnCreated, ledger.OnAppears}},
		{owlatsync.Adopted, owlatsync.Change{Kind: owlatsync.AdoptContact}, []ledger.EventOn{ledger.OnAppears}},
		{owlatsync.Adopted, name, []ledger.EventOn{ledger.OnAppears}},
		{owlatsync.Updated, name, []ledger.EventOn{ledger.OnUpdated}},
		{owlatsync.Updated, topic, nil},
		{owlatsync.Renamed, rename, []ledger.EventOn{ledger.OnUpdated}},
		{owlatsync.Unchanged, owlatsync.Change{}, nil},
		{owlatsync.Failed, name, nil},
		{owlatsync.Skipped, name, nil},
		{owlatsync.Removed, topic, nil},
		{owlatsync.Duplicate, name, nil},
		{owlatsync.Invalid, name, nil},
	} {
		s := &step.Step{Outcome: tt.outcome, Changes: []owlatsync.Change{tt.change}}
		var got []ledger.EventOn
		for _, on := range []ledger.EventOn{ledger.OnCreated, ledger.OnUpdated, ledger.OnAppears} {
			if makesDue(s, on) {
				got = append(got, on)
			}
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s by %s (-want +got):\n%s", tt.outcome, tt.change.Kind, diff)
		}
	}
}

func TestDue(t *testing.T) {
	t.Parallel()
	welcome := policy.EventRule{Name: "welcome", On: ledger.OnAppears}
	signup := policy.EventRule{Name: "signup", On: ledger.OnCreated}
	moved := policy.EventRule{Name: "moved", On: ledger.OnUpdated}
	rules := []policy.EventRule{welcome, signup, moved}
	mark := func(r policy.EventRule, s ledger.EventState) ledger.EventMark {
		return ledger.EventMark{Name: r.Name, On: r.On, State: s, At: noon.Add(-1)}
	}
	created := &step.Step{Outcome: owlatsync.Created}
	unchanged := &step.Step{Outcome: owlatsync.Unchanged}
	updated := &step.Step{Outcome: owlatsync.Updated, Changes: []owlatsync.Change{{Kind: owlatsync.SetField}}}
	for _, tt := range []struct {
		name   string
		rules  []policy.EventRule
		before []ledger.EventMark
		step   *step.Step
		again  bool
		want   []string // "before" stands at those that are not of this plan
	}{
		{"no rules", nil, nil, created, false, nil},
		{"a new row", rules, nil, created, false, []string{"welcome due", "signup due"}},
		{"a row met before whose contact is no more", rules, nil, created, true, []string{"signup due"}},
		{"a row met before, and its welcome never sent", rules, []ledger.EventMark{mark(welcome, ledger.EventDue)}, created, true, []string{"signup due"}},
		{"a row met before, and its welcome sent without an answer", rules, []ledger.EventMark{mark(welcome, ledger.EventSent)}, created, true,
			[]string{"welcome sent before", "signup due"}},
		{"a change", rules, nil, updated, false, []string{"moved due"}},
		{"a change while the last one's is due", rules, []ledger.EventMark{mark(moved, ledger.EventDue)}, updated, false, []string{"moved due before"}},
		{"a change while the last one's has no answer", rules, []ledger.EventMark{mark(moved, ledger.EventSent)}, updated, false, []string{"moved sent before"}},
		{"a change after one of which nobody knows", rules, []ledger.EventMark{mark(moved, ledger.EventUnknown)}, updated, false,
			[]string{"moved unknown before", "moved due"}},
		{"what awaited an update is planned anew", rules, []ledger.EventMark{mark(moved, ledger.EventAwaited)}, updated, false, []string{"moved due"}},
		{"what awaited an update that is not needed", rules, []ledger.EventMark{mark(moved, ledger.EventAwaited)}, unchanged, false, nil},
		{"due since before", rules, []ledger.EventMark{mark(signup, ledger.EventDue)}, unchanged, false, []string{"signup due before"}},
		{"due, and not configured any more", rules[:1], []ledger.EventMark{mark(signup, ledger.EventDue)}, unchanged, false, nil},
		{"sent, and not configured any more", nil, []ledger.EventMark{mark(signup, ledger.EventSent), mark(moved, ledger.EventUnknown)}, unchanged, false,
			[]string{"signup sent before", "moved unknown before"}},
		{"the same name on something else", []policy.EventRule{{Name: "signup", On: ledger.OnUpdated}}, []ledger.EventMark{mark(signup, ledger.EventDue)}, updated, false,
			[]string{"signup due"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			given := slices.Clone(tt.before)
			var got []string
			for _, m := range due(tt.rules, tt.before, &step.Row{}, tt.step, tt.again, noon) {
				word := fmt.Sprintf("%s %s", m.Name, m.State)
				if !m.At.Equal(noon) {
					word += " before"
				}
				got = append(got, word)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(given, tt.before); diff != "" {
				t.Errorf("what was given has changed:\n%s", diff)
			}
		})
	}
}

func TestMessages(t *testing.T) {
	t.Parallel()
	rules := []policy.EventRule{
		{Name: "signup", On: ledger.OnCreated, Properties: map[string]string{"plan": "tier", "since": "joined", "missing": "nowhere"}},
		{Name: "plain", On: ledger.OnAppears},
		{Name: "empty", On: ledger.OnUpdated, Properties: map[string]string{"missing": "nowhere"}},
		{Name: "fixed", On: ledger.OnAppears, Properties: map[string]string{"plan": "tier"}, Constants: map[string]json.RawMessage{"seats": json.RawMessage(`3`)}},
	}
	row := &step.Row{Properties: map[string]json.RawMessage{"tier": json.RawMessage(`"gold"`), "joined": json.RawMessage(`null`), "other": json.RawMessage(`1`)}}
	mark := func(name string, on ledger.EventOn, s ledger.EventState) ledger.EventMark {
		return ledger.EventMark{Name: name, On: on, State: s}
	}
	got := messages(rules, []ledger.EventMark{
		mark("plain", ledger.OnAppears, ledger.EventDue), mark("signup", ledger.OnCreated, ledger.EventDue), mark("empty", ledger.OnUpdated, ledger.EventDue),
		mark("signup", ledger.OnCreated, ledger.EventSent), mark("signup", ledger.OnCreated, ledger.EventUnknown), mark("signup", ledger.OnUpdated, ledger.EventDue),
		mark("plain", ledger.OnAppears, ledger.EventAwaited), mark("fixed", ledger.OnAppears, ledger.EventDue),
	}, row)
	want := []step.Message{
		{Name: "plain", On: ledger.OnAppears},
		{Name: "signup", On: ledger.OnCreated, Properties: map[string]json.RawMessage{"plan": json.RawMessage(`"gold"`), "since": json.RawMessage(`null`)}},
		{Name: "empty", On: ledger.OnUpdated},
		{Name: "fixed", On: ledger.OnAppears, Properties: map[string]json.RawMessage{"plan": json.RawMessage(`"gold"`), "seats": json.RawMessage(`3`)}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
