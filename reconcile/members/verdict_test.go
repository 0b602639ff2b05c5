package members

import (
	"testing"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/consent"
)

// recordings has a membership for everything that can be recorded.
var recordings = map[consent.Recorded]*ledger.Membership{
	consent.Nothing:     nil,
	consent.SaidNo:      {State: ledger.MemberOut},
	consent.NotKnown:    {State: ledger.MemberUnknown},
	consent.TakingOff:   {State: ledger.MemberLeaving},
	consent.LeavingGone: {Consent: true, State: ledger.MemberLeaving},
	consent.LeftGone:    {Consent: true, State: ledger.MemberLeft},
	consent.Wanted:      {Consent: true, State: ledger.MemberWanted},
	consent.Sent:        {Consent: true, State: ledger.MemberSent},
	consent.Added:       {Consent: true, State: ledger.MemberAdded},
	consent.LeftAlone:   {Consent: true, State: ledger.MemberSkipped},
	consent.OptedOut:    {Consent: true, State: ledger.MemberOptedOut},
	consent.Unsure:      {Consent: true, State: ledger.MemberUnsure},
	consent.Imported:    {Consent: true, State: ledger.MemberImported},
}

func TestJudge(t *testing.T) {
	t.Parallel()
	const add, remove = owlatsync.AddTopic, owlatsync.RemoveTopic
	for _, test := range []struct {
		has    consent.Recorded
		is     Is
		next   owlatsync.ChangeKind
		holds  Facts
		kind   Kind
		should Should
	}{
		{consent.Added, IsOn, "", Facts{}, Agrees, ShouldBeOn},
		{consent.Added, IsOff, "", Facts{}, Left, ShouldBeOn},
		{consent.Added, IsOff, remove, Facts{}, Left, ShouldBeOff},
		{consent.Added, IsOff, "", Facts{TakenOff: true}, Off, Either},
		{consent.Added, IsOn, remove, Facts{}, Due, ShouldBeOff},
		{consent.Nothing, IsOff, add, Facts{}, Due, ShouldBeOn},
		{consent.Nothing, IsOn, add, Facts{}, Due, ShouldBeOn},
		{consent.Nothing, IsOn, "", Facts{}, On, Either},
		{consent.Nothing, IsOff, "", Facts{}, Agrees, Either},
		{consent.Wanted, IsOff, "", Facts{}, Due, ShouldBeOn},
		{consent.Sent, IsOff, "", Facts{}, Due, ShouldBeOn},
		{consent.Sent, IsOn, "", Facts{}, Agrees, ShouldBeOn},
		{consent.TakingOff, IsOn, "", Facts{}, Due, ShouldBeOff},
		{consent.TakingOff, IsOff, "", Facts{}, Agrees, ShouldBeOff},
		{consent.Unsure, IsOn, "", Facts{}, On, Either},
		{consent.Unsure, IsOff, "", Facts{}, Off, Either},
		{consent.OptedOut, IsOn, "", Facts{}, On, ShouldBeOff},
		{consent.OptedOut, IsOff, "", Facts{}, Agrees, ShouldBeOff},
		{consent.SaidNo, IsOn, "", Facts{}, On, Either},
		{consent.SaidNo, IsOn, "", Facts{Withdrawn: true}, StillOn, ShouldBeOff},
		{consent.SaidNo, IsOn, "", Facts{Withdrawn: true, Wanted: true}, Agrees, Either},
		{consent.SaidNo, IsOn, add, Facts{Withdrawn: true}, Due, ShouldBeOn},
		{consent.SaidNo, IsOn, "", Facts{Rules: true}, StillOn, ShouldBeOff},
		{consent.SaidNo, IsOff, "", Facts{Withdrawn: true}, Agrees, ShouldBeOff},
		{consent.NotKnown, IsOn, "", Facts{}, On, Either},
		{consent.NotKnown, IsOn, "", Facts{Withdrawn: true}, On, Either},
		{consent.NotKnown, IsOn, "", Facts{Rules: true}, StillOn, ShouldBeOff},
		{consent.NotKnown, IsOff, "", Facts{Rules: true}, Agrees, Either},
		{consent.LeftAlone, IsOn, "", Facts{}, Agrees, Either},
		{consent.LeftAlone, IsOff, "", Facts{}, Off, Either},
		{consent.Imported, IsOn, "", Facts{}, Agrees, Either},
		{consent.Imported, IsOff, "", Facts{}, Off, Either},
		{consent.Imported, IsOn, remove, Facts{}, Due, ShouldBeOff},
		{consent.LeftGone, IsOn, "", Facts{}, On, Either},
		{consent.LeftGone, IsOff, "", Facts{}, Agrees, ShouldBeOff},
		{consent.Added, IsGone, "", Facts{}, NoTopic, Either},
	} {
		got := Judge(Case{Has: recordings[test.has], Is: test.is, Next: test.next, Holds: test.holds})
		if got.Kind != test.kind || got.Should != test.should || got.Is != test.is {
			t.Errorf("%s, %s, next %q, %+v: %s, should %s; want %s, should %s", test.has, test.is, test.next, test.holds, got.Kind, got.Should, test.kind, test.should)
		}
	}
}

