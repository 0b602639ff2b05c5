package reconcile_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	"owlatsync"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
)

// stepKinds are the things that happen, and how often.
var stepKinds = []struct {
	name   string
	weight int
	do     func(*model)
}{
	{"run", 40, (*model).randomRun},
	{"somebody was there", 0, (*model).wasThere}, // only before the first run
	{"time passes", 8, (*model).timePasses},

	// In the source.
	{"somebody joins", 6, (*model).addPerson},
	{"somebody leaves", 6, (*model).somebodyLeaves},
	{"somebody returns", 4, (*model).somebodyReturns},
	{"name", 4, (*model).changeName},
	{"address", 5, (*model).changeAddress},
	{"back", 5, (*model).changeBack},
	{"letter case", 2, (*model).changeCase},
	{"swap", 2, (*model).swapAddresses},
	{"chain", 2, (*model).chainAddresses},
	{"takeover", 2, (*model).takeOverAddress},
	{"address of one who leaves", 3, (*model).takeFromOneWhoLeaves},
	{"duplicate", 2, (*model).duplicate},
	{"invalid address", 2, (*model).invalidate},
	{"new key", 3, (*model).rekey},
	{"consent", 14, (*model).changeConsent},
	{"order", 1, (*model).reorder},
	{"churn", 1, (*model).churn},
	{"everybody leaves", 1, (*model).everybodyLeaves},
	{"rule", 0, (*model).changeRule}, // only in histories with rules
	{"never mail", 0, (*model).mark}, // only in histories with the column

	// In Owlat.
	{"unsubscribe", 6, (*model).unsubscribe},
	{"opt out", 6, (*model).optOut},
	{"consent again", 4, (*model).consentAgain},
	{"confirm", 2, (*model).confirm},
	{"correction", 0, (*model).correct}, // only in histories with rules
	{"erase", 3, (*model).erase},
	{"somebody else creates", 3, (*model).otherCreates},
	{"somebody else updates", 3, (*model).otherUpdates},
	{"somebody else deletes", 2, (*model).otherDeletes},
	{"comes back", 3, (*model).comesBack},
	{"merge", 2, (*model).merge},

	// In the configuration and the ledger.
	{"new topic", 2, (*model).newTopic},
	{"policy", 2, (*model).changePolicy},
	{"lost ledger", 2, (*model).loseLedger},
	{"backup", 1, (*model).backUp},
	{"older ledger", 2, (*model).olderLedger},
	{"retry", 2, (*model).retry},
	{"verify", 2, (*model).verify},
}

// step lets one thing happen.
func (m *model) step(s step) {
	time.Sleep(time.Second)
	m.r = rand.New(rand.NewPCG(s.seed, 0))
	m.tell("%s", strings.ToUpper(s.kind))
	m.count("step: " + s.kind)
	for _, k := range stepKinds {
		if k.name != s.kind {
			continue
		}
		if s.plain && k.name == "run" {
			m.run(m.randomSync(), &runSpec{breaks: -1})
		} else {
			k.do(m)
		}
	}
	m.say(s.seed)
	m.sourceChanged()
	m.sampleAll()
}

func (m *model) timePasses() {
	time.Sleep(pick(m.r, 30*time.Second, 5*time.Minute, 12*time.Minute, time.Hour, 25*time.Hour, 3*24*time.Hour))
}

// afterAll waits until nobody can take what happens now for an effect of the latest run.
func (m *model) afterAll() {
	if wait := time.Until(m.quiet.Add(reaction)); wait > 0 {
		time.Sleep(wait)
	}
}

var addressForms = []string{"p%d@example.com", "p%d@example.com", "p%d@example.com", "P%d.Mixed@Example.com", "p%d+tag@example.org",
	"o'p%d/x@example.net", "p%d%%25x?y#z@example.com", "ü%d@exämple.org", "İ%d@example.com"}

func (m *model) freshAddress() string {
	m.serial++
	return fmt.Sprintf(pick(m.r, addressForms...), m.serial)
}

var firstNames = []owlatsync.Field{owlatsync.Some("Ada"), owlatsync.Some("Grace"), owlatsync.Some(" Linus "), owlatsync.Some("Zoë"),
	owlatsync.Some(""), {State: owlatsync.Null}}

