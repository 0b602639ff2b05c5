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
	"owlatsync/reconcile/remote"
	"owlatsync/reconcile/step"
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
	u, what := r.differing()
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
	err = r.call(ctx, once(func(ctx context.Context) (err error) {
		r.e.Doubt, r.e.Events = true, r.s.Awaited(due)
		if known {
			err = r.flush(ctx)
		}
		if err != nil {
			r.e.Doubt, r.e.Events = false, due
		}
		return err
	}), func(ctx context.Context) (err error) {
		c, err = r.client.Contacts.Update(ctx, r.e.ContactID, u)
		return err
	})
	if !owlat.OutcomeUnknown(err) {
		r.e.Doubt, r.e.Events = false, due
	}
	switch {
	case remote.IsGone(err):
		return true, heir(r).follow(ctx)
	case errors.Is(err, owlat.ErrConflict) && u.Email != nil:
		why, by := r.holder(ctx, false)
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

// differing returns the update that brings the contact to what the row asks for, and the names of its fields.
func (r alteration) differing() (u owlat.UpdateContactRequest, what []string) {
	var fields step.Wanted
	for _, f := range owlatsync.ContactFields {
		if wanted := r.s.Row.Fields[f]; wanted != nil && *wanted != r.e.Fields[f] {
			fields[f] = wanted
			what = append(what, f.Name())
		}
	}
	u = remote.Update(fields)
	if r.e.Email != r.s.Row.Email {
		u.Email = &r.s.Row.Email
		what = append([]string{"email"}, what...)
	}
	return u, what
}
