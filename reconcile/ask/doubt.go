// Package ask asks Owlat what a plan must know: what became of requests whose answers were lost, and which contacts exist already.
// It changes nothing in Owlat.
package ask

import (
	"context"
	"errors"
	"fmt"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile/own"
	"owlatsync/reconcile/remote"
	"owlatsync/reconcile/step"
)

// unanswered is how many look-ups in a row must fail before the others are not tried.
const unanswered = 3

// reasonDoubt begins the reason of a row that waits because its contact could not be looked up.
const reasonDoubt = "an earlier run sent a change whose answer was lost, and what became of it could not be looked up: "

// reasonLiving begins the reason of a row that waits because it is not known whether it can adopt a contact.
const reasonLiving = "the row's contact was deleted, and whether the contact that another sync has under its address is still there could not be looked up: "

// Asker asks one deployment for one run.
type Asker struct {
	Client *owlat.Client
	Ledger ledger.Reader
	Sync   string
	Run    int64
	// Overwrite says which fields of contacts the sync may overwrite.
	Overwrite owlatsync.Overwrites

	listed  *Listed // what Adopt has found; nil: it was not asked yet
	mode    owlatsync.AdoptionMode
	failing int    // look-ups of Living in a row that failed
	reason  string // why the last of them did
}

// Settle looks up the outcome of every request of earlier runs that is in doubt. It hands the record that corrects an entry to
// record before it looks up the next one. Unsettled says why rows wait, by their keys and by the addresses they may hold.
func (a *Asker) Settle(ctx context.Context, record func(ledger.Record) error) (unsettled map[string]string, err error) {
	var doubtful []*ledger.Entry
	for e, err := range a.Ledger.Open(ctx, a.Sync) {
		if err != nil {
			return nil, fmt.Errorf("read the ledger: %w", err)
		}
		if e.Doubt {
			doubtful = append(doubtful, e)
		}
	}
	unsettled = make(map[string]string)
	failing := 0
	reason := ""
	for _, e := range doubtful {
		if failing < unanswered {
			settled, err := doubts{a}.settle(ctx, e)
			switch {
			case ctx.Err() != nil:
				return nil, context.Cause(ctx)
			case errors.Is(err, owlat.ErrForbidden):
				continue // without contacts:read the next create or update tells
			case err == nil:
				if err := record(settled); err != nil {
					return nil, err
				}
				failing = 0
				continue
			}
			if err := remote.Stopped(err); remote.Classify(err).Class == ledger.StopRun {
				return nil, err
			}
			failing++
			reason = reasonDoubt + remote.Classify(err).Reason
		}
		for _, name := range []string{e.Key, e.Email, e.Identity} {
			unsettled[name] = reason
		}
	}
	delete(unsettled, "")
	return unsettled, nil
}

// doubts looks up what became of the request of an earlier run.
type doubts struct{ *Asker }

// settle returns the record of what Owlat holds for the entry.
func (a doubts) settle(ctx context.Context, e *ledger.Entry) (ledger.Record, error) {
	record := func(e *ledger.Entry, event, note string) (ledger.Record, error) {
		e.Fingerprint, e.Doubt, e.ChangedAt = ledger.Fingerprint{}, false, a.Ledger.Now()
		return ledger.Record{Sync: a.Sync, Run: a.Run, Entry: e, Event: event, Note: note}, nil
	}
	if e.ContactID == "" {
		c, err := a.madeInDoubt(ctx, e)
		switch {
		case err != nil:
			return ledger.Record{}, err
		case c == nil:
			e.Intent, e.Identity = ledger.Intent{}, ""
			own.Unsent(e)
			return record(e, "", "")
		}
		made := remote.EntryOf(a.Overwrite, e.Key, *c, ledger.OriginCreated, e, own.Read)
		if made.Identity = e.Identity; e.Origin != ledger.OriginDeleted { // a contact that replaces a deleted one does not count as new
			made.Intent = e.Intent
		}
		return record(made, "found", "a create whose answer was lost had taken effect")
	}
	c, err := remote.Find(ctx, a.Client, e.ContactID)
	switch {
	case remote.IsGone(err) && e.Origin == ledger.OriginDeleting:
		heir, err := remote.Heir(ctx, a.Client, a.Ledger, a.Sync, e, e.Email)
		if err != nil {
			return ledger.Record{}, err
		}
		if sent, _, _ := remote.There(a.Client, a.Ledger, e.ChangedAt); heir != nil && heir.CreatedAt.Before(sent) {
			return record(remote.Succeed(a.Overwrite, e, *heir), "merged", remote.ReasonMergedAbsent)
		}
		return record(remote.Deleted(e, a.now()), "deleted", "a delete whose answer was lost had taken effect")
	case remote.IsGone(err):
		step.SettleAwaited(e, false)
		heir, err := remote.Heir(ctx, a.Client, a.Ledger, a.Sync, e, e.Email)
		if err != nil {
			return ledger.Record{}, err
		}
		if heir != nil {
			return record(remote.Succeed(a.Overwrite, e, *heir), "merged", remote.ReasonMerged)
		}
		e.Origin = ledger.OriginGone
		return record(e, "gone", step.ReasonGone)
	case err != nil:
		return ledger.Record{}, err
	}
	if e.Origin == ledger.OriginDeleting {
		e.Origin = ledger.OriginCreated
	}
	step.SettleAwaited(e, own.Settle(a.Overwrite, e, remote.HeldBy(c), a.moved(e, c)))
	remote.Witnessed(e, c)
	return record(e, "", "")
}

