// Package consent decides who is put on a topic and who is taken off (Invariant 1). Two tables cover every way in which the row's
// word, the record, opt-outs, doubts and policies meet; the first line that fits decides. The package is pure: values in, values
// out.
package consent

import (
	"slices"

	"owlatsync"
	"owlatsync/ledger"
)

// What the source says now about a row and a topic.
const (
	Yes     = owlatsync.Yes
	No      = owlatsync.No
	Unclear = owlatsync.Unclear
)

// Recorded is what the ledger has about a row and a topic, in words for the documents.
type Recorded string

const (
	Nothing     Recorded = "nothing"
	SaidNo      Recorded = "a no"
	NotKnown    Recorded = "a no, not known whether on it"
	TakingOff   Recorded = "a no, its removal unanswered"
	LeavingGone Recorded = "row gone, its removal unanswered"
	LeftGone    Recorded = "row gone, contact removed or left to another row"
	Wanted      Recorded = "an add not sent yet"
	Sent        Recorded = "an add, unanswered"
	Added       Recorded = "an add"
	LeftAlone   Recorded = "a yes left alone"
	OptedOut    Recorded = "an opt-out"
	Unsure      Recorded = "an unsure add" // it was reported
	Imported    Recorded = "a yes exported for import"
)

// All lists everything that can be recorded.
var All = []Recorded{Nothing, SaidNo, NotKnown, TakingOff, LeavingGone, LeftGone, Wanted, Sent, Added, LeftAlone, OptedOut, Unsure, Imported}

// Condition is what else must hold for a line to fit, in words for the documents.
type Condition string

const (
	Always      Condition = ""
	NewContact  Condition = "a sync of this ledger creates the contact"
	Unspent     Condition = "the yes was for a topic id corrected since"
	HasColumn   Condition = "the topic has a `when` column"
	AddExisting Condition = "`existing: add`"
	Rules       Condition = "`existing: add`, and there is a contact"
	HasContact  Condition = "there is a contact"
	Suppressed  Condition = "no mail may go to the address"                        // see ledger.Suppression
	NeverMail   Condition = "no mail may go to the person, and there is a contact" // the row says so; see policy.Policies.Suppressed
	WrittenBack Condition = "a write-back wrote that opt-out into the source"
)

// Action is what a run does, in words for the documents.
type Action string

const (
	DoNothing Action = "does nothing"
	Add       Action = "adds the contact"
	Remove    Action = "removes the contact"
	LeaveIt   Action = "leaves it alone"                                 // and counts a skipped membership
	AddAgain  Action = "adds the contact again if nobody has left since" // else the row fails as unsure
)

// has lists the records that a line applies to.
type has = []Recorded

// Line is one line of the table.
type Line struct {
	Says owlatsync.Consent
	Has  []Recorded // the ledger has one of these
	If   Condition
	Does Action
	// Becomes is what is recorded before anything is sent; empty: nothing changes.
	Becomes ledger.MembershipState
	Why     string
}

