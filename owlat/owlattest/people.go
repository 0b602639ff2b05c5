package owlattest

import (
	"fmt"
	"slices"
	"time"
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
	now := time.Now()
	if topic != "" {
		t, err := s.mustFindTopic(topic)
		if err != nil {
			return err
		}
		if s.unsubscribe(c, t, Unsubscribed, ByPerson, now) {
			s.fireUnsubscribed(c, []topicRef{{t.id, t.name}}, now)
		}
		return nil
	}
	left := make([]topicRef, 0, len(c.topics))
	for _, t := range slices.Clone(c.topics) {
		s.unsubscribe(c, t, Unsubscribed, ByPerson, now)
		left = append(left, topicRef{t.id, t.name})
	}
	c.unsubscribed = now
	s.history.add(c, nil, OptedOut, ByPerson, now)
	if len(left) > 0 {
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
	now := time.Now()
	c.doiStatus = doiConfirmed
	c.unsubscribed = time.Time{}
	c.updated = now
	s.history.add(c, nil, Confirmed, ByPerson, now)
	return nil
}

// SoftDelete erases the contact in the dashboard: to the API it no longer exists, and its address is free.
func (s *Server) SoftDelete(email string) error {
	s.lock()
	defer s.mu.Unlock()
	c, err := s.mustFind(email)
	if err != nil {
		return err
	}
	now := time.Now()
	s.history.add(c, nil, Erased, ByDashboard, now)
	c.erased = now
	s.contacts.retire(c)
	return nil
}

// DeleteTopic deletes a topic, given by id or name, in the dashboard, with its memberships.
func (s *Server) DeleteTopic(nameOrID string) error {
	s.lock()
	defer s.mu.Unlock()
	t, err := s.mustFindTopic(nameOrID)
	if err != nil {
		return err
	}
	now := time.Now()
	for c := range t.members {
		s.unsubscribe(c, t, TopicDeleted, ByDashboard, now)
	}
	t.deleted = true
	return nil
}

// Seed makes count contacts in one go, as an import does: prefix1@seed.example, prefix2@seed.example and so on, with
// names. Numbers whose address is taken are left out. An empty prefix means "person".
func (s *Server) Seed(count int, prefix string) (made int) {
	if prefix == "" {
		prefix = "person"
	}
	s.lock()
	defer s.mu.Unlock()
	now := time.Now()
	for i := 1; i <= count; i++ {
		address := lower(fmt.Sprintf("%s%d@seed.example", prefix, i))
		if s.contacts.byIdentity[address] != nil {
			continue
		}
		first, last := fmt.Sprintf("First%d", i), fmt.Sprintf("Last%d", i)
		c := &contact{
			id: s.newID(), email: address, identity: address, firstName: &first, lastName: &last, source: "import",
			doiStatus: doiNotRequired, created: now, updated: now,
		}
		s.contacts.insert(c)
		s.history.add(c, nil, Created, ByDashboard, now)
		made++
	}
	return made
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
