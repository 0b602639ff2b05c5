package reconcile_test

import (
	"fmt"
	"net/http"
	"slices"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat/owlattest"
)

// comesBack puts somebody on a topic by their own wish, as the preference page does: Owlat tells nobody.
func (m *model) comesBack() {
	if c, ok := m.contactNow(); ok {
		m.asOther(http.MethodPost, "/topics/"+pick(m.r, m.topics...)+"/contacts", fmt.Sprintf(`{"contactId":%q}`, c.ID))
	}
}

// merge makes Owlat merge a contact into a new one, which gets its address.
func (m *model) merge() {
	c, ok := m.contact()
	if !ok || m.underWay(c) || !m.oneSync() {
		return
	}
	id, err := m.server.AddContact(owlattest.ContactState{Email: m.freshAddress(), FirstName: "Merged"})
	m.must(err)
	m.must(m.server.Merge(id, c.ID))
	m.heirs[c.ID] = id
	m.tell("  %s is merged into %s", c.ID[:6], id[:6])
	// A contact that no row has had would drift: Owlat makes a second one of its address, and no sync can see that.
	known := slices.ContainsFunc(m.entries(m.syncs[0]), func(e *ledger.Entry) bool { return e.ContactID == c.ID })
	if m.r.IntN(3) > 0 && known {
		m.asOther(http.MethodPut, "/contacts/"+id, fmt.Sprintf(`{"email":%q}`, c.Email))
	}
}

// checkWithdrawn: whoever this sync put on a topic is off it when the row says no, whatever else is wrong with the row. Of several rows
// with one key the first speaks.
func (m *model) checkWithdrawn(log *runLog, i int, e *ledger.Entry) {
	if e == nil {
		return
	}
	c, ok := m.server.Contact(e.ContactID)
	if !ok || slices.ContainsFunc(log.rows[:i], func(r owlatsync.Row) bool { return keyOf(&log.config, r) == e.Key }) {
		return
	}
	for at, topic := range log.topics {
		if log.rows[i].Consents[at] == owlatsync.No {
			m.checkNo(log, i, topic, c)
		}
	}
}

// checkNo: the contact is on the topic only if somebody else put it there since the source went from yes to no.
func (m *model) checkNo(log *runLog, i, topic int, c owlattest.ContactState) {
	id := m.topics[topic]
	if !slices.Contains(c.Topics, id) || m.excused(keptBeside, m.keptElsewhere(log, c.ID, id)) {
		return
	}
	added := -1
	var by *runLog
	for k, x := range m.history() {
		if x.ContactID != c.ID || x.TopicID != id || x.Action != owlattest.Added {
			continue
		}
		added, by = k, nil
		for _, run := range m.runs[m.bornRun:] {
			if k >= run.first && k < run.last && x.By == owlattest.ByAPI {
				by = run
			}
		}
	}
	if by != nil && by.sync == log.sync {
		m.fail("row %d says no to topic %d, and the contact %s that this sync put there is still on it", i+1, topic, c.ID)
	}
	if no := m.wentNo(log, i, topic, c.ID); by == nil && no != nil && added < no.first {
		m.fail("row %d went from yes to no for topic %d, and the contact %s was not taken off it", i+1, topic, c.ID)
	}
}

// wentNo returns the latest run that acted on the source's going from yes to no, nil if there is none.
func (m *model) wentNo(log *runLog, i, topic int, contact string) (no *runLog) {
	id, key, yes := log.people[i], keyOf(&log.config, log.rows[i]), false
	for _, run := range m.runs[m.bornRun:] {
		where, now := slices.Index(run.people, id), slices.Index(run.topics, topic)
		if run.sync != log.sync || where < 0 || now < 0 || run.after[key] != contact || keyOf(&run.config, run.rows[where]) != key || !run.read(id) {
			continue
		}
		switch says := run.rows[where].Consents[now]; {
		case says == owlatsync.Yes && run.settled(id):
			yes, no = true, nil
		case says != owlatsync.Yes && yes: // a withdrawal does not wait until the row is settled
			yes, no = false, run
		}
	}
	return no
}
