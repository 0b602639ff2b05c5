// Package explain collects everything known about one row: what the ledger and its history hold, what the source and Owlat have
// now, and what the next run would do. If a part cannot be found out, the story says so and tells the rest. The package shows
// nothing itself.
package explain

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"owlatsync"
	"owlatsync/internal/config"
	"owlatsync/internal/setup"
	"owlatsync/internal/ways"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile"
	"owlatsync/reconcile/progress"
)

// Tale is everything known about one row.
type Tale struct {
	Sync    config.Sync
	Key     string
	Entry   *ledger.Entry // nil: the ledger does not know the row
	At      time.Time     // when it was told, by the ledger's clock
	History []ledger.HistoryLine
	Sibling Sibling
	Heard   []ledger.Feedback   // what Owlat's webhooks told of the person, oldest first
	OptOuts []ledger.OptOut     // of the contact, as far as they are known
	Barred  *ledger.Suppression // why no mail may go to the address; nil: it may
	Ways    ways.Ways           // how more becomes known

	Remote    *owlat.Contact // nil: not asked for, or the contact does not exist
	RemoteErr error          // why the contact could not be read

	Members    *owlat.ContactPreferences // on which topics the contact is; nil: not known, for which the unsubscribe secret is needed
	MembersErr error                     // why that could not be read

	Planned   bool                 // the source was read to its end
	PlanErr   error                // why the next step is not known
	Row       *owlatsync.Row       // the row in the source now; nil: not there, or not asked for
	Decisions []reconcile.Decision // empty: there is nothing to do
	Hits      []owlatsync.Hit      // guards that would hold the next run

	noticed time.Time // when a run that was held found that the row has left the source; zero: none did
}

// Sibling is what other syncs of the ledger have to do with the contact of a row.
type Sibling struct {
	Created string            // the sync that created the contact; empty: none is known to have
	Put     map[string]string // the syncs that have put it on topics, or may have, by topic
	Left    bool              // the person is known to have left a topic

	others []ledger.Holder // the entries of other syncs for the contact
}

// Deleted reports whether Owlat says that the contact does not exist.
func (t *Tale) Deleted() bool {
	return errors.Is(t.RemoteErr, owlat.ErrNotFound) && !errors.Is(t.RemoteErr, owlat.ErrNoRoute)
}

// Owlat answers what it has now.
type Owlat interface {
	// Contact fails as owlat's Contacts.Get does.
	Contact(ctx context.Context, id string) (*owlat.Contact, error)
	// Members returns nil without the unsubscribe secret that it needs, and fails as owlat's Preferences.Get does.
	Members(ctx context.Context, id string) (*owlat.ContactPreferences, error)
}

// AskOwlat takes in what Owlat has of a contact now, and the topics that it is on.
func (t *Tale) AskOwlat(ctx context.Context, id string, o Owlat) {
	if t.Remote, t.RemoteErr = o.Contact(ctx, id); t.RemoteErr == nil { // one that was deleted or merged would seem to be on no topic
		t.Members, t.MembersErr = o.Members(ctx, id)
	}
}

// asker is Owlat as a client reaches it.
type asker struct{ *owlat.Client }

func (a asker) Contact(ctx context.Context, id string) (*owlat.Contact, error) {
	return a.Contacts.Get(ctx, id)
}

func (a asker) Members(ctx context.Context, id string) (*owlat.ContactPreferences, error) {
	if !a.Preferences.Configured() {
		return nil, nil
	}
	return a.Preferences.Get(ctx, id)
}

// Question says what to explain.
type Question struct {
	Word    string                                                       // a key, or an address
	Offline bool                                                         // ask neither the source nor Owlat
	Watch   func(sync string) (observe func(progress.Value), end func()) // called around the reading of each source

	address string              // normalised; empty: the word is a key
	holders map[string][]string // rows of the ledger that have, or once had, the address, by sync
}

// Ask finds the rows of the ledger that have the word as their address.
func Ask(ctx context.Context, s *setup.Session, q Question) (*Question, error) {
	if address, err := owlatsync.NormalizeAddress(q.Word); err == nil {
		q.address = address
		found, err := s.Ledger.Holders(ctx, []string{address})
		if err != nil {
			return nil, err
		}
		q.holders = make(map[string][]string)
		for _, h := range found {
			q.holders[h.Sync] = append(q.holders[h.Sync], h.Entry.Key)
		}
	}
	return &q, nil
}

// Syncs returns the syncs in which the ledger has rows with the address, in alphabetical order. The configuration may not have all
// of them.
func (q *Question) Syncs() []string { return slices.Sorted(maps.Keys(q.holders)) }

