package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"owlatsync/ledger"
	"owlatsync/owlat"
)

// removeTopic takes the contact off a topic. That it was not on it, or is no more, comes to the same. That it is about to is
// recorded first: a consent given after a removal of unknown outcome is news.
func (r *rowRun) removeTopic(ctx context.Context, topic string) error {
	m := r.e.Membership(topic)
	before := *m
	m.State, m.Consent, m.At = ledger.MemberLeaving, r.it.Missing && m.Consent, time.Now()
	if err := r.flush(ctx); err != nil {
		*m = before
		return err
	}
	removed := false
	err := call(ctx, func() (err error) {
		removed, err = r.client.Topics.Remove(ctx, topic, r.e.ContactID)
		return err
	})
	if err != nil && !isGone(err) {
		err = r.aboutTopic(ctx, topic, err)
		if !owlat.OutcomeUnknown(err) || errors.Is(err, errNoTopic) {
			*m = before
		}
		return err
	}
	m.State, m.At = ledger.MemberLeft, time.Now()
	if !r.it.Missing {
		m.Consent, m.State = false, ledger.MemberOut
	}
	if removed {
		r.mu.Lock()
		r.report.Memberships.Removed++
		r.mu.Unlock()
	}
	r.event("topic removed", topic)
	return nil
}

// addTopic puts the contact on a topic. That it is about to is recorded first, so that no later run repeats an add of unknown
// outcome: it could undo an opt-out (Invariant 1).
func (r *rowRun) addTopic(ctx context.Context, topic string) error {
	if left, err := r.optedOut(ctx, topic); left || err != nil {
		return err
	}
	m := r.e.Membership(topic)
	r.mu.Lock()
	bad := r.badTopics[topic]
	r.mu.Unlock()
	if bad {
		m.State = ledger.MemberWanted
		return r.noTopic(topic, errNoTopic)
	}
	m.State, m.At = ledger.MemberSent, time.Now()
	if err := r.flush(ctx); err != nil {
		m.State = ledger.MemberWanted
		return err
	}
	var err error
	sent, left, lost := false, false, false
	for try := range lostTries {
		if try > 0 && !pause(ctx, time.Second<<(try-1)) {
			break
		}
		err = call(ctx, func() (err error) {
			if sent { // the person may have left meanwhile
				if left, err = r.optedOut(ctx, topic); left || err != nil {
					return err
				}
				r.e.Membership(topic).At = time.Now()
				if err := r.flush(ctx); err != nil {
					return err
				}
			}
			sent = true
			_, err = r.client.Topics.Add(ctx, topic, owlat.AddMemberRequest{ContactID: r.e.ContactID})
			return err
		})
		if left {
			return nil
		}
		if err = r.aboutTopic(ctx, topic, err); !owlat.OutcomeUnknown(err) || errors.Is(err, errNoTopic) {
			break
		}
		lost = true
	}
	m = r.e.Membership(topic) // where it is now
	switch {
	case err == nil:
		m.State, m.At = ledger.MemberAdded, time.Now()
		r.mu.Lock()
		r.report.Memberships.Added++
		r.mu.Unlock()
		r.event("topic added", topic)
		return nil
	case isGone(err):
		m.State = ledger.MemberWanted
		return r.whoIsGone(ctx, topic, err)
	case !lost, errors.Is(err, errNoTopic):
		m.State = ledger.MemberWanted
	}
	return err
}

// whoIsGone tells a deleted contact from a deleted topic, which Owlat answers alike.
func (r *rowRun) whoIsGone(ctx context.Context, topic string, notFound error) error {
	_, err := find(ctx, r.client, r.e.ContactID)
	if isGone(err) {
		r.gone = true
		return nil
	}
	if err == nil {
		return r.noTopic(topic, notFound)
	}
	return &rowError{class: ledger.RetryLater, category: "topic", reason: fmt.Sprintf("Owlat has either no topic %s or the contact no more", topic), err: notFound}
}

// pause waits, and reports false when the context ended first.
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
