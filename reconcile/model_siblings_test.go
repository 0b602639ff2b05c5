package reconcile_test

import (
	"slices"

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
		if topic < 0 || !run.rows[where].Consents[topic] || run.settled(log.people[i]) {
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