// Table says what a run does about a row and a topic. The first line that fits decides.
var Table = []Line{
	// The row says yes, and a mail to its address came back for good, or was called spam.
	{Yes, has{Nothing, SaidNo, NotKnown, TakingOff, LeavingGone, LeftGone, Wanted, LeftAlone}, Suppressed, LeaveIt, ledger.MemberOptedOut,
		"no word of the source and of the configuration lifts that"},
	{Yes, has{Sent}, Suppressed, LeaveIt, ledger.MemberUnsure,
		"the add may have worked, so that a later no has something to take off"},

	// The row says yes, and the ledger has nothing.
	{Yes, has{Nothing}, NewContact, Add, ledger.MemberWanted,
		"nobody can leave before there is a contact; what another sync did with it counts"},
	{Yes, has{Nothing}, Unspent, Add, ledger.MemberWanted,
		"that yes has put nobody on a topic yet"},
	{Yes, has{Nothing}, AddExisting, Add, ledger.MemberWanted,
		"the configuration asks for it, even for people who left earlier"},
	{Yes, has{Nothing}, Always, LeaveIt, ledger.MemberSkipped,
		"the person may have left before the sync or the topic was set up"},

	// The row says yes, and the ledger has a no, or the row was gone.
	{Yes, has{SaidNo, NotKnown, TakingOff}, HasColumn, Add, ledger.MemberWanted,
		"the column went from no to yes: a new consent"},
	{Yes, has{SaidNo, NotKnown, TakingOff, LeavingGone, LeftGone, LeftAlone}, AddExisting, Add, ledger.MemberWanted,
		"the configuration asks for it"},
	{Yes, has{SaidNo, NotKnown, TakingOff}, Always, LeaveIt, ledger.MemberSkipped,
		"a `when` column that was taken out of the configuration is no consent"},
	{Yes, has{LeavingGone, LeftGone}, Always, LeaveIt, ledger.MemberSkipped,
		"a row that comes back is no consent"},

	// The row says yes, and the ledger has a yes.
	{Yes, has{Wanted}, Always, Add, "",
		"the add is still due"},
	{Yes, has{Sent}, Always, AddAgain, "",
		"the add may not have worked; Owlat tells, right before it is sent again, whether the person may have left"},
	{Yes, has{Added, LeftAlone, OptedOut, Unsure, Imported}, Always, DoNothing, "",
		"the yes is not new"},

	// The row says no.
	{No, has{OptedOut}, WrittenBack, DoNothing, ledger.MemberOut,
		"the no is the echo of the opt-out and no new word: the person is off the topic"},
	{No, has{Nothing, NotKnown}, NeverMail, Remove, ledger.MemberUnknown,
		"the person may be on the topic, and must get nothing"},
	{No, has{Nothing, NotKnown}, Rules, Remove, ledger.MemberUnknown,
		"the configuration lets the source rule, and the person may be on the topic"},
	{No, has{Nothing, NotKnown}, HasContact, DoNothing, ledger.MemberUnknown,
		"the contact may be on the topic by its own wish, and is left as it is"},
	{No, has{TakingOff, LeavingGone, LeftGone, Wanted, Sent, Added, LeftAlone, OptedOut, Unsure, Imported}, HasContact, Remove, "",
		"the source withdraws, and the person may be on the topic, even after an opt-out: Owlat does not tell who comes back"},
	{No, All, Always, DoNothing, ledger.MemberOut,
		"there is nothing to take off"},

	// The row says neither.
	{Unclear, has{Nothing}, HasContact, DoNothing, ledger.MemberUnknown,
		"it is no consent; a yes after it is a new one, and the contact may be on the topic"},
	{Unclear, has{Nothing}, Always, DoNothing, ledger.MemberOut,
		"it is no consent; a yes after it is a new one"},
	{Unclear, All, Always, DoNothing, "",
		"nobody is added or removed for a word that is neither"},
}

// Case is one row and one topic.
type Case struct {
	Says  owlatsync.Consent
	Has   Recorded
	Holds Facts
}

// Facts are the conditions that hold.
type Facts struct{ NewContact, Unspent, HasColumn, AddExisting, HasContact, Suppressed, NeverMail, WrittenBack bool }

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
	case Rules:
		return f.AddExisting && f.HasContact
	case HasContact:
		return f.HasContact
	case Suppressed:
		return f.Suppressed
	case NeverMail:
		return f.NeverMail && f.HasContact
	case WrittenBack:
		return f.WrittenBack
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
	return l.Says == c.Says && slices.Contains(l.Has, c.Has) && c.Holds.hold(l.If)
}

// RecordedOf returns what a membership records; nil is Nothing.
func RecordedOf(m *ledger.Membership) Recorded {
	switch {
	case m == nil:
		return Nothing
	case m.State == ledger.MemberLeaving && m.Consent:
		return LeavingGone
	case m.State == ledger.MemberLeaving:
		return TakingOff
	case !m.Consent && m.State == ledger.MemberUnknown:
		return NotKnown
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
	case ledger.MemberImported:
		return Imported
	}
	return Unsure // an unknown state of a yes: Unsure adds nobody
}

// Spent returns the topics on which other syncs have put a contact, or may have: somebody who left since is not put back by another
// sync's first consent. After a known opt-out that is so for every topic, because leaving everything looks like leaving those topics
// on which the person was.
func Spent(siblings []ledger.Holder, optOuts []ledger.OptOut, topics []string) []string {
	if len(optOuts) > 0 {
		return topics
	}
	return slices.DeleteFunc(slices.Clone(topics), func(topic string) bool {
		return !slices.ContainsFunc(siblings, func(h ledger.Holder) bool {
			switch RecordedOf(h.Entry.Membership(topic)) {
			case Sent, Added, Unsure, Imported, OptedOut, LeftGone, LeavingGone:
				return true
			}
			return false
		})
	})
}
