package reconcile_test

import (
	"slices"
	"strings"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat/owlattest"
)

// addressBefore returns the address that a contact had when it was deleted before the run, empty if it was not.
func (m *model) addressBefore(log *runLog, contact string) (last string) {
	for _, e := range m.history()[:log.first] {
		if gone := e.Action == owlattest.Erased || e.Action == owlattest.Deleted || e.Action == owlattest.Merged; gone && e.ContactID == contact {
			last = e.Email
		}
	}
	return last
}

// deletedBy returns the sync that deleted the contact in a run of which the ledger knows, nil if there is none.
func (m *model) deletedBy(contact string) *modelSync {
	for _, log := range m.remembered() {
		for _, e := range log.did {
			if e.ContactID == contact && e.Action == owlattest.Deleted {
				return log.sync
			}
		}
	}
	return nil
}

// checkFailed: a row that fails although nothing goes wrong has a cause that only a person can remove.
// create in doubt then finds none or that one.
func (m *model) renamedByOthers(c owlattest.ContactState) bool {
	if len(m.foreign[c.ID+"email"]) > 0 {
		return true
	}
	for what, values := range m.foreign {
		if strings.HasSuffix(what, "email") && slices.Contains(values, c.Email) {
			return true
		}
	}
	return false
}

// identity is the address with which the contact was created, which Owlat keeps refusing to others.
func (m *model) identity(contact string) string {
	for _, e := range m.server.History(contact) {
		if e.ContactID == contact && e.Action == owlattest.Created {
			return e.Email
		}
	}
	return ""
}

// the row does not consent and a run had put it there.
func (m *model) checkMembership(log *runLog, i, at, topic int, e *ledger.Entry, c owlattest.ContactState) {
	id := m.topics[topic]
	member := slices.Contains(c.Topics, id)
	history := m.history()
	added, out := -1, -1 // the latest of each
	for k, x := range history {
		if x.ContactID != c.ID || x.TopicID != id && x.TopicID != "" {
			continue
		}
		switch x.Action {
		case owlattest.Added:
			added = k
		case owlattest.Unsubscribed, owlattest.Removed:
			out = k
		}
	}
	by := func(k int) *runLog {
		for _, log := range m.runs[m.bornRun:] {
			if k >= log.first && k < log.last && history[k].By == owlattest.ByAPI {
				return log
			}
		}
		return nil
	}
	if log.rows[i].Consents[at] != owlatsync.Yes {
		m.checkNo(log, i, topic, c)
		return
	}
	x := e.Membership(id)
	unsure := x != nil && x.State == ledger.MemberUnsure
	if member || m.excused(toldOff, unsure && !x.Off.IsZero()) || m.excused(toldUnsure, unsure && x.Off.IsZero()) {
		return
	}
	if run := by(out); out > added && run != nil && run.sync == log.sync && run.isFor(c.ID, log.people[i]) &&
		!m.excused(leftBeside, m.optedOutBeside(run, history[out])) && !m.excused(getsNone, m.barring(e)) {
		m.fail("row %d consents to topic %d again, and the contact %s that was taken off it in between is not back", i+1, topic, c.ID)
		return
	}
	if since := m.owed(log, i, at, topic, e, c); since >= 0 && out < since && !m.excused(leftAll, m.leftEverything(e, x)) && !m.excused(getsNone, m.barring(e)) {
		m.fail("row %d consents to topic %d, and its contact %s was never put there", i+1, topic, c.ID)
	}
}

// since the run that last settled the row without a consent. It is negative if never.
func (m *model) owed(log *runLog, i, at, topic int, e *ledger.Entry, c owlattest.ContactState) int {
	since := -1
	id := log.people[i]
	key := keyOf(&log.config, log.rows[i])
	if (m.creator(c.ID) == log.sync || m.siblingsContact(log, key, c.ID, m.topics[topic])) &&
		!m.excused(otherPerson, !m.onlyContact(log.sync, id, c.ID) || len(m.everBound(log.sync, key)) != 1) &&
		!m.excused(wasMissing, m.cameBack(log.sync, id)) && !m.excused(renamedAway, m.renamedByOthers(c)) {
		for k, x := range m.history() {
			switch {
			case x.ContactID == c.ID && x.Action == owlattest.Created:
				since = k
			case since < 0 && x.Email == m.identity(c.ID) && slices.Contains([]owlattest.Action{owlattest.Erased, owlattest.Deleted, owlattest.Merged}, x.Action):
				m.excused(samePerson, true)
				return -1
			}
		}
	}
	for _, run := range m.runs[m.bornRun:] {
		if run.sync != log.sync || since >= run.last || slices.Contains(run.people, id) && !run.read(id) {
			continue
		}
		where, now := slices.Index(run.people, id), slices.Index(run.topics, topic)
		if where >= 0 && keyOf(&run.config, run.rows[where]) != key {
			where = -1
		}
		switch {
		case where >= 0 && now >= 0 && run.rows[where].Consents[now] == owlatsync.Yes:
		case where >= 0 && now >= 0 && run.settled(id) && run.after[key] == c.ID && log.config.Topics[at].When && run.config.Topics[now].When:
			since = run.last
		default:
			since = -1 // the topic was not configured, the row was absent, or nobody knows whether its word was acted on
		}
	}
	return since
}

// cameBack reports whether the person's row was there, was absent, and is there again: that is no consent.
func (m *model) cameBack(s *modelSync, id int) bool {
	met, absent := false, false
	for _, run := range m.runs[m.bornRun:] {
		if run.sync == s {
			there := slices.Contains(run.people, id)
			absent = absent || met && !there && !run.changes
			met = met || there
		}
	}
	return absent
}

// onlyContact reports whether the contact was first known for the person's row, which never had another.
func (m *model) onlyContact(s *modelSync, id int, contact string) bool {
	met := false
	first := m.identity(contact)
	for _, run := range m.runs[m.bornRun:] {
		if run.sync != s {
			continue
		}
		for i, row := range run.rows {
			if run.people[i] == id && normal(row.Email.Value) == first {
				first = "" // the contact may have been created for the row
			}
			switch bound := run.after[keyOf(&run.config, row)]; {
			case run.people[i] == id && bound != "" && bound != contact, run.people[i] != id && bound == contact && !met:
				return false
			case run.people[i] == id && bound == contact && !met:
				if met = true; first != "" {
					return false
				}
			}
		}
	}
	return met
}
