package apply

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile/consent"
	"owlatsync/reconcile/mark"
	"owlatsync/reconcile/remote"
	"owlatsync/reconcile/step"
)

// never sees to it that no mail goes to the person of a row that says so. The ledger suppresses the contact first: no sync puts it on a
// topic from then on, whatever becomes of the rest.
type never struct{ *row }

// apply does what comes before everything else of the step.
func (r never) apply(ctx context.Context) error {
	if !r.s.Never {
		return nil
	}
	if r.e.ContactID == "" {
		if err := (barring{r.run}).suppress(ctx, bars(r.e, r.s.Row, r.Ledger.Now())...); err != nil {
			return err
		}
		if err := r.seek(ctx); err != nil || r.stranger {
			return err
		}
	}
	return r.optOut(ctx)
}

// seek looks for a contact with the row's address, and goes on with it.
func (r never) seek(ctx context.Context) error {
	doubt := r.e.Intent // of a create that may have taken effect
	c, err := remote.Find(ctx, r.client, r.s.Row.Email)
	switch {
	case err == nil:
		if doubt.Create.IsZero() {
			r.e.Identity = ""
		}
		return creation(r).found(ctx, *c, doubt)
	case !remote.IsGone(err) && !errors.Is(err, owlat.ErrForbidden): // without contacts:read nothing can be looked up
		return err
	}
	r.intendNot()
	r.stranger = true
	return nil
}

// stays finds out, right before the contact of a row is created, whether somebody has said meanwhile that no mail may go to its address.
func (r never) stays(ctx context.Context) error {
	if !r.e.Intent.Create.IsZero() { // it may be there
		return nil
	}
	reason, err := r.barred(ctx)
	if r.stranger = err == nil && reason.Asked(); r.stranger {
		r.forgetUnsent()
	}
	return err
}

// optOut suppresses the contact, and opts it out of everything in Owlat if the step says so. A contact that was merged into another one
// is opted out there. Repeating it changes nothing.
func (r never) optOut(ctx context.Context) error {
	if !r.s.Never {
		return nil
	}
	if err := (barring{r.run}).suppress(ctx, bars(r.e, r.s.Row, r.Ledger.Now())...); err != nil {
		return err
	}
	if err := r.hear(ctx); err != nil || r.word == "" {
		return err
	}
	if !r.s.OptsOut() {
		return nil
	}
	for range 2 {
		ended, err := r.send(ctx)
		if err == nil && ended == 0 { // Owlat answers alike for a contact that was deleted in the dashboard or merged
			if _, err = remote.Find(ctx, r.client, r.e.ContactID); errors.Is(err, owlat.ErrForbidden) {
				err = nil
			}
		}
		switch {
		case err == nil:
			return r.told(ctx)
		case !remote.IsGone(err):
			return err
		}
		if err := heir(r).follow(ctx); err != nil || r.gone {
			return err
		}
	}
	return &remote.Failure{Class: ledger.RetryLater, Category: ledger.CategoryNeverMail, Reason: "the contact is gone, and so is the one into which it was merged; " +
		"the next run looks again"}
}

// hear finds out by whose word no mail may go to the person: that of the row, or that of another row or of a list.
func (r never) hear(ctx context.Context) error {
	r.word = ledger.NeverMail
	if r.s.Row.Never {
		return nil
	}
	reason, err := r.barred(ctx)
	if err != nil || !reason.Asked() { // lifted meanwhile
		r.word = ""
		return err
	}
	r.word = reason
	return (barring{r.run}).suppress(ctx, ledger.Suppression{Email: r.e.ContactID, Reason: reason, At: r.Ledger.Now()})
}

// send sends the opt-out.
func (r never) send(ctx context.Context) (ended int, err error) {
	if err := r.flushFirst(ctx); err != nil {
		return 0, err
	}
	err = mark.Call(ctx, mark.Once(func(ctx context.Context) error {
		earliest, _, _ := r.clock.Bounds()
		about := ledger.Suppression{Email: r.e.ContactID, Reason: r.word, At: r.Ledger.Now(), Sent: earliest}
		return (barring{r.run}).suppress(ctx, about)
	}), func(ctx context.Context) (err error) {
		ended, err = r.Links.OptOut(ctx, r.client, r.e.ContactID)
		return err
	})
	if errors.Is(err, remote.ErrUntold) || errors.Is(err, owlat.ErrNoUnsubscribeSecret) {
		return 0, &remote.Failure{Class: ledger.RetryLater, Category: ledger.CategoryNeverMail, Err: err, Reason: r.refusal(err)}
	}
	return ended, err
}

// refusal says why a person is not opted out, and what to do. What ended the opt-outs of a run may be another row's failure: the secret is wrong, or
// the deployment does not answer.
func (r never) refusal(err error) string {
	why := cmp.Or(r.Links.Refused(), err)
	return fmt.Sprintf("the person is not opted out of everything in Owlat yet, and nothing of ours puts them on a topic meanwhile: %s; `owlat-sync check` tells more", why)
}

// again opts the person out once more whom the step has just put on a topic, if somebody has said while the add was under way that no mail may go to
// them: the add may have reached Owlat after their opt-out, and ended it.
func (r never) again(ctx context.Context, topic string) error {
	reason, err := r.barred(ctx)
	if err != nil || !reason.Asked() || !r.client.Preferences.Configured() {
		return err
	}
	r.word = reason
	if _, err = r.send(ctx); err == nil {
		return r.told(ctx)
	}
	return &remote.Failure{Class: ledger.RetryLater, Category: ledger.CategoryNeverMail, Err: err, Reason: fmt.Sprintf(
		"somebody said that no mail may go to the person while they were put on topic %s, which ended their opt-out, and it could not be sent again: %v; "+
			"do it by `owlat-sync feedback lift` and `owlat-sync optout`", topic, remote.Classify(err).Reason)}
}