// Forgotten reports whether the ledger forgot the person with the address.
func (q *Question) Forgotten(ctx context.Context, s *setup.Session) (bool, error) {
	if q.address == "" {
		return false, nil
	}
	forgotten, err := s.Ledger.Forgotten(ctx, []string{q.address})
	return forgotten[q.address], err
}

// Tales collects what is known about the rows that the question means in one sync. It may return tales together with an error. A
// run that goes on is no error: the tale says so. If a request needed an API key that is missing, there are no tales.
func (q *Question) Tales(ctx context.Context, s *setup.Session, sync config.Sync) ([]*Tale, error) {
	keys := append([]string{setup.RowKeys(sync, []string{q.Word})[0]}, q.holders[sync.Name]...)
	found := &sought{keys: keys, address: q.address, keyIsAddress: sync.KeyIsAddress(), rows: make(map[string]*owlatsync.Row)}
	var planErr error
	if !q.Offline {
		planErr = q.seek(ctx, s, sync, found)
	}
	entries, err := s.Ledger.Entries(ctx, sync.Name, found.keys)
	if err != nil {
		return nil, err
	}
	ways, err := Proven(ctx, s.Ledger, ways.Of(s.Config))
	if err != nil {
		return nil, err
	}
	var tales []*Tale
	for _, key := range found.keys {
		t := found.tale(sync, key)
		t.PlanErr, t.Planned, t.Ways = planErr, !q.Offline && planErr == nil, ways
		known, err := t.recall(ctx, s.Ledger, entries[key])
		if err != nil {
			return nil, err
		}
		if !known {
			continue
		}
		if !q.Offline && t.Entry != nil && t.Entry.ContactID != "" {
			t.AskOwlat(ctx, t.Entry.ContactID, asker{s.Client})
		}
		tales = append(tales, t)
	}
	switch {
	case s.NoKey() != nil:
		return nil, nil
	case ctx.Err() != nil:
		return tales, ctx.Err()
	}
	return tales, planErr
}

// Ledger is the part of a ledger that tells of rows.
type Ledger interface {
	ledger.Reader
	History(ctx context.Context, sync, key string) ([]ledger.HistoryLine, error)
	Feedbacks(ctx context.Context, event, person string, before int64, limit int) ([]ledger.Feedback, error)
	Run(ctx context.Context, id int64) (*ledger.Run, error)
}

// Of tells what the ledger knows about one row, and asks nobody else. It returns nil if that is nothing.
func Of(ctx context.Context, l Ledger, sync config.Sync, key string) (*Tale, error) {
	entries, err := l.Entries(ctx, sync.Name, []string{key})
	if err != nil {
		return nil, err
	}
	t := &Tale{Sync: sync, Key: key}
	if known, err := t.recall(ctx, l, entries[key]); !known || err != nil {
		return nil, err
	}
	return t, nil
}

// recall takes in what the ledger knows of the row, whose entry may be nil. It reports whether anything is known.
func (t *Tale) recall(ctx context.Context, l Ledger, e *ledger.Entry) (known bool, err error) {
	t.At, t.Entry = l.Now(), e
	if t.History, err = l.History(ctx, t.Sync.Name, t.Key); err != nil {
		return false, err
	}
	if err := t.notice(ctx, l); err != nil {
		return false, err
	}
	if t.Sibling, err = siblingOf(ctx, l, t.Sync.Name, t.Entry); err != nil {
		return false, err
	}
	if err := t.heed(ctx, l); err != nil {
		return false, err
	}
	if t.Entry == nil && t.Row == nil && len(t.History) == 0 && len(t.Decisions) == 0 {
		return false, nil
	}
	return true, t.hear(ctx, l)
}

// heed takes in who has left a topic since the row was last planned.
func (t *Tale) heed(ctx context.Context, l ledger.Reader) (err error) {
	if t.Entry == nil || t.Entry.ContactID == "" {
		return nil
	}
	if t.OptOuts, err = l.OptOuts(ctx, []string{t.Entry.ContactID}); err == nil {
		t.Entry = reconcile.Heed(t.Entry, t.OptOuts)
	}
	return err
}

// heardMost is how much of what webhooks told of a person is shown.
const heardMost = 50

