package reconcile_test

import (
	"context"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat/owlattest"
)

// What the column says of a person to whom no mail may ever go. NULL and no are one to the engine, see source.
const (
	marked  = "yes"
	muddled = "perhaps"
)

// barsPeople reports whether a sync of the history has the column. It draws nothing of what the rest of the history draws.
func barsPeople(seed uint64) bool { return rand.New(rand.NewPCG(seed, 5)).IntN(4) == 0 }

// withMarks adds steps in which the column changes.
func (h *history) withMarks() {
	if h.bars = barsPeople(h.seed); !h.bars {
		return
	}
	r := rand.New(rand.NewPCG(h.seed, 6))
	for i := len(h.steps); i > 0; i-- {
		if r.IntN(4) == 0 {
			h.steps = slices.Insert(h.steps, i, step{kind: "never mail", seed: r.Uint64()})
		}
	}
}

// hasColumn reports whether the sync with that index has the column: the second one often does without.
func (h *history) hasColumn(index int) bool { return h.bars && (index == 0 || h.seed%3 == 0) }

// mark changes what the column says of somebody, most often to yes.
func (m *model) mark() {
	m.edit(m.somebody(), func(p *person) { p.never = pick(m.r, marked, marked, marked, "", muddled) })
}

// muddle gives a row the column.
func (s *modelSync) muddle(p *person, row *owlatsync.Row) {
	if !s.Suppressed {
		return
	}
	if row.Suppressed = p.never == marked; p.never == muddled {
		row.Defect = `column "never" says neither yes nor no to "never mail"`
	}
}

// bad reports whether the row cannot be used.
func (s *modelSync) bad(p *person) bool { return p.invalid || s.Suppressed && p.never == muddled }

// barred is a request by which a run opts a contact out of everything.
type barred struct {
	contact string
	status  int
	at      time.Time
	heard   bool // nothing went wrong with the answer
}

// barredBy returns the contact that a request opts out, "" if it opts out none.
func barredBy(method, path string) (contact string) {
	_, token, found := strings.Cut(path, "/unsub/")
	if !found || method != http.MethodPost {
		return ""
	}
	contact, _, _ = strings.Cut(strings.ReplaceAll(token, "%3A", ":"), ":")
	return contact
}

// forgetBars is called when the ledger forgets: it knows of no mark any more until a run reads it again.
func (m *model) forgetBars() {
	m.bars, m.outs, m.everMarked = make(map[string]time.Time), nil, make(map[string]bool)
}

// isBarred reports whether the ledger says by the user's word that the contact gets no mail.
func (m *model) isBarred(contact string) bool {
	found, err := m.book.Suppressions(context.Background(), []string{contact})
	m.must(err)
	return found[contact].Reason.Asked()
}

// barring reports whether the row of an entry, or its person, gets no mail by the user's word.
func (m *model) barring(e *ledger.Entry) bool {
	if !m.h.bars || e == nil {
		return false
	}
	found, err := m.book.Suppressions(context.Background(), []string{e.ContactID, e.Email})
	m.must(err)
	return found[e.ContactID].Reason.Asked() || found[e.Email].Reason.Asked()
}

// theirs returns the contacts that a run may take for those of its i-th row.
func (m *model) theirs(log *runLog, i int) (contacts []string) {
	key := keyOf(&log.config, log.rows[i])
	contacts = append(contacts, log.bound[key], log.after[key], m.withAddress(normal(log.rows[i].Email.Value)))
	for id, addresses := range m.addresses {
		if slices.Contains(addresses, normal(log.rows[i].Email.Value)) {
			contacts = append(contacts, id)
		}
	}
	for _, id := range slices.Clone(contacts) {
		for id = m.heirs[id]; id != ""; id = m.heirs[id] {
			contacts = append(contacts, id)
		}
	}
	return slices.DeleteFunc(contacts, func(id string) bool { return id == "" })
}

// marks reports whether a row of the run says that no mail may go to the contact.
func (m *model) marks(log *runLog, contact string) bool {
	for i, row := range log.rows {
		if row.Suppressed && slices.Contains(m.theirs(log, i), contact) {
			return true
		}
	}
	return false
}

// seeks reports whether no mail may go to the person of a row that had no contact as far as the ledger knew.
func (m *model) seeks(log *runLog) bool {
	return slices.ContainsFunc(log.rows, func(r owlatsync.Row) bool {
		return log.bound[keyOf(&log.config, r)] == "" && (r.Suppressed || m.h.bars && m.isBarred(normal(r.Email.Value)))
	})
}

// isStranger reports whether no mail may go to the person of a row that has no contact, as this row says or one with its address has said.
func (m *model) isStranger(log *runLog, row owlatsync.Row, e *ledger.Entry) bool {
	return (e == nil || e.ContactID == "") && (row.Suppressed || m.h.bars && m.isBarred(normal(row.Email.Value)))
}

