package model

import (
	"slices"
	"time"
)

// The values of a contact's DOIStatus.
const (
	DOINotRequired = "not_required"
	DOIPending     = "pending"
	DOIConfirmed   = "confirmed"
)

// Contact is a row of Owlat's contacts table together with its identity and its memberships.
type Contact struct {
	ID       string
	Seq      uint64 // order of creation
	Email    string // the present address, by which the API looks up; empty for a contact without one
	Identity string // the address in the identity table, by which a create looks up; never changed by an update
	Fields
	Source    string
	DOIStatus string
	Topics    []*Topic // in the order in which the memberships were made
	Created   time.Time
	Updated   time.Time

	OptedOut time.Time // zero: no opt-out from everything
	Erased   time.Time // zero: not deleted in the dashboard
	Gone     bool      // deleted for good
}

// Live reports whether the contact is one to the API.
func (c *Contact) Live() bool { return !c.Gone && c.Erased.IsZero() }

// MemberOf reports whether the contact is on the topic.
func (c *Contact) MemberOf(t *Topic) bool { return slices.Contains(c.Topics, t) }

// TopicIDs returns the ids of the contact's topics in the order in which the memberships were made.
func (c *Contact) TopicIDs() []string {
	ids := make([]string, len(c.Topics))
	for i, t := range c.Topics {
		ids[i] = t.ID
	}
	return ids
}

// Topic is a topic, deleted or not.
type Topic struct {
	ID          string
	Name        string
	DoubleOptIn bool
	Deleted     bool
	Members     map[*Contact]struct{}
}

// NewTopic returns a topic without members.
func NewTopic(id, name string, doubleOptIn bool) *Topic {
	return &Topic{ID: id, Name: name, DoubleOptIn: doubleOptIn, Members: map[*Contact]struct{}{}}
}

// Join makes the membership of a contact that is not on the topic, and nothing else.
func (t *Topic) Join(c *Contact) {
	c.Topics = append(c.Topics, t)
	t.Members[c] = struct{}{}
}

// part deletes the membership of a contact that is on the topic, and nothing else.
func (t *Topic) part(c *Contact) {
	c.Topics = slices.DeleteFunc(c.Topics, func(x *Topic) bool { return x == t })
	delete(t.Members, c)
}
