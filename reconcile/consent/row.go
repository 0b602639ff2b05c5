package consent

import (
	"slices"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/policy"
)

// Row is a row and what is known about its contact.
type Row struct {
	Says        []owlatsync.Consent // in the order of the topics; a topic with a consent column but no value counts as no
	Memberships []ledger.Membership
	Origin      ledger.Origin // how the contact came to be known
	HasContact  bool
	// New says that the contact is new: this sync creates it, or meets one that another sync of the ledger created. The contact of a
	// forgotten person does not count as new, even if it must be created.
	New bool
	// Spent has the topics for which the contact does not count as new, because another sync has acted on a consent.
	Spent []string
	// Suppressed says that no mail may go to the row's address.
	Suppressed bool
	// Never says that no mail may ever go to the person, as the row says: that is a no to every topic.
	Never bool
	// Told says that Owlat was told so: the contact is on no topic.
	Told    bool
	OptOuts []ledger.OptOut // of the contact
	// Changes are the changes that come before those of the topics.
	Changes []owlatsync.Change
}

// Verdict is the decision about the topics of a row.
type Verdict struct {
	Memberships []ledger.Membership // as recorded before anything is sent
	Changes     []owlatsync.Change  // the row's, then AddTopic and RemoveTopic in the order of the topics
	Skipped     int                 // memberships left alone on purpose
}

// Plan decides about every topic of a row. It changes nothing it is given.
func Plan(topics []policy.Topic, r Row, now time.Time) (v Verdict) {
	v.Memberships, v.Changes = slices.Clone(r.Memberships), r.Changes
	unspent := unspent(topics, r)
	if unspent {
		spend(v.Memberships, topics)
	}
	for i, t := range topics {
		says := No
		if i < len(r.Says) {
			says = r.Says[i]
		} else if !t.When {
			says = Yes
		}
		if r.Never {
			says = No
		}
		m := find(v.Memberships, t.ID)
		line := Decide(Case{Says: says, Has: RecordedOf(m), Holds: Facts{
			NewContact: r.New && r.Origin != ledger.OriginDeleted && !slices.Contains(r.Spent, t.ID), Unspent: unspent, HasColumn: t.When,
			AddExisting: t.Existing == policy.ExistingAdd, HasContact: r.HasContact && !r.Told, Suppressed: r.Suppressed, NeverMail: r.Never && !r.Told,
			WrittenBack: writtenBack(m, r.OptOuts),
		}})
		v.take(line, t.ID, m, now)
	}
	return v
}

// Withdraw decides only about the topics to which the row says no, for a row that cannot be applied. A topic about which the row has
// no word counts as unclear. It decides nothing that needs no removal.
func Withdraw(topics []policy.Topic, r Row, now time.Time) (v Verdict) {
	v.Memberships = slices.Clone(r.Memberships)
	for i, t := range topics {
		if !r.Never && (i >= len(r.Says) || r.Says[i] != No) {
			continue
		}
		m := find(v.Memberships, t.ID)
		line := Decide(Case{Says: No, Has: RecordedOf(m), Holds: Facts{
			HasColumn: t.When, AddExisting: t.Existing == policy.ExistingAdd, HasContact: r.HasContact && !r.Told,
			NeverMail: r.Never && !r.Told, WrittenBack: writtenBack(m, r.OptOuts),
		}})
		if line.Does == Remove {
			v.take(line, t.ID, m, now)
		}
	}
	return v
}

// take applies a line to a topic.
func (v *Verdict) take(line Line, topic string, m *ledger.Membership, now time.Time) {
	if m == nil {
		v.Memberships = append(v.Memberships, ledger.Membership{Topic: topic, At: now})
		m = &v.Memberships[len(v.Memberships)-1]
	}
	if line.Becomes != "" {
		if line.Says == Yes {
			m.At = now
		}
		m.Consent, m.State = line.Says == Yes, line.Becomes
	}
	switch line.Does {
	case Add, AddAgain:
		if line.If == HasColumn {
			m.Renewed = now
		}
		v.Changes = append(v.Changes, owlatsync.Change{Kind: owlatsync.AddTopic, Topic: topic})
	case Remove:
		v.Changes = append(v.Changes, owlatsync.Change{Kind: owlatsync.RemoveTopic, Topic: topic})
	case LeaveIt:
		v.Skipped++
	}
}

