package reconcile_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
	"owlatsync/reconcile/progress"
)

// checkRun checks what must hold after every run, whatever went wrong in it.
func (m *model) checkRun(log *runLog, spec *runSpec) {
	m.checkReport(log)
	m.checkErrors(log, spec)
	m.checkReading(log, spec)
	m.checkStretch(log, spec)
	m.checkGuards(log, spec)
	m.checkPart(log, spec)
	m.checkCounts(log)
	m.checkLinks(log)
	if log.fuse.kind == killed {
		return
	}
	lock, err := m.book.Acquire(context.Background(), ledger.Claim{Purpose: "a look whether the run gave the ledger back"})
	m.must(err)
	m.must(lock.Release())
}

// checkStretch checks what must hold after every stretch of a run.
func (m *model) checkStretch(log *runLog, spec *runSpec) {
	m.checkTold(log, spec)
	m.checkRemovals(log, spec)
	m.checkAdds(log)
	m.checkUnsure(log)
	m.checkLedger(log)
	m.checkEvents(log)
	m.checkSetBack(log)
	m.checkOptIn(log)
	m.checkNever(log)
}

// checkReport: every row has one outcome in the whole run, and the numbers hold together.
func (m *model) checkReport(log *runLog) {
	if log.report == nil {
		return
	}
	if !log.report.Balanced() {
		m.fail("the outcomes %v do not add up to %d rows and %d missing", log.report.Outcomes, log.report.Rows, log.report.Missing)
	}
	if sent := log.sentInAll(); !log.fuse.blown && log.report.Requests.Total != sent {
		m.fail("the report counts %d requests, the emulator %d", log.report.Requests.Total, sent)
	}
	if given := log.count(); log.err == nil && (log.report.Rows < given || log.former == nil && log.report.Rows > given) {
		m.fail("the report counts %d rows of %d", log.report.Rows, given)
	}
	for outcome, n := range log.told() {
		if log.err == nil && outcome != owlatsync.Unchanged && log.report.Outcomes[outcome] != n {
			m.fail("the report counts %d rows as %s, %d were told", log.report.Outcomes[outcome], outcome, n)
		}
	}
}

// checkTold: no row is told twice in a stretch, nothing told holds an address, and no more is sent than was planned.
func (m *model) checkTold(log *runLog, spec *runSpec) {
	// Where the address is the key it is shown as one.
	shown := slices.ContainsFunc(m.syncs, func(s *modelSync) bool { return s.KeyIsAddress })
	positions := make(map[string]bool)
	for _, what := range log.happened {
		d, ok := what.(progress.RowDone)
		if !ok {
			continue
		}
		if d.Position != "" && positions[d.Position] {
			m.fail("%s was told two outcomes", d.Position)
		}
		positions[d.Position] = true
		if strings.Contains(d.Reason, "@") && !shown {
			m.fail("%s: the reason holds an address: %s", d.Position, d.Reason)
		}
	}
	if log.err != nil && strings.Contains(log.err.Error(), "@") && !shown {
		m.fail("the error holds an address: %v", log.err)
	}
	sent, _ := log.writes()
	summary, planned := log.planned()
	calm := !slices.ContainsFunc(log.requests(), func(r request) bool { return r.status < 200 || r.status > 299 })
	// What somebody else, or another sync, has changed is found out by answers, and set right at once.
	if planned && calm && len(spec.faults) == 0 && !log.doubt && sent > summary.Requests && !m.excused(siblings, !m.oneSync()) &&
		!m.excused(changedUnseen, len(m.foreign) > 0) && !m.excused(foundOne, m.seeks(log)) {
		m.fail("%d requests were planned and %d sent although nothing failed", summary.Requests, sent)
	}
}

