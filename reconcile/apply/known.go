package apply

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile/consent"
	"owlatsync/reconcile/remote"
)

// known is what a step knows of the memberships of its contact because it has read them, with the unsubscribe secret. Where they cannot be
// read, the step goes on as without it.
type known struct{ *row }

// read reads on which topics a contact is, and reports whether that is known.
func (r known) read(ctx context.Context, contact string) bool {
	r.members, r.readAt, r.shown = nil, time.Time{}, ""
	if contact == "" || !r.Links.Able() {
		return false
	}
	members, shown, err := r.Links.Read(ctx, r.client, contact)
	if err != nil {
		return false
	}
	r.clock.Learn(ctx)
	r.members, r.readAt, r.shown = members, r.clock.Now(), shown
	return true
}

// reads reports whether the step has something to learn from memberships: it puts a contact that was there before on a topic, or it has
// adds in doubt.
func (r known) reads(adds bool) bool {
	return adds && slices.ContainsFunc(r.s.Changes, func(c owlatsync.Change) bool { return c.Kind == owlatsync.AddTopic }) ||
		slices.ContainsFunc(r.e.Memberships, func(m ledger.Membership) bool { return m.State == ledger.MemberSent })
}

// learn reads the memberships and puts an end to doubts about adds that have worked, also of earlier ones that are unsure. Of those that it
// leaves in doubt the contact is known to be off the topic, unless it could not be read.
func (r known) learn(ctx context.Context) error {
	if !r.read(ctx, r.e.ContactID) {
		return nil
	}
	for i := range r.e.Memberships {
		m := &r.e.Memberships[i]
		switch doubtful := m.State == ledger.MemberSent || m.State == ledger.MemberUnsure; {
		case doubtful && r.members[m.Topic].On:
			r.worked(m.Topic)
		case m.State == ledger.MemberUnsure:
			m.Off = r.off(m.Topic)
		}
	}
	return r.departures(ctx, r.e.ContactID, r.e.Email)
}

// worked notes that the contact is on a topic that it was put on, or was to be.
func (r known) worked(topic string) {
	m := membership(r).set(topic, ledger.MemberAdded)
	m.At, m.Sent = r.readAt, time.Time{}
	r.Tell.Memberships(owlatsync.MembershipCounts{Added: 1})
	r.event("topic found", topic)
}

// isOn reports whether the step needs no add because the contact was read as on the topic, and notes that. Owlat does nothing for a member that
// is added: it asks for no confirmation, and lifts no opt-out. It tells only whether it waits for the person, which another add will tell.
func (r known) isOn(ctx context.Context, topic string) (bool, error) {
	if !r.members[topic].On {
		return false, nil
	}
	left, err := membership(r).hasLeft(ctx, topic)
	if err == nil && !left {
		r.worked(topic)
	}
	return true, err
}

// isOff reports whether the contact is known to be off a topic, and to be there still: who is on another topic was neither deleted nor
// merged into somebody else.
func (r known) isOff(ctx context.Context, topic string) bool {
	if !r.read(ctx, r.e.ContactID) {
		return false
	}
	m, exists := r.members[topic]
	return exists && !m.On && !r.members.None()
}

// off returns when the contact was read as off a topic; zero: it was not.
func (r known) off(topic string) time.Time {
	if m, exists := r.members[topic]; exists && !m.On {
		return r.readAt
	}
	return time.Time{}
}

// still reads the memberships once more and reports whether the contact is on the same topics: then an updatedAt that was told in between is
// a witness that it has left none.
func (r known) still(ctx context.Context) bool {
	before := r.members
	return r.read(ctx, r.e.ContactID) && maps.Equal(before, r.members)
}

// departures finds out from the reading which topics the person has left, records that, and lets go of what it ends.
func (r known) departures(ctx context.Context, contact, email string) error {
	holders, optOuts, err := r.holders(ctx, contact)
	if err != nil {
		return err
	}
	r.clock.Date(r.e.Memberships, r.Undated)
	if left := consent.Departed(holders, optOuts, r.members, r.readAt); len(left) > 0 {
		at, err := r.present(ctx, contact, left)
		if err != nil || r.gone || at.IsZero() {
			return err
		}
		if err := r.Departed(context.WithoutCancel(ctx), consent.Departure{ContactID: contact, Email: email, Topics: left, At: at}); err != nil {
			return r.ledgerFailed(err)
		}
		r.parted = true
		for _, t := range left {
			if contact == r.e.ContactID && r.e.Membership(t.ID) != nil {
				r.event("topic left", t.ID)
			}
		}
		if holders, optOuts, err = r.holders(ctx, contact); err != nil {
			return err
		}
	}
	r.leftAll = consent.LeftAll(holders, optOuts, r.members)
	if contact == r.e.ContactID {
		r.e.Memberships = consent.Heed(r.e.Memberships, optOuts)
		r.letGo()
	}
	return nil
}

