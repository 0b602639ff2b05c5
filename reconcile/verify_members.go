package reconcile

import (
	"context"
	"fmt"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/compare"
	"owlatsync/reconcile/members"
	"owlatsync/reconcile/progress"
	"owlatsync/reconcile/reading"
	"owlatsync/reconcile/remote"
)

// next is what the next run does about topics, as a plan says, for the contacts that the ledger knows.
type next struct {
	planned time.Time
	does    map[uint64]owlatsync.ChangeKind // by the hash of the sync, the row and the topic
}

func newNext(planned time.Time) *next {
	return &next{planned, make(map[uint64]owlatsync.ChangeKind)}
}

func placeOf(sync, key, topic string) uint64 {
	return ledger.MemoryHash(sync + "\x00" + key + "\x00" + topic)
}

// note takes in a decision.
func (n *next) note(sync string, d *Decision) {
	if d.Outcome == owlatsync.Created {
		return
	}
	for _, c := range d.Changes {
		if c.Kind == owlatsync.AddTopic || c.Kind == owlatsync.RemoveTopic {
			n.does[placeOf(sync, d.Key, c.Topic)] = c.Kind
		}
	}
}

func (n *next) of(sync, key, topic string) owlatsync.ChangeKind {
	return n.does[placeOf(sync, key, topic)]
}

// members reads and compares memberships.
func (e verification) members(ctx context.Context, syncs []Sync, o VerifyOptions, l *compare.Listing, each func(Finding) error, tell *progress.Teller, next *next) (read members.Read, err error) {
	needs := members.Needs{
		Links: remote.NewLinks(e.client, 0, nil), Reads: e.client, Finds: e.outside, Ledger: e.ledger, Take: l.Take, Next: next.of, Planned: next.planned,
	}
	total := 0
	for _, s := range syncs {
		needs.Syncs = append(needs.Syncs, members.Sync{Name: s.Name, Topics: s.Topics})
		if len(s.Topics) == 0 {
			continue
		}
		for entry, err := range e.ledger.All(ctx, s.Name) {
			if err != nil {
				return read, readLedger(err)
			}
			if members.Counts(entry) && (o.Only == nil || o.Only[entry.ContactID]) && l.Ask(entry.ContactID) {
				total++
			}
		}
	}
	if total == 0 {
		return read, nil
	}
	rate := e.client.Preferences.Rate
	if o.Before != nil {
		if err := o.Before(total, rate()); err != nil {
			return read, err
		}
	}
	tell.Members(0, total, rate())
	needs.Told = func(contacts int) { tell.Members(contacts, total, rate()) }
	needs.Each = func(m members.Finding) error {
		f := Finding{Kind: FindingKind(m.Kind), Sync: m.Sync, Key: m.Key, ContactID: m.ContactID, Address: m.Address, Member: &m}
		if m.Gone {
			f.Kind, f.Member = MissingInOwlat, nil
		}
		return each(f)
	}
	if o.Repair {
		needs.Departed, needs.Withdraw = e.parted, e.withdraw
	}
	return members.New(needs).Read(ctx)
}

// withdraw makes removals due: the next run takes the contacts off, within its guards. It takes the lock for that, because only its holder writes
// about rows, and leaves alone what a run has decided anew.
func (e verification) withdraw(ctx context.Context, all []members.Withdrawal) (due int, err error) {
	lock, err := e.locks.acquire(ctx, ledger.Claim{Purpose: "verify", Deployment: e.client.BaseURL(), Wait: true})
	if err != nil {
		return 0, err
	}
	defer func() { err = also(err, lock.Release()) }()
	ctx = lock.Context()
	keys := make(map[string][]string)
	for _, w := range all {
		keys[w.Sync] = append(keys[w.Sync], w.Key)
	}
	for sync := range keys {
		entries, err := e.ledger.Entries(ctx, sync, keys[sync])
		if err != nil {
			return due, readLedger(err)
		}
		var records []ledger.Record
		for _, w := range all {
			entry := entries[w.Key]
			if w.Sync != sync || entry == nil || entry.Doubt || !members.Withdraw(entry, w, e.ledger.Now()) {
				continue
			}
			records = append(records, ledger.Record{Sync: sync, Entry: entry, Event: "withdrawn", Note: "verify found the contact still on " + w.Topic})
		}
		if len(records) == 0 {
			continue
		}
		if err := reading.SetBookmark(ctx, lock, sync, ledger.Bookmark{}); err != nil { // the next run must plan unchanged rows too
			return due, err
		}
		if err := lock.Record(ctx, records...); err != nil {
			return due, fmt.Errorf("record which removals are due: %w", err)
		}
		due += len(records)
	}
	return due, nil
}
