// Package rounds looks for people who have left topics without anybody having told it: a round reads the memberships of those who may have left,
// by the links in Owlat's mails, and compares them with what the ledger records.
//
// The idea to know: every way to lose a membership moves the contact's updatedAt. So a round lists the contacts, which takes one request of the
// budget for a hundred, and reads only those whose updatedAt is another than that of the last answer that was seen. What it has read it keeps in
// the ledger at once, so that a round which breaks off is worth what it has done.
package rounds

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile/consent"
	"owlatsync/reconcile/remote"
)

// What a round reads.
const (
	Moved = "moved" // contacts that Owlat says were changed
	All   = "all"   // everybody who was put on a topic
)

// Ledger is what a round reads of the ledger.
type Ledger interface {
	ledger.Reader
	ledger.Rounds
	Syncs(ctx context.Context) ([]string, error)
}

// Lock is the lock of a round.
type Lock interface {
	Record(ctx context.Context, records ...ledger.Record) error
	KeepRound(ctx context.Context, round ledger.Round) error
	Context() context.Context
}

// Needs is what a round works with.
type Needs struct {
	Client  *owlat.Client // counts its requests in Counter
	Counter *remote.Counter
	Links   *remote.Links
	Ledger  Ledger
	Lock    Lock
	// Departed durably records that a person has left topics.
	Departed func(ctx context.Context, d consent.Departure) error
	Log      *slog.Logger
	Read     string // Moved or All
	// Between is called between two batches. It may give the lock back and take another one, which it returns. Its error ends the round.
	Between func(ctx context.Context) (Lock, error)
	// Tell is told how far the round is; nil: nobody is.
	Tell func(Progress)
}

// Progress is how far a round is.
type Progress struct {
	ledger.RoundCounts     // so far
	Total              int // contacts that are listed, or read of all; 0: not known yet
	Rate               float64
}

const (
	// batch is how many contacts are looked at together: as many as a page of Owlat's list has.
	batch = remote.ListPage
	// readers is how many memberships are read at once. The limiter of the links sets the pace.
	readers = 8
)

// round is a round that goes on.
type round struct {
	Needs
	kept  ledger.Round
	now   ledger.RoundCounts
	began time.Time // on the machine's steady clock
	total int
}

// Make makes a round, or goes on with one that broke off, and returns what is known of rounds then. Where the key has not the scope contacts:read,
// everybody is read. The returned round is not whole if there is an error; what was found until then is recorded all the same.
//
// Errors: what Between returns, ErrUntold of package remote, ledger.ErrLockLost, the cause of the context, and those of Owlat and the ledger.
func Make(ctx context.Context, n Needs) (ledger.Round, error) {
	r := &round{Needs: n, began: time.Now()}
	var err error
	if r.kept, err = n.Ledger.Round(ctx); err != nil {
		return r.kept, err
	}
	err = r.make(ctx)
	if err != nil {
		r.failed(ctx, err)
	}
	return r.kept, err
}

func (r *round) make(ctx context.Context) error {
	if !r.Links.Able() {
		return remote.ErrUntold
	}
	if _, _, known := remote.There(r.Client, r.Ledger, r.Ledger.Now()); !known {
		_, _ = r.Client.Health(ctx) // tells the time on Owlat's clock; without an answer the reading itself tells it
	}
	if r.Read == Moved {
		err := r.open(Moved)
		if err == nil {
			err = r.moved(ctx)
		}
		if err == nil {
			return r.end(ctx)
		}
		if !errors.Is(err, owlat.ErrForbidden) || r.now.Listed > 0 {
			return err
		}
		r.Log.Info("the key has not the scope contacts:read, so that everybody's memberships are read")
	}
	if err := r.open(All); err != nil {
		return err
	}
	if err := r.all(ctx); err != nil {
		return err
	}
	return r.end(ctx)
}

// open begins a round, or goes on with one that broke off.
func (r *round) open(read string) error {
	r.now = ledger.RoundCounts{Read: read}
	o := &r.kept.Open
	if o.Began.IsZero() || o.Read != read && (read == All || o.After == 0) {
		*o = ledger.OpenRound{Began: r.Ledger.Now(), Read: read}
	}
	if read == o.Read {
		r.now.Contacts, r.now.People, r.now.Topics = o.Contacts, o.People, o.Topics
	}
	o.Tried, o.Failed = r.Ledger.Now(), ""
	return r.Lock.KeepRound(r.Lock.Context(), r.kept)
}

