package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile/consent"
	"owlatsync/reconcile/remote"
)

// membership puts the contact of a row on topics and takes it off.
type membership struct{ *row }

// removeTopics takes the contact off the topics that the step names.
func (r membership) removeTopics(ctx context.Context) error {
	for _, c := range r.s.Changes {
		if c.Kind == owlatsync.RemoveTopic {
			if err := r.removeTopic(ctx, c.Topic); err != nil {
				return err
			}
		}
	}
	return nil
}

// removeTopic takes the contact off a topic. A contact that is not on it, or no longer exists, counts as removed. That it is about to
// is recorded right before: a consent given after a removal of unknown outcome is a new one.
func (r membership) removeTopic(ctx context.Context, topic string) error {
	if err := r.flushFirst(ctx); err != nil {
		return err
	}
	before, witness := *r.e.Membership(topic), r.e.Witness
	undo := func() { *r.e.Membership(topic), r.e.Witness = before, witness }
	removed := false
	err := r.call(ctx, once(func(ctx context.Context) error {
		m := r.e.Membership(topic)
		m.State, m.Consent, m.At = ledger.MemberLeaving, r.s.Missing && m.Consent, r.now()
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
	if err != nil && !remote.IsGone(err) {
		err = r.topics.about(ctx, r.client, topic, r.e.ContactID, err)
		if !owlat.OutcomeUnknown(err) || errors.Is(err, errNoTopic) {
			undo()
		}
		return err
	}
	m := r.e.Membership(topic)
	m.State, m.At = ledger.MemberLeft, r.now()
	if !r.s.Missing {
		m.Consent, m.State = false, ledger.MemberOut
	}
	r.moved()
	if removed {
		r.Tell.Memberships(owlatsync.MembershipCounts{Removed: 1})
	}
	r.event("topic removed", topic)
	return nil
}

// addTopic puts the contact on a topic, or puts an end to the doubt about an earlier add. That it is about to is recorded right before
// each attempt, so that no later run repeats an add of unknown outcome without looking whether the person has left (Invariant 1).
func (r membership) addTopic(ctx context.Context, topic string) error {
	if err := r.flushFirst(ctx); err != nil {
		return err
	}
	before := *r.e.Membership(topic)
	switch {
	case slices.Contains(r.left, topic):
		return nil
	case before.State == ledger.MemberUnsure:
		r.unsure(topic)
		return nil
	}
	if bad, _ := r.topics.isBad(topic); bad {
		r.set(topic, ledger.MemberWanted)
		return r.topics.missing(topic, errNoTopic)
	}
	sent, err := r.sendAdd(ctx, topic)
	switch {
	case errors.Is(err, errNotAgain), r.gone:
		return nil
	case err == nil:
		m := r.set(topic, ledger.MemberAdded)
		m.At, m.Sent = r.now(), time.Time{}
		if sent.DOIStatus == pendingOptIn { // to ask for a confirmation moves what Owlat tells
			r.e.Witness = time.Time{}
			r.moved()
		}
		r.Tell.Memberships(owlatsync.MembershipCounts{Added: 1})
		r.event("topic added", topic)
		return nil
	case remote.IsGone(err):
		*r.e.Membership(topic) = before
		return r.whoIsGone(ctx, topic, err)
	case errors.Is(err, errNoTopic):
		r.set(topic, ledger.MemberWanted)
	case !r.lostAdd:
		*r.e.Membership(topic) = before
	}
	return err
}

// pendingOptIn is the double opt-in state of a contact who is asked to confirm.
const pendingOptIn = "pending"

// errNotAgain ends an add that is not sent, or not again: the person has left, or may have.
var errNotAgain = errors.New("the person has left, or may have")

// sendAdd sends the add. If the answer is lost, it sends the add again within seconds, but never to somebody who has left, or may have
// left, meanwhile.
func (r membership) sendAdd(ctx context.Context, topic string) (sent *owlat.Membership, err error) {
	r.lostAdd = false
	for try := range lostTries {
		if try > 0 {
			if !pause(ctx, time.Second<<(try-1)) {
				break
			}
			if settleErr := r.settleAdds(ctx); settleErr != nil || r.gone {
				break // the answer stays lost
			}
			if slices.Contains(r.left, topic) {
				return nil, errNotAgain
			}
			if r.e.Membership(topic).State == ledger.MemberUnsure {
				r.unsure(topic)
				return nil, errNotAgain
			}
		}
		err = r.call(ctx, func(ctx context.Context) error { return r.markAdd(ctx, topic) }, func(ctx context.Context) (err error) {
			sent, err = r.client.Topics.Add(ctx, topic, owlat.AddMemberRequest{ContactID: r.e.ContactID})
			return err
		})
		if err = r.topics.about(ctx, r.client, topic, r.e.ContactID, err); !owlat.OutcomeUnknown(err) || errors.Is(err, errNoTopic) {
			break
		}
		r.lostAdd = true
	}
	return sent, err
}

// set notes the state of a membership.
func (r membership) set(topic string, state ledger.MembershipState) *ledger.Membership {
	m := r.e.Membership(topic)
	m.State = state
	return m
}

// hasLeft reports whether the person left the topic since the add was planned. It notes that in the membership, or that an add sent
// after the opt-out may have put the person back.
func (r membership) hasLeft(ctx context.Context, topic string) (bool, error) {
	found, err := r.Ledger.OptOuts(ctx, []string{r.e.ContactID})
	if err != nil {
		return false, r.readFailed(err)
	}
	if len(found) == 0 && r.e.Membership(topic).State != ledger.MemberOptedOut {
		return false, nil
	}
	r.askTime(ctx)
	r.date()
	m, left := consent.HeedBeforeAdd(*r.e.Membership(topic), found)
	r.e.Memberships = consent.Heed(r.e.Memberships, found)
	if !left {
		return false, nil
	}
	*r.e.Membership(topic) = m
	r.event("topic left alone", "the person has left "+topic)
	r.leftAlone(1)
	return true, nil
}

// whoIsGone tells a deleted contact from a deleted topic: Owlat answers both alike.
func (r membership) whoIsGone(ctx context.Context, topic string, notFound error) error {
	_, err := remote.Find(ctx, r.client, r.e.ContactID)
	if remote.IsGone(err) {
		r.gone = true
		return nil
	}
	if err == nil {
		return r.topics.missing(topic, notFound)
	}
	return &remote.Failure{Class: ledger.RetryLater, Category: ledger.CategoryTopic, Err: notFound,
		Reason: fmt.Sprintf("Owlat has either no topic %s or the contact no more", topic)}
}

// pause waits, and returns false if the context ended first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