// checkNever checks a stretch of a run with regard to people to whom no mail may go.
func (m *model) checkNever(log *runLog) {
	if !m.h.bars {
		return
	}
	for i, row := range log.rows {
		if row.Suppressed {
			m.everMarked[normal(row.Email.Value)] = true
			for _, id := range m.theirs(log, i) {
				m.everMarked[id] = true
			}
		}
	}
	m.checkOuts(log)
	// Nobody of whom a run has learnt before, or who was opted out before, is put on a topic.
	for _, e := range log.did {
		since, is := m.bars[e.ContactID]
		if e.Action == owlattest.Added && e.By == owlattest.ByAPI && is && e.Time.After(since) {
			m.fail("contact %s gets no mail since %s, and was put on topic %d", e.ContactID, since.Format("02 15:04:05"), slices.Index(m.topics, e.TopicID))
		}
	}
	for _, r := range log.requests() {
		if since, is := m.bars[m.withAddress(jsonField(r.Body, "email"))]; r.Route == owlattest.RouteEvents && is && r.Time.After(since) {
			m.fail("%s gets no mail since %s, and an event was sent", jsonField(r.Body, "email"), since.Format("02 15:04:05"))
		}
	}
	for id := range m.bars {
		if !m.isBarred(id) {
			m.fail("the ledger does not say any more that contact %s gets no mail", id)
		}
	}
	m.learn(log)
}

// learn notes of whom a run knows from its end on that they get no mail: it came to its end, read their row and acted on it.
func (m *model) learn(log *runLog) {
	if log.err != nil || log.report == nil || !log.full || log.fuse.blown {
		return
	}
	for i, row := range log.rows {
		id := log.after[keyOf(&log.config, row)]
		if !row.Suppressed || !log.read(log.people[i]) || id == "" || m.gone(id) || m.outcome(log, i) == owlatsync.Failed {
			continue
		}
		if first := !slices.ContainsFunc(log.rows[:i], func(r owlatsync.Row) bool { return keyOf(&log.config, r) == keyOf(&log.config, row) }); !first {
			continue
		}
		if !m.isBarred(id) {
			m.fail("row %d says that no mail may go to the person of contact %s, and the ledger does not", i+1, id)
		}
		m.bar(id, log.to)
	}
}

func (m *model) bar(contact string, at time.Time) {
	if _, is := m.bars[contact]; !is {
		m.count("people barred")
		m.bars[contact] = at
	}
}

// checkOuts: only those of whom a row says so are opted out, and once: an answer that was lost may be asked for again.
func (m *model) checkOuts(log *runLog) {
	for _, what := range log.happened {
		b, ok := what.(barred)
		if !ok {
			continue
		}
		if names := append(slices.Clone(m.addresses[b.contact]), b.contact, m.addressOf(b.contact)); !slices.ContainsFunc(names, func(name string) bool { return m.everMarked[name] }) {
			m.fail("contact %s was opted out of everything, and no row has said so", b.contact)
		}
		if slices.ContainsFunc(m.outs, func(o barred) bool { return o.contact == b.contact && o.heard }) {
			m.fail("contact %s was opted out of everything again", b.contact)
		}
		b.heard = b.status == http.StatusOK && !log.fuse.blown && !log.faulty
		if b.status == http.StatusOK {
			m.count("people opted out")
			m.bar(b.contact, b.at)
		}
		m.outs = append(m.outs, b)
	}
}

// checkBarred: once nothing is left to do, everybody of whom a row says so is opted out, if there is a secret, and was opted out by nobody else
// otherwise; nobody of them is on a topic because of a run.
func (m *model) checkBarred(log *runLog) {
	for _, row := range log.rows {
		if m.h.bars && m.isBarred(normal(row.Email.Value)) && log.after[keyOf(&log.config, row)] == "" {
			m.count("rows of which no contact is made")
		}
	}
	if !log.config.Suppressed {
		return
	}
	for i, row := range log.rows {
		id := log.after[keyOf(&log.config, row)]
		if id == "" {
			id = m.withAddress(normal(row.Email.Value))
		}
		if !row.Suppressed || id == "" || m.gone(id) || !log.read(log.people[i]) {
			continue
		}
		m.count("people who must be out in the end")
		if m.excused(strangerSince, log.after[keyOf(&log.config, row)] == "") {
			continue
		}
		out := slices.ContainsFunc(m.outs, func(o barred) bool { return o.contact == id && o.status == http.StatusOK })
		if out != (m.links != withoutLinks) {
			m.fail("row %d says that no mail may go to contact %s: opted out %v, and the secret is there: %v", i+1, id, out, m.links != withoutLinks)
		}
	}
}