// checkErrors: a run ends with an error where something of its own broke and else with none, and what was not to be
// applied was not.
func (m *model) checkErrors(log *runLog, spec *runSpec) {
	sent, _ := log.writes()
	sourceErr, broke := errors.AsType[*reconcile.SourceError](log.err)
	held := errors.Is(log.err, reconcile.ErrHeld)
	_, moved := errors.AsType[*reconcile.MovedError](log.err)
	switch {
	case sent > 0 && (broke || held || moved || spec.plan || log.breaks >= 0):
		m.fail("%d writes were sent, but nothing was to be applied: %v", sent, log.err)
	case broke && log.count() != sourceErr.Rows:
		m.fail("the source broke after %d rows, the error says %d", log.count(), sourceErr.Rows)
	case log.err == nil && log.breaks >= 0 && !log.fuse.blown:
		m.fail("the source broke off and the run does not say so")
	case log.err == nil && log.fuse.refused > 0:
		m.fail("the ledger could not be written and the run does not say so")
	}
	if log.err == nil || held || moved || broke || log.fuse.blown || log.breaks >= 0 || spec.o.Approve != 0 || len(spec.faults) > 0 {
		return
	}
	m.fail("the run ended with %v although nothing broke", log.err)
}

// checkRemovals: only what the sync created is deleted, only when its row is absent, the policy says so, no other sync has
// it, and nothing failed before; a membership goes only when the row withdrew its consent or is absent and the policy says so.
func (m *model) checkRemovals(log *runLog, spec *runSpec) {
	absent := func(contact string) bool {
		for ; contact != ""; contact = m.heirs[contact] { // a row that gets a contact which was merged away has the other one in the end
			if len(log.rowsFor(contact, "")) > 0 {
				return false
			}
			if last := m.addressBefore(log, contact); last != "" && len(log.rowsFor("", last)) > 0 {
				return false // or another one that has its address now
			}
		}
		return true
	}
	failed, applying := log.former != nil && log.former.failed, false
	defer func() { log.failed = failed }()
	for _, what := range log.happened {
		switch what := what.(type) {
		case progress.Planned:
			applying = true
		case progress.RowDone:
			failed = failed || applying && what.Outcome == owlatsync.Failed && what.Position != "" &&
				!m.excused(onlyWaits, m.longUnknown(log, what) || what.Category == ledger.CategoryUnconfirmed)
		case request:
			id := what.Path[strings.LastIndex(what.Path, "/")+1:]
			if what.Method != http.MethodDelete || what.Route == owlattest.RouteTopicContact && !absent(id) {
				continue
			}
			if failed {
				m.fail("%s %s follows from absence and was sent after a row had failed", what.Method, what.Route)
			}
			if !log.full {
				m.fail("%s %s follows from absence and was sent although only some rows were asked for", what.Method, what.Route)
			}
			if log.changes {
				m.fail("%s %s follows from absence and was sent although only changes were read", what.Method, what.Route)
			}
			if log.config.OnMissing == reconcile.MissingKeep {
				m.fail("%s %s follows from absence and was sent although the policy is to keep", what.Method, what.Route)
			}
		}
	}
	history := m.history()
	for _, e := range history[log.first:log.last] {
		switch e.Action {
		case owlattest.Deleted:
			if log.config.OnMissing != reconcile.MissingDelete {
				m.fail("contact %s was deleted although the policy is %q", e.Email, log.config.OnMissing)
			}
			if m.creatorIn(m.remembered(), e.ContactID) != log.sync {
				m.fail("contact %s was deleted, which this sync did not create, as far as the ledger knows", e.Email)
			}
			if !absent(e.ContactID) {
				m.fail("contact %s was deleted although its row is there", e.Email)
			}
			for _, other := range m.syncs {
				for key, id := range m.bindings(other) {
					if other != log.sync && id == e.ContactID {
						m.fail("contact %s was deleted although row %s of sync %s has it", e.Email, key, other.Name)
					}
				}
			}
		case owlattest.Removed:
			consents := false
			for _, i := range log.rowsFor(e.ContactID, e.Email) {
				at := slices.Index(log.topics, slices.Index(m.topics, e.TopicID))
				counts := !slices.Contains([]owlatsync.Outcome{owlatsync.Duplicate, owlatsync.Invalid}, log.done()[i].Outcome)
				consents = consents || counts && at >= 0 && log.rows[i].Consents[at] == owlatsync.Yes
			}
			if consents && !absent(e.ContactID) && !m.excused(leftBeside, m.optedOutBeside(log, e)) && !m.excused(getsNone, m.marks(log, e.ContactID)) {
				m.fail("contact %s was taken off topic %d although its row consents", e.Email, slices.Index(m.topics, e.TopicID))
			}
		}
	}
}

