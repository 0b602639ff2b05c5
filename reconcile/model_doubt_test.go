package reconcile_test

import (
	"slices"
	"strings"
	"time"

	"owlatsync/ledger"
	"owlatsync/owlat/owlattest"
)

// departure is that a person left a topic, or everything.
type departure struct {
	contact string
	at      time.Time
	tick    int
	traced  bool // it moved the contact's updatedAt: it was on a topic
	topics  []string
}

// look is that a run has read a contact by its id or address.
type look struct {
	contact string
	tick    int
}

func (m *model) looked(ref string) {
	c, ok := m.server.Contact(ref)
	if !ok {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ticks++
	m.looks = append(m.looks, look{c.ID, m.ticks})
}

// seenBefore says of somebody who left and was added whether a look at the contact, right before the add, could have shown it. Known is
// false if it was not a person who left.
func (m *model) seenBefore(r owlattest.Return) (seen, known bool) {
	var sent sentAdd
	for _, s := range m.sent {
		if s.contact == r.Added.ContactID && s.topic == r.Added.TopicID && !s.at.After(r.Added.Time) {
			sent = s
		}
	}
	looked := 0
	for _, l := range m.looks {
		if l.contact == r.Added.ContactID && l.tick < sent.tick {
			looked = l.tick
		}
	}
	for _, d := range m.lefts {
		if d.contact == r.Added.ContactID && d.at.Equal(r.Left.Time) {
			known, seen = true, d.traced && d.tick < looked
		}
	}
	return seen, known
}

// repeated reports whether the add was sent before in the same run, and the person left in between.
func (m *model) repeated(log *runLog, r owlattest.Return) bool {
	for _, s := range m.sent {
		if s.contact != r.Added.ContactID || s.topic != r.Added.TopicID || s.at.Before(log.from) || s.at.After(r.Added.Time) || s.limited {
			continue
		}
		for _, d := range m.lefts {
			if d.contact == s.contact && d.at.Equal(r.Left.Time) && d.traced && s.tick < d.tick {
				return true
			}
		}
	}
	return false
}

// inDoubt reports whether the answer to an earlier add was lost, so that it has not used the consent.
func (m *model) inDoubt(log *runLog, added owlattest.Entry) bool {
	return slices.ContainsFunc(log.before, func(e *ledger.Entry) bool {
		x := e.Membership(added.TopicID)
		return e.ContactID == added.ContactID && x != nil && x.State == ledger.MemberSent
	})
}

// checkUnsure: of a contact that nobody and nothing has changed since it was created, it stays unknown of no add whether it may be sent
// again.
func (m *model) checkUnsure(log *runLog) {
	for _, e := range m.entries(log.sync) {
		c, there := m.server.Contact(e.ContactID)
		if !there || !c.UpdatedAt.Equal(c.CreatedAt) {
			continue
		}
		for _, x := range e.Memberships {
			topic := slices.Index(m.topics, x.Topic)
			if x.State == ledger.MemberUnsure && slices.Contains(log.topics, topic) && !m.wasUnsure(log, e.Key, x.Topic) &&
				!m.excused(timeless, m.unanswered(log.sync, e.ContactID, x.Topic)) {
				m.fail("it is unsure whether %s is on topic %d although the contact never changed", e.Email, topic)
			}
		}
	}
}

// unanswered reports whether a run sent an add and heard no answer at all.
func (m *model) unanswered(s *modelSync, contact, topic string) bool {
	return slices.ContainsFunc(m.remembered(), func(run *runLog) bool {
		sent, answered := false, false
		for _, r := range run.requests() {
			sent = sent || r.contact == contact && r.Route == owlattest.RouteTopicContacts && strings.Contains(r.Path, topic)
			answered = answered || r.status != 0
		}
		return run.sync == s && sent && !answered
	})
}

// wasUnsure reports whether that was so before the run.
func (m *model) wasUnsure(log *runLog, key, topic string) bool {
	return slices.ContainsFunc(log.before, func(e *ledger.Entry) bool {
		x := e.Membership(topic)
		return e.Key == key && x != nil && x.State == ledger.MemberUnsure
	})
}