// TestNobodyIsLeftUnjudged goes through every case: what disagrees says why, only an added membership was left, and only a no is withdrawn.
func TestNobodyIsLeftUnjudged(t *testing.T) {
	t.Parallel()
	used := make(map[string]bool)
	for _, recorded := range consent.All {
		m := recordings[recorded]
		if got := consent.RecordedOf(m); got != recorded {
			t.Fatalf("the membership of %q is %q", recorded, got)
		}
		for _, is := range []Is{IsOn, IsOff, IsGone} {
			for _, next := range []owlatsync.ChangeKind{"", owlatsync.AddTopic, owlatsync.RemoveTopic} {
				for bits := range 16 {
					c := Case{Has: m, Is: is, Next: next, Holds: Facts{TakenOff: bits&1 > 0, Wanted: bits&2 > 0, Withdrawn: bits&4 > 0, Rules: bits&8 > 0}}
					v := Judge(c)
					used[v.Why] = true
					switch {
					case (v.Kind != Agrees) != (v.Why != ""):
						t.Errorf("%s, %+v: %+v", recorded, c, v)
					case v.Kind == Left && (recorded != consent.Added || is != IsOff):
						t.Errorf("%s, %s counts as left", recorded, is)
					case v.Kind == StillOn && (is != IsOn || recorded != consent.SaidNo && recorded != consent.NotKnown || c.Holds.Wanted):
						t.Errorf("%s, %s, %+v counts as withdrawn", recorded, is, c.Holds)
					}
				}
			}
		}
	}
	for _, l := range table {
		if !used[l.why] {
			t.Errorf("no case comes to %q", l.why)
		}
	}
}

func TestActed(t *testing.T) {
	t.Parallel()
	out := ledger.Membership{Topic: "k57", State: ledger.MemberOut}
	renewed := out
	renewed.Renewed = renewed.Renewed.AddDate(1, 0, 0)
	for name, test := range map[string]struct {
		m       *ledger.Membership
		history []ledger.HistoryLine
		want    bool
	}{
		"nothing recorded":     {nil, []ledger.HistoryLine{{Event: "topic added", Note: "k57"}}, false},
		"never a yes":          {&out, []ledger.HistoryLine{{Event: "created"}, {Event: "topic added", Note: "other"}}, false},
		"an add":               {&out, []ledger.HistoryLine{{Event: "created"}, {Event: "topic added", Note: "k57"}}, true},
		"a removal":            {&out, []ledger.HistoryLine{{Event: "topic removed", Note: "k57"}}, true},
		"a consent that came":  {&renewed, nil, true},
		"history was dropped":  {&out, nil, false},
		"a yes that counts":    {&ledger.Membership{Consent: true, State: ledger.MemberAdded}, nil, true},
		"Owlat asked for them": {&ledger.Membership{State: ledger.MemberOut, Unmailed: true}, nil, true},
	} {
		if got := Acted(test.m, test.history); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
