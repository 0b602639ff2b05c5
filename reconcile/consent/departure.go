package consent

import (
	"cmp"
	"slices"
	"time"

	"owlatsync/ledger"
)

// Members are the topics of a deployment by their ids, and whether a contact is on them.
type Members map[string]Member

// Member says whether a contact is on a topic.
type Member struct {
	Name string // of the topic
	On   bool   // also while Owlat waits until the person confirms
}

// None reports whether the contact is on no topic at all, as a contact that was deleted in the dashboard also seems to be.
func (m Members) None() bool {
	for _, topic := range m {
		if topic.On {
			return false
		}
	}
	return true
}

// Departure is what was found by reading: a person has left topics.
type Departure struct {
	ContactID string
	Email     string // normalised
	Topics    []DepartedTopic
	At        time.Time // on Owlat's clock, not before the reading
}

// DepartedTopic is a topic that a person has left.
type DepartedTopic struct {
	ledger.FeedbackTopic
	Since time.Time // the person was on it then
}

// OptOuts returns the departure as the ledger keeps it.
func (d Departure) OptOuts() []ledger.OptOut {
	optOuts := make([]ledger.OptOut, len(d.Topics))
	for i, t := range d.Topics {
		optOuts[i] = ledger.OptOut{ContactID: d.ContactID, Topic: t.ID, Since: t.Since, At: d.At}
	}
	return optOuts
}

// Departed returns the topics that a contact has left, by what the entries of all syncs for it record and what a reading at a time found: Owlat
// has confirmed an add, the contact is not on the topic, and no sync has taken it off since. Who was left alone, or is not known to have been on
// a topic, has not left it. OptOuts are the known ones of the contact. The contact must be known to be there still at that time or later: who
// was deleted or merged into another one seems to be on no topic.
func Departed(holders []ledger.Holder, optOuts []ledger.OptOut, members Members, at time.Time) (left []DepartedTopic) {
	since := make(map[string]time.Time)
	for _, h := range holders {
		for _, m := range Heed(h.Entry.Memberships, optOuts) {
			if RecordedOf(&m) == Added && !m.At.IsZero() && m.At.After(since[m.Topic]) {
				since[m.Topic] = m.At
			}
		}
	}
	for topic, on := range since {
		if member, known := members[topic]; known && !member.On && !at.Before(on) && !takenOff(holders, topic, on) {
			left = append(left, DepartedTopic{ledger.FeedbackTopic{ID: topic, Name: member.Name}, on})
		}
	}
	slices.SortFunc(left, func(a, b DepartedTopic) int { return cmp.Compare(a.ID, b.ID) })
	return left
}

// takenOff reports whether one of the entries may have had the contact taken off the topic since it was on it.
func takenOff(holders []ledger.Holder, topic string, since time.Time) bool {
	return slices.ContainsFunc(holders, func(h ledger.Holder) bool {
		m := h.Entry.Membership(topic)
		if m == nil || m.At.Before(since) && m.State != ledger.MemberLeaving {
			return false
		}
		switch RecordedOf(m) {
		case SaidNo, TakingOff, LeavingGone, LeftGone:
			return true
		}
		return false
	})
}

// LeftAll reports whether a person may have opted out of everything: they are known to have left a topic, no newer yes has ended that, and
// they are on no topic at all. Owlat shows no more of it, and an add to any topic lifts it.
func LeftAll(holders []ledger.Holder, optOuts []ledger.OptOut, members Members) bool {
	return members.None() && slices.ContainsFunc(holders, func(h ledger.Holder) bool {
		return slices.ContainsFunc(Heed(h.Entry.Memberships, optOuts), func(m ledger.Membership) bool {
			return RecordedOf(&m) == OptedOut && slices.ContainsFunc(optOuts, func(o ledger.OptOut) bool { return o.Topic == m.Topic })
		})
	})
}
