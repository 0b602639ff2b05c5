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
	"owlatsync/reconcile/progress"
	"owlatsync/reconcile/remote"
)

// FindingKind says how source, ledger and Owlat disagree.
type FindingKind string

const (
	SourceAhead    FindingKind = "source"  // the next run would change something for the row
	ChangedInOwlat FindingKind = "changed" // a field is not what the ledger says was written
	AddressDiffers FindingKind = "address" // the contact's address is not what was written
	MissingInOwlat FindingKind = "missing" // the contact of a row does not exist
	UnknownInOwlat FindingKind = "unknown" // no entry of the ledger stands for the contact
	TwinInOwlat    FindingKind = "twin"    // two live contacts have one address; calls by address reach the older
)

// FindingKinds lists all kinds in the order in which reports show them.
var FindingKinds = []FindingKind{SourceAhead, ChangedInOwlat, AddressDiffers, MissingInOwlat, UnknownInOwlat, TwinInOwlat}

// Finding is one difference. Values are personal data that somebody asked for.
type Finding struct {
	Kind      FindingKind
	Sync      string // empty if no row stands for the contact
	Key       string
	ContactID string
	Field     string // "email" or the name of a ContactField
	Ledger    string // the value that was written
	Owlat     string // the value in Owlat; of a twin the id of the older contact, of a missing one that of the contact with its address
	Address   string
	Decision  *Decision // for SourceAhead, else nil
}

// Verified is the result of a verification in numbers.
type Verified struct {
	Contacts int // contacts in Owlat
	Entries  int // entries of the ledger that were compared
	Findings map[FindingKind]int
	// Invalid counts rows whose people are not in Owlat, as far as is known, because the rows cannot be sent as they are.
	Invalid  int
	Repaired int // entries corrected to what Owlat holds; the next run acts on them
}

// Differences returns how many findings need a person's attention: all except contacts that no row stands for.
func (v Verified) Differences() int {
	n := 0
	for kind, count := range v.Findings {
		if kind != UnknownInOwlat {
			n += count
		}
	}
	return n
}

// VerifyOptions are the options of one verification. The zero value is usable.
type VerifyOptions struct {
	// Repair corrects the ledger to what Owlat holds. The next run then sends what the policies allow.
	Repair bool
	// Each is told every difference. Its error ends the verification.
	Each func(Finding) error
	// Observers are told how far the sources are read and the contacts listed.
	Observers []progress.Observer
}

// Verify compares the sources of the syncs, the ledger and one listing of Owlat's contacts, and tells every difference. It writes
// nothing to Owlat. It holds the ledger's lock throughout, unless the ledger cannot be written, and the listing in memory: about 300
// bytes a contact.
//
// Errors: *ledger.LockedError, *ledger.DeploymentError, ledger.ErrLockLost, and the errors of Plan, which name the sync.
func (e *Engine) Verify(ctx context.Context, syncs []Sync, o VerifyOptions) (v Verified, err error) {
	v.Findings = make(map[FindingKind]int)
	each := func(f Finding) error {
		v.Findings[f.Kind]++
		if o.Each == nil {
			return nil
		}
		return o.Each(f)
	}
	settled := newOverlay(e.ledger)
	on := basis{reader: settled, record: settled.put, client: e.outside}
	lock, err := e.acquire(ctx, ledger.Claim{Purpose: "verify", Deployment: e.client.BaseURL()})
	switch unwritable := errors.Is(err, ledger.ErrFull) || errors.Is(err, ledger.ErrReadOnly); {
	case unwritable && !o.Repair: // nothing can be written, and no run can go on meanwhile
		if err := e.belongs(ctx); err != nil {
			return v, err
		}
	case err != nil:
		return v, err
	default:
		defer func() { err = also(err, lock.Release()) }()
		ctx = lock.Context()
		on.reader, on.record = e.ledger, func(r ledger.Record) error { return lock.Record(ctx, r) }
		if on.client, err = e.client.With(owlat.WithBeforeSend(func(context.Context, owlat.Attempt) error { return lock.Check() })); err != nil {
			return v, fmt.Errorf("look at the lock before each request: %w", err)
		}
	}
	missing := missing{ledger: e.ledger, addresses: make(map[string]int)}
	for _, s := range syncs {
		missing.sync = s.Name
		err := verification{e}.verifySource(ctx, s, o, on, each, missing.row)
		if err = also(err, missing.look(ctx)); err != nil {
			return v, fmt.Errorf("sync %q: %w", s.Name, err)
		}
	}
	tell := progress.NewTeller(progress.About{}, o.Observers, func() owlatsync.RequestCounts { return owlatsync.RequestCounts{} }, e.client.Estimate)
	defer func() { tell.Ended("", "", nil) }()
	contacts, err := listAll(ctx, on.client, tell)
	if err != nil {
		return v, err
	}
	v.Contacts = len(contacts.spots)
	for _, s := range syncs {
		c := &comparison{ledger: on.reader, lock: lock, sync: s.Name, contacts: contacts, repair: o.Repair, each: each}
		err := c.compare(ctx)
		v.Entries, v.Repaired = v.Entries+c.entries, v.Repaired+c.repaired
		if err != nil {
			return v, fmt.Errorf("sync %q: %w", s.Name, err)
		}
	}
	v.Invalid = missing.in(contacts)
	return v, verification{e}.verifyContacts(ctx, contacts, each)
}

