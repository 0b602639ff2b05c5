package apply

import (
	"context"
	"errors"
	"slices"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile/mark"
	"owlatsync/reconcile/remote"
)

// withdrawal takes the contact of a row off topics.
type withdrawal struct{ *row }

// removeTopics takes the contact off the topics that the step names.
func (r withdrawal) removeTopics(ctx context.Context) error {
	for _, c := range r.s.Changes {
		if c.Kind == owlatsync.RemoveTopic {
			if err := r.removeTopic(ctx, c.Topic); err != nil || r.gone {
				return err
			}
		}
	}
	return nil
}

// removeTopic takes the contact off a topic. A removal of unknown outcome that has worked, as memberships tell, is not sent again. A contact that is not on it counts as removed. The removal of one that is gone goes to the
// contact into which it was merged. It first records that it is about to: a consent given after a removal of unknown outcome is a
// new one.
func (r withdrawal) removeTopic(ctx context.Context, topic string) error {
	if r.e.Membership(topic).State == ledger.MemberLeaving && known(r).isOff(ctx, topic) {
		r.isOut(topic)
		return nil
	}
	err := r.removeOnce(ctx, topic)
	if !remote.IsGone(err) {
		if owlat.OutcomeUnknown(err) && known(r).isOff(ctx, topic) {
			r.isOut(topic)
			return nil
		}
		return err
	}
	switch _, lookUp := remote.Find(ctx, r.client, r.e.ContactID); {
	case lookUp == nil && r.s.Missing: // there is no topic to be on
		r.out(r.e.Membership(topic))
		return nil
	case lookUp == nil:
		return r.topics.Missing(topic, err)
	case errors.Is(lookUp, owlat.ErrForbidden): // without contacts:read there is no other contact to be found
		r.gone = true
	case !remote.IsGone(lookUp):
		return lookUp
	default:
		if err := heir(r).follow(ctx); err != nil {
			return err
		}
	}
	if r.gone {
		r.gone = !r.s.Missing // nobody is there to be taken off
		r.out(r.e.Membership(topic))
		return nil
	}
	if r.s.Missing {
		if spared, err := absence(r).spares(ctx, topic); err != nil || spared {
			return err
		}
	}
	if err = r.removeOnce(ctx, topic); remote.IsGone(err) {
		return r.topics.Missing(topic, err)
	}
	return err
}

// out notes that the contact is off a topic.
func (r withdrawal) out(m *ledger.Membership) {
	m.State, m.At = ledger.MemberLeft, r.clock.Now()
	if !r.s.Missing {
		m.Consent, m.State = false, ledger.MemberOut
	}
	dated(r).moved()
}

// isOut is out for a removal whose answer was lost.
func (r withdrawal) isOut(topic string) {
	r.out(r.e.Membership(topic))
	r.event("topic removed", topic)
}

// removeOnce sends the removal.
func (r withdrawal) removeOnce(ctx context.Context, topic string) error {
	if r.e.ChangedAt.IsZero() { // the ledger meets the contact with this record
		r.e.Events = slices.Clone(r.s.Events)
	}
	if err := r.flushFirst(ctx); err != nil {
		return err
	}
	before, witness := *r.e.Membership(topic), r.e.Witness
	undo := func() { *r.e.Membership(topic), r.e.Witness = before, witness }
	removed := false
	err := mark.Call(ctx, mark.Once(func(ctx context.Context) error {
		m := r.e.Membership(topic)
		m.State, m.Consent, m.At = ledger.MemberLeaving, r.s.Missing && m.Consent, r.clock.Now()
		r.e.Witness = time.Time{} // a removal moves what Owlat tells
		err := r.flush(ctx)
		if err != nil {
			undo()
		}
		return err
	}), func(ctx context.Context) (err error) {
		removed, err = r.client.Topics.Remove(ctx, topic, r.e.ContactID)
		return err
	})
	if err != nil {
		err = r.topics.About(ctx, r.client, topic, r.e.ContactID, err)
		if !owlat.OutcomeUnknown(err) || errors.Is(err, remote.ErrNoTopic) {
			undo()
		}
		return err
	}
	r.out(r.e.Membership(topic))
	if removed {
		r.Tell.Memberships(owlatsync.MembershipCounts{Removed: 1})
	}
	r.event("topic removed", topic)
	return nil
}
