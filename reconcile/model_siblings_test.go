package reconcile_test

import (
	"maps"
	"slices"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat/owlattest"
)

// isSiblings reports whether another sync created the contact, so that the first consent of the i-th row is new: unless that sync put
// the contact on the topic, or an opt-out was known.
func (m *model) isSiblings(log *runLog, r owlattest.Return, i int) bool {
	by := m.creator(r.Added.ContactID)
	if by == nil || by == log.sync {
		return false
	}
	key := keyOf(&log.config, log.rows[i])
	for id := range m.everBound(log.sync, key) {
		if id != r.Added.ContactID {
			return false
		}
	}
	for _, o := range m.told {
		if o.contact == r.Added.ContactID && o.told.Before(log.plannedAt) && m.metAt(log, key, r.Added.ContactID) == log {
			return false
		}
	}
	for _, s := range m.syncs {
		for _, e := range m.entries(s) {
			x := e.Membership(r.Added.TopicID)
			spent := []ledger.MembershipState{ledger.MemberSent, ledger.MemberAdded, ledger.MemberUnsure, ledger.MemberOptedOut}
			if s != log.sync && e.ContactID == r.Added.ContactID && x != nil && x.Consent && slices.Contains(spent, x.State) {
				return false
			}
		}
	}
	// An earlier run that met the contact left the consent due.
	for _, run := range m.runs[m.bornRun:] {
		where := slices.Index(run.people, log.people[i])
		if run == log || run.sync != log.sync || run.after[key] != r.Added.ContactID || where < 0 {
			continue
		}
		topic := slices.Index(run.topics, slices.Index(m.topics, r.Added.TopicID))
		if topic < 0 || run.rows[where].Consents[topic] != owlatsync.Yes || run.settled(log.people[i]) {
			return false
		}
	}
	return true
}

// metAt returns the run of the sync that first tied the contact to the row.
func (m *model) metAt(log *runLog, key, contact string) *runLog {
	for _, run := range m.runs[m.bornRun:] {
		if run.sync == log.sync && run.after[key] == contact {
			return run
		}
	}
	return log
}

// siblingsContact reports whether another sync created the contact and still stood for it when the sync met it for the row, with no
// opt-out known, and no add of that sync to the topic in doubt.
func (m *model) siblingsContact(log *runLog, key, contact, topic string) bool {
	by := m.creator(contact)
	if by == nil || by == log.sync || slices.ContainsFunc(m.told, func(o optOut) bool { return o.contact == contact }) {
		return false
	}
	for _, e := range m.entries(by) {
		if x := e.Membership(topic); e.ContactID == contact && x != nil && (x.State == ledger.MemberUnsure || x.State == ledger.MemberSent) {
			return false
		}
	}
	met := m.metAt(log, key, contact)
	if m.excused(olderMet, met.setBack) {
		return false
	}
	for _, run := range slices.Backward(m.runs[m.bornRun:]) {
		if run.sync == by && run.to.Before(met.from) {
			return slices.ContainsFunc(slices.Collect(maps.Values(run.after)), func(id string) bool { return id == contact })
		}
	}
	return false
}
