package model

import (
	"slices"
	"time"
)

// People is what people do with the mails they get.
type People struct{ d *Deployment }

// People returns the people of the deployment.
func (d *Deployment) People() People { return People{d} }

// Unsubscribe follows the link of one topic, given by id or name, or, without a topic, opts out of everything. It fails with
// [ErrNoContact] or [ErrNoTopic].
func (p People) Unsubscribe(email, topic string, now time.Time) error {
	c, err := p.d.mustFind(email)
	if err != nil {
		return err
	}
	p.d.Changed()
	if topic == "" {
		p.optOut(c, now)
		return nil
	}
	t, err := p.d.mustFindTopic(topic)
	if err != nil {
		return err
	}
	if p.d.unsubscribe(c, t, Unsubscribed, ByPerson, now) {
		c.Updated = now
		p.d.observer.TopicsLeft(c, []*Topic{t}, now)
	}
	return nil
}

func (p People) optOut(c *Contact, now time.Time) {
	left := slices.Clone(c.Topics)
	for _, t := range left {
		p.d.unsubscribe(c, t, Unsubscribed, ByPerson, now)
	}
	if c.OptedOut.IsZero() {
		c.OptedOut = now
	}
	p.d.History.add(c, nil, OptedOut, ByPerson, now)
	if len(left) > 0 {
		c.Updated = now
		p.d.observer.TopicsLeft(c, left, now)
	}
}

// Confirm follows the link of a double opt-in. Nothing happens where none is outstanding.
func (p People) Confirm(email string, now time.Time) error {
	c, err := p.d.mustFind(email)
	if err != nil || c.DOIStatus != DOIPending {
		return err
	}
	p.d.Changed()
	c.DOIStatus = DOIConfirmed
	c.OptedOut = time.Time{}
	c.Updated = now
	p.d.History.add(c, nil, Confirmed, ByPerson, now)
	return nil
}

// Bounce is a mail to that address coming back. A hard bounce blocks the address.
func (p People) Bounce(email string, hard bool, message string, now time.Time) {
	if hard {
		p.d.Block(email)
	}
	p.d.observer.Bounced(email, hard, message, now)
}

// Complain reports a mail as unwanted, which blocks the address.
func (p People) Complain(email string, now time.Time) {
	p.d.Block(email)
	p.d.observer.Complained(email, now)
}
