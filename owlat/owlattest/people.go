package owlattest

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"owlatsync"
)

// ContactState is everything the emulator knows of a live contact.
type ContactState struct {
	ID           string
	Email        string
	FirstName    string // empty also for null
	LastName     string
	Source       string
	Unsubscribed bool     // opted out of everything
	DOIStatus    string   // "not_required", "pending" or "confirmed"
	Topics       []string // ids, in the order in which the memberships were made
	CreatedAt    time.Time
	UpdatedAt    time.Time
}

func (c *contact) state() ContactState {
	st := ContactState{
		ID: c.id, Email: c.email, Source: c.source, Unsubscribed: !c.unsubscribed.IsZero(), DOIStatus: c.doiStatus,
		Topics: make([]string, len(c.topics)), CreatedAt: c.created, UpdatedAt: c.updated,
	}
	for i, t := range c.topics {
		st.Topics[i] = t.id
	}
	if c.firstName != nil {
		st.FirstName = *c.firstName
	}
	if c.lastName != nil {
		st.LastName = *c.lastName
	}
	return st
}

// find returns the oldest live contact with that address, in any letter case, or the live one with that id.
func (s *Server) find(emailOrID string) *contact {
	if c := s.contacts.byID[emailOrID]; c != nil && c.live() {
		return c
	}
	return s.contacts.address(lower(emailOrID))
}

// Contact returns the oldest live contact with that address, in any letter case, or the one with that id.
func (s *Server) Contact(emailOrID string) (ContactState, bool) {
	s.lock()
	defer s.mu.Unlock()
	if c := s.find(emailOrID); c != nil {
		return c.state(), true
	}
	return ContactState{}, false
}

// Contacts returns all live contacts, oldest first.
func (s *Server) Contacts() []ContactState {
	s.lock()
	defer s.mu.Unlock()
	all := make([]ContactState, 0, s.contacts.live)
	for _, c := range s.contacts.rows {
		if c.live() {
			all = append(all, c.state())
		}
	}
	return all
}

// Len returns the number of live contacts.
func (s *Server) Len() int {
	s.lock()
	defer s.mu.Unlock()
	return s.contacts.live
}

// findTopicByName finds a topic that is not deleted by its id, or by its name.
func (s *Server) findTopicByName(nameOrID string) *topic {
	if t := s.topics[nameOrID]; t != nil && !t.deleted {
		return t
	}
	for _, t := range s.topics {
		if t.name == nameOrID && !t.deleted {
			return t
		}
	}
	return nil
}

// Unsubscribe is the person following the unsubscribe link of one topic, given by id or name, or, without a topic,
// opting out of everything. The error says which of the two is unknown.
func (s *Server) Unsubscribe(email, topic string) error {
	s.lock()
	defer s.mu.Unlock()
	c, err := s.mustFind(email)
	if err != nil {
		return err
	}
	s.changed()
	now := time.Now()
	if topic != "" {
		t, err := s.mustFindTopic(topic)
		if err != nil {
			return err
		}
		if s.unsubscribe(c, t, Unsubscribed, ByPerson, now) {
			c.updated = now
			s.fireUnsubscribed(c, []topicRef{{t.id, t.name}}, now)
		}
		return nil
	}
	left := make([]topicRef, 0, len(c.topics))
	for _, t := range slices.Clone(c.topics) {
		s.unsubscribe(c, t, Unsubscribed, ByPerson, now)
		left = append(left, topicRef{t.id, t.name})
	}
	if c.unsubscribed.IsZero() {
		c.unsubscribed = now
	}
	s.history.add(c, nil, OptedOut, ByPerson, now)
	if len(left) > 0 {
		c.updated = now
		s.fireUnsubscribed(c, left, now)
	}
	return nil
}

// ConfirmDoubleOptIn is the person following the confirmation link. Nothing happens where none is outstanding.
func (s *Server) ConfirmDoubleOptIn(email string) error {
	s.lock()
	defer s.mu.Unlock()
	c, err := s.mustFind(email)
	if err != nil || c.doiStatus != doiPending {
		return err
	}
	s.changed()
	now := time.Now()
	c.doiStatus = doiConfirmed
	c.unsubscribed = time.Time{}
	c.updated = now
	s.history.add(c, nil, Confirmed, ByPerson, now)
	return nil
}

// MaxSeed is the most contacts that one Seed makes.
const MaxSeed = 1_000_000

// Seed makes count contacts in one go, as an import does: prefix1@seed.example, prefix2@seed.example and so on, with
// names, and returns how many it made: numbers whose address is taken are left out. An empty prefix means "person".
func (s *Server) Seed(count int, prefix string) (made int, err error) {
	prefix = cmp.Or(prefix, "person")
	address := func(i int) string { return lower(prefix + strconv.Itoa(i) + "@seed.example") }
	switch {
	case count < 1 || count > MaxSeed:
		return 0, fmt.Errorf("the count must lie between 1 and %d", MaxSeed)
	case !owlatsync.ValidAddress(address(count)) || owlatsync.UTF16Len(address(count)) > owlatsync.MaxAddress:
		return 0, fmt.Errorf("the prefix %q does not begin an address", prefix)
	}
	s.lock()
	defer s.mu.Unlock()
	s.changed()
	now := time.Now()
	for i := 1; i <= count; i++ {
		if s.contacts.byIdentity[address(i)] != nil {
			continue
		}
		n := strconv.Itoa(i)
		s.place(&contact{email: address(i), firstName: new("First" + n), lastName: new("Last" + n), source: "import"}, now)
		made++
	}
	return made, nil
}

// AddContact makes a contact as the dashboard, an import or a form does, with any source, by default "import". One by a form
// is told to webhooks, the others are not. Only Email, FirstName, LastName and Source count; a contact without an address is
// one that came by another channel. The error says that the address is no address or is taken.
func (s *Server) AddContact(state ContactState) (id string, err error) {
	address := lower(state.Email)
	if state.Email != "" && !owlatsync.ValidAddress(state.Email) {
		return "", errors.New("add contact: the address is not of a form that Owlat accepts")
	}
	s.lock()
	defer s.mu.Unlock()
	if s.contacts.byIdentity[address] != nil {
		return "", errors.New("add contact: another contact holds the address")
	}
	s.changed()
	c := &contact{email: address, source: cmp.Or(state.Source, "import")}
	if state.FirstName != "" {
		c.firstName = new(state.FirstName)
	}
	if state.LastName != "" {
		c.lastName = new(state.LastName)
	}
	now := time.Now()
	s.place(c, now)
	if c.source == "form" {
		s.fireCreated(c, state.Email, now)
	}
	return c.id, nil
}

// place completes a contact made outside the API and inserts it.
func (s *Server) place(c *contact, now time.Time) {
	c.id, c.identity, c.doiStatus, c.created, c.updated = s.newID(), c.email, doiNotRequired, now, now
	s.contacts.insert(c)
	s.history.add(c, nil, Created, ByDashboard, now)
}

func (s *Server) mustFind(emailOrID string) (*contact, error) {
	if c := s.find(emailOrID); c != nil {
		return c, nil
	}
	return nil, errNoContact
}

func (s *Server) mustFindTopic(nameOrID string) (*topic, error) {
	if t := s.findTopicByName(nameOrID); t != nil {
		return t, nil
	}
	return nil, errNoTopic
}
