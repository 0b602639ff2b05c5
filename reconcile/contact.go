package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat"
)

// create makes the contact. That it is about to is recorded first: a contact found after a kill or a lost answer is then
// known to be ours (Invariant 3).
func (r *rowRun) create(ctx context.Context) error {
	d := r.it.Row
	if err := r.freed(ctx); err != nil {
		return err
	}
	doubt := r.e.Intent.Create // of an earlier create that may have taken effect
	for try := 1; ; try++ {
		if err := r.intend(ctx); err != nil {
			return err
		}
		var c *owlat.Contact
		err := call(ctx, func() (err error) {
			c, err = r.client.Contacts.Create(ctx, owlat.CreateContactRequest{
				Email: d.Email, FirstName: unlessEmpty(d.FirstName), LastName: unlessEmpty(d.LastName),
			})
			return err
		})
		switch {
		case err == nil:
			r.take(*c, ledger.OriginCreated)
			r.event(string(owlatsync.Created), "")
			return nil
		case errors.Is(err, owlat.ErrConflict):
			return r.met(ctx, err, doubt)
		case !owlat.OutcomeUnknown(err):
			if doubt.IsZero() {
				r.intendNot()
			}
			return err
		case try == lostTries || ctx.Err() != nil:
			return err
		}
		doubt = r.e.Intent.Create
		c, err = find(ctx, r.client, d.Email)
		if err == nil {
			return r.found(ctx, *c, doubt)
		}
		if !isGone(err) && !errors.Is(err, owlat.ErrForbidden) {
			return err
		}
		if !pause(ctx, time.Second<<(try-1)) {
			return ctx.Err()
		}
	}
}

// freed reports an error if another row was to free the address and has not: Owlat would let a second contact have it.
func (r *rowRun) freed(ctx context.Context) error {
	if !r.it.Awaits {
		return nil
	}
	held, err := r.engine.ledger.Holders(ctx, []string{r.it.Row.Email})
	if err != nil {
		return r.ledgerFailed(fmt.Errorf("read the ledger: %w", err))
	}
	for _, h := range held {
		if h.Sync == r.sync.Name && h.Entry.Key != r.it.Row.Key && h.Entry.ContactID != "" && h.Entry.Email == r.it.Row.Email && h.Entry.Origin != ledger.OriginGone {
			return &rowError{class: ledger.RetryLater, category: "taken", reason: fmt.Sprintf("another contact in Owlat has the row's address: "+
				"it is the contact %s of %s, which was to get another one", h.Entry.ContactID, rowName(h.Entry.Key))}
		}
	}
	return nil
}

// decided leaves out the memberships that were planned for a new contact: they are no consent for one that turns out to be
// there already.
func decided(planned []ledger.Membership) []ledger.Membership {
	return slices.DeleteFunc(slices.Clone(planned), func(m ledger.Membership) bool { return m.State == ledger.MemberWanted })
}

// intend records that a create is about to be sent, unless that is recorded already.
func (r *rowRun) intend(ctx context.Context) error {
	if !r.e.Intent.Create.IsZero() {
		return nil
	}
	r.e.Intent.Create, r.e.Identity, r.e.Fingerprint = time.Now(), r.it.Row.Email, ledger.Doubtful
	bare := *r.e
	bare.Memberships, bare.ChangedAt = decided(bare.Memberships), time.Now()
	err := r.record(ctx, ledger.Record{Sync: r.sync.Name, Run: r.run, Entry: &bare, Replaces: r.it.OldKey})
	if err != nil {
		r.intendNot()
	}
	return err
}

// intendNot notes that no create is in doubt.
func (r *rowRun) intendNot() {
	r.e.Intent, r.e.Identity, r.e.Fingerprint = ledger.Intent{}, "", ledger.Fingerprint{}
}

// take notes the contact as Owlat answered it.
func (r *rowRun) take(c owlat.Contact, origin ledger.Origin) {
	fresh := entryOf(r.it.Row.Key, c, origin, r.e)
	if r.e.Identity != "" {
		fresh.Identity = r.e.Identity
	}
	*r.e = *fresh
}

// met deals with a create that was refused because the address is held.
func (r *rowRun) met(ctx context.Context, refusal error, doubt time.Time) error {
	if doubt.IsZero() {
		r.intendNot() // the contact was there before
	}
	c, err := find(ctx, r.client, r.it.Row.Email)
	if errors.Is(err, owlat.ErrForbidden) { // without contacts:read an update tells as much
		err = call(ctx, func() (err error) {
			c, err = r.client.Contacts.Update(ctx, r.it.Row.Email, owlat.UpdateContactRequest{FirstName: r.it.Row.FirstName, LastName: r.it.Row.LastName})
			return err
		})
	}
	if isGone(err) {
		r.intendNot()
		return &rowError{class: ledger.RetryLater, category: "drift", err: refusal, reason: "Owlat refuses to create the contact although none has " +
			"this address: " + r.holder(ctx) + ". It ends when that contact is deleted or gets its old address back"}
	}
	if err != nil {
		return err
	}
	return r.found(ctx, *c, doubt)
}

