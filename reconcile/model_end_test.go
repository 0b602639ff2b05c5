package reconcile_test

import (
	"slices"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
)

// rounds is how many runs of every sync it may take until nothing is left to do: one, and one more each for what the one
// before found out: that a contact is gone, that an address is free now, that nothing failed and rows may be removed.
const rounds = 5

// finale lets nothing go wrong any more and checks that a run makes Owlat what rows and policies say, and that the next one
// sends nothing.
//
// Where a sync reads only what changed, that holds but for what only a run of all rows can know, which comes then.
func (m *model) finale() {
	m.ending = true
	time.Sleep(26 * time.Hour) // longer than any failed row waits
	repaired := m.r.IntN(2) == 0
	if repaired {
		m.verifyWith(true)
	}
	for _, s := range m.syncs {
		s.Guards = unguarded
	}
	incremental := slices.ContainsFunc(m.syncs, func(s *modelSync) bool { return s.FullEvery > 0 })
	ok, whole := m.converge(repaired, false)
	if ok && !whole {
		m.tell("ALL ROWS ARE READ")
		time.Sleep(rarest)
		ok, _ = m.converge(repaired, true)
	}
	if !ok || !incremental {
		return
	}
	time.Sleep(time.Second)
	for _, s := range m.syncs {
		log := m.run(s, &runSpec{breaks: -1})
		failed := log.report.Outcomes[owlatsync.Failed] > 0 // rows that can only fail are tried each time
		if m.excused(heldBack, failed && log.report.Outcomes[owlatsync.Removed] > 0) {
			continue
		}
		if sent, granted := log.writes(); granted > 0 || sent > 0 && !failed {
			m.fail("a run after one that left nothing to do sent %d writes", sent)
		}
		if !log.changes && s.FullEvery > 0 && m.dated(log) && !failed {
			m.fail("all rows were read, although they just had been")
		}
	}
}

// converge runs every sync until nothing is left to do, and reports whether all is as it should be then, and whether
// every sync has read all rows. Whole says that each is due to.
func (m *model) converge(repaired, whole bool) (ok, read bool) {
	clean := false // the round before left nothing open
	all, last := make(map[*modelSync]bool), make(map[*modelSync]*runLog)
	for round := range rounds {
		m.tell("ROUND %d", round+1)
		logs := make(map[*modelSync]*runLog)
		sent, granted, open, found := 0, 0, false, false
		for _, s := range m.syncs {
			m.retryAll(s)
			log := m.run(s, &runSpec{breaks: -1})
			if len(m.failures) > 0 {
				return false, false
			}
			if log.err != nil {
				m.fail("a run without faults ended with %v", log.err)
				return false, false
			}
			if all[s] = all[s] || !log.changes; whole && !all[s] {
				m.fail("all rows are due to be read, and were not")
			}
			logs[s] = log
			if before := last[s]; before != nil && before.changes && !log.changes {
				clean = false // only now it is known who left
			}
			last[s] = log
			n, g := log.writes()
			sent, granted, found = sent+n, granted+g, found || m.foundGone(log)
			open = open || log.report.Outcomes[owlatsync.Failed]+log.report.Outcomes[owlatsync.Skipped] > 0
		}
		if clean && sent > 0 {
			m.fail("%d writes were sent although the run before left nothing open", sent)
		}
		// Of several syncs the first may have left on a topic whom only the second then took off it.
		clean = !open && (m.oneSync() || round > 0)
		settled := granted == 0 && !found && (round > 0 || clean)
		m.still = m.server.History("")
		for _, log := range logs {
			m.checkRows(log, repaired, settled)
		}
		m.still = nil
		if len(m.failures) > 0 {
			return false, false
		}
		if settled && round > 0 {
			for s, log := range logs {
				if all[s] {
					m.checkBarred(log)
					m.checkAbsent(log)
					m.checkDeparted(log)
				}
			}
			read = !slices.ContainsFunc(m.syncs, func(s *modelSync) bool { return !all[s] })
			if read {
				m.checkContacts()
			}
			return len(m.failures) == 0, read
		}
		time.Sleep(time.Hour)
	}
	m.fail("after %d rounds there is still something to do", rounds)
	return false, false
}