// moved reports whether the contact was changed since the request in doubt was about to be sent, by that or by somebody, as far as is known.
func (a doubts) moved(e *ledger.Entry, c *owlat.Contact) bool {
	if !e.Witness.IsZero() {
		return !c.UpdatedAt.Equal(e.Witness)
	}
	_, latest, known := remote.There(a.Client, a.Ledger, e.ChangedAt)
	return known && c.UpdatedAt.After(latest)
}

// now returns the time on Owlat's clock, as far as that is known.
func (a *Asker) now() time.Time {
	_, latest, _ := remote.There(a.Client, a.Ledger, a.Ledger.Now())
	return latest
}

// madeInDoubt returns the contact that an unanswered create made, nil if it made none. It looks under the address, and at contacts
// that other syncs have met under it, because they may have been renamed since.
func (a doubts) madeInDoubt(ctx context.Context, e *ledger.Entry) (*owlat.Contact, error) {
	c, err := remote.Find(ctx, a.Client, e.Identity)
	if err == nil && remote.Mine(a.Client, a.Ledger, e.Intent, *c) {
		return a.unclaimed(ctx, e, c)
	}
	if err != nil && !remote.IsGone(err) {
		return nil, err
	}
	holders, err := a.Ledger.Holders(ctx, []string{e.Identity})
	if err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	for _, h := range holders {
		if h.Sync == a.Sync || h.Entry.ContactID == "" || h.Entry.Origin == ledger.OriginGone {
			continue
		}
		c, err := remote.Find(ctx, a.Client, h.Entry.ContactID)
		if err == nil && remote.Mine(a.Client, a.Ledger, e.Intent, *c) {
			return a.unclaimed(ctx, e, c)
		}
		if err != nil && !remote.IsGone(err) {
			return nil, err
		}
	}
	return nil, nil
}

// unclaimed returns the contact, or nil if another row has it or created it, or if another create of the address that is in doubt
// is likelier to have made it.
func (a doubts) unclaimed(ctx context.Context, e *ledger.Entry, c *owlat.Contact) (*owlat.Contact, error) {
	rival, elsewhere, err := remote.Rivals(ctx, a.Ledger, a.Sync, []string{e.Key}, c.ID)
	if err != nil || rival != "" || elsewhere {
		return nil, err
	}
	if likelier, err := remote.LikelierElsewhere(ctx, a.Client, a.Ledger, a.Sync, e, c.CreatedAt); err != nil || likelier {
		return nil, err
	}
	return c, nil
}

// Living tells which of the contacts are gone, and why it is not known of some. Without the scope contacts:read a contact counts as
// there: the next request about it tells. The error is the context's, or says that Owlat would refuse every request.
func (a *Asker) Living(ctx context.Context, contacts []string) (gone map[string]bool, unknown map[string]string, err error) {
	gone, unknown = make(map[string]bool), make(map[string]string)
	for _, id := range contacts {
		if _, asked := gone[id]; asked {
			continue
		}
		gone[id] = false
		if a.failing >= unanswered {
			unknown[id] = a.reason
			continue
		}
		_, err := remote.Find(ctx, a.Client, id)
		switch {
		case ctx.Err() != nil:
			return nil, nil, context.Cause(ctx)
		case err == nil, remote.IsGone(err):
			gone[id], a.failing = err != nil, 0
			continue
		case errors.Is(err, owlat.ErrForbidden):
			continue
		}
		if err := remote.Stopped(err); remote.Classify(err).Class == ledger.StopRun {
			return nil, nil, err
		}
		a.failing++
		a.reason = reasonLiving + remote.Classify(err).Reason
		unknown[id] = a.reason
	}
	return gone, unknown, nil
}

// Named returns those of the contacts that are known to exist; each is asked for once. Whoever is missing is met in another way. The
// error is as that of Living.
func (a *Asker) Named(ctx context.Context, contacts []string) (found []owlat.Contact, err error) {
	for _, id := range contacts {
		c, err := remote.Find(ctx, a.Client, id)
		switch {
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case err == nil:
			found = append(found, *c)
		case remote.IsGone(err):
		case errors.Is(err, owlat.ErrForbidden):
			return found, nil
		default:
			if err := remote.Stopped(err); remote.Classify(err).Class == ledger.StopRun {
				return nil, err
			}
			return found, nil // while Owlat does not answer, the create tells
		}
	}
	return found, nil
}