// found goes on with a contact that exists: as if just created where the create in doubt made it, else as adopted. One that
// another row has is not taken from it.
func (r *rowRun) found(ctx context.Context, c owlat.Contact, doubt time.Time) error {
	rival, elsewhere, err := rivals(ctx, r.engine.ledger, r.sync.Name, []string{r.it.Row.Key, r.it.OldKey}, c.ID)
	if err != nil {
		return r.ledgerFailed(err)
	}
	if rival != "" {
		r.intendNot()
		return &rowError{class: ledger.RetryLater, category: "taken", reason: fmt.Sprintf("another contact in Owlat has the row's address: "+
			"it is the contact %s of %s", c.ID, rowName(rival))}
	}
	base := *r.e
	base.Memberships = decided(base.Memberships)
	e := entryOf(r.it.Row.Key, c, ledger.OriginAdopted, &base)
	e.Failure = nil
	ours := mine(doubt, c) && !elsewhere
	if ours {
		likelier, err := likelierElsewhere(ctx, r.engine.ledger, r.sync.Name, r.e, c.CreatedAt)
		if err != nil {
			return r.ledgerFailed(err)
		}
		ours = !likelier
	}
	if ours {
		e.Origin, e.Intent.Create = ledger.OriginCreated, doubt
	}
	planned := planRow(r.sync, r.it.Row, e, time.Now())
	planned.OldKey, planned.New = r.it.OldKey, r.it.New
	if r.e.Origin == ledger.OriginDeleted {
		planned.again()
	}
	if !ours {
		planned.Outcome = owlatsync.Adopted
	}
	*r.it, r.e = *planned, planned.Entry
	r.event(string(planned.Outcome), "the contact was found in Owlat")
	return nil
}

// holder says who has the row's address in Owlat's identity table, as far as the ledger knows.
func (r *rowRun) holder(ctx context.Context) string {
	held, err := r.engine.ledger.Holders(ctx, []string{r.it.Row.Email})
	if err == nil {
		for _, h := range held {
			if h.Entry.ContactID != "" && (h.Sync != r.sync.Name || h.Entry.Key != r.it.Row.Key) {
				return fmt.Sprintf("it belongs to the contact %s of %s in sync %q", h.Entry.ContactID, rowName(h.Entry.Key), h.Sync)
			}
		}
	}
	return "it belongs to a contact that no row of the ledger stands for"
}

// update sends exactly the fields that differ, by the contact's id, and once more what the answer shows to have been changed
// in Owlat meanwhile.
func (r *rowRun) update(ctx context.Context) error {
	if r.it.Partial || r.it.Refused {
		return nil
	}
	for range 2 {
		if sent, err := r.updateOnce(ctx); !sent || err != nil || r.gone {
			return err
		}
	}
	return nil
}

func (r *rowRun) updateOnce(ctx context.Context) (sent bool, err error) {
	var u owlat.UpdateContactRequest
	var what []string
	if r.e.Email != r.it.Row.Email {
		u.Email = &r.it.Row.Email
		what = append(what, "email")
	}
	for _, c := range setChanges(r.it.Row, r.e) {
		switch c.Field {
		case "firstName":
			u.FirstName = r.it.Row.FirstName
		case "lastName":
			u.LastName = r.it.Row.LastName
		}
		what = append(what, c.Field)
	}
	if len(what) == 0 {
		return false, nil
	}
	// The row may be as before when the next run comes, and the contact as it was now to become.
	due := r.e.Events
	r.e.Fingerprint, r.e.Events = ledger.Doubtful, r.it.awaited(due)
	if !r.e.ChangedAt.IsZero() { // else the ledger does not know the contact, and the next run looks for it anew
		if err := r.flush(ctx); err != nil {
			r.e.Fingerprint, r.e.Events = ledger.Fingerprint{}, due
			return true, err
		}
	}
	var c *owlat.Contact
	err = call(ctx, func() (err error) {
		c, err = r.client.Contacts.Update(ctx, r.e.ContactID, u)
		return err
	})
	if !owlat.OutcomeUnknown(err) {
		r.e.Fingerprint, r.e.Events = ledger.Fingerprint{}, due
	}
	switch {
	case isGone(err):
		r.gone = true
		return true, nil
	case errors.Is(err, owlat.ErrConflict) && u.Email != nil:
		return true, &rowError{class: ledger.RetryLater, category: "taken", err: err, reason: "another contact in Owlat has the row's new address: " + r.holder(ctx)}
	case err != nil:
		return true, err
	}
	origin, intent := r.e.Origin, r.e.Intent
	r.take(*c, origin)
	r.e.Intent, r.e.Events = intent, r.it.Events
	r.event("updated", strings.Join(what, ", "))
	return true, nil
}
