package model

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"owlatsync"
)

// Dashboard is what is done in Owlat's dashboard, and by imports and forms. Contacts are given by address or id, topics by id
// or name.
type Dashboard struct{ d *Deployment }

// Dashboard returns the dashboard of the deployment.
func (d *Deployment) Dashboard() Dashboard { return Dashboard{d} }

// AddContact completes and inserts a contact of which Email, as typed or empty, Fields and Source are given. One
// by a form is told to the observer. It fails if the address is none or another contact's.
func (b Dashboard) AddContact(c *Contact, now time.Time) error {
	typed := c.Email
	c.Email = owlatsync.LowerAddress(typed)
	switch {
	case typed != "" && !owlatsync.ValidAddress(typed):
		return errors.New("add contact: the address is not of a form that Owlat accepts")
	case b.d.Contacts.ByIdentity(c.Email) != nil:
		return errors.New("add contact: another contact holds the address")
	}
	b.d.Changed()
	b.place(c, now)
	if c.Source == "form" {
		b.d.observer.ContactCreated(c, typed, now)
	}
	return nil
}

// place completes a contact made outside the API and inserts it.
func (b Dashboard) place(c *Contact, now time.Time) {
	c.ID, c.Identity, c.DOIStatus, c.Created, c.Updated = b.d.Random.ID(), c.Email, DOINotRequired, now, now
	b.d.Contacts.Insert(c)
	b.d.History.add(c, nil, Created, ByDashboard, now)
}

// Seed makes count contacts in one go, prefix1@seed.example and so on, and returns how many it made: numbers whose address
// is taken are left out. It fails if count is below 1 or beyond limit, or the prefix does not begin an address.
func (b Dashboard) Seed(count, limit int, prefix string, now time.Time) (made int, err error) {
	address := func(i int) string { return owlatsync.LowerAddress(prefix + strconv.Itoa(i) + "@seed.example") }
	switch {
	case count < 1 || count > limit:
		return 0, fmt.Errorf("the count must lie between 1 and %d", limit)
	case !owlatsync.ValidAddress(address(count)) || owlatsync.UTF16Len(address(count)) > owlatsync.MaxAddress:
		return 0, fmt.Errorf("the prefix %q does not begin an address", prefix)
	}
	b.d.Changed()
	for i := 1; i <= count; i++ {
		if b.d.Contacts.ByIdentity(address(i)) != nil {
			continue
		}
		b.place(&Contact{Email: address(i), Fields: numbered(strconv.Itoa(i)), Source: "import"}, now)
		made++
	}
	return made, nil
}

// EditContact changes a contact as [Deployment.Update] does. It fails with [ErrNoContact], or if the address is none or
// another contact's.
func (b Dashboard) EditContact(emailOrID string, to Edit, now time.Time) error {
	if to.Email != nil && !owlatsync.ValidAddress(*to.Email) {
		return errors.New("edit contact: the address is not of a form that Owlat accepts")
	}
	c, err := b.d.mustFind(emailOrID)
	if err != nil {
		return err
	}
	if err := b.d.Update(c, to, now); err != nil {
		return fmt.Errorf("edit contact: %w", err)
	}
	b.d.Changed()
	return nil
}

// SoftDelete erases a contact: it is live no more, and its address is free.
func (b Dashboard) SoftDelete(emailOrID string, now time.Time) error {
	c, err := b.d.mustFind(emailOrID)
	if err != nil {
		return err
	}
	b.d.Changed()
	b.d.History.add(c, nil, Erased, ByDashboard, now)
	c.Erased = now
	b.d.Contacts.Retire(c)
	return nil
}

// Merge gives the winner the memberships that only the loser has, and erases the loser. No contact's Updated moves.
func (b Dashboard) Merge(winner, loser string, now time.Time) error {
	w, err := b.d.mustFind(winner)
	if err != nil {
		return fmt.Errorf("merge into the winner: %w", err)
	}
	l, err := b.d.mustFind(loser)
	switch {
	case err != nil:
		return fmt.Errorf("merge the loser: %w", err)
	case w == l:
		return errors.New("merge: the two are one contact")
	}
	b.d.Changed()
	for _, t := range slices.Clone(l.Topics) {
		delete(t.Members, l)
		if !w.MemberOf(t) {
			t.Join(w)
			b.d.History.add(w, t, Added, ByDashboard, now)
		}
	}
	l.Topics = nil
	b.d.History.add(l, nil, Merged, ByDashboard, now)
	l.Erased = now
	b.d.Contacts.Retire(l)
	return nil
}

// RemoveMember takes a contact off a topic. Nothing happens to who is not on it.
func (b Dashboard) RemoveMember(emailOrID, topic string, now time.Time) error {
	c, err := b.d.mustFind(emailOrID)
	if err != nil {
		return err
	}
	t, err := b.d.mustFindTopic(topic)
	if err != nil {
		return err
	}
	b.d.Changed()
	b.d.Remove(c, t, ByDashboard, now)
	return nil
}

// DeleteTopic deletes a topic with its memberships.
func (b Dashboard) DeleteTopic(nameOrID string, now time.Time) error {
	t, err := b.d.mustFindTopic(nameOrID)
	if err != nil {
		return err
	}
	b.d.Changed()
	members := slices.SortedFunc(maps.Keys(t.Members), func(x, y *Contact) int { return cmp.Compare(x.Seq, y.Seq) })
	for _, c := range members {
		b.d.unsubscribe(c, t, TopicDeleted, ByDashboard, now)
	}
	t.Deleted = true
	return nil
}
