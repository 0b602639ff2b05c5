package reconcile

import (
	"context"
	"errors"
	"fmt"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile/compare"
	"owlatsync/reconcile/members"
	"owlatsync/reconcile/progress"
)

// Differences of a verification; package compare explains them.
type (
	Finding     = compare.Finding
	FindingKind = compare.Kind
)

// FindingKinds lists all kinds in the order in which reports show them.
var FindingKinds = compare.Kinds

// The kinds of differences.
const (
	SourceAhead    = compare.SourceAhead
	ChangedInOwlat = compare.ChangedInOwlat
	AddressDiffers = compare.AddressDiffers
	KeptInOwlat    = compare.KeptInOwlat
	MissingInOwlat = compare.MissingInOwlat
	UnknownInOwlat = compare.UnknownInOwlat
	TwinInOwlat    = compare.TwinInOwlat
	LeftTopic      = compare.LeftTopic
	StillOnTopic   = compare.StillOnTopic
	NoSuchTopic    = compare.NoSuchTopic
	DueTopic       = compare.DueTopic
	OnTopic        = compare.OnTopic
	OffTopic       = compare.OffTopic
)

// Verified is the result of a verification in numbers.
type Verified struct {
	Contacts int // contacts in Owlat
	Entries  int // entries of the ledger that were compared
	Findings map[FindingKind]int
	// Invalid counts rows whose people are not in Owlat, as far as is known, because the rows cannot be sent as they are.
	Invalid  int
	Repaired int // entries corrected to what Owlat holds; the next run acts on them
	// Members is how far memberships were read; nil: they were not.
	Members *members.Read
}

// Differences returns how many findings need a person's attention.
func (v Verified) Differences() int {
	n := 0
	for kind, count := range v.Findings {
		if kind.Differs() {
			n += count
		}
	}
	return n
}

// VerifyOptions are the options of one verification. The zero value is usable.
type VerifyOptions struct {
	// Repair corrects the ledger to what Owlat holds. The next run then sends what the policies allow.
	Repair bool
	// Members compares memberships too, which needs the client's unsubscribe secret. Only, unless nil, has the contacts to be read; the
	// others are left out.
	Members bool
	Only    map[string]bool
	// Before is told how many contacts are about to be read, and how many a second at most; nil: nobody is.
	Before func(contacts int, perSecond float64) error
	// Each is told every difference. Its error ends the verification.
	Each func(Finding) error
	// Observers are told how far the sources are read and the contacts listed.
	Observers []progress.Observer
}

// Verify compares the sources of the syncs, the ledger and one listing of Owlat's contacts, and tells every difference. It writes
// nothing to Owlat. It holds the ledger's lock meanwhile, unless the ledger cannot be written, and the listing in memory: about 300
// bytes a contact.
//
// Then it reads memberships, if they are asked for, which takes long: without the lock, so that runs go on. A repair records who has left at
// once, which needs none, and waits for it to make removals due.
//
// Errors: *ledger.LockedError, *ledger.DeploymentError, ledger.ErrLockLost, and the errors of Plan, which name the sync. A deployment
// that does not tell memberships is none: Verified says so.
func (e *Engine) Verify(ctx context.Context, syncs []Sync, o VerifyOptions) (v Verified, err error) {
	v.Findings = make(map[FindingKind]int)
	each := func(f Finding) error {
		v.Findings[f.Kind]++
		if o.Each == nil {
			return nil
		}
		return o.Each(f)
	}
	tell := progress.NewTeller(progress.About{}, o.Observers, func() owlatsync.RequestCounts { return owlatsync.RequestCounts{} }, e.client.Estimate)
	defer func() { tell.Ended("", "", nil) }()
	next := newNext(e.ledger.Now())
	contacts, err := verification{e}.underLock(ctx, syncs, o, &v, each, tell, next)
	if err != nil || !o.Members {
		return v, err
	}
	read, err := verification{e}.members(ctx, syncs, o, contacts, each, tell, next)
	v.Members = &read
	return v, err
}

