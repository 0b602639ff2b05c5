package plan

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/policy"
	"owlatsync/reconcile/step"
)

// TestWatched asks what becomes of what a column said, and when that makes an event due.
func TestWatched(t *testing.T) {
	t.Parallel()
	ends := policy.EventRule{Name: "ends", On: ledger.OnWhen, Column: "ends"}
	plan := policy.EventRule{Name: "plan", On: ledger.OnChanges, Column: "plan"}
	fires := func(r policy.EventRule) policy.EventRule { r.Existing = true; return r }
	up := policy.EventRule{Name: "plan", On: ledger.OnChanges, Column: "plan", From: []string{"free"}, To: []string{"pro"}}
	mark := func(r policy.EventRule, s ledger.EventState, value string) []ledger.EventMark {
		return []ledger.EventMark{{Name: r.Name, On: r.On, Column: r.Column, State: s, Value: value, At: noon.Add(-1)}}
	}
	seen := func(r policy.EventRule, value string) []ledger.EventMark { return mark(r, ledger.EventSeen, value) }
	for _, tt := range []struct {
		name   string
		rule   policy.EventRule
		before []ledger.EventMark
		met    bool // the row is new, and the source was read before
		says   string
		want   []string
	}{
		{"a yes of the first run", ends, nil, false, ledger.SaidYes, []string{"seen true"}},
		{"a yes of a new row", ends, nil, true, ledger.SaidYes, []string{"seen false", "due true"}},
		{"a yes that is there and counts", fires(ends), nil, false, ledger.SaidYes, []string{"seen false", "due true"}},
		{"a no of the first run", ends, nil, false, ledger.SaidNo, []string{"seen false"}},
		{"nothing clear", ends, nil, true, "", nil},
		{"a yes after nothing clear", ends, nil, false, ledger.SaidYes, []string{"seen true"}},
		{"a turn", ends, seen(ends, ledger.SaidNo), false, ledger.SaidYes, []string{"seen false before", "due true"}},
		{"no turn", ends, seen(ends, ledger.SaidYes), false, ledger.SaidYes, []string{"seen true before"}},
		{"what is unclear arms nothing", ends, seen(ends, ledger.SaidYes), false, "", []string{"seen true before"}},
		{"a no arms it", ends, seen(ends, ledger.SaidYes), false, ledger.SaidNo, []string{"seen false"}},
		{"an older ledger", fires(ends), seen(ends, ""), false, ledger.SaidYes, []string{"seen true"}},
		{"due and not sent, and back", ends, append(seen(ends, ledger.SaidNo), mark(ends, ledger.EventDue, ledger.SaidYes)...), false, ledger.SaidNo, []string{"seen false before"}},
		{"sent without an answer, and another turn", ends, append(mark(ends, ledger.EventSent, ledger.SaidYes), seen(ends, ledger.SaidNo)...), false, ledger.SaidYes,
			[]string{"sent true before", "seen false before", "due true"}},
		{"another column", plan, seen(policy.EventRule{Name: "plan", On: ledger.OnChanges, Column: "tier"}, `"free"`), false, `"pro"`, []string{`seen "pro"`}},
		{"a new row has changed nothing", plan, nil, true, `"pro"`, []string{`seen "pro"`}},
		{"what is there counts", fires(plan), nil, false, `"pro"`, []string{"seen null", `due "pro"`}},
		{"what is there counts, and is nothing", fires(plan), nil, false, "null", []string{"seen null"}},
		{"a change", plan, seen(plan, `"free"`), false, "null", []string{`seen "free" before`, "due null"}},
		{"a change since one that was not sent", plan, append(seen(plan, `"free"`), mark(plan, ledger.EventDue, `"pro"`)...), false, `"team"`, []string{`seen "free" before`, `due "team"`}},
		{"the change that is meant", up, seen(up, `"free"`), false, `"pro"`, []string{`seen "free" before`, `due "pro"`}},
		{"a change from something else", up, seen(up, `"team"`), false, `"pro"`, []string{`seen "pro"`}},
		{"a change to something else", up, seen(up, `"free"`), false, `"team"`, []string{`seen "team"`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			given := slices.Clone(tt.before)
			rules, row := []policy.EventRule{tt.rule}, &step.Row{Says: []string{tt.says}}
			marks := sighted(rules, tt.before, row, tt.met, noon)
			var got []string
			for _, m := range due(rules, marks, row, &step.Step{Outcome: owlatsync.Updated}, false, noon) {
				word := fmt.Sprintf("%s %s", m.State, m.Value)
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
	marks := append(seen(ends, ledger.SaidNo), mark(ends, ledger.EventDue, ledger.SaidYes)...)
	if got := undue(marks); len(got) != 1 || got[0].Value != ledger.SaidYes {
		t.Errorf("an event that nobody is to get: %v", got)
	}
}
