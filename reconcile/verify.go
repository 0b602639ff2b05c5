package reconcile

import (
	"context"
	"fmt"
	"slices"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat"
)

// FindingKind is in what source, ledger and Owlat disagree.
type FindingKind string

const (
	SourceAhead    FindingKind = "source"  // the next run has something to do for the row
	ChangedInOwlat FindingKind = "changed" // a name is not what was written
	AddressDiffers FindingKind = "address" // the contact has another address than was written
	MissingInOwlat FindingKind = "missing" // the contact of a row is not there
	UnknownInOwlat FindingKind = "unknown" // a contact that no row of the ledger stands for
	TwinInOwlat    FindingKind = "twin"    // two live contacts have one address; calls by address reach the older
)

// FindingKinds lists all kinds in the order in which reports show them.
var FindingKinds = []FindingKind{SourceAhead, ChangedInOwlat, AddressDiffers, MissingInOwlat, UnknownInOwlat, TwinInOwlat}

// Finding is one difference. Values are personal data that somebody asked for.
type Finding struct {
	Kind      FindingKind
	Sync      string // empty for what no row stands for
	Key       string
	ContactID string
	Field     string // "email", "firstName" or "lastName"
	Ledger    string // what was written
	Owlat     string // what is there
	Address   string
	Decision  *Decision // of SourceAhead
}

// Verified is the result of a verification in numbers.
type Verified struct {
	Contacts int // that Owlat has
	Entries  int // of the ledger that were compared
	Findings map[FindingKind]int
	Repaired int // entries corrected to what Owlat has, for the next run to act on
}

// Differences is how many findings there are that a person should look at: all but contacts that are no row's.
func (v Verified) Differences() int {
	n := 0
	for kind, count := range v.Findings {
		if kind != UnknownInOwlat {
			n += count
		}
	}
	return n
}

// Verify compares the sources of the syncs, the ledger and one listing of Owlat's contacts, and tells each difference. It
// writes nothing to Owlat. With repair it corrects the ledger to what Owlat holds, so that the next run sends what the
// policies allow. The listing is held in memory, about 300 bytes a contact.
func (e *Engine) Verify(ctx context.Context, syncs []Sync, repair bool, each func(Finding) error) (v Verified, err error) {
	v.Findings = make(map[FindingKind]int)
	told := each
	each = func(f Finding) error {
		v.Findings[f.Kind]++
		return told(f)
	}
	for _, s := range syncs {
		if err := e.verifySource(ctx, s, each); err != nil {
			return v, fmt.Errorf("sync %q: %w", s.Name, err)
		}
	}
	release, err := e.ledger.Acquire(ctx, "verify")
	if err != nil {
		return v, err
	}
	defer func() {
		if released := release(); err == nil {
			err = released
		}
	}()
	contacts, err := e.listAll(ctx)
	if err != nil {
		return v, err
	}
	v.Contacts = len(contacts.spots)
	for _, s := range syncs {
		if err := e.verifyEntries(ctx, s.Name, contacts, repair, &v, each); err != nil {
			return v, fmt.Errorf("sync %q: %w", s.Name, err)
		}
	}
	return v, e.verifyContacts(ctx, contacts, each)
}

func (e *Engine) verifySource(ctx context.Context, s Sync, each func(Finding) error) error {
	_, err := e.plan(ctx, s, true, func(d Decision) error {
		switch d.Outcome {
		case owlatsync.Invalid, owlatsync.Duplicate, owlatsync.Skipped, owlatsync.Unchanged:
			return nil
		}
		return each(Finding{Kind: SourceAhead, Sync: s.Name, Key: d.Key, Address: d.Address(), Decision: &d})
	})
	return err
}

// listing is all contacts of a deployment.
type listing struct {
	roll  roll
	spots []spot           // newest first
	known []bool           // whether a row stands for the contact
	byID  map[string]int32 // positions in them
}

func (e *Engine) listAll(ctx context.Context) (*listing, error) {
	l := &listing{byID: make(map[string]int32)}
	for page, err := range listContacts(ctx, e.client) {
		if err != nil {
			return nil, stopped(err)
		}
		for _, spot := range l.roll.add(page.Contacts) {
			id := l.roll.contact(spot).ID
			if _, twice := l.byID[id]; twice {
				continue
			}
			l.byID[id] = int32(len(l.spots))
			l.spots, l.known = append(l.spots, spot), append(l.known, false)
		}
		e.emit(Listing{Contacts: len(l.spots), Total: page.Total})
	}
	return l, nil
}

// find returns the contact and notes that a row stands for it.
func (l *listing) find(id string) (c owlat.Contact, there bool) {
	at, there := l.byID[id]
	if there {
		l.known[at] = true
		c = l.roll.contact(l.spots[at])
	}
	return c, there
}

