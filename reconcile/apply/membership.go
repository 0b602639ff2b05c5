package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile/consent"
	"owlatsync/reconcile/mark"
	"owlatsync/reconcile/remote"
)

// membership puts the contact of a row on topics and takes it off.
type membership struct{ *row }

// addTopic puts the contact on a topic, or puts an end to the doubt about an earlier add. That it is about to is recorded right before
// each attempt, so that no later run repeats an add of unknown outcome without looking whether the person has left (Invariant 1).
func (r membership) addTopic(ctx context.Context, topic string) error {
	if err := r.flushFirst(ctx); err != nil {
		return err
	}
	before := *r.e.Membership(topic)
	switch {
	case slices.Contains(r.left, topic), before.State == ledger.MemberAdded:
		return nil
	case before.State == ledger.MemberUnsure && r.members[topic].On: // the add took effect late
		known(r).worked(topic)
		return nil
	case before.State == ledger.MemberUnsure:
		r.unsure(topic)
		return nil
	}
	if bad, _ := r.topics.IsBad(topic); bad {
		r.set(topic, ledger.MemberWanted)
		return r.topics.Missing(topic, remote.ErrNoTopic)
	}
	if on, err := known(r).isOn(ctx, topic); on || err != nil {
		return err
	}
	sent, err := r.sendAdd(ctx, topic)
	switch {
	case errors.Is(err, errNotAgain), r.gone:
		return nil
	case err == nil:
		witness := r.e.Witness
		m := r.set(topic, ledger.MemberAdded)
		m.At, m.Sent = r.clock.Now(), time.Time{}
		if sent.DOIStatus == owlat.DOIPending { // to ask for a confirmation moves what Owlat tells
			r.e.Witness = time.Time{}
			dated(r).moved()
		}
		r.event("topic added", topic)
		if err := optIn(r).answered(ctx, topic, sent.DOIStatus, witness); err != nil {
			return err
		}
		return never(r).again(ctx, topic)
	case remote.IsGone(err):
		*r.e.Membership(topic) = before
		if err := r.whoIsGone(ctx, topic, err); err != nil || !r.gone {
			return err
		}
		return heir(r).follow(ctx)
	case errors.Is(err, remote.ErrNoTopic):
		r.set(topic, ledger.MemberWanted)
	case !r.lostAdd:
		*r.e.Membership(topic) = before
	}
	return err
}

// errNotAgain ends an add that is not sent, or not again: it has worked, or the person has left, or may have.
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
			if settleErr := r.settleAdds(ctx, false); settleErr != nil || r.gone {
				break // the answer stays lost
			}
			if slices.Contains(r.left, topic) || r.e.Membership(topic).State == ledger.MemberAdded {
				return nil, errNotAgain
			}
			if r.e.Membership(topic).State == ledger.MemberUnsure {
				r.unsure(topic)
				return nil, errNotAgain
			}
		}
		err = mark.Call(ctx, func(ctx context.Context) error { return r.markAdd(ctx, topic) }, func(ctx context.Context) (err error) {
			sent, err = r.client.Topics.Add(ctx, topic, owlat.AddMemberRequest{ContactID: r.e.ContactID})
			return err
		})
		if err = r.topics.About(ctx, r.client, topic, r.e.ContactID, err); !owlat.OutcomeUnknown(err) || errors.Is(err, remote.ErrNoTopic) {
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
	barred, err := never(r).barred(ctx)
	if err != nil {
		return false, err
	}
	if barred != "" {
		*r.e.Membership(topic) = consent.Bar(*r.e.Membership(topic))
		r.event("topic left alone", fmt.Sprintf("no mail may go to the address (%s), so it is not put on %s", barred, topic))
		r.leftAlone(1)
		return true, nil
	}
	found, err := r.Ledger.OptOuts(ctx, []string{r.e.ContactID})
	if err != nil {
		return false, r.readFailed(err)
	}
	if len(found) == 0 && r.e.Membership(topic).State != ledger.MemberOptedOut {
		return false, nil
	}
	r.clock.Learn(ctx)
	r.clock.Date(r.e.Memberships, r.Undated)
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
		return r.topics.Missing(topic, notFound)
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
