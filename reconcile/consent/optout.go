package consent

import (
	"slices"
	"time"

	"owlatsync/ledger"
)

// Timing says which came first, the opt-out or what is recorded, in words for the documents.
type Timing string

const (
	AnyTime      Timing = ""
	NewerConsent Timing = "the yes is newer than the opt-out"
	NewerAdd     Timing = "the add is not older than the opt-out"
)

// OptOutLine is one line of the table of opt-outs.
type OptOutLine struct {
	Has []Recorded // the ledger has one of these
	If  Timing
	// Becomes is what is recorded from then on; empty: nothing changes.
	Becomes ledger.MembershipState
	// Instead is what is recorded in place of sending an add that was about to be sent; empty: it is sent.
	Instead ledger.MembershipState
	Why     string
}

// OptOutTable says what follows when Owlat tells that a person has left a topic. The first line that fits decides.
var OptOutTable = []OptOutLine{
	{has{SaidNo, NotKnown, TakingOff}, AnyTime, "", "",
		"there is no yes to end"},
	{All, NewerConsent, "", "",
		"the person said yes again"},
	{has{Sent, Added, Unsure}, NewerAdd, "", ledger.MemberUnsure,
		"the add put the person back before anybody knew, so that a later no has something to take off"},
	{All, AnyTime, ledger.MemberOptedOut, ledger.MemberOptedOut,
		"only a new yes counts"},
}

func optOutLine(m *ledger.Membership, o ledger.OptOut) OptOutLine {
	recorded := RecordedOf(m)
	for _, l := range OptOutTable {
		if slices.Contains(l.Has, recorded) && (l.If == AnyTime || follows(m, o, l.If)) {
			return l
		}
	}
	return OptOutLine{} // not reached: the last line fits all
}

// follows reports whether the timing holds. Owlat tells opt-outs to the millisecond.
func follows(m *ledger.Membership, o ledger.OptOut, t Timing) bool {
	if t == NewerConsent {
		return m != nil && o.At.Before(m.Renewed.Truncate(time.Millisecond))
	}
	return m != nil && !o.At.After(m.At)
}

// Heed returns the memberships after the opt-outs of their contact. It changes nothing it is given.
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

// HeedBeforeAdd returns the membership as recorded when an add is about to be sent or sent again. Left says that the person has
// left: the add must not be sent.
func HeedBeforeAdd(m ledger.Membership, optOuts []ledger.OptOut) (_ ledger.Membership, left bool) {
	state := m.State
	for _, o := range optOuts {
		if o.Topic != m.Topic {
			continue
		}
		if becomes := optOutLine(&m, o).Instead; becomes != "" && state != ledger.MemberUnsure {
			state = becomes
		}
	}
	left = state != m.State || state == ledger.MemberOptedOut
	m.State = state
	return m, left
}

// Bar returns the membership as recorded when an add is about to be sent, or sent again, to an address to which no mail may go.
func Bar(m ledger.Membership) ledger.Membership {
	if line := Decide(Case{Says: Yes, Has: RecordedOf(&m), Holds: Facts{HasContact: true, Suppressed: true}}); line.Becomes != "" {
		m.State = line.Becomes
	}
	return m
}

// writtenBack reports whether a write-back has written the opt-out that the membership records into a source since.
func writtenBack(m *ledger.Membership, optOuts []ledger.OptOut) bool {
	return m != nil && slices.ContainsFunc(optOuts, func(o ledger.OptOut) bool {
		return o.Topic == m.Topic && !o.Written.IsZero() && !follows(m, o, NewerConsent)
	})
}

func find(memberships []ledger.Membership, topic string) *ledger.Membership {
	for i := range memberships {
		if memberships[i].Topic == topic {
			return &memberships[i]
		}
	}
	return nil
}

// Ended returns the opt-outs that follow for the entries of a contact once it was opted out of everything, from all topics to which they say yes.
func Ended(holders []ledger.Holder, contact string, at time.Time) (left []ledger.OptOut) {
	for _, h := range holders {
		for _, m := range h.Entry.Memberships {
			about := func(o ledger.OptOut) bool { return o.Topic == m.Topic }
			if m.Consent && !slices.ContainsFunc(left, about) {
				left = append(left, ledger.OptOut{ContactID: contact, Topic: m.Topic, At: at})
			}
		}
	}
	return left
}