// longUnknown reports whether the row failed only because something from before the run stays unknown.
func (m *model) longUnknown(log *runLog, row progress.RowDone) bool {
	if row.Category == "unsure" {
		return true
	}
	lostNow := func(x ledger.EventMark) bool { return x.State == ledger.EventUnknown && !x.At.Before(log.from) }
	return row.Category == "event" && !slices.ContainsFunc(m.entries(log.sync), func(e *ledger.Entry) bool {
		return e.Key == row.Key && slices.ContainsFunc(e.Events, lostNow)
	})
}

// rowsFor returns which rows of the run's source the ledger knows the contact by, before or after the run, or if there are
// none, which have the address.
func (l *runLog) rowsFor(contact, address string) (found []int) {
	for i, row := range l.rows {
		if key := keyOf(&l.config, row); key != "" && (l.bound[key] == contact || l.after[key] == contact) {
			found = append(found, i)
		}
	}
	for i, row := range l.rows {
		if len(found) == 0 && address != "" && normal(row.Email.Value) == address {
			return append(found, i)
		}
	}
	return found
}

// isFor reports whether the contact was the person's in the run.
func (l *runLog) isFor(contact string, id int) bool {
	return slices.ContainsFunc(l.rowsFor(contact, ""), func(i int) bool { return l.people[i] == id })
}

// creator returns the sync in one of whose runs since the ledger was lost the contact was created, nil if there is none.
func (m *model) creator(contact string) *modelSync { return m.creatorIn(m.runs[m.bornRun:], contact) }

func (m *model) creatorIn(runs []*runLog, contact string) *modelSync {
	for _, log := range runs {
		for _, e := range log.did {
			if e.ContactID == contact && e.Action == owlattest.Created {
				return log.sync
			}
		}
	}
	return nil
}

// checkAdds: whoever is put on a topic consents now, and either is new, or has given a new consent, or the configuration
// says so for contacts that were there.
func (m *model) checkAdds(log *runLog) {
	history := m.history()
	index := make(map[owlattest.Entry]int, len(history))
	for i, e := range history {
		index[e] = i
	}
	m.doubtful = true // whether somebody left since is judged below
	for _, e := range history[log.first:log.last] {
		if e.Action == owlattest.Added && !m.grounds(log, owlattest.Return{Added: e}) {
			m.fail("%s was put on topic %d without a reason", e.Email, slices.Index(m.topics, e.TopicID))
		}
	}
	m.doubtful = false
	for _, r := range owlattest.PutBack(history, func(r owlattest.Return) bool {
		if i := index[r.Added]; i < log.first || i >= log.last {
			return true // judged after its own run, or somebody else's doing
		}
		seen, known := m.seenBefore(r)
		if known && seen && m.repeated(log, r) {
			return false
		}
		// Of who has left since a look the run knew nothing: an add whose answer was lost has not yet used the consent.
		m.doubtful = known && !seen
		defer func() { m.doubtful = false }()
		return m.grounds(log, r)
	}) {
		m.fail("%s had left topic %d (%s by the %s at %s) and was put back without a new consent", r.Added.Email,
			slices.Index(m.topics, r.Added.TopicID), r.Left.Action, r.Left.By, r.Left.Time.Format("02 15:04:05"))
	}
}

