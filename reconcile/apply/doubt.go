package apply

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile/remote"
)

// settleAdds puts an end to doubts about adds that are to be sent again. If memberships can be read, those that have worked are known. If
// the ledger does not know that the person has left, one look
// at the contact tells whether that may be so since the others were sent. If not, they stay as they are and may be sent again; else they become
// unsure. The time between the look and the add is that of the requests of this step. Adds says that memberships are also read before an
// add that is not in doubt.
//
// Doubts about other topics are looked at with them, and also before a removal, which moves what tells of them. A removal does not wait
// for that: without an answer they stay as they are.
func (r membership) settleAdds(ctx context.Context, adds bool) error {
	if (known(r)).reads(adds) {
		if err := known(r).learn(ctx); err != nil || r.gone {
			return err
		}
	}
	var doubtful []string
	for _, c := range r.s.Changes {
		if c.Kind != owlatsync.AddTopic {
			continue
		}
		if m := r.e.Membership(c.Topic); m == nil || m.State != ledger.MemberSent {
			continue
		}
		left, err := r.hasLeft(ctx, c.Topic)
		switch {
		case err != nil:
			return err
		case left:
			r.left = append(r.left, c.Topic)
			if m := r.e.Membership(c.Topic); m.State == ledger.MemberUnsure && !known(r).off(c.Topic).IsZero() {
				m.State = ledger.MemberOptedOut // the add did not put the person back, or not for long
			}
		default:
			doubtful = append(doubtful, c.Topic)
		}
	}
	others := r.otherDoubts()
	if len(doubtful) == 0 && (len(others) == 0 || !r.removes()) || r.e.ContactID == "" {
		return nil
	}
	now, _, told := r.clock.Bounds()
	c, err := remote.Find(ctx, r.client, r.e.ContactID)
	switch {
	case err != nil && len(doubtful) == 0:
		return nil
	case remote.IsGone(err):
		r.gone = true
		return nil
	case err != nil:
		return err
	}
	moved := false
	settle := func(m *ledger.Membership, unsure func()) {
		dated(r).sharpen(ctx, m)
		if !remote.Unmoved(r.e, m, c) {
			moved = true
			unsure()
		} else if told {
			m.Sent = now
		}
	}
	for _, topic := range doubtful {
		m := r.e.Membership(topic)
		settle(m, func() { m.State = ledger.MemberUnsure }) // told in its turn
	}
	for _, topic := range others {
		settle(r.e.Membership(topic), func() { r.unsure(topic) })
	}
	if !moved || r.members == nil || known(r).still(ctx) {
		r.e.Witness = c.UpdatedAt
	}
	r.looked = true
	dated(r).prepare(ctx)
	return nil
}

// otherDoubts returns the topics whose adds are in doubt and are not to be sent again in this step.
func (r membership) otherDoubts() (topics []string) {
	for _, m := range r.e.Memberships {
		if m.State == ledger.MemberSent && !slices.ContainsFunc(r.s.Changes, func(c owlatsync.Change) bool { return c.Topic == m.Topic }) {
			topics = append(topics, m.Topic)
		}
	}
	return topics
}

// removes reports whether the step takes the contact off topics.
func (r membership) removes() bool {
	return slices.ContainsFunc(r.s.Changes, func(c owlatsync.Change) bool { return c.Kind == owlatsync.RemoveTopic })
}

// settleFirst is settleAdds before a step. Without the scope contacts:read nobody can look, and the adds become unsure.
func (r membership) settleFirst(ctx context.Context, adds bool) error {
	err := r.settleAdds(ctx, adds)
	if !errors.Is(err, owlat.ErrForbidden) {
		return err
	}
	for _, c := range r.s.Changes {
		if m := r.e.Membership(c.Topic); c.Kind == owlatsync.AddTopic && m != nil && m.State == ledger.MemberSent {
			m.State = ledger.MemberUnsure
		}
	}
	return nil
}

// unsure notes that nobody knows whether the contact was put on the topic, and that the add is not sent again.
func (r membership) unsure(topic string) {
	m := r.set(topic, ledger.MemberUnsure)
	m.Sent, m.Off = time.Time{}, known(r).off(topic)
	r.unsureOf = topic
	r.event("topic unsure", topic)
}

func reasonUnsure(m *ledger.Membership) string {
	if !m.Off.IsZero() {
		return fmt.Sprintf("the contact is not on topic %s: the answer to an add was lost, and either the add was too, or the person has left since; "+
			"`owlat-sync topic add` adds it again if you are sure", m.Topic)
	}
	return fmt.Sprintf("it is not known whether the contact was put on topic %s: the answer was lost, and the person may have left since; "+
		"`owlat-sync topic add` adds it again if you are sure", m.Topic)
}

// markAdd records that an add is about to be sent, unless the person has left.
func (r membership) markAdd(ctx context.Context, topic string) error {
	if r.e.Witness.IsZero() { // only the time of sending will tell whether the person has left since
		r.clock.Learn(ctx)
	}
	if left, err := r.hasLeft(ctx, topic); err != nil { // the last look before the add
		return err
	} else if left {
		return errNotAgain
	}
	m := r.e.Membership(topic)
	before := *m
	now := time.Now()
	m.State, m.At, m.Sent, m.Off = ledger.MemberSent, r.clock.Now(), r.clock.Since(now, r.movedAt), time.Time{}
	r.sentAt[topic] = now
	if err := r.flush(ctx); err != nil {
		*r.e.Membership(topic) = before
		return err
	}
	return nil
}

// dated tells on Owlat's clock what a step has moved of what Owlat tells of its contact, and what comes after.
type dated struct{ *row }

// moved notes that a request of this step may have moved what Owlat tells of the contact. Adds in doubt that the step has looked at
// before stay settled, if Owlat's clock is known closely.
func (r dated) moved() {
	r.movedAt = time.Now()
	for i := range r.e.Memberships {
		if m := &r.e.Memberships[i]; r.looked && m.State == ledger.MemberSent {
			m.Sent = cmp.Or(r.clock.By(r.movedAt), m.Sent)
		}
	}
}

// prepare asks for the time on Owlat's clock, if that is not known closely and this step may yet move what Owlat tells of a contact with adds in
// doubt that it has settled.
func (r dated) prepare(ctx context.Context) {
	doubtful := slices.ContainsFunc(r.e.Memberships, func(m ledger.Membership) bool { return m.State == ledger.MemberSent })
	moves := slices.ContainsFunc(r.s.Changes, func(c owlatsync.Change) bool { return c.Kind != owlatsync.AddTopic && c.Kind != owlatsync.AdoptContact })
	if doubtful && moves && !r.clock.Closely(time.Now()) {
		r.clock.Ask(ctx)
	}
}

// sharpen dates an add of this step again whose answer was lost. If Owlat's clock is not known closely, it asks for the time.
func (r dated) sharpen(ctx context.Context, m *ledger.Membership) {
	sent, here := r.sentAt[m.Topic]
	if !here || r.movedAt.IsZero() {
		return
	}
	if !r.clock.Closely(sent) {
		r.clock.Ask(ctx)
	}
	m.Sent = r.clock.Since(sent, r.movedAt)
}
