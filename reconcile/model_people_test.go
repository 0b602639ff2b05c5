package reconcile_test

import (
	"context"
	"slices"
	"time"

	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
)

func (m *model) unsubscribe() {
	if c, ok := m.contactNow(); ok && len(c.Topics) > 0 && !m.wordUnderWay(c) {
		topic := pick(m.r, c.Topics...)
		m.tell("  %s leaves topic %d", c.Email, slices.Index(m.topics, topic))
		m.must(m.server.Unsubscribe(c.ID, topic))
		m.hear(c, topic)
	}
}

func (m *model) optOut() {
	if c, ok := m.contactNow(); ok && !m.underWay(c) {
		m.tell("  %s opts out of everything", c.Email)
		m.must(m.server.Unsubscribe(c.ID, ""))
		m.hear(c, c.Topics...)
	}
}

// hear hands the webhook of an opt-out to the engine, or does not.
func (m *model) hear(c owlattest.ContactState, topics ...string) {
	if len(topics) == 0 || m.r.IntN(2) == 0 {
		return
	}
	m.count("webhook")
	e, client := m.engine(new(fuse), nil)
	defer client.CloseIdleConnections()
	u := owlat.TopicUnsubscribed{ContactID: c.ID, Email: c.Email, UnsubscribedAt: time.Now()}
	for _, topic := range topics {
		u.Topics = append(u.Topics, owlat.RemovedTopic{ID: topic})
		m.heard[c.ID+topic] = time.Now()
	}
	m.must(e.Unsubscribed(context.Background(), u))
	m.tell("  and the webhook says so")
}

func (m *model) confirm() {
	if c, ok := m.contact(); ok {
		m.tell("  %s confirms", c.Email)
		m.must(m.server.ConfirmDoubleOptIn(c.ID))
	}
}

func (m *model) erase() {
	if c, ok := m.contact(); ok && !m.underWay(c) {
		m.tell("  %s is erased", c.Email)
		m.must(m.server.SoftDelete(c.ID))
	}
}
