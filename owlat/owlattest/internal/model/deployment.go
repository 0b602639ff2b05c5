package model

import (
	"errors"
	"iter"
	"maps"
	"slices"
	"time"

	"owlatsync"
)

// Errors of acts that name what is not there.
var (
	ErrNoContact = errors.New("no live contact has this address or id")
	ErrNoTopic   = errors.New("no topic has this id or name")
	ErrTaken     = errors.New("another contact has the address")
)

// Observer is told at once what Owlat tells webhooks of.
type Observer interface {
	// ContactCreated hears of a contact with its address as it was typed.
	ContactCreated(c *Contact, typed string, now time.Time)
	// TopicsLeft hears of a person who left topics.
	TopicsLeft(c *Contact, left []*Topic, now time.Time)
	// Bounced hears of a mail that came back.
	Bounced(email string, hard bool, message string, now time.Time)
	// Complained hears of a mail that was reported as unwanted.
	Complained(email string, now time.Time)
}

// Deployment is everything that one Owlat holds. [New] makes one.
type Deployment struct {
	Random   Random
	Revision uint64 // grows with every change that can be saved
	Contacts Contacts
	Topics   map[string]*Topic // by id
	Keys     map[string]*Key   // by value
	Mail     Mail
	History  History
	Links    Links
	Events   int // accepted since the last Clear
	Messages int // transactional mails accepted since the last Clear

	observer Observer
}

// New returns an empty deployment whose ids follow from random.
func New(random Random, observer Observer) *Deployment {
	d := &Deployment{Random: random, observer: observer}
	d.Clear()
	return d
}

// Clear empties every table but keeps the sequence of ids, so that none of before is ever given out again.
func (d *Deployment) Clear() {
	d.Contacts = newContacts()
	d.Topics = map[string]*Topic{}
	d.Keys = map[string]*Key{}
	d.Mail = newMail()
	d.History = nil
	d.Links = Links{Default: d.Links.Default, Life: d.Links.Life}
	d.Events, d.Messages = 0, 0
}

// Changed marks that there is something new to save.
func (d *Deployment) Changed() { d.Revision++ }

// Find returns the oldest live contact with that address, in any letter case, or the live one with that id, or nil.
func (d *Deployment) Find(emailOrID string) *Contact {
	if c := d.Contacts.ByID(emailOrID); c != nil && c.Live() {
		return c
	}
	return d.Contacts.ByAddress(owlatsync.LowerAddress(emailOrID))
}

// FindTopic returns the topic with that id or name that is not deleted, or nil.
func (d *Deployment) FindTopic(nameOrID string) *Topic {
	if t := d.Topics[nameOrID]; t != nil && !t.Deleted {
		return t
	}
	for _, t := range d.Topics {
		if t.Name == nameOrID && !t.Deleted {
			return t
		}
	}
	return nil
}

func (d *Deployment) mustFind(emailOrID string) (*Contact, error) {
	if c := d.Find(emailOrID); c != nil {
		return c, nil
	}
	return nil, ErrNoContact
}

func (d *Deployment) mustFindTopic(nameOrID string) (*Topic, error) {
	if t := d.FindTopic(nameOrID); t != nil {
		return t, nil
	}
	return nil, ErrNoTopic
}

// AddTopic makes a topic.
func (d *Deployment) AddTopic(name string, doubleOptIn bool) *Topic {
	t := NewTopic(d.Random.ID(), name, doubleOptIn)
	d.Topics[t.ID] = t
	return t
}

// Ordered yields m by its keys' order, so that the same seed gives the same ids.
func Ordered[T any](m map[string]T) iter.Seq2[string, T] {
	return func(yield func(string, T) bool) {
		for _, name := range slices.Sorted(maps.Keys(m)) {
			if !yield(name, m[name]) {
				return
			}
		}
	}
}
