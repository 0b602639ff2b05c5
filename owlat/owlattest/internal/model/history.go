package model

import "time"

// Action is what became of a contact or of one of its memberships.
type Action string

// The actions; [Entry] says what they are about.
const (
	Created      Action = "created"
	Deleted      Action = "deleted"
	Erased       Action = "erased"
	Added        Action = "added"
	Removed      Action = "removed"
	Unsubscribed Action = "unsubscribed"
	OptedOut     Action = "opted_out"
	OptOutLifted Action = "opt_out_lifted"
	Confirmed    Action = "confirmed"
	TopicDeleted Action = "topic_deleted"
	Merged       Action = "merged"
)

// Actor is who did it.
type Actor string

// The actors.
const (
	ByAPI       Actor = "api"
	ByPerson    Actor = "person"
	ByDashboard Actor = "dashboard"
)

// Entry is one line of the consent history, as it is saved.
type Entry struct {
	Time      time.Time `json:"at"`
	ContactID string    `json:"contactId"`
	Email     string    `json:"email"`             // the contact's address at that time
	TopicID   string    `json:"topicId,omitempty"` // empty where the action is not about one topic
	Action    Action    `json:"action"`
	By        Actor     `json:"by"`
}

// History is the log of consents, oldest first. It outlives the contacts, so that a test can tell that a person who had
// opted out was deleted, made again and put back.
type History []Entry

func (h *History) add(c *Contact, t *Topic, action Action, by Actor, now time.Time) {
	e := Entry{Time: now, ContactID: c.ID, Email: c.Email, Action: action, By: by}
	if t != nil {
		e.TopicID = t.ID
	}
	*h = append(*h, e)
}
