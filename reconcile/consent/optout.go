package consent

import (
	"slices"
	"time"

	"owlatsync/ledger"
)

// Timing is how an opt-out and what is recorded follow each other.
type Timing string

const (
	AnyTime      Timing = ""
	NewerConsent Timing = "the yes is newer than the opt-out"
	AddedSince   Timing = "the add is not older than the opt-out"
)

// OptOutLine is one line of the table of opt-outs.
type OptOutLine struct {
	Recorded []Recorded // one of these
	If       Timing
	// Becomes is what is recorded from then on; empty: what was.
	Becomes ledger.MembershipState
	// BeforeAdd is what is recorded instead if an add was about to be sent, which then is not.
	BeforeAdd ledger.MembershipState
	Why       string
}

// OptOutTable is what an opt-out that Owlat tells of means, by what is recorded. Each line is tried in turn.
var OptOutTable = []OptOutLine{
	{[]Recorded{Nothing}, AnyTime, ledger.MemberOptedOut, "", "a later yes that nobody saw change is no news"},
	{[]Recorded{SaidNo, TakingOff}, AnyTime, "", "", "there is no yes that it could end"},
	{All, NewerConsent, "", "", "the person said yes again"},
	{[]Recorded{Sent, Added, Unsure}, AddedSince, "", ledger.MemberUnsure, "the add put the person back before anybody knew: a later no has something to take off"},
	{All, AnyTime, ledger.MemberOptedOut, ledger.MemberOptedOut, "the person left: only a new yes counts"},
}

func optOutLine(m *ledger.Membership, o ledger.OptOut) OptOutLine {
	recorded := RecordedOf(m)
	for _, l := range OptOutTable {
		if slices.Contains(l.Recorded, recorded) && (l.If == AnyTime || follows(m, o, l.If)) {
			return l
		}
	}
	return OptOutLine{} // not reached: the last line fits all
}

// follows tells how they follow each other. Owlat tells the millisecond of an opt-out.
func follows(m *ledger.Membership, o ledger.OptOut, t Timing) bool {
	if t == NewerConsent {
		return m != nil && o.At.Before(m.Renewed.Truncate(time.Millisecond))
	}
	return m != nil && !o.At.After(m.At)
}

// Heed returns the memberships as the opt-outs of their contact leave them. What it is given stays as it is.
func Heed(memberships []ledger.Membership, optOuts []ledger.OptOut) []ledger.Membership {
	if len(optOuts) == 0 {
		return memberships
	}
	memberships = slices.Clone(memberships)
	for _, o := range optOuts {
		m := find(memberships, o.Topic)
		switch becomes := optOutLine(m, o).Becomes; {
		case becomes == "":
		case m == nil:
			memberships = append(memberships, ledger.Membership{Topic: o.Topic, Consent: true, State: becomes, At: o.At})
		default:
			m.State = becomes
		}
	}
	return memberships
}

// HeedBeforeAdd returns the membership as it is recorded when an add is about to be sent, or sent again, and whether the person has
// left, so that it must not be.
func HeedBeforeAdd(m ledger.Membership, optOuts []ledger.OptOut) (_ ledger.Membership, left bool) {
	state := m.State
	for _, o := range optOuts {
		if o.Topic != m.Topic {
			continue
		}
		if becomes := optOutLine(&m, o).BeforeAdd; becomes != "" && state != ledger.MemberUnsure {
			state = becomes
		}
	}
	left = state != m.State || state == ledger.MemberOptedOut
	m.State = state
	return m, left
}

func find(memberships []ledger.Membership, topic string) *ledger.Membership {
	for i := range memberships {
		if memberships[i].Topic == topic {
			return &memberships[i]
		}
	}
	return nil
}