// grounds reports whether the run had a reason to put somebody on a topic, newer than the way out if there is one.
func (m *model) grounds(log *runLog, r owlattest.Return) bool {
	topic := slices.Index(m.topics, r.Added.TopicID)
	at := slices.Index(log.topics, topic)
	if at < 0 {
		return false
	}
	if left := m.runOf(r.Left); left != nil && left.sync != log.sync {
		return m.excused(siblings, true) // another sync's removal says nothing about this one's consent
	}
	since := r.Left.Time
	if left := m.runOf(r.Left); left != nil { // the row's absence took them off, not a person: a consent not yet used still holds
		since = time.Time{}
		for _, e := range m.history()[:log.first] {
			if e.Action == owlattest.Added && e.TopicID == r.Added.TopicID && (e.ContactID == r.Left.ContactID || e.ContactID == r.Added.ContactID) {
				since = e.Time
			}
		}
	}
	heard := m.knew(r.Added)
	if read := m.readLeft(log, r.Added); read.After(heard) {
		heard = read
	}
	for _, i := range log.rowsFor(r.Added.ContactID, r.Added.Email) {
		row := log.rows[i]
		if row.Consents[at] != owlatsync.Yes || !log.read(log.people[i]) {
			continue
		}
		theirs := func(id int, key, email string) bool {
			return id == log.people[i] || row.Key != "" && key == row.Key || email == r.Added.Email
		}
		// Of rows that merely had the address, one with another contact was somebody else.
		used := func(l *runLog, k int) bool {
			other := l.rows[k]
			if bound := l.after[keyOf(&l.config, other)]; l.people[k] != log.people[i] && other.Key != row.Key && !l.config.KeyIsAddress {
				return normal(other.Email.Value) == r.Added.Email && (bound == "" || bound == r.Added.ContactID)
			}
			return theirs(l.people[k], other.Key, normal(other.Email.Value))
		}
		known := !heard.IsZero() // the engine knows that the person left: only a newer consent counts
		for _, w := range m.words {
			if w.sync != log.sync.index || w.topic != topic || !w.at.After(m.born) || !w.at.Before(log.from) || !theirs(w.id, w.key, w.email) {
				continue
			}
			// A consent counts from the plan of the run that first sees it.
			if known && !m.noticed(log, r.Added.ContactID, r.Added.TopicID, w.at).After(heard) {
				continue
			}
			if known = false; w.at.After(since) || !m.acted(log.sync, topic, r.Added.ContactID, w.at, log, used) {
				return true
			}
		}
		if known {
			continue
		}
		if m.isNew(log, r, keyOf(&log.config, row)) || m.isSiblings(log, r, i) || m.asConfigured(log, r, at, i) {
			return true
		}
	}
	return false
}

// isNew reports whether the contact was created by the sync, after the way out, for a row that never had another. Beside a
// live contact with the same address that is so only where nothing is known of that one's rename: after the ledger was lost,
// or when somebody else did it.
func (m *model) isNew(log *runLog, r owlattest.Return, key string) bool {
	if m.creator(r.Added.ContactID) != log.sync {
		return false
	}
	for _, e := range m.server.History(r.Added.ContactID) {
		if e.ContactID == r.Added.ContactID && e.Action == owlattest.Created && e.Time.Before(r.Left.Time) && m.used(log, r.Added, m.runOf(e)) {
			return false
		}
	}
	if r.Left.ContactID != r.Added.ContactID && m.addressOf(r.Left.ContactID) == r.Added.Email &&
		m.lost == 0 && len(m.foreign[r.Left.ContactID+"email"]) == 0 {
		return false
	}
	for id := range m.everBound(log.sync, key) {
		if id != r.Added.ContactID {
			return false
		}
	}
	return true
}

