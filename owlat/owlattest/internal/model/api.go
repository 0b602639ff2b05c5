package model

import (
	"time"

	"owlatsync"
)

// Create inserts a contact and its identity, as every way of making one through the API does. typed is its address in any
// letter case.
func (d *Deployment) Create(typed, source string, now time.Time) *Contact {
	address := owlatsync.LowerAddress(typed)
	made := &Contact{
		ID: d.Random.ID(), Email: address, Identity: address, Source: source, DOIStatus: DOINotRequired, Created: now, Updated: now,
	}
	d.Contacts.Insert(made)
	d.History.add(made, nil, Created, ByAPI, now)
	d.observer.ContactCreated(made, typed, now)
	return made
}

// Edit is what an update gives; nil keeps a value.
type Edit struct {
	Email *string
	Fields
}

// Update changes a contact; its address changes in the contact and not in the identity table. A blank field becomes the
// empty text. It fails with [ErrTaken], and changes nothing, if a live contact has the new address.
func (d *Deployment) Update(c *Contact, to Edit, now time.Time) error {
	if to.Email != nil {
		if address := owlatsync.LowerAddress(*to.Email); address != c.Email {
			if d.Contacts.ByAddress(address) != nil {
				return ErrTaken
			}
			d.Contacts.readdress(c, address)
		}
	}
	for _, f := range owlatsync.ContactFields {
		if text := *to.At(f); text != nil {
			*c.At(f) = new(owlatsync.Trim(*text))
		}
	}
	c.Updated = now
	return nil
}

// Delete deletes a contact for good, with its memberships and its opt-out.
func (d *Deployment) Delete(c *Contact, now time.Time) {
	d.History.add(c, nil, Deleted, ByAPI, now)
	c.Gone = true
	d.Contacts.Retire(c)
	for _, t := range c.Topics {
		delete(t.Members, c)
	}
	c.Topics = nil
}

// Subscribe makes a membership and what comes with it. An existing member is left alone.
func (d *Deployment) Subscribe(c *Contact, t *Topic, now time.Time) {
	if c.MemberOf(t) {
		return
	}
	t.Join(c)
	d.History.add(c, t, Added, ByAPI, now)
	if t.DoubleOptIn && c.DOIStatus != DOIConfirmed {
		if c.DOIStatus != DOIPending {
			c.DOIStatus = DOIPending
			c.Updated = now
		}
		return
	}
	if !c.OptedOut.IsZero() {
		c.OptedOut = time.Time{}
		d.History.add(c, t, OptOutLifted, ByAPI, now)
	}
}

// Remove takes a contact off a topic and reports whether it was on it.
func (d *Deployment) Remove(c *Contact, t *Topic, by Actor, now time.Time) bool {
	removed := d.unsubscribe(c, t, Removed, by, now)
	if removed {
		c.Updated = now
	}
	return removed
}

// unsubscribe deletes a membership and reports whether there was one.
func (d *Deployment) unsubscribe(c *Contact, t *Topic, action Action, by Actor, now time.Time) bool {
	if !c.MemberOf(t) {
		return false
	}
	t.part(c)
	d.History.add(c, t, action, by, now)
	return true
}