func (m *model) addPerson() {
	m.serial++
	p := &person{id: m.serial, key: fmt.Sprintf("k%d", m.serial), email: m.freshAddress(), first: pick(m.r, firstNames...), last: pick(m.r, firstNames...)}
	for range 4 { // more than there are topics
		p.consents = append(p.consents, m.r.IntN(3) > 0)
	}
	for range 2 {
		p.in = append(p.in, m.r.IntN(4) > 0)
	}
	if len(m.syncs) == 1 {
		p.in[0] = true
	}
	if m.r.IntN(12) == 0 {
		p.email, p.invalid = m.badAddress(), true
	}
	m.table = append(m.table, p)
	m.tellPerson(p)
}

func (m *model) tellPerson(p *person) {
	m.tell("  person %d: key %s, %q, first %q (%d), last %q (%d), consents %v, in %v, never %q", p.id, p.key, p.email,
		p.first.Value, p.first.State, p.last.Value, p.last.State, p.consents[:len(m.topics)], p.in, p.never)
}

func (m *model) badAddress() string {
	m.serial++
	return pick(m.r, "", "no address", fmt.Sprintf("two@at%d@example.com", m.serial), fmt.Sprintf("x%d@localhost", m.serial),
		strings.Repeat("long", 60)+"@example.com")
}

// somebody returns a person of the table, nil if it is empty.
func (m *model) somebody() *person {
	if len(m.table) == 0 {
		return nil
	}
	return m.table[m.r.IntN(len(m.table))]
}

// valid returns up to n different people with valid addresses.
func (m *model) valid(n int) []*person {
	var found []*person
	for _, i := range m.r.Perm(len(m.table)) {
		if p := m.table[i]; !p.invalid && len(found) < n {
			found = append(found, p)
		}
	}
	return found
}

func (m *model) edit(p *person, change func(*person)) {
	if p != nil {
		before := *p
		change(p)
		p.before, m.edited = &before, p
		m.tellPerson(p)
	}
}

func (m *model) somebodyLeaves() {
	m.edit(m.somebody(), func(p *person) {
		for i := range p.in {
			p.in[i] = p.in[i] && len(m.syncs) > 1 && m.r.IntN(2) == 0
		}
	})
}

func (m *model) somebodyReturns() {
	for _, i := range m.r.Perm(len(m.table)) {
		if p := m.table[i]; slices.Contains(p.in[:len(m.syncs)], false) {
			m.edit(p, func(p *person) { p.in = []bool{true, true} })
			return
		}
	}
}

func (m *model) changeName() {
	m.edit(m.somebody(), func(p *person) { p.first, p.last = pick(m.r, firstNames...), pick(m.r, firstNames...) })
}

// changeBack gives who was changed last the former names and address, perhaps before a run has told Owlat of the change, or
// after one that was broken off. Of several syncs one may see the change, and the other not.
func (m *model) changeBack() {
	if !m.oneSync() || m.edited == nil || m.edited.before == nil || !slices.Contains(m.table, m.edited) {
		return
	}
	m.edit(m.edited, func(p *person) {
		was := p.before
		p.first, p.last = was.first, was.last
		if !slices.ContainsFunc(m.table, func(other *person) bool { return other != p && normal(other.email) == normal(was.email) }) {
			p.email, p.invalid = was.email, was.invalid
		}
	})
}

func (m *model) changeAddress() {
	m.edit(m.somebody(), func(p *person) { p.email, p.invalid = m.freshAddress(), false })
}

func (m *model) changeCase() {
	m.edit(m.somebody(), func(p *person) {
		if !p.invalid {
			p.email = pick(m.r, strings.ToUpper(p.email), "  "+p.email, p.email+"\t")
		}
	})
}

// oneSync reports whether an address may pass from one person to another: with several syncs one of them may take the
// contact of whom the other has not yet renamed for that of who has the address now.
func (m *model) oneSync() bool { return len(m.syncs) == 1 }

func (m *model) swapAddresses() {
	if !m.oneSync() {
		return
	}
	if two := m.valid(2); len(two) == 2 {
		two[0].email, two[1].email = two[1].email, two[0].email
		m.tellPerson(two[0])
		m.tellPerson(two[1])
	}
}

func (m *model) chainAddresses() {
	if !m.oneSync() {
		return
	}
	people := m.valid(2 + m.r.IntN(2))
	for i, p := range people {
		next := m.freshAddress()
		if i+1 < len(people) {
			next = people[i+1].email
		}
		m.edit(p, func(p *person) { p.email = next })
	}
}

