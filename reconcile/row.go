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
		// From here on the entry says what a new contact is yet to get, so that nothing of it is decided again.
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
	aborted := ctx.Err() != nil && !owlat.Unknown(err)
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
				r.e.Intent = Intent{}
			}
			return err
		case try == lostTries || ctx.Err() != nil:
			return err
		}
		doubt = r.e.Intent.Create
		c, err = r.find(ctx)
		if err == nil {
			return r.found(*c, doubt)
		}
		if !isGone(err) && !errors.Is(err, owlat.ErrForbidden) {
			return err
		}
	}
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
	r.e.Intent.Create = time.Now()
	bare := *r.e
	bare.Memberships, bare.ChangedAt = decided(bare.Memberships), time.Now()
	return r.record(ctx, Record{Sync: r.sync.Name, Run: r.run, Entry: &bare})
}

// take notes the contact as Owlat answered it.
func (r *rowRun) take(c owlat.Contact, origin Origin) {
	fresh := entryOf(r.it.Row.Key, c, origin, r.e)
	if r.e.Identity != "" {
		fresh.Identity = r.e.Identity
	}
	*r.e = *fresh
}

func (r *rowRun) find(ctx context.Context) (c *owlat.Contact, err error) {
	err = call(ctx, func() (err error) {
		c, err = r.engine.client.Contacts.Get(ctx, r.it.Row.Email)
		return err
	})
	return c, err
}

// met deals with a create that was refused because the address is held.
func (r *rowRun) met(ctx context.Context, refusal error, doubt time.Time) error {
	c, err := r.find(ctx)
	if errors.Is(err, owlat.ErrForbidden) { // without contacts:read an update tells as much
		err = call(ctx, func() (err error) {
			c, err = r.engine.client.Contacts.Update(ctx, r.it.Row.Email, owlat.ContactUpdate{FirstName: r.it.Row.FirstName, LastName: r.it.Row.LastName})
			return err
		})
	}
	if isGone(err) {
		r.e.Intent = Intent{}
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
	if mine(doubt, c) {
		e.Origin, e.Intent.Create = OriginCreated, doubt
	}
	planned := planRow(r.sync, r.it.Row, e, time.Now())
	planned.OldKey = r.it.OldKey
	if planned.Outcome != owlatsync.Created {
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

// removeTopic takes the contact off a topic. That it was not on it, or is no more, comes to the same.
func (r *rowRun) removeTopic(ctx context.Context, topic string) error {
	removed := false
	err := call(ctx, func() (err error) {
		removed, err = r.engine.client.Topics.Remove(ctx, topic, r.e.ContactID)
		return err
	})
	if err != nil && !isGone(err) {
		return err
	}
	m := r.e.Membership(topic)
	m.State, m.At = MemberLeft, time.Now()
	if !r.it.Missing {
		m.Consent, m.State = false, MemberOut
	}
	if removed {
		r.mu.Lock()
		r.report.Memberships.Removed++
		r.mu.Unlock()
	}
	r.event("topic removed", topic)
	return nil
}

// addTopic puts the contact on a topic. That it is about to is recorded first, so that an add of unknown outcome is not
// repeated when it could undo an opt-out (Invariant 1).
func (r *rowRun) addTopic(ctx context.Context, topic string) error {
	m := r.e.Membership(topic)
	r.mu.Lock()
	bad := r.badTopics[topic]
	r.mu.Unlock()
	if bad != "" {
		m.State = MemberWanted
		return &rowError{class: RetryLater, category: "topic", reason: bad}
	}
	if m.State != MemberSent {
		m.State, m.At = MemberSent, time.Now()
	}
	if err := r.flush(ctx); err != nil {
		return err
	}
	var err error
	for try := range lostTries {
		if try > 0 && !pause(ctx, time.Second<<(try-1)) {
			break
		}
		err = call(ctx, func() error {
			_, err := r.engine.client.Topics.Add(ctx, topic, owlat.Member{ContactID: r.e.ContactID})
			return err
		})
		if !owlat.Unknown(err) {
			break
		}
	}
	switch {
	case err == nil:
		m.State, m.At = MemberAdded, time.Now()
		r.mu.Lock()
		r.report.Memberships.Added++
		r.mu.Unlock()
		r.event("topic added", topic)
		return nil
	case isGone(err):
		m.State = MemberWanted
		return r.whoIsGone(ctx, topic, err)
	case !owlat.Unknown(err):
		m.State = MemberWanted
	}
	return err
}

// whoIsGone tells a deleted contact from a deleted topic, which Owlat answers alike.
func (r *rowRun) whoIsGone(ctx context.Context, topic string, notFound error) error {
	err := call(ctx, func() error {
		_, err := r.engine.client.Contacts.Get(ctx, r.e.ContactID)
		return err
	})
	if isGone(err) {
		r.gone = true
		return nil
	}
	reason := fmt.Sprintf("Owlat has no topic %s: correct its id in the configuration", topic)
	if err != nil {
		reason = fmt.Sprintf("Owlat has either no topic %s or the contact no more", topic)
	} else {
		r.mu.Lock()
		r.badTopics[topic] = reason
		r.mu.Unlock()
	}
	return &rowError{class: RetryLater, category: "topic", reason: reason, err: notFound}
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

// pause waits, and reports false when the context ended first.
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
