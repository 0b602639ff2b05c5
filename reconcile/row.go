package reconcile

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"owlatsync"
	"owlatsync/owlat"
)

const (
	// lostTries is how often a create or a topic add whose answer was lost is sent in all.
	lostTries = 3
)

// rowRun is the application of one item.
type rowRun struct {
	*applier
	it *item
	e  *Entry
	// pending are events that Owlat has confirmed and the ledger is yet to record.
	pending []Record
	gone    bool // the contact was deleted in Owlat
	// category says of what kind the reason of a row is that is done and yet not certain.
	category string
}

// apply carries out an item and tells its outcome.
func (a *applier) apply(ctx context.Context, it *item) {
	r := &rowRun{applier: a, it: it, e: it.Entry}
	err := r.reread(ctx)
	if err == nil {
		err = r.steps(ctx)
	}
	if err == nil {
		err = r.finish(ctx)
	}
	if err != nil {
		r.failed(ctx, err)
		return
	}
	a.health(nil)
}

// steps sends what the item needs: what was withdrawn first, then the contact, then what was consented to.
func (r *rowRun) steps(ctx context.Context) error {
	if r.it.Missing {
		return r.remove(ctx)
	}
	for _, c := range r.it.Changes {
		if c.Kind == owlatsync.RemoveTopic && !r.it.Reread { // else the earlier item did
			if err := r.removeTopic(ctx, c.Topic); err != nil {
				return err
			}
		}
	}
	if r.e.ContactID == "" {
		if err := r.create(ctx); err != nil {
			return err
		}
	}
	if err := r.update(ctx); err != nil || r.gone {
		return err
	}
	if !r.it.Partial {
		// With the contact the ledger now keeps what is due for it, once: the create is in doubt no more.
		r.e.Events, r.e.Intent = r.it.Events, Intent{}
	}
	for _, c := range r.it.Changes {
		if c.Kind == owlatsync.AddTopic {
			if err := r.addTopic(ctx, c.Topic); err != nil || r.gone {
				return err
			}
		}
	}
	if r.it.Partial {
		return nil
	}
	return r.notify(ctx)
}

// reread takes the entry from the ledger where an earlier item of the row has changed it.
func (r *rowRun) reread(ctx context.Context) error {
	if !r.it.Reread {
		return nil
	}
	entries, err := r.engine.ledger.Entries(ctx, r.sync.Name, []string{r.it.Row.Key})
	if err != nil {
		return r.ledgerFailed(fmt.Errorf("read the ledger: %w", err))
	}
	if e := entries[r.it.Row.Key]; e != nil {
		r.e, r.it.Entry = e, e
	}
	return nil
}

// event notes what Owlat has confirmed; flush records it.
func (r *rowRun) event(what, note string) {
	r.pending = append(r.pending, Record{Sync: r.sync.Name, Run: r.run, Entry: r.e, Event: what, Note: note})
}

// flush makes the entry and the events so far durable. Nothing is sent between an answer and its flush that could not be
// sent again.
func (r *rowRun) flush(ctx context.Context) error {
	if len(r.pending) == 0 {
		r.event("", "")
	}
	for i := range r.pending {
		r.pending[i].Entry, r.pending[i].Replaces = r.e, r.it.OldKey
	}
	r.e.ChangedAt = time.Now()
	err := r.record(ctx, r.pending...)
	r.pending = nil
	return err
}

func (r *rowRun) finish(ctx context.Context) error {
	outcome, reason, category := r.it.Outcome, r.it.Reason, r.category
	if r.it.Unsure && category == "" {
		category = categoryUnsure
	}
	r.mu.Lock()
	lost := r.withdrawn[r.it.Row.Key]
	r.mu.Unlock()
	switch {
	case r.gone:
		r.e.Origin, r.e.Fingerprint = OriginGone, Fingerprint{}
		outcome, reason = owlatsync.Skipped, reasonGone
		r.event("gone", reason)
	case r.it.Partial, r.it.Missing:
	case lost != nil:
		outcome, reason, category = owlatsync.Failed, lost.reason, lost.category
	case outcome == owlatsync.Failed && !r.it.Unsure: // only what did not have to wait was done
	default:
		r.e.settled(r.it.Row.Fingerprint)
	}
	if err := r.flush(ctx); err != nil {
		return err
	}
	r.skip(r.it.Skipped)
	r.done(r.it, outcome, reason, category)
	return nil
}

