package owlattest

import (
	"time"

	"owlatsync/owlat"
	"owlatsync/owlat/owlattest/internal/model"
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

func stateOf(c *model.Contact) ContactState {
	st := ContactState{
		ID: c.ID, Email: c.Email, Source: c.Source, Unsubscribed: !c.OptedOut.IsZero(), DOIStatus: c.DOIStatus,
		Topics: c.TopicIDs(), CreatedAt: c.Created, UpdatedAt: c.Updated,
	}
	if c.FirstName != nil {
		st.FirstName = *c.FirstName
	}
	if c.LastName != nil {
		st.LastName = *c.LastName
	}
	return st
}

// fieldsOf returns the fields of a contact that is to be made; "" is null.
func fieldsOf(st ContactState) model.Fields {
	filled := func(text string) *string {
		if text == "" {
			return nil
		}
		return &text
	}
	return model.Fields{FirstName: filled(st.FirstName), LastName: filled(st.LastName)}
}

func editBy(to owlat.UpdateContactRequest) model.Edit {
	return model.Edit{Email: to.Email, Fields: model.Fields{FirstName: to.FirstName, LastName: to.LastName}}
}

// Contact returns the oldest live contact with that address, in any letter case, or the one with that id.
func (s *Server) Contact(emailOrID string) (ContactState, bool) {
	defer s.lock()()
	if c := s.model.Find(emailOrID); c != nil {
		return stateOf(c), true
	}
	return ContactState{}, false
}

// Contacts returns all live contacts, oldest first.
func (s *Server) Contacts() []ContactState {
	defer s.lock()()
	return statesOf(s.model)
}

func statesOf(d *model.Deployment) []ContactState {
	all := make([]ContactState, 0, d.Contacts.Live())
	for c := range d.Contacts.All() {
		all = append(all, stateOf(c))
	}
	return all
}

// Len returns the number of live contacts.
func (s *Server) Len() int {
	defer s.lock()()
	return s.model.Contacts.Live()
}

// Unsubscribe is the person following the unsubscribe link of one topic, given by id or name, or, without a topic,
// opting out of everything. The error says which of the two is unknown.
func (s *Server) Unsubscribe(email, topic string) error {
	defer s.lock()()
	return s.model.People().Unsubscribe(email, topic, s.now())
}

// ConfirmDoubleOptIn is the person following the confirmation link. Nothing happens where none is outstanding.
func (s *Server) ConfirmDoubleOptIn(email string) error {
	defer s.lock()()
	return s.model.People().Confirm(email, s.now())
}

// Bounce is a mail to that address coming back. A hard bounce blocks the address for transactional mail.
func (s *Server) Bounce(email string, hard bool, message string) {
	defer s.lock()()
	s.model.People().Bounce(email, hard, message, s.now())
}

// Complain is the person reporting a mail as unwanted, which blocks the address for transactional mail.
func (s *Server) Complain(email string) {
	defer s.lock()()
	s.model.People().Complain(email, s.now())
}
