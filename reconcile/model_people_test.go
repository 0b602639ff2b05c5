package reconcile_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
)

// optOut is that somebody left a topic, and when the engine was told.
type optOut struct {
	contact, address, topic string
	left, told              time.Time
	tick                    int
}

// sentAdd is an add to a topic that was sent. From the last look at what the engine was told on nothing can hold it back.
type sentAdd struct {
	contact, topic string
	at             time.Time
	looked         time.Time
	tick           int
	limited        bool // it met the rate limit
}

func (m *model) unsubscribe() {
	if c, ok := m.contactNow(); ok && len(c.Topics) > 0 {
		m.tell("  %s", m.leaves(c, pick(m.r, c.Topics...), m.r.Uint64()))
	}
}

func (m *model) optOut() {
	if c, ok := m.contactNow(); ok {
		m.tell("  %s", m.leaves(c, "", m.r.Uint64()))
	}
}

// consentAgain lets somebody of whom the engine was told, or is to be, withdraw the consent in the source, and give it anew
// once a run has seen that.
func (m *model) consentAgain() {
	m.hear()
	if len(m.told) == 0 {
		return
	}
	o := m.told[len(m.told)-1-m.r.IntN(min(3, len(m.told)))]
	s, topic := m.randomSync(), slices.Index(m.topics, o.topic)
	for _, p := range m.table {
		if c, ok := m.server.Contact(normal(p.email)); !ok || c.ID != o.contact {
			continue
		}
		for _, consents := range []bool{false, true} {
			m.edit(p, func(p *person) { p.consents[topic] = consents })
			m.sourceChanged()
			spec := &runSpec{breaks: -1}
			if consents {
				if m.r.IntN(2) == 0 {
					return
				}
				m.loseAdds(spec)
			}
			m.run(s, spec)
			time.Sleep(time.Second) // a change in the instant of a run could be before it or after
		}
		return
	}
}

// leaves lets the contact leave a topic, or all with an empty one. The engine is told at once, later or not at all.
func (m *model) leaves(c owlattest.ContactState, topic string, roll uint64) (what string) {
	if m.server.Unsubscribe(c.ID, topic) != nil {
		return "nobody was there to leave"
	}
	topics := c.Topics
	if what = c.Email + " opts out of everything"; topic != "" {
		topics, what = []string{topic}, fmt.Sprintf("%s leaves topic %d", c.Email, slices.Index(m.topics, topic))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ticks++
	gone := slices.DeleteFunc(slices.Clone(c.Topics), func(t string) bool { return topic != "" && t != topic })
	m.lefts = append(m.lefts, departure{contact: c.ID, at: time.Now(), tick: m.ticks, traced: len(c.Topics) > 0, topics: gone})
	if roll%4 < 2 {
		return what
	}
	for _, topic := range topics {
		if slices.Contains(c.Topics, topic) { // else Owlat says nothing
			m.post = append(m.post, optOut{contact: c.ID, address: c.Email, topic: topic, left: time.Now()})
		}
	}
	if roll%4 == 2 {
		return what
	}
	return what + m.deliver()
}

// hear hands all webhooks that have not come yet to the engine.
func (m *model) hear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.deliver()
}

// deliver is hear under the lock.
func (m *model) deliver() string {
	if len(m.post) == 0 {
		return ""
	}
	m.counts["webhook"]++
	for _, o := range m.post {
		err := reconcile.Unsubscribed(context.Background(), m.book, owlat.WebhookTopicUnsubscribedPayload{ContactID: o.contact, Email: o.address, UnsubscribedAt: o.left,
			Topics: []owlat.WebhookRemovedTopic{{ID: o.topic}}})
		m.must(err)
		m.ticks++
		o.tick, o.told = m.ticks, time.Now()
		m.told = append(m.told, o)
	}
	m.post = nil
	return ", and the engine is told"
}

// visit is somebody leaving in the middle of a run.
type visit struct {
	adds  bool // count only adds to topics
	at    int  // the request before or after which it happens
	after bool // it has had its effect, and the run has not heard the answer
	roll  uint64
}

// planVisits lets people leave in the middle of the run.
func (m *model) planVisits(spec *runSpec) {
	if m.r.IntN(3) > 0 && (m.h.about != "webhooks" || m.r.IntN(2) == 0) {
		return
	}
	if m.r.IntN(2) == 0 {
		m.loseAdds(spec)
		return
	}
	for range 1 + m.r.IntN(2) {
		spec.visits = append(spec.visits, &visit{adds: m.r.IntN(2) == 0, at: 1 + m.r.IntN(5), after: m.r.IntN(2) == 0, roll: m.r.Uint64()})
	}
}

// loseAdds lets answers to adds be lost, and people leave about then.
func (m *model) loseAdds(spec *runSpec) {
	f := owlattest.Fault{Method: http.MethodPost, Route: owlattest.RouteTopicContacts, At: 1 + m.r.IntN(3), Count: 1 + m.r.IntN(2),
		Kind: pick(m.r, owlattest.ResetAfter, owlattest.TruncatedBody, owlattest.RateLimited)}
	spec.faults = []owlattest.Fault{f}
	for i := range 1 + m.r.IntN(2) {
		spec.visits = append(spec.visits, &visit{adds: true, at: f.At + i, after: m.r.IntN(4) > 0, roll: m.r.Uint64()})
	}
}