// underLock compares all but memberships, and returns the contacts.
func (e verification) underLock(ctx context.Context, syncs []Sync, o VerifyOptions, v *Verified, each func(Finding) error, tell *progress.Teller, next *next) (contacts *compare.Listing, err error) {
	settled := newOverlay(e.ledger)
	on := basis{engine: e.Engine, reader: settled, record: settled.put, client: e.outside}
	lock, err := e.locks.acquire(ctx, ledger.Claim{Purpose: "verify", Deployment: e.client.BaseURL()})
	switch unwritable := errors.Is(err, ledger.ErrFull) || errors.Is(err, ledger.ErrReadOnly); {
	case unwritable && !o.Repair: // nothing can be written, and no run can go on meanwhile
		if err := e.belongs(ctx); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, err
	default:
		defer func() { err = also(err, lock.Release()) }()
		ctx = lock.Context()
		on.reader, on.record = e.ledger, func(r ledger.Record) error { return lock.Record(ctx, r) }
		if on.client, err = e.client.With(owlat.WithBeforeSend(func(context.Context, owlat.Attempt) error { return lock.Check() })); err != nil {
			return nil, fmt.Errorf("look at the lock before each request: %w", err)
		}
	}
	missing := compare.NewMissing(e.ledger)
	for _, s := range syncs {
		missing.Of(s.Name)
		err := e.verifySource(ctx, s, o, on, each, missing.Row, next)
		if err = also(err, missing.Look(ctx)); err != nil {
			return nil, fmt.Errorf("sync %q: %w", s.Name, err)
		}
	}
	if contacts, err = compare.List(ctx, on.client, tell); err != nil {
		return nil, err
	}
	v.Contacts = contacts.Len()
	for _, s := range syncs {
		c := &compare.Comparison{Ledger: on.reader, Lock: lock, Sync: s.Name, Contacts: contacts, Repair: o.Repair, Each: each, Overwrite: s.Overwrite}
		err := c.Compare(ctx)
		v.Entries, v.Repaired = v.Entries+c.Entries, v.Repaired+c.Repaired
		if err != nil {
			return nil, fmt.Errorf("sync %q: %w", s.Name, err)
		}
	}
	v.Invalid = missing.In(contacts)
	return contacts, contacts.Others(ctx, e.ledger, each)
}

// verification compares the sources, the ledger and Owlat's contacts.
type verification struct{ *Engine }

func (e verification) verifySource(ctx context.Context, s Sync, o VerifyOptions, on basis, each func(Finding) error, invalid func(context.Context, Decision) error, next *next) error {
	if err := s.validate(); err != nil {
		return err
	}
	found := func(d Decision) error {
		next.note(s.Name, &d)
		switch d.Outcome {
		case owlatsync.Invalid:
			return invalid(ctx, d)
		case owlatsync.Duplicate, owlatsync.Skipped, owlatsync.Unchanged:
			return nil
		}
		return each(Finding{Kind: SourceAhead, Sync: s.Name, Key: d.Key, Address: d.Address(), Decision: &d})
	}
	_, err := on.plan(ctx, &s, PlanOptions{Each: found, Observers: o.Observers}, true)
	return err
}

// refreshing is the part of a run that distrusts the ledger.
type refreshing struct{ *work }

// refresh corrects the sync's entries to what Owlat holds.
func (w refreshing) refresh(ctx context.Context) error {
	contacts, err := compare.List(ctx, w.client, w.tell)
	if err != nil {
		return err
	}
	c := &compare.Comparison{Ledger: w.reader, Lock: w.lock, Sync: w.sync.Name, Contacts: contacts, Repair: true, Each: func(Finding) error { return nil }, Overwrite: w.sync.Overwrite}
	w.refreshed = true
	return c.Compare(ctx)
}
