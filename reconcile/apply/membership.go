package apply

import (
	"context"
	"errors"
	"fmt"
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

// removeTopic takes the contact off a topic. A contact that is not on it, or no longer exists, counts as removed. It first records
// that it is about to: a consent given after a removal of unknown outcome is a new one.
func (r membership) removeTopic(ctx context.Context, topic string) error {
	m := r.e.Membership(topic)
	before := *m
	m.State, m.Consent, m.At = ledger.MemberLeaving, r.s.Missing && m.Consent, time.Now()
	if err := r.flush(ctx); err != nil {
		*m = before
		return err
	}
	removed := false
	err := remote.Call(ctx, func() (err error) {
		removed, err = r.client.Topics.Remove(ctx, topic, r.e.ContactID)
		return err
	})
	if err != nil && !remote.IsGone(err) {
		err = r.topics.about(ctx, r.client, topic, r.e.ContactID, err)
		if !owlat.OutcomeUnknown(err) || errors.Is(err, errNoTopic) {
			*m = before
		}
		return err
	}
	m.State, m.At = ledger.MemberLeft, time.Now()
	if !r.s.Missing {
		m.Consent, m.State = false, ledger.MemberOut
	}
	if removed {
		r.Tell.Memberships(owlatsync.MembershipCounts{Removed: 1})
	}
	r.event("topic removed", topic)
	return nil
}

// addTopic puts the contact on a topic. It first records that it is about to, so that no later run repeats an add of unknown
// outcome, which could undo an opt-out (Invariant 1).
func (r membership) addTopic(ctx context.Context, topic string) error {
	if left, err := r.hasLeft(ctx, topic); left || err != nil {
		return err
	}
	if bad, _ := r.topics.isBad(topic); bad {
		r.set(topic, ledger.MemberWanted)
		return r.topics.missing(topic, errNoTopic)
	}
	m := r.e.Membership(topic)
	m.State, m.At = ledger.MemberSent, time.Now()
	if err := r.flush(ctx); err != nil {
		m.State = ledger.MemberWanted
		return err
	}
	status, left, lost, err := r.sendAdd(ctx, topic)
	if left {
		return nil
	}
	switch {
	case err == nil:
		r.set(topic, ledger.MemberAdded).At = time.Now()
		r.event("topic added", topic)
		return r.answered(ctx, topic, status)
	case remote.IsGone(err):
		r.set(topic, ledger.MemberWanted)
		return r.whoIsGone(ctx, topic, err)
	case !lost, errors.Is(err, errNoTopic):
		r.set(topic, ledger.MemberWanted)
	}
	return err
}

// sendAdd sends the add. If the answer is lost, it sends the add again within seconds, but never to somebody who has left
// meanwhile. Status is the double opt-in state of the contact; lost says that an add may have taken effect.
func (r membership) sendAdd(ctx context.Context, topic string) (status string, left, lost bool, err error) {
	sent := false
	for try := range lostTries {
		if try > 0 && !pause(ctx, time.Second<<(try-1)) {
			break
		}
		err = remote.Call(ctx, func() (err error) {
			if sent {
				if left, err = r.hasLeft(ctx, topic); left || err != nil {
					return err
				}
				r.e.Membership(topic).At = time.Now()
				if err := r.flush(ctx); err != nil {
					return err
				}
			}
			sent = true
			answer, err := r.client.Topics.Add(ctx, topic, owlat.AddMemberRequest{ContactID: r.e.ContactID})
			if err == nil {
				status = answer.DOIStatus
			}
			return err
		})
		if left {
			return "", true, lost, nil
		}
		if err = r.topics.about(ctx, r.client, topic, r.e.ContactID, err); !owlat.OutcomeUnknown(err) || errors.Is(err, errNoTopic) {
			break
		}
		lost = true
	}
	return status, false, lost, err
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
