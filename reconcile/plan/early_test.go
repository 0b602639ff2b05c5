package plan

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/ledger/memory"
	"owlatsync/reconcile/policy"
	"owlatsync/reconcile/scratch"
	"owlatsync/reconcile/step"
)

// renaming returns the step of a row that takes its contact from one address to another, and off a topic if it withdraws.
func renaming(from, to string, withdraws bool) *step.Step {
	s := &step.Step{
		Row:     &step.Row{Key: from + ">" + to, Email: to, Fingerprint: ledger.Fingerprint{Lo: 7}},
		Entry:   &ledger.Entry{Key: from + ">" + to, ContactID: "c" + from, Email: from, Fingerprint: ledger.Fingerprint{Lo: 6}},
		Outcome: owlatsync.Renamed,
		Changes: []owlatsync.Change{{Kind: owlatsync.RenameContact, Field: "email", From: from, To: to}},
	}
	if withdraws {
		s.Changes = append(s.Changes, owlatsync.Change{Kind: owlatsync.RemoveTopic, Topic: "news"})
	}
	return s
}

func keys(t *testing.T, steps iter.Seq2[*step.Step, error]) (keys []string) {
	t.Helper()
	for s, err := range steps {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, s.Row.Key)
	}
	return keys
}

// TestEarlyWithdrawals plans renames of which some withdraw a consent as well: those withdrawals come first, whether the rename waits
// for another, waits for none, or has no order at all.
func TestEarlyWithdrawals(t *testing.T) {
	t.Parallel()
	for _, memory := range []int{0, 1 << 20} {
		t.Run(fmt.Sprint(memory), func(t *testing.T) {
			t.Parallel()
			var told []step.Decision
			p := New(Needs{
				Ledger: empty(), Policies: &policy.Policies{Sync: "users"}, Place: &scratch.Place{Folder: t.TempDir(), Most: memory}, Tell: quiet(), Notes: noNotes{},
				Each: func(d step.Decision) error { told = append(told, d); return nil },
			})
			defer func() {
				if err := p.plan.Close(); err != nil {
					t.Error(err)
				}
			}()
			for _, r := range []struct {
				from, to  string
				withdraws bool
				awaits    bool
			}{
				{"m", "n", true, true}, {"n", "o", true, false}, {"u", "v", false, false}, {"k", "m", false, true}, // a chain, and one alone
				{"a", "b", true, true}, {"b", "a", false, true}, // an exchange
			} {
				s := renaming(r.from, r.to, r.withdraws)
				s.Phase, s.Awaits = step.Rename, r.awaits
				var err error
				if r.awaits {
					err = p.plan.renames.add(s)
				} else {
					err = p.add(s)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if err := (ordering{p}).orderRenames(); err != nil {
				t.Fatal(err)
			}
			for _, phase := range []struct {
				name  string
				steps iter.Seq2[*step.Step, error]
				want  []string
			}{
				{"withdrawals", p.plan.Steps(step.Withdraw), []string{"a>b"}},
				{"early withdrawals", p.plan.Early(), []string{"n>o", "m>n"}},
				{"renames", p.plan.Steps(step.Rename), []string{"n>o", "u>v", "m>n", "k>m"}},
				{"refused", p.plan.Refused(), []string{"b>a"}},
			} {
				if diff := cmp.Diff(phase.want, keys(t, phase.steps)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", phase.name, diff)
				}
			}
			for s, err := range p.plan.Steps(step.Withdraw) {
				if err != nil {
					t.Fatal(err)
				}
				if s.WithdrawsEarly() || !s.Refused || strings.Join(short(s.Changes), " ") != "remove_topic news" || s.Outcome != owlatsync.Failed ||
					!s.Entry.Fingerprint.IsZero() || s.Entry.Failure == nil || s.Entry.Failure.Category != ledger.CategoryExchange {
					t.Errorf("what is left of a rename without an order is %+v of %+v", s, s.Entry)
				}
			}
			sum := p.plan.Summary
			if sum.Outcomes[owlatsync.Renamed] != 4 || sum.Outcomes[owlatsync.Failed] != 2 || sum.Memberships.Removed != 3 || sum.Removals != 3 || sum.Requests != 7 || len(told) != 6 {
				t.Errorf("%d rows are told, summary %+v", len(told), sum)
			}
		})
	}
	p := newPlan(Needs{Policies: &policy.Policies{}, Place: &scratch.Place{Most: 1 << 20}})
	if err := p.phases[step.Rename].Add(renaming("a", "b", false)); err != nil {
		t.Fatal(err)
	}
	if early := keys(t, p.Early()); early != nil {
		t.Errorf("%v withdraw early", early)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	before := ledger.EventMark{Name: "moved", On: ledger.OnUpdated, State: ledger.EventDue, At: noon}
	s := renaming("a", "b", true)
	s.Changes = append(s.Changes, owlatsync.Change{Kind: owlatsync.SetField}, owlatsync.Change{Kind: owlatsync.AddTopic, Topic: "offers"})
	s.Entry.Events = []ledger.EventMark{before}
	s.Events = []ledger.EventMark{before, {Name: "changed", On: ledger.OnUpdated, State: ledger.EventDue, At: noon}}
	s.Messages = []step.Message{{Name: "moved", On: ledger.OnUpdated}, {Name: "changed", On: ledger.OnUpdated}}
	given := *s
	entry, changes, messages := *s.Entry, slices.Clone(s.Changes), slices.Clone(s.Messages)
	left := refused(s, "because")
	Failing(left.Entry, &ledger.Failure{Reason: "because"})
	if diff := cmp.Diff(&entry, given.Entry) + cmp.Diff(changes, s.Changes) + cmp.Diff(messages, s.Messages); diff != "" || s.Outcome != owlatsync.Renamed {
		t.Errorf("what was given has changed:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"remove_topic news"}, short(left.Changes)); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]ledger.EventMark{before}, left.Events) + cmp.Diff([]step.Message{{Name: "moved", On: ledger.OnUpdated}}, left.Messages); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if !left.Refused || left.Outcome != owlatsync.Failed || left.Reason != "because" || left.Entry.Failure == nil || !left.Entry.Fingerprint.IsZero() {
		t.Errorf("left is %+v of %+v", left, left.Entry)
	}
}

// empty returns a ledger that knows nothing.
func empty() ledger.Reader { return memory.New() }

// TestAnExchangeIsRecordedOnce refuses the same rename in two runs: the second has nothing new to record.
func TestAnExchangeIsRecordedOnce(t *testing.T) {
	t.Parallel()
	var known *ledger.Failure
	for run, want := range []int{1, 0} {
		p := New(Needs{Ledger: empty(), Policies: &policy.Policies{Sync: "users"}, Place: &scratch.Place{Most: 1 << 20}, Tell: quiet(), Notes: noNotes{}})
		for _, s := range []*step.Step{renaming("a", "b", false), renaming("b", "a", true)} {
			s.Phase, s.Awaits, s.Entry.Failure = step.Rename, true, known
			if err := p.plan.renames.add(s); err != nil {
				t.Fatal(err)
			}
		}
		if err := (ordering{p}).orderRenames(); err != nil {
			t.Fatal(err)
		}
		got := 0
		for s, err := range p.plan.Refused() {
			if err != nil {
				t.Fatal(err)
			}
			got++
			// The second row's failure is another: it waits for the first one's address.
			reason := fmt.Sprintf("the address belongs to the contact of %s, which is to take another that is not free", step.RowName("b>a"))
			if known = s.Entry.Failure; !strings.HasPrefix(known.Reason, reason) || known.Category != ledger.CategoryExchange || known.Attempts != 1 {
				t.Errorf("the failure is %+v", known)
			}
		}
		if got != want {
			t.Errorf("run %d records %d failures of rows without a step, want %d", run+1, got, want)
		}
	}
}
