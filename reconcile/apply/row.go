package apply

import (
	"cmp"
	"context"
	"slices"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile/clock"
	"owlatsync/reconcile/consent"
	"owlatsync/reconcile/remote"
	"owlatsync/reconcile/step"
	"owlatsync/reconcile/taken"
)

// lostTries is how often a create or a topic add is sent in all if its answer is lost.
const lostTries = 3

// row is the application of one step.
type row struct {
	*run
	client *owlat.Client // from the pool
	clock  clock.Clock   // Owlat's
	s      *step.Step    // a copy
	e      *ledger.Entry // a copy: the entry now
	// pending are events that Owlat has confirmed and that are not recorded yet.
	pending  []ledger.Record
	lost     bool                 // something that Owlat has confirmed could not be recorded
	unsureOf string               // a topic of which nobody knows whether the contact is on it
	lostAdd  bool                 // the answer to an add that was just sent was lost
	left     []string             // topics that the person is known to have left since an add in doubt
	looked   bool                 // the adds in doubt were looked at in this step
	sentAt   map[string]time.Time // when adds of this step were sent, by topic
	movedAt  time.Time            // when the last request of this step was answered that may have moved the contact's updatedAt
	gone     bool                 // the contact was deleted in Owlat

	members consent.Members // as they were read last; nil: they are not known
	readAt  time.Time       // when, on Owlat's clock
	shown   string          // the contact's address then; empty: not known
	parted  bool            // a reading of this step showed that the person has left topics
	leftAll bool            // the person may have left everything
	// unconfirmed is why the person cannot confirm an add; empty: they can, or need not.
	unconfirmed string
	optedOut    bool                     // Owlat has confirmed that the contact is opted out of everything
	stranger    bool                     // no mail may go to the person, and Owlat has no contact of theirs
	word        ledger.SuppressionReason // by whose word no mail may go to the person who is opted out
	unmatched   bool                     // nobody in Owlat has the address of a row that only sends events
	result      result
}

func (a *run) row(client *owlat.Client, planned *step.Step) *row {
	s, e := *planned, *planned.Entry
	e.Memberships = slices.Clone(e.Memberships)
	return &row{run: a, client: client, clock: clock.Of(client, a.Ledger), s: &s, e: &e, sentAt: make(map[string]time.Time), result: result{outcome: s.Outcome, reason: s.Reason}}
}

// apply carries out a step and tells its outcome.
func (a *run) apply(ctx context.Context, client *owlat.Client, planned *step.Step) {
	r := a.row(client, planned)
	err := early{r}.reread(ctx)
	// From here on the row is not in step: if it changes back after a broken run, it must not count as unchanged.
	r.e.Fingerprint, r.e.Doubt = ledger.Fingerprint{}, r.e.Doubt && r.s.Only
	owner{r}.keeps(r.s.Changes)
	if err == nil {
		err = r.send(ctx)
	}
	if err == nil {
		err = r.finish(ctx)
	}
	if err != nil {
		setback{r}.failed(ctx, err)
		return
	}
	a.health(nil)
}

// withdraw carries out the part of a step that comes before its turn.
func (a *run) withdraw(ctx context.Context, client *owlat.Client, planned *step.Step) {
	r := a.row(client, planned)
	r.e.Fingerprint, r.e.Doubt = ledger.Fingerprint{}, false
	if err := (never{r}).optOut(ctx); err != nil || r.gone {
		if err == nil {
			err = r.flush(ctx)
		}
		early{r}.ended(ctx, err)
		return
	}
	// A look that fails leaves doubts about adds open, and the withdrawal does not wait for it.
	_ = membership{r}.settleFirst(ctx, false)
	err := withdrawal{r}.removeTopics(ctx)
	if err == nil {
		err = r.flush(ctx)
	}
	early{r}.ended(ctx, err)
}

// send sends what the step needs: first withdrawals, then the contact, then consents and events.
func (r *row) send(ctx context.Context) error {
	switch {
	case r.s.Missing:
		return absence{r}.remove(ctx)
	case r.s.Matches:
		r.e.Events = slices.Clone(r.s.Events)
		return notice{r}.notify(ctx)
	}
	done := r.s.WithdrawsEarly() // that part
	if !done {
		if err := (never{r}).apply(ctx); err != nil || r.gone || r.stranger {
			return err
		}
	}
	if err := (membership{r}).settleFirst(ctx, true); err != nil || r.gone {
		return err
	}
	if !done {
		if err := (withdrawal{r}).removeTopics(ctx); err != nil || r.gone || r.s.Only {
			return err
		}
	}
	if err := r.blocked(taken.Kept(ctx, r.Ledger, r.Sync, r.s.After)); err != nil {
		return err
	}
	if r.e.ContactID == "" {
		if err := (never{r}).stays(ctx); err != nil || r.stranger {
			return err
		}
		if err := (creation{r}).create(ctx); err != nil {
			return err
		}
		// Of a contact that was there before.
		if err := (withdrawal{r}).removeTopics(ctx); err != nil || r.gone {
			return err
		}
	}
	if err := (alteration{r}).update(ctx); err != nil || r.gone {
		return err
	}
	// The contact exists, so the create is no longer in doubt and the ledger keeps what is due for it.
	r.e.Events, r.e.Intent = slices.Clone(r.s.Events), ledger.Intent{}
	of := r.e.ContactID
	for _, c := range r.s.Changes {
		if c.Kind == owlatsync.AddTopic && r.e.ContactID == of { // nobody is added after a merge
			if err := (membership{r}).addTopic(ctx, c.Topic); err != nil || r.gone {
				return err
			}
		}
	}
	if r.e.ContactID != of { // the other contact may hold other values
		if err := (alteration{r}).update(ctx); err != nil || r.gone {
			return err
		}
	}
	return notice{r}.notify(ctx)
}