// missing finds out how many people are not in Owlat because their rows are invalid.
type missing struct {
	ledger ledger.Reader
	sync   string

	rows      []Decision     // invalid rows that are yet to be looked up
	addresses map[string]int // rows without a contact by their addresses
	other     int            // rows without a contact and without an address
}

// row takes in an invalid row.
func (m *missing) row(ctx context.Context, d Decision) error {
	if m.rows = append(m.rows, d); len(m.rows) < batchSize {
		return nil
	}
	return m.look(ctx)
}

// look leaves out the rows whose contact the ledger knows.
func (m *missing) look(ctx context.Context) error {
	var keys []string
	for _, d := range m.rows {
		if d.Key != "" {
			keys = append(keys, d.Key)
		}
	}
	entries, err := m.ledger.Entries(ctx, m.sync, keys)
	if err != nil {
		return readLedger(err)
	}
	for _, d := range m.rows {
		if e := entries[d.Key]; e != nil && e.ContactID != "" && e.Origin != ledger.OriginGone {
			continue
		}
		if address, err := owlatsync.NormalizeAddress(d.Address()); err == nil {
			m.addresses[address]++
		} else {
			m.other++
		}
	}
	m.rows = m.rows[:0]
	return nil
}

// in counts the rows whose addresses no listed contact has.
func (m *missing) in(l *listing) int {
	for _, spot := range l.spots {
		delete(m.addresses, owlatsync.LowerAddress(l.roll.Contact(spot).Email))
	}
	n := m.other
	for _, rows := range m.addresses {
		n += rows
	}
	return n
}

// verification compares the sources, the ledger and Owlat's contacts.
type verification struct{ *Engine }

func (e verification) verifySource(ctx context.Context, s Sync, o VerifyOptions, on basis, each func(Finding) error, invalid func(context.Context, Decision) error) error {
	if err := s.validate(); err != nil {
		return err
	}
	found := func(d Decision) error {
		switch d.Outcome {
		case owlatsync.Invalid:
			return invalid(ctx, d)
		case owlatsync.Duplicate, owlatsync.Skipped, owlatsync.Unchanged:
			return nil
		}
		return each(Finding{Kind: SourceAhead, Sync: s.Name, Key: d.Key, Address: d.Address(), Decision: &d})
	}
	_, err := e.planOnly(ctx, &s, PlanOptions{Each: found, Observers: o.Observers}, true, on)
	return err
}

// listing has all contacts of a deployment.
type listing struct {
	roll  remote.Roll
	spots []remote.Spot    // newest first
	known []bool           // whether a row stands for the contact
	byID  map[string]int32 // positions in spots

	byAddress map[uint64]int32 // positions of the oldest contacts, by the hashes of their addresses; nil until one is looked for
}