func (m *model) takeOverAddress() {
	if !m.oneSync() {
		return
	}
	for _, p := range m.valid(1) {
		old := p.email
		m.edit(p, func(p *person) { p.email = m.freshAddress() })
		m.addPerson()
		m.edit(m.table[len(m.table)-1], func(n *person) { n.email, n.invalid = old, false })
	}
}

// takeFromOneWhoLeaves has somebody leave, another take over the address, and perhaps a third that one's.
func (m *model) takeFromOneWhoLeaves() {
	if !m.oneSync() {
		return
	}
	taken := ""
	for i, p := range m.valid(2 + m.r.IntN(2)) {
		address := taken
		taken = p.email
		m.edit(p, func(p *person) {
			if i == 0 {
				p.in = make([]bool, len(p.in))
			} else {
				p.email = address
			}
		})
	}
}

func (m *model) duplicate() {
	if !m.oneSync() {
		return
	}
	for _, p := range m.valid(1) {
		m.addPerson()
		m.edit(m.table[len(m.table)-1], func(n *person) {
			if m.r.IntN(3) == 0 && m.syncs[0].FullEvery == 0 { // a cursor needs keys that differ
				n.key = p.key
			} else {
				n.email, n.invalid = p.email, false
			}
		})
	}
}

func (m *model) invalidate() {
	m.edit(m.somebody(), func(p *person) { p.email, p.invalid = m.badAddress(), true })
}

func (m *model) rekey() {
	people := m.valid(1)
	if m.r.IntN(3) == 0 {
		people = m.table
	}
	for _, p := range people {
		if !m.inStep(p) {
			continue // a rename may have taken effect that the ledger does not know of, and nothing would tell the row from a new one
		}
		m.serial++
		m.edit(p, func(p *person) { p.key = fmt.Sprintf("k%d", m.serial) })
	}
}

// inStep reports whether the latest runs have brought the person's row in step, or never met it.
func (m *model) inStep(p *person) bool {
	settled := make(map[*modelSync]bool)
	for _, log := range m.runs {
		if log.read(p.id) {
			settled[log.sync] = log.settled(p.id)
		}
	}
	for _, ok := range settled {
		if !ok {
			return false
		}
	}
	return true
}

func (m *model) changeConsent() {
	m.edit(m.somebody(), func(p *person) {
		i := m.r.IntN(len(m.topics))
		p.consents[i] = !p.consents[i]
		if m.r.IntN(5) == 0 { // there and back before anybody looks
			m.sourceChanged()
			time.Sleep(time.Second)
			p.consents[i] = !p.consents[i]
		}
	})
}

func (m *model) reorder() {
	m.r.Shuffle(len(m.table), func(i, j int) { m.table[i], m.table[j] = m.table[j], m.table[i] })
}

// contact returns a live contact, false if there is none.
func (m *model) contact() (owlattest.ContactState, bool) {
	m.afterAll()
	return m.contactNow()
}

// contactNow is contact without waiting: people opt out whenever they like.
func (m *model) contactNow() (owlattest.ContactState, bool) {
	all := m.server.Contacts()
	if len(all) == 0 {
		return owlattest.ContactState{}, false
	}
	return all[m.r.IntN(len(all))], true
}

// wasThere puts the latest person into Owlat, if nobody has.
func (m *model) wasThere() {
	if len(m.table) == 0 || m.table[len(m.table)-1].invalid {
		return
	}
	address := normal(m.table[len(m.table)-1].email)
	id, err := m.server.AddContact(owlattest.ContactState{Email: address, FirstName: pick(m.r, "", "Ada", "Before")})
	if err != nil {
		return // another row of the table has the address
	}
	m.tell("  %s was there before", address)
	if topic := pick(m.r, m.topics...); m.r.IntN(2) == 0 {
		m.asOther(http.MethodPost, "/topics/"+topic+"/contacts", fmt.Sprintf(`{"contactId":%q}`, id))
		if m.r.IntN(2) == 0 {
			m.must(m.server.Unsubscribe(id, pick(m.r, topic, "")))
		}
	} else if m.r.IntN(3) == 0 {
		m.must(m.server.Unsubscribe(id, ""))
	}
}