// used reports whether a run before this one has acted on the consent with which the contact was created.
func (m *model) used(log *runLog, added owlattest.Entry, by *runLog) bool {
	rows := log.rowsFor(added.ContactID, "")
	return m.acted(log.sync, slices.Index(m.topics, added.TopicID), added.ContactID, by.from.Add(-1), log, func(l *runLog, k int) bool {
		return slices.ContainsFunc(rows, func(i int) bool {
			if log.config.KeyIsAddress { // the row is who has the address
				return normal(l.rows[k].Email.Value) == keyOf(&log.config, log.rows[i])
			}
			return l.people[k] == log.people[i]
		})
	})
}

// asConfigured reports whether the configuration adds those who were there, or did when a run that could not finish the row
// planned it, and this is the first add since the row was last absent or the ledger lost.
func (m *model) asConfigured(log *runLog, r owlattest.Return, at, i int) bool {
	add, since := false, m.bornAt
	for _, earlier := range m.runs[m.bornRun:] {
		if now := slices.Index(earlier.topics, log.topics[at]); earlier.sync == log.sync && now >= 0 && slices.Contains(earlier.people, log.people[i]) {
			add = earlier.config.Topics[now].Existing == reconcile.ExistingAdd || add && (earlier == log || !earlier.settled(log.people[i]))
		}
		present := slices.Contains(earlier.people, log.people[i]) && slices.ContainsFunc(earlier.rows, func(row owlatsync.Row) bool {
			return keyOf(&earlier.config, row) == keyOf(&log.config, log.rows[i])
		})
		noticed := !earlier.changes || slices.Contains(earlier.people, log.people[i])
		if earlier.sync == log.sync && earlier != log && !present && noticed {
			since = earlier.last
		}
	}
	if !add {
		return false
	}
	if m.doubtful && m.inDoubt(log, r.Added) {
		return true
	}
	for _, e := range m.history()[since:log.first] {
		if e.ContactID != r.Added.ContactID || e.TopicID != r.Added.TopicID || e.Action != owlattest.Added {
			continue
		}
		if run := m.runOf(e); run != nil && run.sync == log.sync && run.isFor(e.ContactID, log.people[i]) {
			return false
		}
	}
	return true
}

// runOf returns the run that made an entry of the history, nil if somebody else did.
func (m *model) runOf(e owlattest.Entry) *runLog {
	for _, log := range m.runs {
		if e.By == owlattest.ByAPI && !e.Time.Before(log.from) && !e.Time.After(log.to) {
			return log
		}
	}
	return nil
}

// checkLedger: what the ledger says was confirmed by Owlat.
func (m *model) checkLedger(log *runLog) {
	history := m.history()
	known := make(map[string]bool)
	member := make(map[string]bool)
	for _, e := range history {
		known[e.ContactID] = known[e.ContactID] || e.Action == owlattest.Created
		member[e.ContactID+e.TopicID] = member[e.ContactID+e.TopicID] || e.Action == owlattest.Added
	}
	for _, s := range m.syncs {
		for _, e := range m.entries(s) {
			if e.ContactID == "" {
				continue
			}
			if !known[e.ContactID] {
				m.fail("the ledger has contact %s for row %s, which never was", e.ContactID, e.Key)
				continue
			}
			if values := valuesOf(e.Email, e.Fields[owlatsync.FirstName], e.Fields[owlatsync.LastName]); !slices.Contains(m.written[e.ContactID], values) {
				m.fail("the ledger says that the contact of row %s is %s, which it never was: %q", e.Key, values, m.written[e.ContactID])
			}
			if e.Origin == ledger.OriginCreated && m.creatorIn(m.remembered(), e.ContactID) != s {
				m.fail("the ledger says that sync %s created the contact of row %s, which it did not", s.Name, e.Key)
			}
			for _, x := range e.Memberships {
				if x.State == ledger.MemberAdded && !member[e.ContactID+x.Topic] {
					m.fail("the ledger says that row %s was added to topic %d, which it never was", e.Key, slices.Index(m.topics, x.Topic))
				}
			}
		}
	}
}