// listAll lists all contacts and tells its progress.
func listAll(ctx context.Context, client *owlat.Client, tell *progress.Teller) (*listing, error) {
	l := &listing{byID: make(map[string]int32)}
	for page, err := range remote.List(ctx, client) {
		if err != nil {
			return nil, remote.Stopped(err)
		}
		for _, spot := range l.roll.Add(page.Contacts) {
			id := l.roll.Contact(spot).ID
			if _, twice := l.byID[id]; twice {
				continue
			}
			l.byID[id] = int32(len(l.spots))
			l.spots, l.known = append(l.spots, spot), append(l.known, false)
		}
		tell.Listed(len(l.spots), page.Total)
	}
	return l, nil
}

// find returns the contact and notes that a row stands for it.
func (l *listing) find(id string) (c owlat.Contact, there bool) {
	at, there := l.byID[id]
	if there {
		l.known[at] = true
		c = l.roll.Contact(l.spots[at])
	}
	return c, there
}

// at returns the contact that a call by the address reaches: the oldest.
func (l *listing) at(address string) (c owlat.Contact, there bool) {
	if l.byAddress == nil {
		l.byAddress = make(map[uint64]int32, len(l.spots))
		for at, spot := range l.spots { // the oldest last
			if email := l.roll.Contact(spot).Email; email != "" {
				l.byAddress[ledger.MemoryHash(owlatsync.LowerAddress(email))] = int32(at)
			}
		}
	}
	at, there := l.byAddress[ledger.MemoryHash(address)]
	if there {
		c = l.roll.Contact(l.spots[at])
	}
	return c, there
}

// comparison compares the entries of one sync with the contacts.
type comparison struct {
	ledger   ledger.Reader
	lock     ledger.Writer
	sync     string
	contacts *listing
	repair   bool
	each     func(Finding) error

	entries  int // entries compared so far
	repaired int
	fixed    []ledger.Record     // corrections to be recorded
	heirs    map[string]struct{} // contacts with which entries go on, because their own were merged into them
}

func (c *comparison) compare(ctx context.Context) error {
	for entry, err := range c.ledger.All(ctx, c.sync) {
		if err != nil {
			return err
		}
		if entry.ContactID == "" || entry.Origin == ledger.OriginGone {
			continue
		}
		contact, there := c.contacts.find(entry.ContactID)
		found := compare(c.sync, entry, contact, there)
		var heir *owlat.Contact
		if !there && entry.Origin != ledger.OriginDeleting {
			if heir, err = c.heir(ctx, entry); err != nil {
				return err
			}
			if heir != nil {
				found[0].Owlat = heir.ID
			}
		}
		if entry.Departed == "" { // what became of a row that left is no difference, but must be known if it comes back
			c.entries++
			for _, f := range found {
				if err := c.each(f); err != nil {
					return err
				}
			}
		}
		if !c.repair || len(found) == 0 || entry.Doubt { // a doubt that could not be settled stays one
			continue
		}
		record := correct(c.sync, entry, contact, there, heir, c.ledger.Now())
		if heir != nil {
			c.contacts.find(heir.ID)
		}
		if c.fixed = append(c.fixed, record); len(c.fixed) == batchSize {
			if err := c.fix(ctx); err != nil {
				return err
			}
		}
	}
	return c.fix(ctx)
}

// heir returns the contact into which that of an entry was most likely merged, nil if there is none.
func (c *comparison) heir(ctx context.Context, e *ledger.Entry) (*owlat.Contact, error) {
	contact, there := c.contacts.at(e.Email)
	if !there {
		return nil, nil
	}
	if _, taken := c.heirs[contact.ID]; taken {
		return nil, nil
	}
	free, err := remote.Free(ctx, c.ledger, c.sync, e, contact.ID)
	if err != nil || !free {
		return nil, err
	}
	if c.heirs == nil {
		c.heirs = make(map[string]struct{})
	}
	c.heirs[contact.ID] = struct{}{}
	return &contact, nil
}