// blocked returns the failure of a row whose address is taken, if it is, or that of looking for it.
func (r *row) blocked(by *remote.Failure, err error) error {
	switch {
	case err != nil:
		return r.readFailed(err)
	case by != nil:
		return by
	}
	return nil
}

// finish records the end of the step and tells its outcome.
func (r *row) finish(ctx context.Context) error {
	r.mu.Lock()
	lost := r.withdrawn[r.s.Row.Key]
	r.mu.Unlock()
	if r.s.Only {
		r.result.category = r.s.Category
	}
	if r.unsureOf != "" && r.result.category == "" {
		r.result.category, r.result.outcome, r.result.reason = ledger.CategoryUnsure, owlatsync.Failed, reasonUnsure(r.e.Membership(r.unsureOf))
	}
	switch {
	case r.gone:
		r.e.Origin, r.e.Fingerprint = ledger.OriginGone, ledger.Fingerprint{}
		if !r.s.Only {
			r.result = result{outcome: owlatsync.Skipped, reason: step.ReasonGone, category: ledger.CategoryGone}
		}
		r.event("gone", step.ReasonGone)
	case r.s.Only:
		if f := r.e.Failure; f != nil && !f.Absence && f.Fingerprint.IsZero() { // it was about the withdrawal
			r.e.Failure = nil
		}
	case r.s.Missing:
	case lost != nil:
		r.result = result{outcome: owlatsync.Failed, reason: lost.Reason, category: lost.Category, erred: true}
	case r.s.Refused:
		r.result.erred, r.result.category = true, cmp.Or(r.result.category, ledger.CategoryExchange)
	case r.unmatched:
		settled(r.e, r.s.Row.Fingerprint)
		r.result = result{outcome: owlatsync.Skipped, reason: step.ReasonUnmatched, category: ledger.CategoryUnmatched}
	case r.stranger:
		settled(r.e, step.Untold(r.s.Row.Fingerprint))
		r.result = result{outcome: owlatsync.Skipped, reason: step.ReasonOf(r.s.Row), category: ledger.CategoryNeverMail}
	default:
		print, err := never{r}.print(ctx)
		if err != nil {
			return err
		}
		settled(r.e, print)
		if r.unconfirmed != "" && r.result.category == "" {
			r.result = result{outcome: owlatsync.Failed, reason: r.unconfirmed, category: ledger.CategoryUnconfirmed}
		}
	}
	if err := r.flush(ctx); err != nil {
		return err
	}
	r.leftAlone(r.s.Skipped)
	r.tell()
	return nil
}

func (r *row) tell() {
	r.result.entry = r.e
	r.done(r.s, r.result)
}

// event notes what Owlat has confirmed; flush records it.
func (r *row) event(what, note string) {
	r.pending = append(r.pending, ledger.Record{Sync: r.Sync, Run: r.Run, Entry: r.e, Event: what, Note: note})
}

// flush makes the entry and its events durable. Between an answer and its flush nothing is sent that could not be sent again.
func (r *row) flush(ctx context.Context) error {
	if len(r.pending) == 0 {
		r.event("", "")
	}
	for i := range r.pending {
		r.pending[i].Entry, r.pending[i].Replaces = r.e, r.s.OldKey
	}
	r.clock.Date(r.e.Memberships, r.Undated)
	r.e.ChangedAt = r.Ledger.Now()
	err := r.record(ctx, r.pending...)
	r.lost = r.lost || err != nil && slices.ContainsFunc(r.pending, func(p ledger.Record) bool { return p.Event != "" })
	r.pending = nil
	return err
}

// flushFirst makes durable what Owlat has confirmed for the row, because the next request may wait long for its turn. Where nothing
// waits, the mark of that request does it.
func (r *row) flushFirst(ctx context.Context) error {
	if rate, _ := r.client.Rate(); len(r.pending) == 0 || rate == 0 {
		return nil
	}
	return r.flush(ctx)
}

// readFailed is ledgerFailed for a failed read.
func (r *row) readFailed(err error) error { return r.ledgerFailed(readLedger(err)) }
