package consent

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/policy"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// The cases of OptOutTable, one for each of its lines, in their order. All opt-outs are at noon.
var optOutCases = []struct {
	name    string
	has     Recorded
	at      time.Time // of what is recorded
	renewed time.Time
	becomes ledger.MembershipState
	instead ledger.MembershipState
}{
	{"a no has no yes to end", SaidNo, noon.Add(-time.Hour), time.Time{}, "", ""},
	{"the yes is newer", Wanted, noon.Add(time.Hour), noon.Add(time.Millisecond), "", ""},
	{"the add put the person back", Added, noon, time.Time{}, "", ledger.MemberUnsure},
	{"the person left", Added, noon.Add(-time.Second), noon, ledger.MemberOptedOut, ledger.MemberOptedOut},
}

func membershipOf(r Recorded, at, renewed time.Time) *ledger.Membership {
	m := memberships[r]
	if m == nil {
		return nil
	}
	c := *m
	c.Topic, c.At, c.Renewed = "news", at, renewed
	return &c
}

func TestOptOutTable(t *testing.T) {
	t.Parallel()
	if len(optOutCases) != len(OptOutTable) {
		t.Fatalf("%d cases for %d lines", len(optOutCases), len(OptOutTable))
	}
	for i, tt := range optOutCases {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := optOutLine(membershipOf(tt.has, tt.at, tt.renewed), ledger.OptOut{Topic: "news", At: noon})
			if l.Why != OptOutTable[i].Why {
				t.Errorf("%q decides, want %q", l.Why, OptOutTable[i].Why)
			}
			if l.Becomes != tt.becomes || l.Instead != tt.instead {
				t.Errorf("the ledger has %q, or %q instead of an add; want %q, %q", l.Becomes, l.Instead, tt.becomes, tt.instead)
			}
		})
	}
}

// TestEveryOptOut tries an opt-out before, at and after everything that can be recorded.
func TestEveryOptOut(t *testing.T) {
	t.Parallel()
	times := []time.Time{noon.Add(-time.Hour), noon, noon.Add(time.Hour)}
	decided := make(map[string]bool) // line and record
	for _, has := range All {
		for _, at := range times {
			for _, renewed := range append(times, time.Time{}) {
				m := membershipOf(has, at, renewed)
				l := optOutLine(m, ledger.OptOut{Topic: "news", At: noon})
				i := slices.IndexFunc(OptOutTable, func(o OptOutLine) bool { return o.Why == l.Why })
				if i < 0 {
					t.Errorf("%s at %s, renewed %s: no line fits", has, at, renewed)
					continue
				}
				decided[fmt.Sprint(i, has)] = true
				newer := m != nil && renewed.After(noon)
				back := !at.Before(noon) && slices.Contains([]Recorded{Sent, Added, Unsure}, has)
				no := has == SaidNo || has == NotKnown || has == TakingOff
				if ends := l.Becomes == ledger.MemberOptedOut; ends == (no || newer || back) {
					t.Errorf("%s at %s, renewed %s: the ledger has %q", has, at, renewed, l.Becomes)
				}
				if stops := l.Instead != ""; stops == (no || newer) {
					t.Errorf("%s at %s, renewed %s: instead of an add the ledger has %q", has, at, renewed, l.Instead)
				}
			}
		}
	}
	for i, l := range OptOutTable {
		for _, has := range l.Has {
			if len(l.Has) < len(All) && !decided[fmt.Sprint(i, has)] {
				t.Errorf("line %d never decides where the ledger has %q: an earlier one does", i+1, has)
			}
		}
	}
}