// foundGone reports whether the run found out of a contact that it is gone, so that the next one is to create it again.
func (m *model) foundGone(log *runLog) bool {
	return log.config.OnRemoteDelete == reconcile.RemoteDeleteRecreate && slices.ContainsFunc(m.entries(log.sync), func(e *ledger.Entry) bool {
		return e.Origin == ledger.OriginGone && !slices.ContainsFunc(log.before, func(b *ledger.Entry) bool {
			return b.Origin == ledger.OriginGone && b.ContactID == e.ContactID && b.Key == e.Key
		})
	})
}

// checkRows compares Owlat with each row that the run says is in step, and looks for the cause where it says otherwise.
func (m *model) checkRows(log *runLog, repaired, settled bool) {
	entries := make(map[string]*ledger.Entry)
	for _, e := range m.entries(log.sync) {
		entries[e.Key] = e
	}
	for i, row := range log.rows {
		p := m.person(log.people[i])
		if last := m.lastRead(log, p.id); m.excused(cursorForgot, !log.read(p.id) && !p.uncounted.IsZero() && (last == nil || last.from.Before(p.uncounted))) {
			continue
		}
		outcome := m.outcome(log, i)
		if log.sync.bad(p) != (outcome == owlatsync.Invalid) {
			m.fail("row %d (%q) is %s", i+1, p.email, outcome)
			continue
		}
		e := entries[keyOf(&log.config, row)]
		switch outcome {
		case owlatsync.Invalid:
			m.checkWithdrawn(log, i, e)
		case owlatsync.Duplicate:
			m.checkDuplicate(log, i, entries)
			m.checkWithdrawn(log, i, e)
		case owlatsync.Skipped:
			if m.isStranger(log, row, e) {
				continue // nobody is created to whom no mail may go
			}
			if e == nil || !m.gone(e.ContactID) || m.deletedBy(e.ContactID) == log.sync {
				m.fail("row %d was skipped, but its contact was not deleted by anybody else", i+1)
			}
			if settled && log.config.OnRemoteDelete == reconcile.RemoteDeleteRecreate {
				m.fail("row %d was skipped, but its contact is to be created again", i+1)
			}
		case owlatsync.Failed:
			if settled {
				m.checkWithdrawn(log, i, e)
				m.checkFailed(log, i, e, entries, repaired)
			}
		default:
			if e == nil || e.ContactID == "" {
				m.fail("row %d is %s without a contact", i+1, outcome)
				continue
			}
			m.checkContact(log, i, e, repaired)
		}
	}
}

func (m *model) person(id int) *person {
	return m.table[slices.IndexFunc(m.table, func(p *person) bool { return p.id == id })]
}

// checkDuplicate: another row of the source with the same key or address counts, or holds the contact with the address,
// although its own is invalid now.
func (m *model) checkDuplicate(log *runLog, i int, entries map[string]*ledger.Entry) {
	for j, other := range log.rows {
		if e := entries[keyOf(&log.config, other)]; j != i && e != nil && e.Email == normal(log.rows[i].Email.Value) {
			return
		}
		if j < i && keyOf(&log.config, other) == keyOf(&log.config, log.rows[i]) {
			return
		}
		outcome := log.done()[j].Outcome
		if j == i || outcome == owlatsync.Duplicate || outcome == owlatsync.Invalid {
			continue
		}
		if normal(other.Email.Value) == normal(log.rows[i].Email.Value) {
			return
		}
	}
	m.fail("row %d is a duplicate of no other that counts", i+1)
}

// gone reports whether the contact is no more.
func (m *model) gone(contact string) bool {
	_, ok := m.server.Contact(contact)
	return contact != "" && !ok
}

