package members

import (
	"slices"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/consent"
)

// Kind says how a membership in Owlat disagrees with what should be.
type Kind string

const (
	Agrees  Kind = ""
	Left    Kind = "left"     // a run put the contact on the topic, and it is off
	StillOn Kind = "still-on" // the source withdrew a consent, and the contact is on the topic
	NoTopic Kind = "topic"    // the topic is not in Owlat
	Due     Kind = "due"      // the next run puts the contact on the topic or takes it off
	On      Kind = "on"       // the contact is on the topic, and no run put it there
	Off     Kind = "off"      // the row says yes, and the contact is not on the topic; no run puts it there
)

// Kinds lists all kinds in the order in which reports show them.
var Kinds = []Kind{Left, StillOn, NoTopic, Due, On, Off}

// Differs reports whether somebody should look at a finding of the kind. The others only inform: the next run sees to it, or the
// policies leave it to Owlat.
func (k Kind) Differs() bool { return k == Left || k == StillOn || k == NoTopic }

// Should says what the source and the rules of consent come to.
type Should string

const (
	ShouldBeOn  Should = "on"
	ShouldBeOff Should = "off"
	Either      Should = "either" // it is left as it is in Owlat
)

// Words says it of a contact.
func (s Should) Words() string {
	switch s {
	case ShouldBeOn:
		return "should be on it"
	case ShouldBeOff:
		return "should not be on it"
	}
	return "is left as it is in Owlat"
}

// Is says what was read.
type Is string

const (
	IsOn   Is = "on"
	IsOff  Is = "off"
	IsGone Is = "gone" // the topic is not in Owlat
)

// Words says it of a contact.
func (i Is) Words() string {
	switch i {
	case IsOn:
		return "on it"
	case IsOff:
		return "not on it"
	}
	return "there is no such topic any more"
}

// Condition is what else must hold for a line to fit.
type Condition string

const (
	always    Condition = ""
	addDue    Condition = "the next run adds"
	removeDue Condition = "the next run removes"
	takenOff  Condition = "another sync took the contact off since"
	wanted    Condition = "another sync wants the contact on the topic"
	withdrawn Condition = "the row withdrew a consent that a run had acted on"
	ruled     Condition = "`existing: add`"
)

// line is one line of the table.
type line struct {
	has    []consent.Recorded // the ledger has one of these
	is     Is
	when   Condition
	kind   Kind
	should Should
	why    string
}

type has = []consent.Recorded

// table says what is told of a contact and a topic. The first line that fits decides; what fits none agrees.
var table = []line{
	{has{consent.Added}, IsOff, takenOff, Off, Either,
		"another sync of this ledger took them off since"},
	{has{consent.Added}, IsOff, removeDue, Left, ShouldBeOff,
		"they have left since, or were taken off in Owlat"},
	{has{consent.Added}, IsOff, always, Left, ShouldBeOn,
		"they have left since, or were taken off in Owlat"},

	{consent.All, IsOn, addDue, Due, ShouldBeOn,
		"the next run adds them, which changes nothing for them"},
	{consent.All, IsOff, addDue, Due, ShouldBeOn,
		"the next run adds them"},
	{consent.All, IsOn, removeDue, Due, ShouldBeOff,
		"the next run takes them off"},
	{consent.All, IsOff, removeDue, Agrees, ShouldBeOff, ""},

	{has{consent.Added, consent.Wanted, consent.Sent}, IsOn, always, Agrees, ShouldBeOn, ""},
	{has{consent.Wanted, consent.Sent}, IsOff, always, Due, ShouldBeOn,
		"the add is not done yet"},
	{has{consent.TakingOff, consent.LeavingGone}, IsOn, always, Due, ShouldBeOff,
		"the removal is not done yet"},

	{has{consent.Unsure}, IsOn, always, On, Either,
		"the add that was never answered worked, or they came by themselves"},
	{has{consent.Unsure}, IsOff, always, Off, Either,
		"the add that was never answered did not work, or they have left since"},
	{has{consent.OptedOut}, IsOn, always, On, ShouldBeOff,
		"they came back by themselves, or were put on it by somebody else"},

	{has{consent.SaidNo, consent.NotKnown}, IsOn, wanted, Agrees, Either, ""},
	{has{consent.SaidNo}, IsOn, withdrawn, StillOn, ShouldBeOff,
		"the row withdrew its consent, and they are on it again or were never taken off"},
	{has{consent.SaidNo, consent.NotKnown}, IsOn, ruled, StillOn, ShouldBeOff,
		"the row says no, and with \"existing: add\" its word counts"},
	{has{consent.SaidNo}, IsOn, always, On, Either,
		"they came by themselves, or were put on it by somebody else: no run is known to have acted on a yes of the row"},
	{has{consent.NotKnown}, IsOn, always, On, Either,
		"the row says no, and they were there before the sync, or came by themselves (existing: skip)"},
	{has{consent.LeftGone}, IsOn, always, On, Either,
		"they came back by themselves, or were put on it by somebody else"},
	{has{consent.Nothing}, IsOn, always, On, Either,
		"no run has decided about it yet"},
	{has{consent.LeftAlone}, IsOff, always, Off, Either,
		"the row says yes, and no run puts them on it (existing: skip)"},
	{has{consent.Imported}, IsOff, always, Off, Either,
		"Owlat's importer did not put them on it, or they have left since"},

	{has{consent.SaidNo, consent.TakingOff, consent.LeavingGone, consent.LeftGone, consent.OptedOut}, IsOff, always, Agrees, ShouldBeOff, ""},
}

