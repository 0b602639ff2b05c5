package reconcile

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat"
)

const (
	// lostTries is how often a create or a topic add whose answer was lost is sent in all.
	lostTries = 3
)

// rowRun is the application of one item.
type rowRun struct {
	*applier
	client *owlat.Client // the pool's
	it     *item
	e      *ledger.Entry
	// pending are events that Owlat has confirmed and the ledger is yet to record.
	pending []ledger.Record
	gone    bool // the contact was deleted in Owlat
	// category says of what kind the reason of a row is that is done and yet not certain.
	category string
}

// apply carries out an item and tells its outcome.
func (a *applier) apply(ctx context.Context, client *owlat.Client, it *item) {
	r := &rowRun{applier: a, client: client, it: it, e: it.Entry}
	err := r.reread(ctx)
	// From here on the row is not in step: if the run ends and the row becomes what it was, that must not count as nothing to do.
	r.e.Fingerprint = ledger.Fingerprint{}
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
		r.e.Events, r.e.Intent = r.it.Events, ledger.Intent{}
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
	r.pending = append(r.pending, ledger.Record{Sync: r.sync.Name, Run: r.run, Entry: r.e, Event: what, Note: note})
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
		r.e.Origin, r.e.Fingerprint = ledger.OriginGone, ledger.Fingerprint{}
		outcome, reason = owlatsync.Skipped, reasonGone
		r.event("gone", reason)
	case r.it.Partial, r.it.Missing:
	case lost != nil:
		outcome, reason, category = owlatsync.Failed, lost.reason, lost.category
		r.it.erred = true
	case r.it.Refused:
	default:
		settled(r.e, r.it.Row.Fingerprint)
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
	aborted := (ctx.Err() != nil || errors.Is(err, owlat.ErrPoolClosed)) && !owlat.OutcomeUnknown(err)
	switch {
	case re.class == ledger.StopRun:
		r.end(&StoppedError{Err: err})
	case aborted:
		r.end(ctx.Err())
	case re.outage():
		r.health(re)
	}
	if re.class != ledger.StopRun && !aborted {
		status := 0
		if answer, ok := errors.AsType[*owlat.Error](err); ok {
			status = answer.StatusCode
		}
		print := r.it.Row.Fingerprint
		if r.it.Missing {
			print = ledger.OfAbsence
		}
		r.e.Failure = fail(r.e.Failure, print, re, status, time.Now())
		r.event("failed", re.reason)
	}
	if r.e.Fingerprint != ledger.Doubtful {
		r.e.Fingerprint = ledger.Fingerprint{}
	}
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
	r.it.erred = true
	r.done(r.it, owlatsync.Failed, re.reason, re.category)
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
