package apply

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile/mark"
	"owlatsync/reconcile/own"
	"owlatsync/reconcile/remote"
	"owlatsync/reconcile/taken"
)

// alteration brings the fields of a row's contact in step.
type alteration struct{ *row }

// update sends exactly the fields that differ, by the contact's id. It sends again if the answer shows that somebody changed fields in
// Owlat meanwhile.
func (r alteration) update(ctx context.Context) error {
	if r.s.Refused {
		return nil
	}
	for range 3 { // again for a contact into which the row's own was merged
		if sent, err := r.updateOnce(ctx); !sent || err != nil || r.gone {
			return err
		}
	}
	return nil
}

func (r alteration) updateOnce(ctx context.Context) (sent bool, err error) {
	if looked, err := owner(r).look(ctx); err != nil || r.gone {
		return looked, err
	}
	write, u, what := r.differing()
	if len(what) == 0 {
		return false, nil
	}
	known := !r.e.ChangedAt.IsZero() // else the ledger does not know the contact, and the next run looks for it again
	if known {
		if err := r.flushFirst(ctx); err != nil {
			return true, err
		}
	}
	due := r.e.Events
	var c *owlat.Contact
	// Without this record, a row that changes back before the next run would count as in step while the contact has changed.
	err = mark.Call(ctx, mark.Once(func(ctx context.Context) (err error) {
		r.e.Doubt, r.e.Events = true, r.s.Awaited(due)
		own.Send(r.Overwrite, r.e, write)
		if known {
			err = r.flush(ctx)
		}
		if err != nil {
			r.e.Doubt, r.e.Events = false, due
			own.Unsent(r.e)
		}
		return err
	}), func(ctx context.Context) (err error) {
		c, err = r.client.Contacts.Update(ctx, r.e.ContactID, u)
		return err
	})
	if !owlat.OutcomeUnknown(err) {
		r.e.Doubt, r.e.Events = false, due
	}
	if err != nil && !owlat.OutcomeUnknown(err) {
		own.Unsent(r.e)
	}
	switch {
	case remote.IsGone(err):
		return true, heir(r).follow(ctx)
	case errors.Is(err, owlat.ErrConflict) && u.Email != nil:
		why, by := taken.Holder(ctx, r.Ledger, r.Sync, r.s.Row, false)
		return true, &remote.Failure{Class: ledger.RetryLater, Category: ledger.CategoryTaken, Err: err, Holder: by,
			Reason: "another contact in Owlat has the row's new address: " + cmp.Or(r.s.Left, why)}
	case err != nil:
		return true, err
	}
	origin, intent := r.e.Origin, r.e.Intent
	r.take(*c, origin)
	r.e.Intent, r.e.Events = intent, slices.Clone(r.s.Events)
	r.e.Witness = c.UpdatedAt // also for adds in doubt: the step has looked at them
	dated(r).moved()
	r.event("updated", strings.Join(what, ", "))
	if u.Email != nil {
		err = never(r).moved(ctx)
	}
	return true, err
}

// differing returns what the contact is to hold and does not, the update that writes it, and the names of its fields. What may not be overwritten
// is left out.
func (r alteration) differing() (write own.Wanted, u owlat.UpdateContactRequest, what []string) {
	write = owner(r).judge().Write
	for _, f := range owlatsync.ContactFields {
		if write.Fields[f] != nil {
			what = append(what, f.Name())
		}
	}
	u = remote.Update(write.Fields)
	if write.Email != "" {
		u.Email = &write.Email
		what = append([]string{own.Email}, what...)
	}
	return write, u, what
}
