package apply

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile/consent"
	"owlatsync/reconcile/mark"
	"owlatsync/reconcile/own"
	"owlatsync/reconcile/remote"
	"owlatsync/reconcile/step"
	"owlatsync/reconcile/taken"
)

// creation creates the contact of a row, or goes on with one that is there.
type creation struct{ *row }

// create creates the contact. It records that right before it is sent, so that a contact found after a kill or a lost answer is known
// to be ours (Invariant 3).
func (r creation) create(ctx context.Context) error {
	if r.s.Awaits {
		if err := r.blocked(taken.Awaited(ctx, r.Ledger, r.Sync, r.s.Row)); err != nil {
			return err
		}
	}
	if r.s.Import != nil && r.e.Origin == ledger.OriginExported {
		if found, err := r.seek(ctx); found || err != nil {
			return err
		}
	}
	doubt := r.e.Intent // of an earlier create that may have taken effect
	for try := 1; ; try++ {
		c, err := r.createOnce(ctx)
		switch {
		case err == nil:
			r.take(*c, ledger.OriginCreated)
			r.event(string(owlatsync.Created), "")
			return nil
		case errors.Is(err, owlat.ErrConflict):
			return r.met(ctx, err, doubt)
		case !owlat.OutcomeUnknown(err):
			if doubt.Create.IsZero() {
				r.intendNot()
			}
			return err
		case try == lostTries || ctx.Err() != nil:
			return err
		}
		doubt = r.e.Intent
		c, err = remote.Find(ctx, r.client, r.s.Row.Email)
		if err == nil {
			return r.found(ctx, *c, doubt)
		}
		if !remote.IsGone(err) && !errors.Is(err, owlat.ErrForbidden) {
			return err
		}
		if !pause(ctx, time.Second<<(try-1)) {
			return context.Cause(ctx)
		}
	}
}

func (r creation) createOnce(ctx context.Context) (c *owlat.Contact, err error) {
	err = mark.Call(ctx, mark.Once(r.intend), func(ctx context.Context) (err error) {
		c, err = r.client.Contacts.Create(ctx, remote.Creation(r.s.Row))
		return err
	})
	return c, err
}

// intend records that a create is about to be sent, unless that is recorded.
func (r creation) intend(ctx context.Context) error {
	if !r.e.Intent.Create.IsZero() {
		return nil
	}
	now, _, known := r.clock.Bounds()
	r.e.Intent, r.e.Identity, r.e.Doubt = ledger.Intent{Create: now, Local: !known}, r.s.Row.Email, true
	own.Send(r.Overwrite, r.e, own.Wanted{Email: r.s.Row.Email, Fields: r.s.Row.Fields})
	bare := *r.e
	bare.Memberships, bare.ChangedAt = consent.Acted(bare.Memberships), r.Ledger.Now()
	err := r.record(ctx, ledger.Record{Sync: r.Sync, Run: r.Run, Entry: &bare, Replaces: r.s.OldKey})
	if err != nil {
		r.intendNot()
	}
	return err
}

// intendNot notes that no create is in doubt.
func (r *row) intendNot() {
	r.e.Intent, r.e.Identity, r.e.Doubt = ledger.Intent{}, "", false
	own.Unsent(r.e)
}

// forgetUnsent drops the adds of a row without a contact: its consents are decided again when it gets one.
func (r *row) forgetUnsent() {
	switch {
	case r.e.ContactID != "":
	case r.s.Import != nil && r.e.Origin == ledger.OriginExported:
		r.e.Memberships = slices.Clone(r.s.Import.Memberships)
	default:
		r.e.Memberships = consent.Acted(r.e.Memberships)
	}
}

// take notes the contact that Owlat answered with.
func (r *row) take(c owlat.Contact, origin ledger.Origin) {
	fresh := remote.EntryOf(r.Overwrite, r.s.Row.Key, c, origin, r.e, own.Answered)
	if r.e.Identity != "" {
		fresh.Identity = r.e.Identity
	}
	*r.e = *fresh
}

// met handles a create that was refused because another contact holds the address.
func (r creation) met(ctx context.Context, refusal error, doubt ledger.Intent) error {
	if doubt.Create.IsZero() {
		r.intendNot() // the contact was there before
	}
	c, err := remote.Find(ctx, r.client, r.s.Row.Email)
	if errors.Is(err, owlat.ErrForbidden) && r.Overwrite.Always() { // without contacts:read, the answer to an update tells the same
		err = remote.Call(ctx, func() (err error) {
			c, err = r.client.Contacts.Update(ctx, r.s.Row.Email, remote.Update(r.s.Row.Fields))
			return err
		})
	}
	if remote.IsGone(err) {
		r.intendNot()
		why, by := taken.Holder(ctx, r.Ledger, r.Sync, r.s.Row, true)
		return &remote.Failure{Class: ledger.RetryLater, Category: ledger.CategoryDrift, Err: refusal, Holder: by, Reason: "Owlat refuses to create the contact although none has " +
			"this address. A contact that once had it still holds it: " +
			cmp.Or(r.s.Left, why+". It ends when that contact is deleted or gets its old address back")}
	}
	if err != nil {
		return err
	}
	return r.found(ctx, *c, doubt)
}