// Case is a contact and a topic.
type Case struct {
	Has *ledger.Membership // after the known opt-outs; nil: the ledger has nothing
	Is  Is
	// Next is what the next run does about it; empty: nothing.
	Next  owlatsync.ChangeKind
	Holds Facts
}

// Facts are the conditions that hold.
type Facts struct {
	TakenOff  bool // another sync of the ledger has taken the contact off since it was put on the topic
	Wanted    bool // the row of another sync wants the contact on the topic
	Withdrawn bool // the row said yes, a run acted on it, and the topic has a `when` column
	Rules     bool // `existing: add`
}

func (c Case) holds(when Condition) bool {
	switch when {
	case addDue:
		return c.Next == owlatsync.AddTopic
	case removeDue:
		return c.Next == owlatsync.RemoveTopic
	case takenOff:
		return c.Holds.TakenOff
	case wanted:
		return c.Holds.Wanted
	case withdrawn:
		return c.Holds.Withdrawn
	case ruled:
		return c.Holds.Rules
	}
	return true
}

// Verdict is what is told of a contact and a topic.
type Verdict struct {
	Kind   Kind
	Should Should
	Is     Is
	Why    string // for people; empty where all agrees
}

// Judge returns the verdict of a case. Pure.
func Judge(c Case) Verdict {
	if c.Is == IsGone {
		return Verdict{NoTopic, Either, IsGone, "no run can put anybody on it"}
	}
	recorded := consent.RecordedOf(c.Has)
	for _, l := range table {
		if l.is == c.Is && slices.Contains(l.has, recorded) && c.holds(l.when) {
			return Verdict{l.kind, l.should, c.Is, l.why}
		}
	}
	return Verdict{Agrees, Either, c.Is, ""}
}

// Now says what was read, and why it is so if that is not what should be.
func (v Verdict) Now() string {
	if v.Why == "" {
		return v.Is.Words()
	}
	return v.Is.Words() + ": " + v.Why
}

// RecordedWords says what the ledger has, of a contact.
func RecordedWords(m *ledger.Membership) string {
	switch consent.RecordedOf(m) {
	case consent.Nothing:
		return "nothing is recorded"
	case consent.SaidNo:
		return "recorded as off, because the row says no"
	case consent.NotKnown:
		return "recorded as not known, because the row says no"
	case consent.TakingOff, consent.LeavingGone:
		return "recorded as being taken off"
	case consent.LeftGone:
		return "recorded as let go of"
	case consent.Wanted:
		return "recorded as to be added"
	case consent.Sent:
		return "recorded as added without an answer"
	case consent.Added:
		return "recorded as added"
	case consent.LeftAlone:
		return "recorded as left alone"
	case consent.OptedOut:
		return "recorded as left"
	case consent.Imported:
		return "recorded as exported for Owlat's importer"
	}
	return "recorded as unsure"
}

// Acted reports whether a run is known to have acted on a yes of the row: by the membership itself, or by the row's history, which is
// kept for as long as "history_days" says.
func Acted(m *ledger.Membership, history []ledger.HistoryLine) bool {
	if m == nil {
		return false
	}
	if m.Consent || !m.Renewed.IsZero() || !m.Pending.IsZero() || m.Unmailed {
		return true
	}
	return slices.ContainsFunc(history, func(h ledger.HistoryLine) bool {
		return h.Note == m.Topic && (h.Event == eventAdded || h.Event == eventRemoved)
	})
}

// What package apply writes into the history when a topic was added or removed, with the topic's id as the note.
const (
	eventAdded   = "topic added"
	eventRemoved = "topic removed"
)
