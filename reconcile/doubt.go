package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat"
)

// unanswered is after how many look-ups in a row that failed the others are not tried.
const unanswered = 3

// reasonDoubt begins the reason why a row waits whose contact could not be looked up.
const reasonDoubt = "an earlier run sent a change whose answer was lost, and what became of it could not be looked up: "

// settle settles the entries of the sync that are in doubt.
func (p *planner) settle(ctx context.Context) error {
	var doubtful []*ledger.Entry
	for e, err := range p.ledger.Open(ctx, p.sync.Name) {
		if err != nil {
			return fmt.Errorf("read the ledger: %w", err)
		}
		if e.Fingerprint == ledger.Doubtful {
			doubtful = append(doubtful, e)
		}
	}
	return p.settleDoubts(ctx, doubtful)
}

// settleDoubts looks up what became of the requests that earlier runs sent for the entries without hearing of their end, and
// corrects the ledger to it. Rows for which that fails wait.
func (p *planner) settleDoubts(ctx context.Context, doubtful []*ledger.Entry) error {
	if p.unsettled == nil {
		p.unsettled = make(map[string]string)
	}
	failing := 0
	reason := ""
	for _, e := range doubtful {
		if failing < unanswered {
			record, err := p.settleDoubt(ctx, e)
			switch {
			case ctx.Err() != nil:
				return ctx.Err()
			case errors.Is(err, owlat.ErrForbidden):
				continue // without contacts:read the next create or update has to tell
			case err == nil:
				if err := p.ledger.Record(ctx, record); err != nil {
					return fmt.Errorf("record in the ledger: %w", err)
				}
				failing = 0
				continue
			}
			if err := stopped(err); classify(err).class == ledger.StopRun {
				return err
			}
			failing++
			reason = reasonDoubt + classify(err).reason
		}
		for _, name := range []string{e.Key, e.Email, e.Identity} {
			p.unsettled[name] = reason
		}
	}
	delete(p.unsettled, "")
	return nil
}

// settleDoubt returns the record of what Owlat holds for the entry.
func (p *planner) settleDoubt(ctx context.Context, e *ledger.Entry) (ledger.Record, error) {
	record := func(e *ledger.Entry, event, note string) (ledger.Record, error) {
		e.Fingerprint, e.ChangedAt = ledger.Fingerprint{}, time.Now()
		return ledger.Record{Sync: p.sync.Name, Run: p.spool.run, Entry: e, Event: event, Note: note}, nil
	}
	if e.ContactID == "" {
		c, err := p.madeInDoubt(ctx, e)
		switch {
		case err != nil:
			return ledger.Record{}, err
		case c == nil:
			e.Intent, e.Identity = ledger.Intent{}, ""
			return record(e, "", "")
		}
		made := entryOf(e.Key, *c, ledger.OriginCreated, e)
		if made.Identity = e.Identity; e.Origin != ledger.OriginDeleted { // else it is not new
			made.Intent = e.Intent
		}
		return record(made, "found", "a create whose answer was lost had taken effect")
	}
	c, err := find(ctx, p.client, e.ContactID)
	switch {
	case isGone(err) && e.Origin == ledger.OriginDeleting:
		return record(deleted(e), "deleted", "a delete whose answer was lost had taken effect")
	case isGone(err):
		e.Origin = ledger.OriginGone
		settleAwaited(e, false)
		return record(e, "gone", reasonGone)
	case err != nil:
		return ledger.Record{}, err
	}
	if e.Origin == ledger.OriginDeleting {
		e.Origin = ledger.OriginCreated
	}
	before := [...]string{e.Email, e.FirstName, e.LastName}
	e.Email, e.FirstName, e.LastName = owlatsync.LowerAddress(c.Email), c.FirstName, c.LastName
	settleAwaited(e, before != [...]string{e.Email, e.FirstName, e.LastName})
	return record(e, "", "")
}

// madeInDoubt returns the contact that a create whose answer was lost made, nil if it made none: looked for by its address,
// and by the contacts that another sync has met under it and perhaps renamed since.
func (p *planner) madeInDoubt(ctx context.Context, e *ledger.Entry) (*owlat.Contact, error) {
	c, err := find(ctx, p.client, e.Identity)
	if err == nil && mine(e.Intent.Create, *c) {
		return p.unclaimed(ctx, e, c)
	}
	if err != nil && !isGone(err) {
		return nil, err
	}
	holders, err := p.ledger.Holders(ctx, []string{e.Identity})
	if err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	for _, h := range holders {
		if h.Sync == p.sync.Name || h.Entry.ContactID == "" || h.Entry.Origin == ledger.OriginGone {
			continue
		}
		c, err := find(ctx, p.client, h.Entry.ContactID)
		if err == nil && mine(e.Intent.Create, *c) {
			return p.unclaimed(ctx, e, c)
		}
		if err != nil && !isGone(err) {
			return nil, err
		}
	}
	return nil, nil
}

// unclaimed returns the contact unless it is known to have been created for another row, or to be another row's of this
// sync, or more likely comes from another create of the same address that is in doubt too.
func (p *planner) unclaimed(ctx context.Context, e *ledger.Entry, c *owlat.Contact) (*owlat.Contact, error) {
	rival, elsewhere, err := rivals(ctx, p.ledger, p.sync.Name, []string{e.Key}, c.ID)
	if err != nil || rival != "" || elsewhere {
		return nil, err
	}
	if likelier, err := likelierElsewhere(ctx, p.ledger, p.sync.Name, e, c.CreatedAt); err != nil || likelier {
		return nil, err
	}
	return c, nil
}

// likelierElsewhere reports whether another row's create of the address is in doubt too and was sent at a time that is nearer
// to when the contact was made.
func likelierElsewhere(ctx context.Context, l ledger.Store, sync string, e *ledger.Entry, made time.Time) (bool, error) {
	held, err := l.Holders(ctx, []string{e.Identity})
	if err != nil {
		return false, fmt.Errorf("read the ledger: %w", err)
	}
	return slices.ContainsFunc(held, func(h ledger.Holder) bool {
		sent, own := h.Entry.Intent.Create, h.Sync == sync && h.Entry.Key == e.Key
		return !own && h.Entry.ContactID == "" && !sent.IsZero() && made.Sub(sent).Abs() < made.Sub(e.Intent.Create).Abs()
	}), nil
}

// rivals tells the key of another row of the sync than those with the given keys that has the contact, "" if none has, and
// whether another sync is known to have created it.
func rivals(ctx context.Context, l ledger.Store, sync string, keys []string, contact string) (key string, elsewhere bool, err error) {
	holders, err := l.Sharers(ctx, []string{contact})
	if err != nil {
		return "", false, fmt.Errorf("read the ledger: %w", err)
	}
	for _, h := range holders {
		switch own := h.Sync == sync; {
		case own && !slices.Contains(keys, h.Entry.Key) && h.Entry.Origin != ledger.OriginGone:
			key = h.Entry.Key
		case !own && h.Entry.Origin == ledger.OriginCreated:
			elsewhere = true
		}
	}
	return key, elsewhere, nil
}

// find reads a contact by its address or id.
func find(ctx context.Context, client *owlat.Client, ref string) (c *owlat.Contact, err error) {
	err = call(ctx, func() (err error) {
		c, err = client.Contacts.Get(ctx, ref)
		return err
	})
	return c, err
}