// failed keeps a failure for later runs and tells it.
func (r *rowRun) failed(ctx context.Context, err error) {
	re := classify(err)
	aborted := (ctx.Err() != nil || errors.Is(err, owlat.ErrPoolClosed)) && !owlat.Unknown(err)
	switch {
	case re.class == StopRun:
		r.end(&StoppedError{Err: err})
	case aborted:
		r.end(ctx.Err())
	case re.outage():
		r.health(re)
	}
	if re.class != StopRun && !aborted {
		status := 0
		if answer, ok := errors.AsType[*owlat.Error](err); ok {
			status = answer.StatusCode
		}
		print := r.it.Row.Fingerprint
		if r.it.Missing {
			print = missingPrint
		}
		r.e.Failure = fail(r.e.Failure, print, re, status, time.Now())
		r.event("failed", re.reason)
	}
	r.e.Fingerprint = Fingerprint{}
	if r.e.ContactID == "" {
		r.e.Memberships = decided(r.e.Memberships)
	}
	if flushErr := r.flush(ctx); flushErr != nil {
		re = classify(flushErr)
	}
	if r.it.Partial {
		r.mu.Lock()
		r.withdrawn[r.it.Row.Key] = re
		r.mu.Unlock()
	}
	if aborted {
		r.done(r.it, owlatsync.Skipped, reasonStopped, "")
		return
	}
	r.done(r.it, owlatsync.Failed, re.reason, re.category)
}

// create makes the contact. That it is about to is recorded first: a contact found after a kill or a lost answer is then
// known to be ours (Invariant 3).
func (r *rowRun) create(ctx context.Context) error {
	d := r.it.Row
	if done, err := r.settleDoubt(ctx); done || err != nil {
		return err
	}
	doubt := r.e.Intent.Create // of an earlier create that may have taken effect
	for try := 1; ; try++ {
		if err := r.intend(ctx); err != nil {
			return err
		}
		var c *owlat.Contact
		err := call(ctx, func() (err error) {
			c, err = r.engine.client.Contacts.Create(ctx, owlat.ContactCreate{
				Email: d.Email, FirstName: unlessEmpty(d.FirstName), LastName: unlessEmpty(d.LastName),
			})
			return err
		})
		switch {
		case err == nil:
			r.take(*c, OriginCreated)
			r.event(string(owlatsync.Created), "")
			return nil
		case errors.Is(err, owlat.ErrConflict):
			return r.met(ctx, err, doubt)
		case !owlat.Unknown(err):
			if doubt.IsZero() {
				r.intendNot()
			}
			return err
		case try == lostTries || ctx.Err() != nil:
			return err
		}
		doubt = r.e.Intent.Create
		c, err = r.find(ctx, d.Email)
		if err == nil {
			return r.found(*c, doubt)
		}
		if !isGone(err) && !errors.Is(err, owlat.ErrForbidden) {
			return err
		}
		if !pause(ctx, time.Second<<(try-1)) {
			return ctx.Err()
		}
	}
}

// settleDoubt looks whether a create of an earlier run whose answer was lost took effect, before another is sent: after
// that its contact could not be told from one that somebody else has made since. It reports whether the row's contact was
// found.
func (r *rowRun) settleDoubt(ctx context.Context) (found bool, err error) {
	sent, address := r.e.Intent.Create, r.e.Identity
	if sent.IsZero() {
		return false, nil
	}
	if address == "" {
		address = r.it.Row.Email
	}
	c, err := r.find(ctx, address)
	there := err == nil
	switch {
	case errors.Is(err, owlat.ErrForbidden): // the create itself has to tell
		return false, nil
	case !there && !isGone(err):
		return false, err
	case there && mine(sent, *c):
		elsewhere, err := r.madeElsewhere(ctx, c.ID)
		if err != nil {
			return false, err
		}
		if !elsewhere {
			return true, r.found(*c, sent)
		}
	}
	r.intendNot()
	if there && address == r.it.Row.Email {
		return true, r.found(*c, time.Time{})
	}
	return false, nil
}

// madeElsewhere reports whether the contact is known to have been created for another row.
func (r *rowRun) madeElsewhere(ctx context.Context, contact string) (bool, error) {
	holders, err := r.engine.ledger.Sharers(ctx, []string{contact})
	if err != nil {
		return false, r.ledgerFailed(fmt.Errorf("read the ledger: %w", err))
	}
	return slices.ContainsFunc(holders, func(h Holder) bool {
		return h.Entry.Origin == OriginCreated && (h.Sync != r.sync.Name || h.Entry.Key != r.it.Row.Key)
	}), nil
}