// visitedTransport notes the adds that are sent, and lets visits happen.
type visitedTransport struct {
	*model
	http.RoundTripper
}

func (t visitedTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	log := t.running
	if log == nil {
		return t.RoundTripper.RoundTrip(req)
	}
	time.Sleep(max(log.pace, time.Millisecond)) // no two requests are answered in one instant
	topic, contact := "", ""
	if parts := strings.Split(req.URL.Path, "/"); req.Method == http.MethodPost && len(parts) > 3 && parts[len(parts)-3] == "topics" {
		body, err := req.GetBody()
		t.must(err)
		text, err := io.ReadAll(body)
		t.must(err)
		topic, contact = parts[len(parts)-2], jsonField(text, "contactId")
	}
	log.mu.Lock()
	log.seen.requests++
	if topic != "" {
		log.seen.adds++
	}
	seen := log.seen
	log.mu.Unlock()
	visit := func(after bool) {
		for _, v := range log.visits {
			if v.after == after && (v.adds && topic != "" && v.at == seen.adds || !v.adds && v.at == seen.requests) {
				t.visit(log, v, contact)
			}
		}
	}
	if topic != "" {
		t.sends(contact, topic)
	}
	visit(false)
	about := t.asked(contact, topic)
	resp, err := t.RoundTripper.RoundTrip(req)
	if topic != "" && err == nil && resp.StatusCode == http.StatusCreated {
		resp.Body = log.hearing(resp.Body, about)
	}
	if before, ref := path.Split(req.URL.Path); req.Method == http.MethodGet && err == nil && resp.StatusCode == http.StatusOK && strings.HasSuffix(before, "/contacts/") {
		t.looked(ref)
	}
	if about := readBy(req.Method, req.URL.Path); about != "" && err == nil && resp.StatusCode == http.StatusOK {
		t.hasRead(about)
	}
	if topic != "" && err == nil && resp.StatusCode == http.StatusTooManyRequests {
		t.mu.Lock()
		t.lastSent(contact, topic).limited = true
		t.mu.Unlock()
	}
	visit(true)
	return resp, err
}

// lastSent returns the latest add of the contact to the topic, nil if there is none.
func (m *model) lastSent(contact, topic string) *sentAdd {
	for i := len(m.sent) - 1; i >= 0; i-- {
		if s := &m.sent[i]; s.contact == contact && s.topic == topic {
			return s
		}
	}
	return nil
}

// sends notes that an add is sent. The client repeats one that met the rate limit by itself, and the limiter has it wait.
func (m *model) sends(contact, topic string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ticks++
	add := sentAdd{contact: contact, topic: topic, at: time.Now(), looked: time.Now(), tick: m.ticks}
	if m.limiter {
		add.looked = add.at.Add(-3 * time.Second)
	}
	if last := m.lastSent(contact, topic); last != nil && last.limited && add.at.Sub(last.looked) < 6*time.Second {
		add.looked, add.tick = last.looked, last.tick
	}
	m.sent = append(m.sent, add)
}

// visit lets somebody leave, most likely whom a request is about that puts them on a topic.
func (m *model) visit(log *runLog, v *visit, contact string) {
	r := rand.New(rand.NewPCG(v.roll, 0))
	m.hear()
	all := m.server.Contacts()
	if len(all) == 0 {
		return
	}
	c := all[r.IntN(len(all))]
	if about, ok := m.server.Contact(contact); ok && r.IntN(4) > 0 {
		c = about
	}
	topic := ""
	if len(c.Topics) > 0 && r.IntN(2) == 0 {
		topic = pick(r, c.Topics...)
	}
	time.Sleep(10 * time.Millisecond) // nobody leaves in the very instant of another request
	what := m.leaves(c, topic, r.Uint64())
	m.mu.Lock()
	m.counts[fmt.Sprintf("left during a run: after %v, with an add %v", v.after, contact != "")]++
	m.mu.Unlock()
	log.note("* " + what)
}

// knew returns when the contact last left the topic, as far as the engine had been told when it sent the add; zero if it had not.
func (m *model) knew(added owlattest.Entry) (left time.Time) {
	var sent sentAdd
	for _, s := range m.sent {
		if s.contact == added.ContactID && s.topic == added.TopicID && !s.at.After(added.Time) {
			sent = s
		}
	}
	for _, o := range m.told {
		if o.contact == added.ContactID && o.topic == added.TopicID && o.tick < sent.tick && !o.told.After(sent.looked) && o.left.After(left) {
			left = o.left
		}
	}
	return left
}