func TestHeed(t *testing.T) {
	t.Parallel()
	added := ledger.Membership{Topic: "news", Consent: true, State: ledger.MemberAdded, At: noon.Add(-time.Hour)}
	other := ledger.Membership{Topic: "offers", Consent: true, State: ledger.MemberAdded, At: noon.Add(-time.Hour)}
	left := added
	left.State = ledger.MemberOptedOut
	for _, tt := range []struct {
		name    string
		given   []ledger.Membership
		optOuts []ledger.OptOut
		want    []ledger.Membership
	}{
		{"nobody left", []ledger.Membership{added}, nil, []ledger.Membership{added}},
		{"one topic of two", []ledger.Membership{added, other}, []ledger.OptOut{{ContactID: "c", Topic: "news", At: noon}}, []ledger.Membership{left, other}},
		{"before the sync knew the contact", []ledger.Membership{other}, []ledger.OptOut{{ContactID: "c", Topic: "news", At: noon}},
			[]ledger.Membership{other, {Topic: "news", Consent: true, State: ledger.MemberOptedOut, At: noon}}},
		{"a millisecond of a yes", []ledger.Membership{{Topic: "news", Consent: true, State: ledger.MemberWanted, Renewed: noon.Add(999 * time.Microsecond)}},
			[]ledger.OptOut{{ContactID: "c", Topic: "news", At: noon}},
			[]ledger.Membership{{Topic: "news", Consent: true, State: ledger.MemberOptedOut, Renewed: noon.Add(999 * time.Microsecond)}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			before, beforeOptOuts := slices.Clone(tt.given), slices.Clone(tt.optOuts)
			if diff := cmp.Diff(tt.want, Heed(tt.given, tt.optOuts)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(before, tt.given) + cmp.Diff(beforeOptOuts, tt.optOuts); diff != "" {
				t.Errorf("what was given has changed:\n%s", diff)
			}
		})
	}
}

func TestHeedBeforeAdd(t *testing.T) {
	t.Parallel()
	hour := func(n int) time.Time { return noon.Add(time.Duration(n) * time.Hour) }
	for _, tt := range []struct {
		name    string
		has     Recorded
		at      time.Time
		renewed time.Time
		optOuts []ledger.OptOut
		want    ledger.MembershipState
		left    bool
	}{
		{"nobody left", Wanted, noon, time.Time{}, nil, ledger.MemberWanted, false},
		{"another topic", Wanted, noon, time.Time{}, []ledger.OptOut{{Topic: "offers", At: hour(1)}}, ledger.MemberWanted, false},
		{"left since the plan", Wanted, noon, time.Time{}, []ledger.OptOut{{Topic: "news", At: hour(1)}}, ledger.MemberOptedOut, true},
		{"left before the plan, existing: add", Wanted, noon, time.Time{}, []ledger.OptOut{{Topic: "news", At: hour(-1)}}, ledger.MemberOptedOut, true},
		{"left before a new yes", Wanted, noon, noon, []ledger.OptOut{{Topic: "news", At: hour(-1)}}, ledger.MemberWanted, false},
		{"left before the add that was sent", Sent, noon, time.Time{}, []ledger.OptOut{{Topic: "news", At: hour(-1)}}, ledger.MemberUnsure, true},
		{"left after the add that was sent", Sent, noon, time.Time{}, []ledger.OptOut{{Topic: "news", At: hour(1)}}, ledger.MemberOptedOut, true},
		{"noted by the plan already", OptedOut, noon, time.Time{}, nil, ledger.MemberOptedOut, true},
		{"left twice", Sent, noon, time.Time{}, []ledger.OptOut{{Topic: "news", At: hour(-1)}, {Topic: "news", At: hour(1)}}, ledger.MemberUnsure, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := *membershipOf(tt.has, tt.at, tt.renewed)
			before := slices.Clone(tt.optOuts)
			got, left := HeedBeforeAdd(m, tt.optOuts)
			want := m
			want.State = tt.want
			if left != tt.left || got != want {
				t.Errorf("%+v, left %v; want %+v, %v", got, left, want, tt.left)
			}
			if diff := cmp.Diff(before, tt.optOuts); diff != "" {
				t.Errorf("what was given has changed:\n%s", diff)
			}
		})
	}
}

// TestAnOptOutInTheMillisecondOfAnAdd: nobody knows which came first. Nothing adds the person for the same yes, and any later no takes them off, even
// one that only repeats the opt-out.
func TestAnOptOutInTheMillisecondOfAnAdd(t *testing.T) {
	t.Parallel()
	optOuts := []ledger.OptOut{{ContactID: "c", Topic: "news", At: noon, Written: noon.Add(time.Second)}}
	for _, at := range []time.Time{noon, noon.Add(999 * time.Microsecond)} {
		for _, state := range []ledger.MembershipState{ledger.MemberAdded, ledger.MemberSent} {
			for _, existing := range []policy.Existing{policy.ExistingSkip, policy.ExistingAdd} {
				topics := []policy.Topic{{ID: "news", When: true, Existing: existing}}
				m := ledger.Membership{Topic: "news", Consent: true, State: state, At: at, Renewed: noon.Add(-time.Hour)}
				row := Row{Says: []owlatsync.Consent{Yes}, Origin: ledger.OriginCreated, HasContact: true, OptOuts: optOuts, Memberships: Heed([]ledger.Membership{m}, optOuts)}
				yes := Plan(topics, row, noon.Add(time.Hour))
				if before, left := HeedBeforeAdd(*find(yes.Memberships, "news"), optOuts); len(yes.Changes) > 0 && !left {
					t.Errorf("%s at %s, existing %s: a yes sends %v, and right before the ledger has %q", state, at, existing, yes.Changes, before.State)
				}
				row.Says[0] = No
				if no := Plan(topics, row, noon.Add(time.Hour)); len(no.Changes) != 1 || no.Changes[0].Kind != owlatsync.RemoveTopic {
					t.Errorf("%s at %s, existing %s: a no sends %v", state, at, existing, no.Changes)
				}
			}
		}
	}
}