func (m *model) checkFailed(log *runLog, i int, e *ledger.Entry, entries map[string]*ledger.Entry, repaired bool) {
	address := normal(log.rows[i].Email.Value)
	holder, held := m.server.Contact(address)
	switch {
	case e != nil && e.ContactID != "" && held && holder.ID != e.ContactID:
		if m.freed(log, holder.ID, entries) && !m.excused(someFail, log.report.Outcomes[owlatsync.Failed] > 1) {
			m.fail("row %d does not get the address of contact %s, whose row left and which is to be deleted", i+1, holder.ID)
		}
		m.excused(heldByOne, true)
		return
	case e != nil && m.excused(eventMoved, len(e.Events) > 0 && slices.Contains(m.foreign[e.ContactID+"email"], m.addressOf(e.ContactID))):
		return
	case (e == nil || e.ContactID == "") && held:
		for _, other := range entries {
			if other != e && m.excused(heldByOne, other.ContactID != "" && m.addressOf(other.ContactID) == address) {
				return // and its row does not get the one that it wants
			}
		}
	case (e == nil || e.ContactID == "") && !held:
		for _, c := range m.server.Contacts() {
			if m.excused(drifted, m.identity(c.ID) == address) {
				return
			}
		}
	}
	for _, other := range entries {
		changed := m.gone(other.ContactID) || slices.Contains(m.foreign[other.ContactID+"email"], m.addressOf(other.ContactID))
		if !repaired && other != e && m.excused(heldUnseen, other.Email == address && changed) {
			return
		}
	}
	m.fail("row %d fails without a cause", i+1)
}

// freed reports whether the contact is to be deleted because its row left the source, so that another may have its address.
func (m *model) freed(log *runLog, contact string, entries map[string]*ledger.Entry) bool {
	if log.config.OnMissing != reconcile.MissingDelete || log.changes || m.creator(contact) != log.sync {
		return false
	}
	for key, e := range entries {
		if e.ContactID == contact {
			there := slices.ContainsFunc(log.rows, func(row owlatsync.Row) bool { return keyOf(&log.config, row) == key })
			return !there && e.Origin == ledger.OriginCreated && !m.shared(log.sync, e)
		}
	}
	return false
}

func (m *model) withAddress(address string) (contact string) {
	c, _ := m.server.Contact(address)
	return c.ID
}

func (m *model) addressOf(contact string) string {
	c, _ := m.server.Contact(contact)
	return c.Email
}

// renamedByOthers reports whether somebody else changed the contact's address, or gave its address to another contact: a
// checkContact compares the contact of a row that is in step with what the row and the policies say.
func (m *model) checkContact(log *runLog, i int, e *ledger.Entry, repaired bool) {
	c, ok := m.server.Contact(e.ContactID)
	if !ok {
		if !m.excused(goneUnseen, !repaired && m.deletedBy(e.ContactID) != log.sync) {
			m.fail("row %d is in step, and its contact is gone", i+1)
		}
		return
	}
	row := log.rows[i]
	for _, f := range ownedFields {
		if want, has := said(log, row, f); has && !(fieldOf(c, f) != want && m.excused(mayNot, m.mayStay(log, c.ID, f, fieldOf(c, f)))) {
			m.checkValue(i, heldAs[f], c, fieldOf(c, f), want, repaired)
		}
	}
	for at, topic := range log.topics {
		m.checkMembership(log, i, at, topic, e, c)
	}
}

// wanted is the name that Owlat should hold, false if the row has none and what Owlat has stays.
func wanted(log *runLog, f owlatsync.Field) (name string, has bool) {
	if f.State == owlatsync.Set {
		return owlatsync.Trim(f.Value), true
	}
	return "", log.config.Nulls == reconcile.NullsClear
}