// decided leaves out the memberships that were planned for a new contact: they are no consent for one that turns out to be
// there already.
func decided(planned []Membership) []Membership {
	return slices.DeleteFunc(slices.Clone(planned), func(m Membership) bool { return m.State == MemberWanted })
}

// intend records that a create is about to be sent, unless that is recorded already.
func (r *rowRun) intend(ctx context.Context) error {
	if !r.e.Intent.Create.IsZero() {
		return nil
	}
	r.e.Intent.Create, r.e.Identity = time.Now(), r.it.Row.Email
	bare := *r.e
	bare.Memberships, bare.ChangedAt = decided(bare.Memberships), time.Now()
	err := r.record(ctx, Record{Sync: r.sync.Name, Run: r.run, Entry: &bare})
	if err != nil {
		r.intendNot()
	}
	return err
}

// intendNot notes that no create is in doubt.
func (r *rowRun) intendNot() { r.e.Intent, r.e.Identity = Intent{}, "" }

// take notes the contact as Owlat answered it.
func (r *rowRun) take(c owlat.Contact, origin Origin) {
	fresh := entryOf(r.it.Row.Key, c, origin, r.e)
	if r.e.Identity != "" {
		fresh.Identity = r.e.Identity
	}
	*r.e = *fresh
}

func (r *rowRun) find(ctx context.Context, address string) (c *owlat.Contact, err error) {
	err = call(ctx, func() (err error) {
		c, err = r.engine.client.Contacts.Get(ctx, address)
		return err
	})
	return c, err
}

// met deals with a create that was refused because the address is held.
func (r *rowRun) met(ctx context.Context, refusal error, doubt time.Time) error {
	if doubt.IsZero() {
		r.intendNot() // the contact was there before
	}
	c, err := r.find(ctx, r.it.Row.Email)
	if errors.Is(err, owlat.ErrForbidden) { // without contacts:read an update tells as much
		err = call(ctx, func() (err error) {
			c, err = r.engine.client.Contacts.Update(ctx, r.it.Row.Email, owlat.ContactUpdate{FirstName: r.it.Row.FirstName, LastName: r.it.Row.LastName})
			return err
		})
	}
	if isGone(err) {
		r.intendNot()
		return &rowError{class: RetryLater, category: "drift", err: refusal, reason: "Owlat refuses to create the contact although none has " +
			"this address: " + r.holder(ctx) + ". It ends when that contact is deleted or gets its old address back"}
	}
	if err != nil {
		return err
	}
	return r.found(*c, doubt)
}

// found goes on with a contact that exists: as if just created where the create in doubt made it, else as adopted.
func (r *rowRun) found(c owlat.Contact, doubt time.Time) error {
	base := *r.e
	base.Memberships = decided(base.Memberships)
	e := entryOf(r.it.Row.Key, c, OriginAdopted, &base)
	e.Failure = nil
	ours := mine(doubt, c)
	if ours {
		e.Origin, e.Intent.Create = OriginCreated, doubt
	}
	planned := planRow(r.sync, r.it.Row, e, time.Now())
	planned.OldKey = r.it.OldKey
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

// update sends exactly the fields that differ, by the contact's id.
func (r *rowRun) update(ctx context.Context) error {
	var u owlat.ContactUpdate
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
	if len(what) == 0 || r.it.Partial || r.it.Outcome == owlatsync.Failed && !r.it.Unsure {
		return nil
	}
	var c *owlat.Contact
	err := call(ctx, func() (err error) {
		c, err = r.engine.client.Contacts.Update(ctx, r.e.ContactID, u)
		return err
	})
	switch {
	case isGone(err):
		r.gone = true
		return nil
	case errors.Is(err, owlat.ErrConflict) && u.Email != nil:
		return &rowError{class: RetryLater, category: "taken", err: err, reason: "another contact in Owlat has the row's new address: " + r.holder(ctx)}
	case err != nil:
		return err
	}
	origin, intent := r.e.Origin, r.e.Intent
	r.take(*c, origin)
	r.e.Intent = intent
	r.event("updated", strings.Join(what, ", "))
	return nil
}

// isGone reports a 404 of Owlat's own; one of a gateway says nothing about the contact.
func isGone(err error) bool {
	answer, ok := errors.AsType[*owlat.Error](err)
	return ok && answer.StatusCode == http.StatusNotFound && errors.Is(err, owlat.ErrNotFound) && !errors.Is(err, owlat.ErrNoRoute)
}

func unlessEmpty(s *string) *string {
	if s == nil || *s == "" {
		return nil
	}
	return s
}