// told records that Owlat has confirmed the opt-out.
func (r never) told(ctx context.Context) error {
	at := r.clock.Now()
	if err := r.siblings(ctx, at); err != nil {
		return err
	}
	if err := (barring{r.run}).suppress(ctx, ledger.Suppression{Email: r.e.ContactID, Reason: r.word, At: r.Ledger.Now(), Told: at}); err != nil {
		return err
	}
	for i := range r.e.Memberships {
		m := &r.e.Memberships[i]
		m.Consent, m.State, m.At = false, ledger.MemberOut, at
	}
	r.e.Witness = time.Time{} // an opt-out moves what Owlat tells
	dated(r).moved()
	r.optedOut = true
	r.event(ledger.EventOptedOut, "no mail may go to the person")
	r.Tell.Memberships(owlatsync.MembershipCounts{OptedOut: 1})
	return nil
}

// print returns the fingerprint that stands for the row from now on.
func (r never) print(ctx context.Context) (ledger.Fingerprint, error) {
	if !r.s.Never || r.optedOut {
		return r.s.Row.Fingerprint, nil
	}
	found, err := r.Ledger.Suppressions(ctx, []string{r.e.ContactID}) // before its turn Owlat may have been told
	if err != nil {
		return ledger.Fingerprint{}, r.readFailed(err)
	}
	if found[r.e.ContactID].Told.IsZero() {
		return step.Untold(r.s.Row.Fingerprint), nil
	}
	return r.s.Row.Fingerprint, nil
}

// siblings notes for other rows with the contact that it is on none of their topics any more.
func (r never) siblings(ctx context.Context, at time.Time) error {
	sharers, err := r.Ledger.Sharers(ctx, []string{r.e.ContactID})
	if err != nil {
		return r.readFailed(err)
	}
	others := slices.DeleteFunc(sharers, func(h ledger.Holder) bool { return h.Sync == r.Sync && h.Entry.Key == r.e.Key })
	left := consent.Ended(others, r.e.ContactID, at)
	if err := r.Heard.NoteOptOuts(context.WithoutCancel(ctx), left...); err != nil {
		return r.ledgerFailed(fmt.Errorf("note who is off topics: %w", err))
	}
	return nil
}

// inherit has the contact into which that of the row was merged suppressed as that one is by the user's own word.
func (r never) inherit(ctx context.Context, contact string) error {
	found, err := r.Ledger.Suppressions(ctx, []string{r.e.ContactID})
	if err != nil {
		return r.readFailed(err)
	}
	if was := found[r.e.ContactID]; was.Reason.Asked() {
		return (barring{r.run}).suppress(ctx, ledger.Suppression{Email: contact, Reason: was.Reason, At: was.At})
	}
	return nil
}

// moved has the new address of a contact suppressed as the contact is by the user's own word: if Owlat merges the contact into another one, the address alone tells who that is.
func (r never) moved(ctx context.Context) error {
	found, err := r.Ledger.Suppressions(ctx, []string{r.e.ContactID})
	if err != nil {
		return r.readFailed(err)
	}
	if was := found[r.e.ContactID]; was.Reason.Asked() {
		return (barring{r.run}).suppress(ctx, ledger.Suppression{Email: r.e.Email, Reason: was.Reason, At: was.At})
	}
	return nil
}

// barred says why no mail may go to the contact or its address; empty: it may. Owlat may have shown another address than the ledger has, such as
// that of a contact that was merged into this one.
func (r never) barred(ctx context.Context) (ledger.SuppressionReason, error) {
	address := cmp.Or(r.e.Email, r.s.Row.Email)
	names := []string{address, r.e.ContactID}
	if r.shown != "" && r.shown != address {
		names = append(names, r.shown)
	}
	found, err := r.Ledger.Suppressions(ctx, names)
	if err != nil {
		return "", r.readFailed(err)
	}
	is := found[address].With(found[r.e.ContactID])
	if len(names) > 2 {
		is = is.With(found[r.shown])
	}
	return is.Reason, nil
}

// bars returns what a row suppresses that says so: its contact, also under another address, and the address, also of another contact. Where there is
// no contact, that is the row's address, of which no sync makes one.
func bars(e *ledger.Entry, r *step.Row, now time.Time) (all []ledger.Suppression) {
	if !r.Never {
		return nil
	}
	names := []string{e.ContactID, e.Email}
	if e.ContactID == "" {
		names = []string{r.Email}
	}
	for _, name := range names {
		if name != "" {
			all = append(all, ledger.Suppression{Email: name, Reason: ledger.NeverMail, At: now})
		}
	}
	return all
}

// barring records to whom no mail may go.
type barring struct{ *run }

// suppress records suppressions. If that fails, it ends the run.
func (a barring) suppress(ctx context.Context, suppressions ...ledger.Suppression) error {
	if len(suppressions) == 0 {
		return nil
	}
	if err := a.Heard.Suppress(context.WithoutCancel(ctx), suppressions...); err != nil {
		return a.ledgerFailed(err)
	}
	return nil
}

// untold settles the entry of a row to whose person no mail may go, without telling Owlat, and returns what suppresses them.
func untold(e *ledger.Entry, s *step.Step) []ledger.Suppression {
	e.Events = s.Events
	settled(e, step.Untold(s.Row.Fingerprint))
	return bars(e, s.Row, e.ChangedAt)
}

// leftOut returns why a row is skipped that needs no request.
func leftOut(s *step.Step) ledger.Category {
	if s.Never {
		return ledger.CategoryNeverMail
	}
	return ledger.CategoryGone
}
