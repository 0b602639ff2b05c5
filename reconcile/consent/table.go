// Package consent decides who is put on a topic and who is taken off (Invariant 1). All ways in which what the row says, what is
// recorded, opt-outs, doubt and policies meet are the lines of two tables; the first line that fits decides. The package is
// pure: values in, values out.
package consent

import "owlatsync/ledger"

// Answer is what the source says now of a row and a topic.
type Answer string

const (
	Yes Answer = "yes"
	No  Answer = "no"
)

// Recorded is what the ledger has about a row and a topic.
type Recorded string

const (
	Nothing     Recorded = "nothing"
	SaidNo      Recorded = "a no"
	TakingOff   Recorded = "a removal after a no, its answer lost"
	LeavingGone Recorded = "a removal while the row was gone, its answer lost"
	LeftGone    Recorded = "taken off while the row was gone"
	Wanted      Recorded = "an add that was not sent"
	Sent        Recorded = "an add whose answer was lost"
	Added       Recorded = "added"
	LeftAlone   Recorded = "left alone"
	OptedOut    Recorded = "the person left"
	Unsure      Recorded = "an add that nobody knows about"
)

// All lists everything that can be recorded.
var All = []Recorded{Nothing, SaidNo, TakingOff, LeavingGone, LeftGone, Wanted, Sent, Added, LeftAlone, OptedOut, Unsure}

// Condition is what else must hold for a line to fit.
type Condition string

const (
	Always      Condition = ""
	NewContact  Condition = "the contact is new by this sync"
	Unspent     Condition = "the yes was for a topic id that was corrected since"
	HasColumn   Condition = "the topic has a `when` column"
	AddExisting Condition = "`existing: add`"
	HasContact  Condition = "there is a contact"
)

// Action is what a run does about it.
type Action string

const (
	DoNothing Action = "nothing"
	Add       Action = "adds"
	Remove    Action = "removes"
	LeaveIt   Action = "leaves it alone" // counted as skipped
	Report    Action = "reports it"      // the row fails, because nobody knows
)

// Line is one line of the table.
type Line struct {
	Says     Answer
	Recorded []Recorded // one of these
	If       Condition
	Does     Action
	// Becomes is what is recorded before anything is sent; empty: what was.
	Becomes ledger.MembershipState
	Why     string
}

// Table is what a plan does about a topic, by what the row says and what is recorded. Each line is tried in turn.
var Table = []Line{
	{Yes, []Recorded{Nothing}, NewContact, Add, ledger.MemberWanted, "nobody can have left before there was a contact"},
	{Yes, []Recorded{Nothing}, Unspent, Add, ledger.MemberWanted, "the yes has put nobody on a topic yet"},
	{Yes, []Recorded{Nothing}, AddExisting, Add, ledger.MemberWanted, "the configuration asks for it, even if the person had left"},
	{Yes, []Recorded{Nothing}, Always, LeaveIt, ledger.MemberSkipped, "the person may have left before the sync, or before the topic was configured"},

	{Yes, []Recorded{SaidNo, TakingOff}, HasColumn, Add, ledger.MemberWanted, "the source's no became a yes: a new consent"},
	{Yes, []Recorded{SaidNo, TakingOff, LeavingGone, LeftGone, LeftAlone}, AddExisting, Add, ledger.MemberWanted, "the configuration asks for it"},
	{Yes, []Recorded{SaidNo, TakingOff}, Always, LeaveIt, ledger.MemberSkipped, "the configuration stopped asking, which is no consent"},
	{Yes, []Recorded{LeavingGone, LeftGone}, Always, LeaveIt, ledger.MemberSkipped, "the row is back, which is no consent"},

	{Yes, []Recorded{Wanted}, Always, Add, "", "the add is still due"},
	{Yes, []Recorded{Sent}, Always, Report, ledger.MemberUnsure, "the person may have been added and have left since"},
	{Yes, []Recorded{Added, LeftAlone, OptedOut, Unsure}, Always, DoNothing, "", "the yes is no news"},

	{No, []Recorded{TakingOff, LeavingGone, Sent, Added, LeftAlone, Unsure}, HasContact, Remove, "", "the source's yes became a no, and the person may be on the topic"},
	{No, All, Always, DoNothing, ledger.MemberOut, "there is nothing to take off"},
}

// Case is one row and one topic.
type Case struct {
	Says     Answer
	Recorded Recorded
	Holds    Facts
}

// Facts are the conditions that hold.
type Facts struct{ NewContact, Unspent, HasColumn, AddExisting, HasContact bool }

func (f Facts) hold(c Condition) bool {
	switch c {
	case NewContact:
		return f.NewContact
	case Unspent:
		return f.Unspent
	case HasColumn:
		return f.HasColumn
	case AddExisting:
		return f.AddExisting
	case HasContact:
		return f.HasContact
	}
	return true
}

// Decide returns the line that fits.
func Decide(c Case) Line {
	for _, l := range Table {
		if l.fits(c) {
			return l
		}
	}
	return Line{Says: c.Says, Does: DoNothing, Why: "no line fits"} // not reached: the tests try every case
}

func (l Line) fits(c Case) bool {
	if l.Says != c.Says || !c.Holds.hold(l.If) {
		return false
	}
	for _, r := range l.Recorded {
		if r == c.Recorded {
			return true
		}
	}
	return false
}

// RecordedOf reads what is recorded in a membership; nil is Nothing.
func RecordedOf(m *ledger.Membership) Recorded {
	switch {
	case m == nil:
		return Nothing
	case m.State == ledger.MemberLeaving && m.Consent:
		return LeavingGone
	case m.State == ledger.MemberLeaving:
		return TakingOff
	case !m.Consent:
		return SaidNo
	}
	switch m.State {
	case ledger.MemberLeft:
		return LeftGone
	case ledger.MemberWanted:
		return Wanted
	case ledger.MemberSent:
		return Sent
	case ledger.MemberAdded:
		return Added
	case ledger.MemberSkipped:
		return LeftAlone
	case ledger.MemberOptedOut:
		return OptedOut
	case ledger.MemberUnsure:
		return Unsure
	}
	return SaidNo // of MemberOut with a consent, which nothing records
}
