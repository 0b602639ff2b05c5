package consent

import (
	"fmt"
	"slices"
	"testing"

	"owlatsync"
	"owlatsync/ledger"
)

// The cases of Table, one for each of its lines, in their order.
var cases = []struct {
	name    string
	given   Case
	does    Action
	becomes ledger.MembershipState
}{
	{"a yes of an address that bounced", Case{Yes, Wanted, Facts{NewContact: true, HasColumn: true, AddExisting: true, HasContact: true, Suppressed: true}}, LeaveIt, ledger.MemberOptedOut},
	{"an add whose answer was lost, then a bounce", Case{Yes, Sent, Facts{AddExisting: true, HasContact: true, Suppressed: true}}, LeaveIt, ledger.MemberUnsure},

	{"a yes of a contact that the sync creates", Case{Yes, Nothing, Facts{NewContact: true}}, Add, ledger.MemberWanted},
	{"a yes whose topic id was corrected", Case{Yes, Nothing, Facts{Unspent: true, HasContact: true}}, Add, ledger.MemberWanted},
	{"a yes of a contact that was there, existing: add", Case{Yes, Nothing, Facts{AddExisting: true, HasContact: true}}, Add, ledger.MemberWanted},
	{"a yes of a contact that was there", Case{Yes, Nothing, Facts{HasColumn: true, HasContact: true}}, LeaveIt, ledger.MemberSkipped},

	{"a no becomes a yes", Case{Yes, SaidNo, Facts{HasColumn: true, HasContact: true}}, Add, ledger.MemberWanted},
	{"a yes left alone, now existing: add", Case{Yes, LeftAlone, Facts{AddExisting: true, HasContact: true}}, Add, ledger.MemberWanted},
	{"the column of a no is configured no more", Case{Yes, TakingOff, Facts{HasContact: true}}, LeaveIt, ledger.MemberSkipped},
	{"a row comes back", Case{Yes, LeftGone, Facts{HasColumn: true, HasContact: true}}, LeaveIt, ledger.MemberSkipped},

	{"an add that is still due", Case{Yes, Wanted, Facts{HasContact: true}}, Add, ""},
	{"an add whose answer was lost", Case{Yes, Sent, Facts{AddExisting: true, HasContact: true}}, AddAgain, ""},
	{"a person who left stays off", Case{Yes, OptedOut, Facts{NewContact: true, HasColumn: true, AddExisting: true, HasContact: true}}, DoNothing, ""},

	{"a no that a write-back wrote", Case{No, OptedOut, Facts{HasColumn: true, AddExisting: true, HasContact: true, WrittenBack: true}}, DoNothing, ledger.MemberOut},
	{"no mail may go to a person who was there", Case{No, NotKnown, Facts{HasContact: true, NeverMail: true}}, Remove, ledger.MemberUnknown},
	{"a no of a contact that was there, existing: add", Case{No, Nothing, Facts{HasColumn: true, AddExisting: true, HasContact: true}}, Remove, ledger.MemberUnknown},
	{"a no of a contact that was there", Case{No, Nothing, Facts{HasColumn: true, HasContact: true}}, DoNothing, ledger.MemberUnknown},
	{"a member withdraws", Case{No, Added, Facts{HasColumn: true, HasContact: true}}, Remove, ""},
	{"a no again", Case{No, SaidNo, Facts{HasColumn: true, HasContact: true}}, DoNothing, ledger.MemberOut},

	{"a row of a contact that was there says neither", Case{Unclear, Nothing, Facts{HasColumn: true, HasContact: true}}, DoNothing, ledger.MemberUnknown},
	{"a new row that says neither", Case{Unclear, Nothing, Facts{NewContact: true, HasColumn: true}}, DoNothing, ledger.MemberOut},
	{"a member's row says neither", Case{Unclear, Added, Facts{HasColumn: true, HasContact: true}}, DoNothing, ""},
}

func TestTable(t *testing.T) {
	t.Parallel()
	if len(cases) != len(Table) {
		t.Fatalf("%d cases for %d lines", len(cases), len(Table))
	}
	for i, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if decides := lineOf(t, tt.given); decides != i {
				t.Errorf("line %d decides, want %d", decides+1, i+1)
			}
			if l := Decide(tt.given); l.Does != tt.does || l.Becomes != tt.becomes {
				t.Errorf("a run %s, and the ledger has %q; want %s, %q", l.Does, l.Becomes, tt.does, tt.becomes)
			}
		})
	}
}

// lineOf returns the position of the line that decides, -1 if none fits.
func lineOf(t *testing.T, c Case) int {
	t.Helper()
	i := slices.IndexFunc(Table, func(l Line) bool { return l.fits(c) })
	if i >= 0 && Table[i].Why != Decide(c).Why {
		t.Errorf("%+v: another line than the first that fits decides", c)
	}
	return i
}

// everyCase returns all there are.
func everyCase() (all []Case) {
	flags := []bool{false, true}
	for _, says := range []owlatsync.Consent{Yes, No, Unclear} {
		for _, has := range All {
			for bits := range 1 << 8 {
				on := func(i int) bool { return flags[bits>>i&1] }
				all = append(all, Case{says, has, Facts{on(0), on(1), on(2), on(3), on(4), on(5), on(6), on(7)}})
			}
		}
	}
	return all
}