// hear finds out what Owlat's webhooks told of the contact and of the address.
func (t *Tale) hear(ctx context.Context, l Ledger) error {
	var persons []string
	address := ""
	if t.Entry != nil {
		address = t.Entry.Email
		persons = append(persons, t.Entry.ContactID)
	}
	if address == "" && t.Row != nil {
		address, _ = owlatsync.NormalizeAddress(t.Row.Email.Value)
	}
	names := slices.DeleteFunc(append([]string{address}, persons...), func(name string) bool { return name == "" })
	suppressed, err := l.Suppressions(ctx, names)
	if err != nil {
		return err
	}
	var barred ledger.Suppression
	for _, name := range names {
		barred = barred.With(suppressed[name])
	}
	if barred.Reason != "" {
		t.Barred = &barred
	}
	for _, person := range append(persons, address) {
		if person == "" {
			continue
		}
		found, err := l.Feedbacks(ctx, "", person, 0, heardMost)
		if err != nil {
			return err
		}
		t.Heard = append(t.Heard, found...)
	}
	slices.SortFunc(t.Heard, func(a, b ledger.Feedback) int { return cmp.Compare(a.ID, b.ID) })
	t.Heard = slices.CompactFunc(t.Heard, func(a, b ledger.Feedback) bool { return a.ID == b.ID })
	return nil
}

// siblingOf finds out what other syncs have to do with the contact of an entry, which may be nil.
func siblingOf(ctx context.Context, l ledger.Reader, sync string, e *ledger.Entry) (is Sibling, err error) {
	if e == nil || e.ContactID == "" {
		return is, nil
	}
	holders, err := l.Sharers(ctx, []string{e.ContactID})
	if err != nil {
		return is, err
	}
	optOuts, err := l.OptOuts(ctx, []string{e.ContactID})
	if err != nil {
		return is, err
	}
	is.Left, is.Put = len(optOuts) > 0, make(map[string]string)
	for _, h := range holders {
		if h.Sync == sync || h.Entry.Origin == ledger.OriginGone {
			continue
		}
		is.others = append(is.others, h)
		if h.Entry.Origin == ledger.OriginCreated || h.Entry.Origin == ledger.OriginDeleting {
			is.Created = h.Sync
		}
		for _, m := range h.Entry.Memberships {
			switch m.State {
			case ledger.MemberSent, ledger.MemberAdded, ledger.MemberUnsure, ledger.MemberImported, ledger.MemberOptedOut:
				is.Put[m.Topic] = h.Sync
			}
		}
	}
	return is, nil
}

// seek plans the sync and keeps what is about the sought rows.
func (q *Question) seek(ctx context.Context, s *setup.Session, sync config.Sync, found *sought) error {
	observe, end := q.Watch(sync.Name)
	defer end()
	summary, err := s.Plan(ctx, sync, setup.Listener{Progress: observe, Row: found.see, Decision: func(d reconcile.Decision) error {
		if slices.Contains(found.keys, d.Key) {
			found.decisions = append(found.decisions, d)
		}
		return nil
	}})
	found.hits = sync.Guards.Hits(summary)
	return err
}

// sought has the rows that are looked for in a source, and those that were found.
type sought struct {
	keys         []string
	address      string // normalised; empty: only the keys count
	keyIsAddress bool

	rows      map[string]*owlatsync.Row // by key, the first of each
	decisions []reconcile.Decision
	hits      []owlatsync.Hit
}

// tale begins the tale of the row with the key.
func (f *sought) tale(sync config.Sync, key string) *Tale {
	t := &Tale{Sync: sync, Key: key, Row: f.rows[key], Hits: f.hits}
	for _, d := range f.decisions {
		if d.Key == key {
			t.Decisions = append(t.Decisions, d)
		}
	}
	return t
}

// see takes in a row of the source as it is read.
func (f *sought) see(row *owlatsync.Row) {
	key, address := row.Key, ""
	if f.keyIsAddress || f.address != "" {
		address, _ = owlatsync.NormalizeAddress(row.Email.Value)
	}
	if f.keyIsAddress {
		key = address
	}
	wanted := slices.Contains(f.keys, key)
	if !wanted && f.address != "" && address == f.address {
		f.keys, wanted = append(f.keys, key), true
	}
	if wanted && f.rows[key] == nil {
		kept := *row
		kept.Consents, kept.Unclear, kept.Properties = slices.Clone(row.Consents), slices.Clone(row.Unclear), slices.Clone(row.Properties)
		f.rows[key] = &kept
	}
}

// WhyOld says why a yes to a topic is no new consent.
func (is Sibling) WhyOld(topic string) string {
	switch by := is.Put[topic]; {
	case by != "":
		return fmt.Sprintf("the sync %q has put the contact on it, or may have, and the person may have left since", by)
	case is.Created != "" && is.Left:
		return "the person is known to have left a topic"
	case is.Created != "":
		return "the row was there before"
	}
	return "the contact, or the row, was there before"
}

// Found returns the opt-out from a topic that was found by reading memberships, nil if none was.
func (t *Tale) Found(topic string) *ledger.OptOut {
	for i := range t.OptOuts {
		if o := &t.OptOuts[i]; o.Topic == topic && !o.Since.IsZero() {
			return o
		}
	}
	return nil
}
