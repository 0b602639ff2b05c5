package owlattest

import (
	"cmp"

	"owlatsync/owlat"
	"owlatsync/owlat/owlattest/internal/model"
)

// MaxSeed is the most contacts that one Seed makes.
const MaxSeed = 1_000_000

// Seed makes count contacts in one go, as an import does: prefix1@seed.example, prefix2@seed.example and so on, with
// names, and returns how many it made: numbers whose address is taken are left out. An empty prefix means "person".
func (s *Server) Seed(count int, prefix string) (made int, err error) {
	defer s.lock()()
	return s.model.Dashboard().Seed(count, MaxSeed, cmp.Or(prefix, "person"), s.now())
}

// AddContact makes a contact as the dashboard, an import or a form does, with any source, by default "import". One by a form
// is told to webhooks, the others are not. Only the address, the names and Source count; a contact without an address is
// one that came by another channel. The error says that the address is no address or is taken.
func (s *Server) AddContact(state ContactState) (id string, err error) {
	defer s.lock()()
	c := model.Contact{Email: state.Email, Fields: fieldsOf(state), Source: cmp.Or(state.Source, "import")}
	err = s.model.Dashboard().AddContact(&c, s.now())
	return c.ID, err
}

// SoftDelete erases the contact in the dashboard: to the API it no longer exists, and its address is free. Owlat purges it
// after 30 days, which the API does not show.
func (s *Server) SoftDelete(email string) error {
	defer s.lock()()
	return s.model.Dashboard().SoftDelete(email, s.now())
}

// DeleteTopic deletes a topic, given by id or name, in the dashboard, with its memberships.
func (s *Server) DeleteTopic(nameOrID string) error {
	defer s.lock()()
	return s.model.Dashboard().DeleteTopic(nameOrID, s.now())
}

// RemoveMember takes a contact, given by address or id, off a topic, given by id or name, in the dashboard: no webhook tells
// it, the contact's UpdatedAt moves. Nothing happens to who is not on the topic.
func (s *Server) RemoveMember(emailOrID, topic string) error {
	defer s.lock()()
	return s.model.Dashboard().RemoveMember(emailOrID, topic, s.now())
}

// EditContact changes a contact, given by address or id, in the dashboard: no webhook tells it, its UpdatedAt moves. A new
// address changes the contact and not the identity table, as an update by the API does. The error says that there is no such
// contact, or that the address is no address or another contact's.
func (s *Server) EditContact(emailOrID string, to owlat.UpdateContactRequest) error {
	defer s.lock()()
	return s.model.Dashboard().EditContact(emailOrID, editBy(to), s.now())
}

// Merge makes one contact of two, both given by address or id, as the dashboard and a job of Owlat do: the winner gets the
// memberships that only the loser has, and the loser is gone as after SoftDelete. No webhook tells it, and no contact's
// UpdatedAt moves.
func (s *Server) Merge(winner, loser string) error {
	defer s.lock()()
	return s.model.Dashboard().Merge(winner, loser, s.now())
}

// BlockAddress makes Owlat refuse transactional mail to that address, as after a bounce or a complaint.
func (s *Server) BlockAddress(email string) {
	defer s.lock()()
	s.model.Block(email)
}

// SetDomainVerified says whether the sending domain is verified, as it is at first.
func (s *Server) SetDomainVerified(verified bool) {
	defer s.lock()()
	s.model.VerifyDomain(verified)
}