func (m *model) checkValue(i int, field string, c owlattest.ContactState, got, want string, repaired bool) {
	if got == want || m.excused(changedUnseen, !repaired && slices.Contains(m.foreign[c.ID+field], got)) {
		return
	}
	m.fail("the %s of the contact %s of row %d is %q, want %q", field, c.ID, i+1, got, want)
}

// checkMembership checks that the contact is on the topic if a run owed it that and nobody took it off since, and not if
// owed returns since when, in the history, the row's consent was to be acted on: since the contact was created for it, or
// spoiled reports whether so many rows are invalid that those which seem to be absent may be among them.
func spoiled(log *runLog) bool {
	invalid := log.report.Outcomes[owlatsync.Invalid]
	return invalid > 5 && invalid*10 > log.report.Rows
}

// checkAbsent checks what follows from the absence of rows, unless rows fail for ever.
func (m *model) checkAbsent(log *runLog) {
	if log.config.OnMissing == reconcile.MissingKeep || m.excused(someFail, log.report.Outcomes[owlatsync.Failed] > 0) {
		return
	}
	if m.excused(spoilt, spoiled(log)) {
		return
	}
	present := make(map[string]bool)
	for _, row := range log.rows {
		present[keyOf(&log.config, row)] = true
	}
	for _, e := range m.entries(log.sync) {
		c, ok := m.server.Contact(e.ContactID)
		if present[e.Key] || e.ContactID == "" || !ok || e.Origin == ledger.OriginGone || m.excused(sharedOne, m.shared(log.sync, e)) {
			continue
		}
		if log.config.OnMissing == reconcile.MissingDelete && m.creator(c.ID) == log.sync {
			m.fail("row %s is absent, and its contact %s was not deleted", e.Key, c.ID)
		}
		for _, topic := range log.topics {
			ours := false // whether this sync made the membership, and nobody else since
			for k, x := range m.history() {
				if x.ContactID == c.ID && x.TopicID == m.topics[topic] && x.Action == owlattest.Added {
					ours = k >= m.bornAt && m.runOf(x) != nil && m.runOf(x).sync == log.sync
				}
			}
			if ours && slices.Contains(c.Topics, m.topics[topic]) {
				m.fail("row %s is absent, and its contact %s is still on topic %d", e.Key, c.ID, topic)
			}
		}
	}
}

// shared reports whether another entry has the contact.
func (m *model) shared(s *modelSync, e *ledger.Entry) bool {
	for _, other := range m.syncs {
		for key, id := range m.bindings(other) {
			if id == e.ContactID && (other != s || key != e.Key) {
				return true
			}
		}
	}
	return false
}

// checkContacts checks that no contact was lost or doubled: what runs created since the ledger was lost is in the ledger, and
// no two of them have one address.
func (m *model) checkContacts() {
	known := make(map[string]bool)
	for _, s := range m.syncs {
		for _, e := range m.entries(s) {
			known[e.ContactID] = true
			if e.ContactID == "" && !e.Intent.Create.IsZero() && s.OnMissing != reconcile.MissingDelete {
				known[m.withAddress(e.Identity)] = true // the row left while its create was in doubt
			}
		}
	}
	byAddress := make(map[string]string)
	for _, c := range m.server.Contacts() {
		if m.creator(c.ID) == nil {
			continue
		}
		if !known[c.ID] && m.withAddress(c.Email) == c.ID && !m.excused(renamedAway, m.renamedByOthers(c)) {
			m.fail("contact %s (%s) was created by a run, and the ledger does not know it", c.ID, c.Email)
		}
		// A rename in doubt is looked up by the sync that sent it; another one may meanwhile create the address.
		if twin := byAddress[c.Email]; twin != "" && !m.excused(renamedAway, len(m.foreign[c.ID+"email"])+len(m.foreign[twin+"email"]) > 0) &&
			!m.excused(siblings, !m.oneSync() && m.identity(twin) != m.identity(c.ID)) {
			m.fail("the contacts %s and %s were both created with the address %s", twin, c.ID, c.Email)
		}
		byAddress[c.Email] = c.ID
	}
}