func (e *Engine) verifyEntries(ctx context.Context, sync string, l *listing, repair bool, v *Verified, each func(Finding) error) error {
	var fixed []ledger.Record
	begun := false
	fix := func() error {
		if len(fixed) == 0 {
			return nil
		}
		if !begun { // rows that did not change are to be planned again
			if err := setBookmark(ctx, e.ledger, sync, ledger.Bookmark{}); err != nil {
				return err
			}
			begun = true
		}
		if err := e.ledger.Record(ctx, fixed...); err != nil {
			return fmt.Errorf("record what Owlat holds: %w", err)
		}
		v.Repaired += len(fixed)
		fixed = fixed[:0]
		return nil
	}
	for entry, err := range e.ledger.All(ctx, sync) {
		if err != nil {
			return err
		}
		if entry.ContactID == "" || entry.Origin == ledger.OriginGone {
			continue
		}
		v.Entries++
		contact, there := l.find(entry.ContactID)
		found := compare(sync, entry, contact, there)
		for _, f := range found {
			if err := each(f); err != nil {
				return err
			}
		}
		if !repair || len(found) == 0 {
			continue
		}
		if fixed = append(fixed, correct(sync, entry, contact, there)); len(fixed) == spoolBatch {
			if err := fix(); err != nil {
				return err
			}
		}
	}
	return fix()
}

// refresh corrects the ledger to what Owlat holds for the rows of the sync.
func (e *Engine) refresh(ctx context.Context, s *Sync) error {
	contacts, err := e.listAll(ctx)
	if err != nil {
		return err
	}
	return e.verifyEntries(ctx, s.Name, contacts, true, new(Verified), func(Finding) error { return nil })
}

// compare returns the differences between an entry and its contact. Pure.
func compare(sync string, e *ledger.Entry, c owlat.Contact, there bool) []Finding {
	f := Finding{Sync: sync, Key: e.Key, ContactID: e.ContactID, Address: e.Email}
	if !there {
		f.Kind = MissingInOwlat
		return []Finding{f}
	}
	var found []Finding
	differ := func(kind FindingKind, field, ledger, owlat string) {
		if ledger != owlat {
			f.Kind, f.Field, f.Ledger, f.Owlat = kind, field, ledger, owlat
			found = append(found, f)
		}
	}
	differ(AddressDiffers, "email", e.Email, owlatsync.LowerAddress(c.Email))
	differ(ChangedInOwlat, "firstName", e.FirstName, c.FirstName)
	differ(ChangedInOwlat, "lastName", e.LastName, c.LastName)
	return found
}

// correct returns the record that brings an entry in step with its contact, so that its row is planned anew.
func correct(sync string, e *ledger.Entry, c owlat.Contact, there bool) ledger.Record {
	e.Fingerprint, e.ChangedAt = ledger.Fingerprint{}, time.Now()
	if !there && e.Origin == ledger.OriginDeleting {
		return ledger.Record{Sync: sync, Entry: deleted(e), Event: "deleted", Note: "verify did not find the contact that was to be deleted"}
	}
	if !there {
		e.Origin = ledger.OriginGone
		return ledger.Record{Sync: sync, Entry: e, Event: "gone", Note: "verify did not find the contact in Owlat"}
	}
	e.Email, e.FirstName, e.LastName = owlatsync.LowerAddress(c.Email), c.FirstName, c.LastName
	return ledger.Record{Sync: sync, Entry: e, Event: "changed in Owlat", Note: "verify found other values than were written"}
}

// verifyContacts tells the contacts that no row stands for, and those that share an address.
func (e *Engine) verifyContacts(ctx context.Context, l *listing, each func(Finding) error) error {
	byAddress := make(map[string]int32, len(l.spots))
	for at, spot := range slices.Backward(l.spots) { // the oldest first
		c := l.roll.contact(spot)
		if c.Email == "" {
			continue
		}
		address := owlatsync.LowerAddress(c.Email)
		if older, twin := byAddress[address]; twin {
			f := Finding{Kind: TwinInOwlat, ContactID: c.ID, Address: address, Owlat: l.roll.contact(l.spots[older]).ID}
			if err := each(f); err != nil {
				return err
			}
			continue
		}
		byAddress[address] = int32(at)
	}
	unknown := make([]owlat.Contact, 0, spoolBatch)
	tell := func() error {
		ids := make([]string, len(unknown))
		for i, c := range unknown {
			ids[i] = c.ID
		}
		sharers, err := e.ledger.Sharers(ctx, ids)
		if err != nil {
			return fmt.Errorf("read the ledger: %w", err)
		}
		for _, h := range sharers { // of syncs that were not asked for
			l.find(h.Entry.ContactID)
		}
		for _, c := range unknown {
			if l.known[l.byID[c.ID]] {
				continue
			}
			if err := each(Finding{Kind: UnknownInOwlat, ContactID: c.ID, Address: c.Email}); err != nil {
				return err
			}
		}
		unknown = unknown[:0]
		return nil
	}
	for at, spot := range slices.Backward(l.spots) {
		if l.known[at] {
			continue
		}
		if unknown = append(unknown, l.roll.contact(spot)); len(unknown) == spoolBatch {
			if err := tell(); err != nil {
				return err
			}
		}
	}
	return tell()
}
