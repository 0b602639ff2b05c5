package members

import (
	"context"
	"slices"
	"time"

	"owlatsync/ledger"
	"owlatsync/reconcile/consent"
	"owlatsync/reconcile/policy"
)

// judging tells what disagrees.
type judging struct{ *Verifier }

// judge tells what disagrees for a person, and returns the withdrawn memberships.
func (v judging) judge(ctx context.Context, p *person) (due []Withdrawal, err error) {
	for _, h := range p.holders {
		s, asked := v.syncs[h.Sync]
		if !asked || !Counts(h.Entry) {
			continue
		}
		entry := *h.Entry
		entry.Memberships = consent.Heed(h.Entry.Memberships, p.optOuts)
		for _, topic := range s.Topics {
			f, err := v.finding(ctx, p, h.Sync, &entry, topic)
			if err != nil {
				return nil, err
			}
			if f.Kind == Agrees {
				continue
			}
			if f.Kind == StillOn {
				due = append(due, Withdrawal{h.Sync, entry.Key, topic.ID, f.Recorded.At})
			}
			if err := v.Each(f); err != nil {
				return nil, err
			}
		}
	}
	return due, nil
}

// finding returns what is told of a person and a topic of a sync; of kind Agrees: nothing.
func (v judging) finding(ctx context.Context, p *person, sync string, e *ledger.Entry, topic policy.Topic) (f Finding, err error) {
	member, known := p.members[topic.ID]
	if !known {
		f = Finding{Sync: sync, Topic: topic.ID, Verdict: Judge(Case{Is: IsGone})}
		if at := [2]string{sync, topic.ID}; v.gone[at] {
			f.Kind = Agrees
		} else {
			v.gone[at] = true
		}
		return f, nil
	}
	c := Case{Has: e.Membership(topic.ID), Is: IsOff}
	if member.On {
		c.Is = IsOn
	}
	if !e.ChangedAt.After(v.Planned) {
		c.Next = v.Next(sync, e.Key, topic.ID)
	}
	if c.Holds, err = v.facts(ctx, p, sync, e, topic, c); err != nil {
		return f, err
	}
	f = Finding{Verdict: Judge(c), Sync: sync, Key: e.Key, ContactID: p.id, Address: e.Email, Topic: topic.ID, Name: member.Name, Recorded: c.Has}
	if f.Kind == Left && !slices.ContainsFunc(p.left, func(t consent.DepartedTopic) bool { return t.ID == topic.ID }) {
		f.Kind = Agrees // a run has acted on it while it was read
	}
	return f, nil
}

// facts finds out what else matters.
func (v judging) facts(ctx context.Context, p *person, sync string, e *ledger.Entry, topic policy.Topic, c Case) (is Facts, err error) {
	others := slices.DeleteFunc(slices.Clone(p.holders), func(h ledger.Holder) bool { return h.Sync == sync })
	is = Around(others, c.Has, topic)
	if c.Is != IsOn || is.Wanted || consent.RecordedOf(c.Has) != consent.SaidNo || Acted(c.Has, nil) {
		is.Withdrawn = topic.When && Acted(c.Has, nil)
		return is, nil
	}
	history, err := v.Ledger.History(ctx, sync, e.Key)
	if err != nil {
		return is, readLedger(err)
	}
	is.Withdrawn = topic.When && Acted(c.Has, history)
	return is, nil
}

// Around returns what matters of the policies, and of the entries of other syncs for the contact. M is the row's own membership, after the
// known opt-outs; nil: the ledger has none.
func Around(others []ledger.Holder, m *ledger.Membership, topic policy.Topic) Facts {
	return Facts{
		Wanted: consent.WantedBy(others, topic.ID),
		Rules:  topic.Existing == policy.ExistingAdd,
		TakenOff: m != nil && slices.ContainsFunc(others, func(h ledger.Holder) bool {
			its := h.Entry.Membership(topic.ID)
			return its != nil && tookOff(its) && !its.At.Before(m.At)
		}),
	}
}

// tookOff reports whether a sync has, or may have, taken a contact off a topic.
func tookOff(m *ledger.Membership) bool {
	switch consent.RecordedOf(m) {
	case consent.SaidNo, consent.TakingOff, consent.LeavingGone, consent.LeftGone:
		return true
	}
	return false
}

// Withdraw makes the removal of a withdrawn membership due in an entry, and reports whether it did: what was recorded since stays.
func Withdraw(e *ledger.Entry, w Withdrawal, now time.Time) bool {
	m := e.Membership(w.Topic)
	if m == nil || !m.At.Equal(w.At) {
		return false
	}
	switch consent.RecordedOf(m) {
	case consent.SaidNo, consent.NotKnown:
	default:
		return false
	}
	m.State = ledger.MemberLeaving
	e.Fingerprint, e.ChangedAt = ledger.Fingerprint{}, now
	return true
}
