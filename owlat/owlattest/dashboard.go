package owlattest

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"owlatsync"
	"owlatsync/owlat"
)

// SoftDelete erases the contact in the dashboard: to the API it no longer exists, and its address is free. Owlat purges it
// after 30 days, which the API does not show.
func (s *Server) SoftDelete(email string) error {
	s.lock()
	defer s.mu.Unlock()
	c, err := s.mustFind(email)
	if err != nil {
		return err
	}
	s.changed()
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
	s.changed()
	now := time.Now()
	members := slices.SortedFunc(maps.Keys(t.members), func(a, b *contact) int { return cmp.Compare(a.seq, b.seq) })
	for _, c := range members {
		s.unsubscribe(c, t, TopicDeleted, ByDashboard, now)
	}
	t.deleted = true
	return nil
}

// RemoveMember takes a contact, given by address or id, off a topic, given by id or name, in the dashboard: no webhook tells
// it, the contact's UpdatedAt moves. Nothing happens to who is not on the topic.
func (s *Server) RemoveMember(emailOrID, topic string) error {
	s.lock()
	defer s.mu.Unlock()
	c, err := s.mustFind(emailOrID)
	if err != nil {
		return err
	}
	t, err := s.mustFindTopic(topic)
	if err != nil {
		return err
	}
	s.changed()
	now := time.Now()
	if s.unsubscribe(c, t, Removed, ByDashboard, now) {
		c.updated = now
	}
	return nil
}

// EditContact changes a contact, given by address or id, in the dashboard: no webhook tells it, its UpdatedAt moves. A new
// address changes the contact and not the identity table, as an update by the API does. The error says that there is no such
// contact, or that the address is no address or another contact's.
func (s *Server) EditContact(emailOrID string, to owlat.UpdateContactRequest) error {
	if to.Email != nil && !owlatsync.ValidAddress(*to.Email) {
		return errors.New("edit contact: the address is not of a form that Owlat accepts")
	}
	s.lock()
	defer s.mu.Unlock()
	c, err := s.mustFind(emailOrID)
	if err != nil {
		return err
	}
	if to.Email != nil && lower(*to.Email) != c.email {
		if s.contacts.address(lower(*to.Email)) != nil {
			return errors.New("edit contact: another contact has the address")
		}
		s.contacts.readdress(c, lower(*to.Email))
	}
	s.changed()
	if to.FirstName != nil {
		c.firstName = new(owlatsync.Trim(*to.FirstName))
	}
	if to.LastName != nil {
		c.lastName = new(owlatsync.Trim(*to.LastName))
	}
	c.updated = time.Now()
	return nil
}

// Merge makes one contact of two, both given by address or id, as the dashboard and a job of Owlat do: the winner gets the
// memberships that only the loser has, and the loser is gone as after SoftDelete. No webhook tells it, and no contact's
// UpdatedAt moves.
func (s *Server) Merge(winner, loser string) error {
	s.lock()
	defer s.mu.Unlock()
	w, err := s.mustFind(winner)
	if err != nil {
		return fmt.Errorf("merge into the winner: %w", err)
	}
	l, err := s.mustFind(loser)
	switch {
	case err != nil:
		return fmt.Errorf("merge the loser: %w", err)
	case w == l:
		return errors.New("merge: the two are one contact")
	}
	s.changed()
	now := time.Now()
	for _, t := range slices.Clone(l.topics) {
		delete(t.members, l)
		if !w.memberOf(t) {
			w.topics = append(w.topics, t)
			t.members[w] = struct{}{}
			s.history.add(w, t, Added, ByDashboard, now)
		}
	}
	l.topics = nil
	s.history.add(l, nil, Merged, ByDashboard, now)
	l.erased = now
	s.contacts.retire(l)
	return nil
}