// heed heeds the opt-outs of a contact that was met after its memberships were read.
func (r known) heed(ctx context.Context) error {
	_, optOuts, err := r.holders(ctx, r.e.ContactID)
	if err == nil {
		r.e.Memberships = consent.Heed(r.e.Memberships, optOuts)
		r.letGo()
	}
	return err
}

// present makes sure that the contact is there still, and returns when at the latest it left those topics; zero: that is not known. Every
// departure moves the contact's updatedAt.
func (r known) present(ctx context.Context, contact string, left []consent.DepartedTopic) (time.Time, error) {
	dated := slices.ContainsFunc(left, func(t consent.DepartedTopic) bool { return r.adds(t.ID) }) // which came first, the departure or the consent?
	if !dated && !r.members.None() {
		return r.readAt, nil
	}
	c, err := remote.Find(ctx, r.client, contact)
	switch {
	case remote.IsGone(err):
		r.gone = contact == r.e.ContactID
		return time.Time{}, nil
	case errors.Is(err, owlat.ErrForbidden):
		return time.Time{}, nil
	case err != nil:
		return time.Time{}, err
	}
	at := r.readAt
	if !c.UpdatedAt.IsZero() && c.UpdatedAt.Before(at) {
		at = c.UpdatedAt
	}
	for _, t := range left {
		if at.Before(t.Since) { // Owlat's clock is known to the second
			at = t.Since
		}
	}
	return at, nil
}

// holders returns the entries of all syncs for a contact, the step's own as it is now, and the contact's opt-outs.
func (r known) holders(ctx context.Context, contact string) (holders []ledger.Holder, optOuts []ledger.OptOut, err error) {
	found, err := r.Ledger.Sharers(ctx, []string{contact})
	if err != nil {
		return nil, nil, r.readFailed(err)
	}
	if optOuts, err = r.Ledger.OptOuts(ctx, []string{contact}); err != nil {
		return nil, nil, r.readFailed(err)
	}
	if r.e.ContactID == contact {
		holders = append(holders, ledger.Holder{Sync: r.Sync, Entry: r.e})
	}
	for _, h := range found {
		if h.Entry.Origin != ledger.OriginGone && (r.e.ContactID != contact || h.Sync != r.Sync || h.Entry.Key != r.e.Key) {
			holders = append(holders, h)
		}
	}
	return holders, optOuts, nil
}

func (r known) adds(topic string) bool {
	return slices.Contains(r.s.Changes, owlatsync.Change{Kind: owlatsync.AddTopic, Topic: topic})
}

// letGo gives up adds that nothing justifies any more: those that an opt-out ends, and those of a person who may have left everything, as
// long as no new yes asks for them. An add to any topic would lift that.
func (r known) letGo() {
	for _, c := range r.s.Changes {
		if c.Kind != owlatsync.AddTopic || slices.Contains(r.left, c.Topic) {
			continue
		}
		m := r.e.Membership(c.Topic)
		why := ""
		switch {
		case m == nil || m.State == ledger.MemberAdded:
		case m.State == ledger.MemberOptedOut:
			why = "the person has left " + c.Topic
		case m.State != ledger.MemberWanted:
		case r.leftAll && m.Renewed.IsZero():
			m.State, why = ledger.MemberOptedOut, "the person has left all topics, and nothing but a new yes puts them on "+c.Topic
		case r.parted && slices.Contains(r.s.Spends, c.Topic):
			m.State, why = ledger.MemberSkipped, "the person has left topics, so the contact does not count as new to "+c.Topic
		}
		if why != "" {
			r.left = append(r.left, c.Topic)
			r.event("topic left alone", why)
			r.leftAlone(1)
		}
	}
}