// end records that the round is whole.
func (r *round) end(ctx context.Context) error {
	r.count()
	r.kept = ledger.Round{Began: r.kept.Open.Began, Ended: r.Ledger.Now(), RoundCounts: r.now}
	return r.Lock.KeepRound(context.WithoutCancel(ctx), r.kept)
}

// failed records why the round did not come to its end, if that can be recorded.
func (r *round) failed(ctx context.Context, err error) {
	r.count()
	o := &r.kept.Open
	if o.Began.IsZero() {
		o.Began, o.Read = r.Ledger.Now(), r.Read
	}
	o.Tried = r.Ledger.Now()
	if o.Failed = err.Error(); ctx.Err() != nil || IsPause(err) {
		o.Failed = ""
	}
	_ = r.Lock.KeepRound(context.WithoutCancel(ctx), r.kept) // who has no lock any more records nothing
}

// IsPause reports whether a round that ended so was only interrupted.
func IsPause(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, ErrInterrupted) || errors.Is(err, ledger.ErrLockLost) || errors.Is(err, ledger.ErrLocked)
}

// ErrInterrupted ends a round that was asked to stop.
var ErrInterrupted = errors.New("the round was interrupted; the next one goes on from here")

// count takes in what was sent and how long that took.
func (r *round) count() {
	r.now.Requests, r.now.Seconds = r.Counter.Counts(), time.Since(r.began).Seconds()
	o := &r.kept.Open
	o.Contacts, o.People, o.Topics = r.now.Contacts, r.now.People, r.now.Topics
}

func (r *round) tell() {
	if r.Tell != nil {
		r.count()
		r.Tell(Progress{RoundCounts: r.now, Total: r.total, Rate: r.Client.Preferences.Rate()})
	}
}

// moved reads the contacts whose updatedAt is another than that of the last answer.
func (r *round) moved(ctx context.Context) error {
	for page, err := range remote.List(ctx, r.Client) {
		if err != nil {
			return err
		}
		if o := &r.kept.Open; o.Read != Moved { // of everybody, which broke off and is not needed any more
			*o = ledger.OpenRound{Began: o.Tried, Read: Moved, Tried: o.Tried}
		}
		seen := make(map[string]time.Time, len(page.Contacts))
		for _, c := range page.Contacts {
			seen[c.ID] = c.UpdatedAt
		}
		r.now.Listed += len(page.Contacts)
		r.total = max(page.Total, r.now.Listed)
		if err := r.batch(ctx, seen); err != nil {
			return err
		}
	}
	return nil
}

// all reads everybody who was put on a topic, in the order of the hashes of their contacts.
func (r *round) all(ctx context.Context) error {
	contacts, err := r.members(ctx)
	if err != nil {
		return err
	}
	r.total = len(contacts)
	after := r.kept.Open.After
	rest := slices.DeleteFunc(contacts, func(c hashed) bool { return after != 0 && c.hash <= after })
	for some := range slices.Chunk(rest, batch) {
		seen := make(map[string]time.Time, len(some))
		for _, c := range some {
			seen[c.contact] = time.Time{}
		}
		last := some[len(some)-1].hash
		if err := r.batch(ctx, seen, func() { r.kept.Open.After = last }); err != nil {
			return err
		}
	}
	return nil
}

// hashed is a contact with the hash of its id.
type hashed struct {
	hash    uint64
	contact string
}