// fix records the corrections.
func (c *comparison) fix(ctx context.Context) error {
	if len(c.fixed) == 0 {
		return nil
	}
	if c.repaired == 0 { // the next run must plan unchanged rows too
		if err := setBookmark(ctx, c.lock, c.sync, ledger.Bookmark{}); err != nil {
			return err
		}
	}
	if err := c.lock.Record(ctx, c.fixed...); err != nil {
		return fmt.Errorf("record what Owlat holds: %w", err)
	}
	c.repaired += len(c.fixed)
	c.fixed = c.fixed[:0]
	return nil
}

// refresh corrects the sync's entries to what Owlat holds.
func (w *work) refresh(ctx context.Context) error {
	contacts, err := listAll(ctx, w.client, w.tell)
	if err != nil {
		return err
	}
	c := &comparison{ledger: w.reader, lock: w.lock, sync: w.sync.Name, contacts: contacts, repair: true, each: func(Finding) error { return nil }}
	return c.compare(ctx)
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
	fields := remote.FieldsOf(&c)
	for _, f := range owlatsync.ContactFields {
		differ(ChangedInOwlat, f.Name(), e.Fields[f], fields[f])
	}
	return found
}

// correct returns the record that corrects an entry to its contact, so that the next run plans the row again. Heir is the contact
// into which a missing one was merged, nil if none is known.
func correct(sync string, e *ledger.Entry, c owlat.Contact, there bool, heir *owlat.Contact, now time.Time) ledger.Record {
	e.Fingerprint, e.Doubt, e.ChangedAt = ledger.Fingerprint{}, false, now
	if !there && e.Origin == ledger.OriginDeleting {
		return ledger.Record{Sync: sync, Entry: remote.Deleted(e, now), Event: "deleted", Note: "verify did not find the contact that was to be deleted"}
	}
	if heir != nil {
		e = remote.Succeed(e, *heir)
		e.ChangedAt = now
		return ledger.Record{Sync: sync, Entry: e, Event: "merged", Note: remote.ReasonMerged}
	}
	if !there {
		e.Origin = ledger.OriginGone
		return ledger.Record{Sync: sync, Entry: e, Event: "gone", Note: "verify did not find the contact in Owlat"}
	}
	e.Email, e.Fields = owlatsync.LowerAddress(c.Email), remote.FieldsOf(&c)
	remote.Witnessed(e, &c)
	return ledger.Record{Sync: sync, Entry: e, Event: "changed in Owlat", Note: "verify found other values than were written"}
}

// verifyContacts tells the contacts that no row stands for, and contacts that share an address.
func (e verification) verifyContacts(ctx context.Context, l *listing, each func(Finding) error) error {
	byAddress := make(map[string]int32, len(l.spots))
	for at, spot := range slices.Backward(l.spots) { // the oldest first
		c := l.roll.Contact(spot)
		if c.Email == "" {
			continue
		}
		address := owlatsync.LowerAddress(c.Email)
		if older, twin := byAddress[address]; twin {
			f := Finding{Kind: TwinInOwlat, ContactID: c.ID, Address: address, Owlat: l.roll.Contact(l.spots[older]).ID}
			if err := each(f); err != nil {
				return err
			}
			continue
		}
		byAddress[address] = int32(at)
	}
	unknown := make([]owlat.Contact, 0, batchSize)
	tell := func() error {
		ids := make([]string, len(unknown))
		for i, c := range unknown {
			ids[i] = c.ID
		}
		sharers, err := e.ledger.Sharers(ctx, ids)
		if err != nil {
			return fmt.Errorf("read the ledger: %w", err)
		}
		for _, h := range sharers { // rows of syncs that are not verified count too
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
		if unknown = append(unknown, l.roll.Contact(spot)); len(unknown) == batchSize {
			if err := tell(); err != nil {
				return err
			}
		}
	}
	return tell()
}