// noticed returns when a consent given at that time became known to the engine: with the plan of the run that first recorded
// it, or of this one; zero if it was known before.
func (m *model) noticed(log *runLog, contact, topic string, given time.Time) time.Time {
	recorded := func(l *runLog) bool {
		return slices.ContainsFunc(l.before, func(e *ledger.Entry) bool {
			x := e.Membership(topic)
			return e.ContactID == contact && x != nil && x.Consent
		})
	}
	var last time.Time
	for _, run := range m.runs[m.bornRun:] {
		if run.sync != log.sync || !run.from.After(given) {
			continue
		}
		if recorded(run) {
			return last
		}
		if !run.plannedAt.IsZero() {
			last = run.plannedAt
		}
	}
	return last
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

// underWay reports whether a consent for the contact has not yet reached Owlat. Nobody is deleted meanwhile: a run could not
// tell such a consent from one given later.
func (m *model) underWay(c owlattest.ContactState) bool {
	if by := m.creator(c.ID); by != nil && !m.everSettled(by, c.ID) {
		return true
	}
	return m.wordUnderWay(c)
}

// wordUnderWay reports it of consents that went from no to yes.
func (m *model) wordUnderWay(c owlattest.ContactState) bool {
	for _, s := range m.syncs {
		theirs := m.known(s, c)
		for _, topic := range s.topics {
			var since time.Time
			for _, w := range m.words {
				if w.sync == s.index && w.topic == topic && theirs(w.id, w.key, w.email) {
					since = w.at
				}
			}
			used := func(l *runLog, row int) bool {
				return theirs(l.people[row], l.rows[row].Key, normal(l.rows[row].Email.Value))
			}
			if !since.IsZero() && !m.acted(s, topic, c.ID, since, nil, used) {
				return true
			}
		}
	}
	return false
}

// known returns what tells whether a row is the contact's, as the sync sees it: by its key or address, or its person.
func (m *model) known(s *modelSync, c owlattest.ContactState) func(id int, key, email string) bool {
	keys, addresses, people := make(map[string]bool), map[string]bool{c.Email: true, m.identity(c.ID): true}, make(map[int]bool)
	for _, e := range m.entries(s) {
		if e.ContactID == c.ID {
			keys[e.Key], addresses[e.Email], addresses[e.Identity] = true, true, true
		}
	}
	for _, p := range m.table {
		if keys[p.key] || addresses[normal(p.email)] {
			people[p.id] = true
		}
	}
	return func(id int, key, email string) bool {
		return people[id] || key != "" && keys[key] || email != "" && addresses[email]
	}
}

// keptElsewhere reports whether the contact is on the topic for another row of the sync, which has left the source, and for
// another sync, from which absence takes nothing. An address that is the key makes such a row of anybody who gets another.
func (m *model) keptElsewhere(log *runLog, contact, topic string) bool {
	left, wanted := false, false
	for _, s := range m.syncs {
		for _, e := range m.entries(s) {
			x := e.Membership(topic)
			if e.ContactID != contact || x == nil || !x.Consent ||
				slices.Contains([]ledger.MembershipState{ledger.MemberOptedOut, ledger.MemberLeft, ledger.MemberLeaving}, x.State) {
				continue
			}
			present := slices.ContainsFunc(log.rows, func(row owlatsync.Row) bool { return keyOf(&log.config, row) == e.Key })
			left = left || s == log.sync && !present
			wanted = wanted || s != log.sync
		}
	}
	return left && wanted
}

// optedOutBeside reports whether a row of the contact has left the source, so that it leaves the topic, and another one that is
// new to the sync keeps it nowhere: its consent may be older than the opt-out of which the engine was told.
func (m *model) optedOutBeside(log *runLog, removed owlattest.Entry) bool {
	present := make(map[string]bool)
	for _, row := range log.rows {
		present[keyOf(&log.config, row)] = true
	}
	left := false
	for key, contact := range log.bound {
		if contact == removed.ContactID && present[key] {
			return false
		}
		left = left || contact == removed.ContactID
	}
	return left && slices.ContainsFunc(m.told, func(o optOut) bool { return o.contact == removed.ContactID && o.topic == removed.TopicID })
}

// everSettled reports whether a run of the sync has brought a row in step that the ledger knows the contact by.
func (m *model) everSettled(s *modelSync, contact string) bool {
	for _, log := range m.runs[m.bornRun:] {
		if log.sync == s && slices.ContainsFunc(log.rowsFor(contact, ""), func(i int) bool { return log.settled(log.people[i]) }) {
			return true
		}
	}
	return false
}

// acted reports whether a run, before the given one if that is not nil, has acted on a consent given at that time: by an add
// that may have taken effect, or by finding nothing to do for the row.
func (m *model) acted(s *modelSync, topic int, contact string, since time.Time, before *runLog, theirs func(l *runLog, row int) bool) bool {
	for _, log := range m.runs {
		if log == before {
			break
		}
		if log.sync != s || log.to.Before(since) {
			continue
		}
		for _, r := range log.requests() {
			if !m.doubtful && r.Route == owlattest.RouteTopicContacts && !r.Time.Before(since) && strings.Contains(r.Path, m.topics[topic]) &&
				r.contact == contact && r.unknown() {
				return true
			}
		}
		for i := range log.rows {
			if log.from.After(since) && theirs(log, i) && log.settled(log.people[i]) {
				return true
			}
		}
	}
	return false
}