// found goes on with a contact that exists: as created if the create in doubt made it, else as adopted. It does not take a contact
// from another row.
func (r creation) found(ctx context.Context, c owlat.Contact, doubt ledger.Intent) error {
	rival, elsewhere, err := remote.Rivals(ctx, r.Ledger, r.Sync, []string{r.s.Row.Key, r.s.OldKey}, c.ID)
	if err != nil {
		return r.ledgerFailed(err)
	}
	if rival != "" {
		r.intendNot()
		return taken.By(step.Ref(r.Sync, rival), "it is the contact %s of %s", c.ID, step.RowName(rival))
	}
	ours := remote.Mine(r.client, r.Ledger, doubt, c) && !elsewhere
	if ours {
		likelier, err := remote.LikelierElsewhere(ctx, r.client, r.Ledger, r.Sync, r.e, c.CreatedAt)
		if err != nil {
			return r.ledgerFailed(err)
		}
		ours = !likelier
	}
	if ours {
		r.goOn(remote.EntryOf(r.Overwrite, r.s.Row.Key, c, ledger.OriginCreated, r.e, own.Read), owlatsync.Created, r.s.Changes)
		r.e.Intent = doubt
	} else if err := r.adopt(ctx, c); err != nil {
		return err
	}
	r.event(string(r.result.outcome), "the contact was found in Owlat")
	return nil
}

// adopt goes on with a contact that was there before. One that another sync created is new to those topics for which that sync has
// not acted on a consent.
func (r creation) adopt(ctx context.Context, c owlat.Contact) error {
	own.Unsent(r.e) // a create in doubt did not make this one
	e := remote.EntryOf(r.Overwrite, r.s.Row.Key, c, ledger.OriginAdopted, r.e, own.Read)
	met := r.s.Met
	if met == nil {
		r.goOn(e, owlatsync.Adopted, r.s.Changes)
		return nil
	}
	knows := known(r).read(ctx, c.ID)
	if knows {
		if err := known(r).departures(ctx, c.ID, owlatsync.LowerAddress(c.Email)); err != nil {
			return err
		}
	}
	isNew, err := r.newTo(ctx, c)
	if err != nil {
		return err
	}
	planned := topicsOf(r.s.Changes)
	changes := slices.DeleteFunc(slices.Clone(planned), func(c owlatsync.Change) bool { return !isNew(c.Topic) })
	for _, c := range met.Changes {
		if !isNew(c.Topic) || !slices.Contains(planned, c) {
			changes = append(changes, c)
		}
	}
	e.Memberships = slices.Clone(met.Memberships)
	skipped := met.Skipped
	for i, m := range e.Memberships {
		if wanted := r.e.Membership(m.Topic); wanted != nil && isNew(m.Topic) {
			if e.Memberships[i] = *wanted; m.Consent && m.State == ledger.MemberSkipped {
				skipped--
			}
		}
	}
	r.s.Events, r.s.Messages, r.s.Skipped = met.Events, met.Messages, skipped
	r.goOn(e, owlatsync.Adopted, changes)
	if knows {
		return known(r).heed(ctx)
	}
	return nil
}

// newTo returns a function that reports whether a contact that was met counts as new to a topic that it is to be added to.
func (r creation) newTo(ctx context.Context, c owlat.Contact) (func(topic string) bool, error) {
	held, err := r.Ledger.Sharers(ctx, []string{c.ID})
	if err != nil {
		return nil, r.readFailed(err)
	}
	doubtful, err := r.Ledger.Holders(ctx, []string{r.s.Row.Email})
	if err != nil {
		return nil, r.readFailed(err)
	}
	optOuts, err := r.Ledger.OptOuts(ctx, []string{c.ID})
	if err != nil {
		return nil, r.readFailed(err)
	}
	doubtful = slices.DeleteFunc(doubtful, func(h ledger.Holder) bool { return h.Entry.ContactID != "" })
	siblings, created := remote.Siblings(append(held, doubtful...), r.Sync, c.ID, func(sent ledger.Intent) bool { return remote.Mine(r.client, r.Ledger, sent, c) })
	var added []string
	for _, c := range r.s.Changes {
		if c.Kind == owlatsync.AddTopic {
			added = append(added, c.Topic)
		}
	}
	spent := consent.Spent(siblings, optOuts, added)
	return func(topic string) bool {
		return created && !r.s.Met.Old && slices.Contains(added, topic) && !slices.Contains(spent, topic)
	}, nil
}

func topicsOf(changes []owlatsync.Change) []owlatsync.Change {
	return slices.DeleteFunc(slices.Clone(changes), func(c owlatsync.Change) bool { return c.Topic == "" })
}

// goOn plans the rest of the step for a contact that was found: fields that differ, and the planned changes of topics.
func (r creation) goOn(e *ledger.Entry, outcome owlatsync.Outcome, planned []owlatsync.Change) {
	e.Failure = nil
	r.e = e
	var changes []owlatsync.Change
	if outcome == owlatsync.Adopted {
		changes = append(changes, owlatsync.Change{Kind: owlatsync.AdoptContact})
	}
	verdict := owner(r).judge()
	changes = append(changes, verdict.Changes...)
	for _, c := range planned {
		if c.Kind == owlatsync.AddTopic || c.Kind == owlatsync.RemoveTopic || c.Kind == owlatsync.OptOut {
			changes = append(changes, c)
		}
	}
	r.s.Changes, r.s.Outcome, r.s.Phase = changes, outcome, step.Update
	if r.result.outcome, r.result.reason = outcome, r.s.Reason; r.s.Never { // it was about creating none
		r.result.reason = ""
		if r.s.Leaves() {
			r.result.reason = step.ReasonNeverOwlat
		}
	}
}