// asOther calls the API as somebody else does.
func (m *model) asOther(method, path, body string) (status int, answer string) {
	req, err := http.NewRequest(method, "https://owlat.example/base/api/v1"+path, strings.NewReader(body))
	m.must(err)
	req.Header.Set("Authorization", "Bearer "+m.other)
	for {
		resp, err := m.server.Transport().RoundTrip(req.Clone(context.Background()))
		m.must(err)
		text, err := io.ReadAll(resp.Body)
		m.must(err)
		m.tell("  somebody else: %s %s %s: %d", method, path, body, resp.StatusCode)
		if resp.StatusCode != http.StatusTooManyRequests {
			return resp.StatusCode, string(text)
		}
		time.Sleep(time.Second)
		req.Body = io.NopCloser(strings.NewReader(body))
	}
}

func (m *model) otherCreates() {
	m.afterAll()
	address := m.freshAddress()
	if people := m.valid(1); len(people) == 1 && m.r.IntN(3) > 0 {
		address = people[0].email
	}
	m.asOther(http.MethodPost, "/contacts", fmt.Sprintf(`{"email":%q,"firstName":"Other"}`, normal(address)))
	time.Sleep(clockSkew)
}

func (m *model) otherUpdates() {
	c, ok := m.contact()
	if !ok {
		return
	}
	body, field, value := `{"firstName":"Tampered"}`, "first", "Tampered"
	if m.r.IntN(2) == 0 {
		address := m.freshAddress()
		if people := m.valid(1); len(people) == 1 && m.r.IntN(3) == 0 && m.oneSync() {
			address = people[0].email
		}
		body, field, value = fmt.Sprintf(`{"email":%q}`, normal(address)), "email", normal(address)
	}
	if status, _ := m.asOther(http.MethodPut, "/contacts/"+c.ID, body); status == http.StatusOK {
		m.foreign[c.ID+field] = append(m.foreign[c.ID+field], value)
	}
}

func (m *model) otherDeletes() {
	if c, ok := m.contact(); ok && !m.underWay(c) {
		m.asOther(http.MethodDelete, "/contacts/"+c.ID, "")
	}
}

func (m *model) newTopic() {
	for _, s := range m.syncs {
		for topic := range m.topics {
			if !slices.Contains(s.topics, topic) {
				m.configure(s, topic)
				m.tell("  sync %s: topics %v", s.Name, m.topicNames(&s.Sync))
				return
			}
		}
	}
}

func (m *model) changePolicy() {
	s := m.randomSync()
	switch i := m.r.IntN(4); {
	case i == 0 && len(s.Topics) > 0:
		s.Topics = slices.Clone(s.Topics)
		topic := &s.Topics[m.r.IntN(len(s.Topics))]
		if topic.Existing = reconcile.ExistingAdd; m.r.IntN(2) == 0 {
			topic.Existing = reconcile.ExistingSkip
		}
	case i == 1:
		s.OnRemoteDelete = pick(m.r, reconcile.RemoteDeleteKeep, reconcile.RemoteDeleteRecreate)
	case i == 2:
		s.Nulls = pick(m.r, reconcile.NullsKeep, reconcile.NullsClear)
	default:
		s.OnMissing = pick(m.r, reconcile.MissingKeep, reconcile.MissingLeave, reconcile.MissingDelete)
	}
	m.tell("  sync %s: topics %v, missing %q, remote %q, nulls %q", s.Name, m.topicNames(&s.Sync), s.OnMissing, s.OnRemoteDelete, s.Nulls)
}

func (m *model) retry() { m.retryAll(m.randomSync()) }

func (m *model) retryAll(s *modelSync) {
	n, err := m.book.Retry(context.Background(), s.Name, nil, m.book.Now())
	m.must(err)
	m.tell("  %d rows of %s are tried again", n, s.Name)
}

func (m *model) verify() { m.verifyWith(m.r.IntN(2) == 0) }

func (m *model) verifyWith(repair bool) {
	e, client := m.engine(new(fuse))
	defer client.CloseIdleConnections()
	before := m.server.Stats().Writes
	v, err := e.Verify(context.Background(), m.configured(), reconcile.VerifyOptions{Repair: repair})
	m.must(err)
	m.tell("  repair %v: %v, %d repaired", repair, v.Findings, v.Repaired)
	if m.server.Stats().Writes != before {
		m.fail("a verification wrote to Owlat")
	}
}

// configured returns the syncs with their sources as they are now.
func (m *model) configured() []reconcile.Sync {
	var all []reconcile.Sync
	for _, s := range m.syncs {
		c := s.Sync
		src, _ := m.sourceOf(s, -1)
		c.Source = src.as(&c)
		all = append(all, c)
	}
	return all
}

func (m *model) randomSync() *modelSync { return m.syncs[m.r.IntN(len(m.syncs))] }
