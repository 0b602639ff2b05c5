package owlattest

import (
	"time"

	"owlatsync"
	"owlatsync/owlat/owlattest/internal/model"
)

// Action is what became of a contact or of one of its memberships.
type Action string

// What becomes of contacts and memberships.
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

// Who does it.
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

// History returns, oldest first, what happened to the contact with that id and to every contact while it had that
// address, deleted ones included; with an empty argument everything.
func (s *Server) History(emailOrID string) []Entry {
	defer s.lock()()
	return entriesOf(s.model, emailOrID)
}

func entriesOf(d *model.Deployment, emailOrID string) []Entry {
	address := owlatsync.LowerAddress(emailOrID)
	var found []Entry
	for _, e := range d.History {
		if emailOrID == "" || e.ContactID == emailOrID || e.Email == address {
			found = append(found, Entry{e.Time, e.ContactID, e.Email, e.TopicID, Action(e.Action), Actor(e.By)})
		}
	}
	return found
}
