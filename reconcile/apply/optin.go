package apply

import (
	"cmp"
	"context"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile/step"
)

// optIn takes note of the double opt-in of a row's person.
type optIn struct{ *row }

// answered counts an add that Owlat has confirmed, and notes what its answer tells of double opt-in. The state is the contact's: that
// a confirmation is outstanding shows that the topic asks for one only if Owlat waited for this person for no other topic.
func (r optIn) answered(ctx context.Context, topic, status string) error {
	added := owlatsync.MembershipCounts{Added: 1}
	if status == owlat.DOIPending {
		added.Pending = 1
	}
	r.Tell.Memberships(added)
	m := r.e.Membership(topic)
	m.Unmailed = false
	switch status {
	case owlat.DOIPending:
		return r.waits(ctx, m)
	case owlat.DOIConfirmed, owlat.DOINotRequired:
		for i := range r.e.Memberships {
			r.e.Memberships[i].Pending, r.e.Memberships[i].Unmailed = time.Time{}, false
		}
	}
	return nil
}

// waits notes that Owlat waits for the person's confirmation, and whether it has sent the mail that asks for it.
func (r optIn) waits(ctx context.Context, m *ledger.Membership) error {
	earlier := waiting(r.s.Entry, m.Topic)
	if earlier.since.IsZero() {
		if !r.e.Asked().IsZero() {
			return nil // an earlier add of this step has asked
		}
		var err error
		if earlier, err = r.waitingElsewhere(ctx, m.Topic); err != nil {
			return err
		}
	}
	switch {
	case earlier.since.IsZero():
		m.Pending = m.At
		return nil
	case !earlier.left:
		return nil
	case !earlier.topic:
		asks, err := ledger.Asks(ctx, r.Ledger, r.Sync)
		if err != nil {
			return r.readFailed(err)
		}
		if _, asked := asks[m.Topic]; !asked {
			return nil
		}
	}
	m.Pending, m.Unmailed = cmp.Or(m.Pending, earlier.since), true
	r.unconfirmed = step.ReasonUnconfirmed(m.Topic, m.Pending, m.At)
	return nil
}

// wait is what the ledger knows of a confirmation for which Owlat waited before a step.
type wait struct {
	since time.Time // zero: it did not
	topic bool      // the topic of the add is known to ask for it
	left  bool      // the person has been off a topic since, or may have been
}

func waiting(e *ledger.Entry, topic string) (w wait) {
	for _, m := range e.Memberships {
		if m.Pending.IsZero() {
			continue
		}
		if w.since.IsZero() || m.Pending.Before(w.since) {
			w.since = m.Pending
		}
		w.topic = w.topic || m.Topic == topic
		w.left = w.left || m.State != ledger.MemberAdded
	}
	return w
}

// waitingElsewhere is waiting for the other entries of the contact.
func (r optIn) waitingElsewhere(ctx context.Context, topic string) (w wait, err error) {
	others, err := r.Ledger.Sharers(ctx, []string{r.e.ContactID})
	if err != nil {
		return w, r.readFailed(err)
	}
	for _, h := range others {
		if h.Sync == r.Sync && h.Entry.Key == r.e.Key {
			continue
		}
		if o := waiting(h.Entry, topic); !o.since.IsZero() && (w.since.IsZero() || o.since.Before(w.since)) {
			w = o
		}
	}
	return w, nil
}