// members returns the contacts with a membership that is recorded as added, by their hashes.
func (r *round) members(ctx context.Context) (contacts []hashed, err error) {
	syncs, err := r.Ledger.Syncs(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	for _, sync := range syncs {
		for e, err := range r.Ledger.All(ctx, sync) {
			if err != nil {
				return nil, fmt.Errorf("read the ledger: %w", err)
			}
			if mayHaveLeft(e, nil) {
				contacts = append(contacts, hashed{ledger.HashText(e.ContactID), e.ContactID})
			}
		}
	}
	slices.SortFunc(contacts, func(a, b hashed) int {
		switch {
		case a.hash != b.hash && a.hash < b.hash:
			return -1
		case a.hash != b.hash:
			return 1
		case a.contact < b.contact:
			return -1
		case a.contact > b.contact:
			return 1
		}
		return 0
	})
	return slices.Compact(contacts), nil
}

// mayHaveLeft reports whether the contact of the entry is recorded as being on a topic.
func mayHaveLeft(e *ledger.Entry, optOuts []ledger.OptOut) bool {
	if e.ContactID == "" || e.Origin == ledger.OriginGone {
		return false
	}
	return slices.ContainsFunc(consent.Heed(e.Memberships, optOuts), func(m ledger.Membership) bool { return consent.RecordedOf(&m) == consent.Added })
}

// batch looks at contacts with the updatedAt that Owlat listed, zero if it was not asked, and records what it finds, then done.
func (r *round) batch(ctx context.Context, seen map[string]time.Time, done ...func()) error {
	if len(seen) > 0 {
		if err := r.look(ctx, seen); err != nil {
			return err
		}
	}
	for _, each := range done {
		each()
	}
	if len(done) > 0 {
		r.count()
		if err := r.Lock.KeepRound(r.Lock.Context(), r.kept); err != nil {
			return err
		}
	}
	r.tell()
	lock, err := r.Between(ctx)
	if err != nil {
		return err
	}
	r.Lock = lock
	return nil
}

// theirs is what the ledger has of one contact.
type theirs struct {
	contact string
	holders []ledger.Holder
	optOuts []ledger.OptOut
}

// of returns what the ledger has of the contacts, in no particular order.
func (r *round) of(ctx context.Context, contacts []string) ([]*theirs, error) {
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

// reading is what was read of one contact.
type reading struct {
	members consent.Members
	email   string
	at      time.Time // on Owlat's clock, not before the reading
	err     error
}

// look reads those of the contacts that may have left since they were seen last.
func (r *round) look(ctx context.Context, seen map[string]time.Time) error {
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

func (r *round) record(records []ledger.Record) error {
	if len(records) == 0 {
		return nil
	}
	if err := r.Lock.Record(r.Lock.Context(), records...); err != nil {
		return fmt.Errorf("record what was read: %w", err)
	}
	return nil
}

// moved reports whether the contact may have left a topic since it was seen last. What was seen now is zero if that is not known.
func (t *theirs) moved(now time.Time) bool {
	return slices.ContainsFunc(t.holders, func(h ledger.Holder) bool {
		return mayHaveLeft(h.Entry, t.optOuts) && (now.IsZero() || !h.Entry.Witness.Equal(now))
	})
}

// read reads the memberships of contacts, several at once, until one of the contexts ends or the secret is refused.
func (r *round) read(locked, ctx context.Context, all []*theirs) map[string]reading {
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
func (r *round) judge(ctx context.Context, t *theirs, read reading, seen time.Time) ([]ledger.Record, error) {
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
func (r *round) alive(ctx context.Context, contact string, members consent.Members) (alive, known bool, err error) {
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

// records returns the entries of a contact after it was read: what was found, and when it was last changed before the reading.
func (t *theirs) records(d *consent.Departure, seen time.Time) (records []ledger.Record) {
	for _, h := range t.holders {
		e, changed := *h.Entry, false
		if !mayHaveLeft(&e, t.optOuts) {
			continue
		}
		doubtful := slices.ContainsFunc(e.Memberships, func(m ledger.Membership) bool { return m.State == ledger.MemberSent })
		if !seen.IsZero() && !doubtful && !e.Witness.Equal(seen) {
			e.Witness, changed = seen, true
		}
		record := ledger.Record{Sync: h.Sync, Entry: &e}
		if d != nil {
			before := e.Memberships
			e.Memberships = consent.Heed(consent.Heed(e.Memberships, t.optOuts), d.OptOuts())
			for _, left := range d.Topics {
				if was := h.Entry.Membership(left.ID); was != nil && consent.RecordedOf(was) == consent.Added {
					record.Event, record.Note = EventLeft, noted(record.Note, left)
				}
			}
			changed = changed || !slices.Equal(before, e.Memberships)
		}
		if changed {
			records = append(records, record)
		}
	}
	return records
}

// EventLeft is the line of a row's history which tells that its person was found to have left topics.
const EventLeft = "topic left"

func noted(before string, left consent.DepartedTopic) string {
	name := left.Name
	if name == "" {
		name = left.ID
	}
	if before == "" {
		return name
	}
	return before + ", " + name
}

// Cost is what a round takes: requests of the budget, requests by links, and how long both take one after the other.
type Cost struct {
	Requests, Links int
	Seconds         float64
}

// CostOf returns what a round takes that lists so many contacts, none if it does not list, and reads so many of them, at so many requests a second.
func CostOf(listed, read int, budget, links float64) Cost {
	c := Cost{Links: read}
	if listed > 0 {
		c.Requests = remote.ListingCost(listed)
	}
	if budget > 0 {
		c.Seconds += float64(c.Requests) / budget
	}
	if links > 0 {
		c.Seconds += float64(c.Links) / links
	}
	return c
}