// mayAdd says, apart from the table, when an add is allowed at all.
func mayAdd(c Case) bool {
	f := c.Holds
	switch c.Has {
	case OptedOut, Added, Sent, Unsure, Imported:
		return false
	}
	if f.Suppressed {
		return false
	}
	switch c.Has {
	case Wanted:
		return true // it is still due
	case Nothing:
		return f.NewContact || f.Unspent || f.AddExisting
	case SaidNo, NotKnown, TakingOff:
		return f.HasColumn || f.AddExisting
	}
	return f.AddExisting
}

// mayBeOn says when there may be somebody to take off a topic.
func mayBeOn(c Case) bool {
	switch c.Has {
	case SaidNo:
		return false
	case OptedOut:
		return c.Holds.HasContact && !c.Holds.WrittenBack
	case Nothing, NotKnown:
		return c.Holds.HasContact && (c.Holds.AddExisting || c.Holds.NeverMail)
	}
	return c.Holds.HasContact
}

// TestEveryCase tries every answer with everything that can be recorded and every fact.
func TestEveryCase(t *testing.T) {
	t.Parallel()
	all := everyCase()
	if len(all) != 3*len(All)*256 {
		t.Fatalf("%d cases", len(all))
	}
	decided := make(map[string]bool) // line and record
	for _, c := range all {
		i := lineOf(t, c)
		if i < 0 {
			t.Errorf("%+v: no line fits", c)
			continue
		}
		decided[fmt.Sprint(i, c.Has)] = true
		l := Table[i]
		if (l.Does == AddAgain) != (c.Says == Yes && c.Has == Sent && !c.Holds.Suppressed) {
			t.Errorf("%+v: a run %s", c, l.Does)
		}
		if (l.Does == Add) != (c.Says == Yes && mayAdd(c)) {
			t.Errorf("%+v: a run %s", c, l.Does)
		}
		if (l.Does == Remove) != (c.Says == No && mayBeOn(c)) {
			t.Errorf("%+v: a run %s", c, l.Does)
		}
		no := l.Becomes == ledger.MemberOut || l.Becomes == ledger.MemberUnknown
		if c.Says == Yes && no || c.Says == No && l.Becomes != "" && !no {
			t.Errorf("%+v: a %s is recorded as %q", c, c.Says, l.Becomes)
		}
		if c.Says == Unclear && (c.Has == Nothing) != no {
			t.Errorf("%+v: what is unclear is recorded as %q", c, l.Becomes)
		}
		if notKnown := l.Becomes == ledger.MemberUnknown; notKnown && (!c.Holds.HasContact || c.Has != Nothing && c.Has != NotKnown) {
			t.Errorf("%+v: it is recorded as not known whether the contact is on the topic", c)
		}
		if l.Does == Add && l.Becomes != ledger.MemberWanted && c.Has != Wanted {
			t.Errorf("%+v: an add is recorded as %q before it is sent", c, l.Becomes)
		}
	}
	for i, l := range Table {
		for _, has := range l.Has {
			if len(l.Has) < len(All) && !decided[fmt.Sprint(i, has)] {
				t.Errorf("line %d never decides where the ledger has %q: an earlier one does", i+1, has)
			}
		}
		if l.Why == "" || l.Does == "" {
			t.Errorf("line %d does not say what a run does, or why", i+1)
		}
	}
}

// memberships has a membership for everything that can be recorded.
var memberships = map[Recorded]*ledger.Membership{
	Nothing:     nil,
	SaidNo:      {State: ledger.MemberOut},
	NotKnown:    {State: ledger.MemberUnknown},
	TakingOff:   {State: ledger.MemberLeaving},
	LeavingGone: {State: ledger.MemberLeaving, Consent: true},
	LeftGone:    {State: ledger.MemberLeft, Consent: true},
	Wanted:      {State: ledger.MemberWanted, Consent: true},
	Sent:        {State: ledger.MemberSent, Consent: true},
	Added:       {State: ledger.MemberAdded, Consent: true},
	LeftAlone:   {State: ledger.MemberSkipped, Consent: true},
	OptedOut:    {State: ledger.MemberOptedOut, Consent: true},
	Unsure:      {State: ledger.MemberUnsure, Consent: true},
	Imported:    {State: ledger.MemberImported, Consent: true},
}

func TestRecordedOf(t *testing.T) {
	t.Parallel()
	if len(memberships) != len(All) {
		t.Fatalf("%d memberships for %d words", len(memberships), len(All))
	}
	for _, want := range All {
		if got := RecordedOf(memberships[want]); got != want {
			t.Errorf("%+v is read as %q, want %q", memberships[want], got, want)
		}
	}
	for _, state := range []ledger.MembershipState{ledger.MemberOut, "", "of a later version"} {
		if got := Decide(Case{Yes, RecordedOf(&ledger.Membership{Consent: true, State: state}), Facts{true, true, true, true, true, false, false, true}}); got.Does == Add {
			t.Errorf("a yes with the state %q adds somebody", state)
		}
	}
}
