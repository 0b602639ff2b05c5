package reconcile

import (
	"context"
	"fmt"
	"slices"
	"time"

	"owlatsync/ledger"
	"owlatsync/owlat"
)

// Unsubscribed takes in what Owlat's webhook topic.unsubscribed tells (see owlat.VerifyWebhook), so that no add that is
// still due puts the person back, not even one that `existing: add` asks for: only a consent of the source that is newer
// does, as of when a run first saw it. It may be called while a run goes on, and keeps back what is not yet sent.
func (e *Engine) Unsubscribed(ctx context.Context, u owlat.WebhookTopicUnsubscribedPayload) error {
	at := u.UnsubscribedAt
	if now := time.Now(); at.IsZero() || at.After(now) {
		at = now
	}
	optOuts := make([]ledger.OptOut, 0, len(u.Topics))
	for _, t := range u.Topics {
		optOuts = append(optOuts, ledger.OptOut{ContactID: u.ContactID, Topic: t.ID, At: at})
	}
	if err := e.ledger.NoteOptOuts(ctx, optOuts...); err != nil {
		return fmt.Errorf("record who left a topic: %w", err)
	}
	return nil
}

// heed gives the entry's memberships the state that the opt-outs of its contact leave them in, unless the source's consent
// was renewed since.
func heed(e *ledger.Entry, optOuts []ledger.OptOut) {
	for _, o := range optOuts {
		m := e.Membership(o.Topic)
		switch {
		case m == nil:
			e.Memberships = append(e.Memberships, ledger.Membership{Topic: o.Topic, Consent: true, State: ledger.MemberOptedOut, At: o.At})
		case endedBy(m, o) && !addedAfter(m, o):
			m.State = ledger.MemberOptedOut
		}
	}
}

// endedBy reports whether the consent is not newer than the opt-out, of which Owlat tells the millisecond.
func endedBy(m *ledger.Membership, o ledger.OptOut) bool {
	return m.Consent && !o.At.Before(m.Renewed.Truncate(time.Millisecond))
}

// addedAfter reports whether an add put the person back, or may have, before anybody knew of the opt-out: when the source
// withdraws the consent, there is something to take off.
func addedAfter(m *ledger.Membership, o ledger.OptOut) bool {
	added := m.State == ledger.MemberAdded || m.State == ledger.MemberSent || m.State == ledger.MemberUnsure
	return added && !o.At.After(m.At)
}

// optOutsOf returns, by contact, the opt-outs that concern a batch and what was found for it elsewhere.
func (p *planner) optOutsOf(ctx context.Context, entries map[string]*ledger.Entry, elsewhere []ledger.Holder) (map[string][]ledger.OptOut, error) {
	var ids []string
	for _, e := range entries {
		if e.ContactID != "" {
			ids = append(ids, e.ContactID)
		}
	}
	for _, h := range elsewhere {
		if h.Entry.ContactID != "" {
			ids = append(ids, h.Entry.ContactID)
		}
	}
	found, err := p.ledger.OptOuts(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	byContact := make(map[string][]ledger.OptOut)
	for _, o := range found {
		byContact[o.ContactID] = append(byContact[o.ContactID], o)
	}
	return byContact, nil
}

// optedOut reports whether the person left the topic since the add was planned; the membership then says so, or that it is not
// known whether an add which was sent after that has put the person back.
func (r *rowRun) optedOut(ctx context.Context, topic string) (bool, error) {
	found, err := r.engine.ledger.OptOuts(ctx, []string{r.e.ContactID})
	if err != nil {
		return false, r.ledgerFailed(fmt.Errorf("read the ledger: %w", err))
	}
	heed(r.e, found)
	m := r.e.Membership(topic)
	ending := slices.DeleteFunc(found, func(o ledger.OptOut) bool { return o.Topic != topic || !endedBy(m, o) })
	switch {
	case slices.ContainsFunc(ending, func(o ledger.OptOut) bool { return addedAfter(m, o) }):
		m.State = ledger.MemberUnsure
	case len(ending) > 0:
		m.State = ledger.MemberOptedOut
	case m.State != ledger.MemberOptedOut:
		return false, nil
	}
	r.event("topic left alone", "the person has left "+topic)
	r.skip(1)
	return true, nil
}
