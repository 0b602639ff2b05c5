package owlattest

import (
	"errors"
	"time"
)

var (
	errNoContact = errors.New("no live contact has this address or id")
	errNoTopic   = errors.New("no topic has this id or name")
)

// Action is what became of a contact or of one of its memberships.
type Action string

const (
	Created      Action = "created"
	Deleted      Action = "deleted" // for good, by the API
	Erased       Action = "erased"  // in the dashboard
	Added        Action = "added"   // to a topic
	Removed      Action = "removed" // from a topic, by the API or in the dashboard
	Unsubscribed Action = "unsubscribed"
	OptedOut     Action = "opted_out"      // of everything
	OptOutLifted Action = "opt_out_lifted" // by an add to a topic
	Confirmed    Action = "confirmed"      // the double opt-in
	TopicDeleted Action = "topic_deleted"  // a membership went with its topic
	Merged       Action = "merged"         // into another contact, which has the memberships from then on
)

// Actor is who did it.
type Actor string

const (
	ByAPI       Actor = "api"
	ByPerson    Actor = "person"
	ByDashboard Actor = "dashboard"
)

// Entry is one line of the consent history.
type Entry struct {
	Time      time.Time `json:"at"`
	ContactID string    `json:"contactId"`
	Email     string    `json:"email"`             // the contact's address at that time
	TopicID   string    `json:"topicId,omitempty"` // empty where the action is not about one topic
	Action    Action    `json:"action"`
	By        Actor     `json:"by"`
}

// history is the log of consents. It outlives the contacts, so that a test can tell that a person who had opted out was
// deleted, made again and put back.
type history struct{ entries []Entry }

func (h *history) add(c *contact, t *topic, action Action, by Actor, now time.Time) {
	e := Entry{Time: now, ContactID: c.id, Email: c.email, Action: action, By: by}
	if t != nil {
		e.TopicID = t.id
	}
	h.entries = append(h.entries, e)
}

// History returns, oldest first, what happened to the contact with that id and to every contact while it had that
// address, deleted ones included; with an empty argument everything.
func (s *Server) History(emailOrID string) []Entry {
	s.lock()
	defer s.mu.Unlock()
	address := lower(emailOrID)
	var found []Entry
	for _, e := range s.history.entries {
		if emailOrID == "" || e.ContactID == emailOrID || e.Email == address {
			found = append(found, e)
		}
	}
	return found
}