// unspent reports whether the row consented when its contact was created, but only for a topic that is no longer configured and on
// which the contact is not known to be. Such a topic id was corrected.
func unspent(topics []policy.Topic, r Row) bool {
	if r.Origin != ledger.OriginCreated {
		return false
	}
	return slices.ContainsFunc(r.Memberships, func(m ledger.Membership) bool {
		return !configured(topics, m.Topic) && m.Consent && (m.State == ledger.MemberWanted || m.State == ledger.MemberSent)
	})
}

// spend marks the consents for topics that are no longer configured, so that each serves one other topic only.
func spend(memberships []ledger.Membership, topics []policy.Topic) {
	for i := range memberships {
		m := &memberships[i]
		if configured(topics, m.Topic) {
			continue
		}
		switch m.State {
		case ledger.MemberWanted:
			m.State = ledger.MemberSkipped
		case ledger.MemberSent:
			m.State = ledger.MemberUnsure
		}
	}
}

func configured(topics []policy.Topic, id string) bool {
	return slices.ContainsFunc(topics, func(t policy.Topic) bool { return t.ID == id })
}

// Acted returns the memberships without adds that were only planned.
func Acted(memberships []ledger.Membership) []ledger.Membership {
	return slices.DeleteFunc(slices.Clone(memberships), func(m ledger.Membership) bool { return m.State == ledger.MemberWanted })
}

// Old returns the memberships of a contact that stands for the row from now on in place of another: every yes is as old as if the contact
// had been there before, so that nobody is added because of it, and a later no takes them off.
func Old(memberships []ledger.Membership) []ledger.Membership {
	old := slices.Clone(memberships)
	for i := range old {
		old[i].Pending, old[i].Unmailed = time.Time{}, false // Owlat knew it of the other contact
		switch RecordedOf(&old[i]) {
		case Wanted, Sent, Added, Unsure:
			old[i].State = ledger.MemberSkipped
		}
	}
	return old
}

// Removable reports whether a contact that should not be on the topic may still be on it. Somebody who opted out may have come back.
func Removable(m *ledger.Membership) bool {
	return m.State == ledger.MemberLeaving || m.Consent && m.State != ledger.MemberLeft
}

// GoneWithRow reports whether the contact left the topic, or may have left it, because its row is gone.
func GoneWithRow(m ledger.Membership) bool {
	return m.State == ledger.MemberLeft || m.State == ledger.MemberLeaving && m.Consent
}

// WantedBy reports whether one of the other entries for the contact wants it on the topic. The entry of a row that has departed wants
// nothing, unless its sync keeps what such rows leave.
func WantedBy(others []ledger.Holder, topic string) bool {
	return slices.ContainsFunc(others, func(h ledger.Holder) bool {
		m := h.Entry.Membership(topic)
		return m != nil && !policy.LetsGo(h.Entry) && m.Consent && !GoneWithRow(*m) && m.State != ledger.MemberOptedOut
	})
}

// AfterDeletion returns the memberships to keep when a contact no longer exists. They say that it left its topics, because the
// deletion may have been an opt-out, and that nothing is left to remove.
func AfterDeletion(memberships []ledger.Membership, now time.Time) []ledger.Membership {
	kept := slices.Clone(memberships)
	for i := range kept {
		kept[i].Pending, kept[i].Unmailed = time.Time{}, false // Owlat knew it of the contact
		switch m := &kept[i]; {
		case !m.Consent:
			m.State = ledger.MemberOut
		case m.State != ledger.MemberOptedOut && m.State != ledger.MemberLeft:
			m.State, m.At = ledger.MemberLeft, now
		}
	}
	return kept
}

// Any returns what several rows for one person consent to if a yes of any of them counts. Where none says yes, an unclear word is no no.
// It changes nothing it is given.
func Any(a, b []owlatsync.Consent) []owlatsync.Consent {
	if len(b) > len(a) {
		a, b = b, a
	}
	both := slices.Clone(a)
	for i, says := range b {
		if both[i] == owlatsync.No || says == owlatsync.Yes {
			both[i] = says
		}
	}
	return both
}
