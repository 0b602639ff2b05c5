package apply

import (
	"cmp"
	"context"
	"slices"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile/consent"
	"owlatsync/reconcile/remote"
	"owlatsync/reconcile/step"
)

// optIn takes note of the double opt-in of a row's person.
type optIn struct{ *row }

// answered counts an add that Owlat has confirmed, and notes what its answer tells of double opt-in. The state is the contact's: that
// a confirmation is outstanding shows that the topic asks for one only if Owlat waited for this person for no other topic.
// Witness is when Owlat last changed the contact before the add, zero if that is not known.
func (r optIn) answered(ctx context.Context, topic, status string, witness time.Time) (err error) {
	added := owlatsync.MembershipCounts{Added: 1}
	m := r.e.Membership(topic)
	m.Unmailed = false
	switch status {
	case owlat.DOIPending:
		var mailed bool
		if mailed, err = r.waits(ctx, m, witness); mailed {
			added.Pending = 1
		}
	case owlat.DOIConfirmed, owlat.DOINotRequired:
		for i := range r.e.Memberships {
			r.e.Memberships[i].Pending, r.e.Memberships[i].Unmailed = time.Time{}, false
		}
	}
	r.Tell.Memberships(added)
	return err
}

// waits notes that Owlat waits for the person's confirmation, and whether it has sent the mail that asks for it. Mailed says that the
// person has a mail to follow, as far as that is known.
func (r optIn) waits(ctx context.Context, m *ledger.Membership, witness time.Time) (mailed bool, err error) {
	earlier := consent.Waiting(r.s.Entry, m.Topic)
	ours := r.e.Origin == ledger.OriginCreated
	if earlier.Since.IsZero() {
		if !r.e.Asked().IsZero() {
			return true, nil // an earlier add of this step has asked
		}
		var created bool
		if earlier, created, err = r.waitingElsewhere(ctx, m.Topic); err != nil {
			return false, err
		}
		ours = ours || created
	}
	if earlier.Since.IsZero() {
		if ours || !r.waitedBefore(ctx, witness) {
			m.Pending = m.At
			return true, nil
		}
		earlier = consent.Wait{Left: true} // nobody knows since when, nor whether the person has left since
	}
	if !earlier.Left {
		return true, nil
	}
	if !earlier.Topic {
		asks, err := ledger.Asks(ctx, r.Ledger, r.Sync)
		if err != nil {
			return false, r.readFailed(err)
		}
		if _, asked := asks[m.Topic]; !asked {
			return false, nil
		}
	}
	m.Pending, m.Unmailed = cmp.Or(m.Pending, earlier.Since), true
	if !earlier.Since.IsZero() { // else they may just have signed up by themselves
		r.unconfirmed = step.ReasonUnconfirmed(m.Topic, m.Pending, m.At)
	}
	return false, nil
}

// waitedBefore reports whether Owlat was waiting for the person before the add, so that it sent no mail for it: an add that asks for a
// confirmation moves the contact's updatedAt. It looks at a contact that was there before the syncs, at most step.MostLooks times in a run,
// and says no where that does not tell.
func (r optIn) waitedBefore(ctx context.Context, witness time.Time) bool {
	r.mu.Lock()
	may := !witness.IsZero() && r.SoFar.looks < step.MostLooks
	if may {
		r.SoFar.looks++
	}
	r.mu.Unlock()
	if !may {
		return false
	}
	c, err := remote.Find(ctx, r.client, r.e.ContactID)
	if err != nil {
		return false
	}
	remote.Witnessed(r.e, c)
	return c.UpdatedAt.Equal(witness)
}

// waitingElsewhere is consent.Waiting for the other entries of the contact. Created says that another sync created it.
func (r optIn) waitingElsewhere(ctx context.Context, topic string) (w consent.Wait, created bool, err error) {
	others, err := r.Ledger.Sharers(ctx, []string{r.e.ContactID})
	if err != nil {
		return w, false, r.readFailed(err)
	}
	others = slices.DeleteFunc(others, func(h ledger.Holder) bool { return h.Sync == r.Sync && h.Entry.Key == r.e.Key })
	w, created = consent.WaitingElsewhere(others, topic)
	return w, created, nil
}
