package rounds

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile/consent"
	"owlatsync/reconcile/remote"
)

// readers is how many memberships are read at once. The limiter of the links sets the pace.
const readers = 8

// batch is the part of a round that looks at some contacts together.
type batch struct{ *round }

// look reads those of the contacts that may have left since they were seen last.
func (r batch) look(ctx context.Context, seen map[string]time.Time) error {
	contacts := make([]string, 0, len(seen))
	for id := range seen {
		contacts = append(contacts, id)
	}
	slices.Sort(contacts)
	all, err := r.of(ctx, contacts)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(t *theirs) bool { return !t.moved(seen[t.contact]) })
	if len(all) == 0 {
		return nil
	}
	read := r.read(r.Lock.Context(), ctx, all)
	if all, err = r.of(ctx, slices.Collect(maps.Keys(read))); err != nil { // what came meanwhile counts
		return err
	}
	var records []ledger.Record
	for _, t := range all {
		found, err := r.judge(ctx, t, read[t.contact], seen[t.contact])
		records = append(records, found...)
		if err != nil {
			return errors.Join(err, r.record(records))
		}
	}
	return r.record(records)
}

func (r batch) record(records []ledger.Record) error {
	if len(records) == 0 {
		return nil
	}
	if err := r.Lock.Record(r.Lock.Context(), records...); err != nil {
		return fmt.Errorf("record what was read: %w", err)
	}
	return nil
}

// of returns what the ledger has of the contacts, in no particular order.
func (r batch) of(ctx context.Context, contacts []string) ([]*theirs, error) {
	holders, err := r.Ledger.Sharers(ctx, contacts)
	if err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	by := make(map[string]*theirs)
	var all []*theirs
	for _, h := range holders {
		t := by[h.Entry.ContactID]
		if t == nil {
			t = &theirs{contact: h.Entry.ContactID}
			by[t.contact], all = t, append(all, t)
		}
		t.holders = append(t.holders, h)
	}
	known := make([]string, len(all))
	for i, t := range all {
		known[i] = t.contact
	}
	optOuts, err := r.Ledger.OptOuts(ctx, known)
	if err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	for _, o := range optOuts {
		if t := by[o.ContactID]; t != nil {
			t.optOuts = append(t.optOuts, o)
		}
	}
	return all, nil
}

// read reads the memberships of contacts, several at once, until one of the contexts ends or the secret is refused.
func (r batch) read(locked, ctx context.Context, all []*theirs) map[string]reading {
	found := make([]reading, len(all))
	locked, cancel := context.WithCancelCause(locked)
	defer cancel(nil)
	defer context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })()
	next := make(chan int)
	var working sync.WaitGroup
	for range min(readers, len(all)) {
		working.Go(func() {
			for i := range next {
				m, email, err := r.Links.Read(locked, r.Client, all[i].contact)
				if cause := context.Cause(locked); err != nil && cause != nil {
					err = cause
				}
				_, at, _ := remote.There(r.Client, r.Ledger, r.Ledger.Now())
				found[i] = reading{m, email, at, err}
			}
		})
	}
	for i := range all {
		next <- i
	}
	close(next)
	working.Wait()
	by := make(map[string]reading, len(all))
	for i, t := range all {
		by[t.contact] = found[i]
	}
	return by
}

// judge takes in what was read of one contact, and returns what is to be recorded of its rows. An error ends the round.
func (r batch) judge(ctx context.Context, t *theirs, read reading, seen time.Time) ([]ledger.Record, error) {
	switch err := read.err; {
	case err == nil:
	case remote.IsGone(err):
		r.now.Gone++
		return nil, nil
	case errors.Is(err, remote.ErrUntold), errors.Is(err, ledger.ErrLockLost), ctx.Err() != nil, r.Lock.Context().Err() != nil:
		return nil, err
	default:
		r.now.Untold++
		return nil, nil
	}
	r.now.Contacts++
	left := consent.Departed(t.holders, t.optOuts, read.members, read.at)
	if len(left) == 0 {
		return t.records(nil, seen), nil
	}
	switch alive, known, err := r.alive(ctx, t.contact, read.members); {
	case err != nil:
		return nil, err
	case !known:
		r.now.Untold++
		return nil, nil
	case !alive:
		r.now.Gone++
		return nil, nil
	}
	d := consent.Departure{ContactID: t.contact, Email: read.email, Topics: left, At: read.at}
	if err := r.Departed(r.Lock.Context(), d); err != nil {
		return nil, fmt.Errorf("record who has left: %w", err)
	}
	r.now.People++
	r.now.Topics += len(left)
	return t.records(&d, seen), nil
}

// alive reports whether the contact is still there after it was read. A contact that was deleted in the dashboard, or merged, seems to be on no
// topic; one that is on a topic is there. Without the scope contacts:read nothing else tells.
func (r batch) alive(ctx context.Context, contact string, members consent.Members) (alive, known bool, err error) {
	if !members.None() {
		return true, true, nil
	}
	_, err = remote.Find(ctx, r.Client, contact)
	switch {
	case err == nil:
		return true, true, nil
	case remote.IsGone(err):
		return false, true, nil
	case errors.Is(err, owlat.ErrForbidden):
		return false, false, nil
	case ctx.Err() != nil, r.Lock.Context().Err() != nil, remote.Classify(err).Class == ledger.StopRun:
		return false, false, err
	}
	return false, false, nil
}
