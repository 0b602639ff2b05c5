package members

import (
	"context"
	"fmt"
	"iter"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile/consent"
	"owlatsync/reconcile/policy"
	"owlatsync/reconcile/remote"
)

// Finding is what is told of a contact and a topic. Values are personal data that somebody asked for.
type Finding struct {
	Verdict
	Sync      string
	Key       string // empty of a topic that is not in Owlat
	ContactID string
	Address   string
	Topic     string
	Name      string             // of the topic, as Owlat has it
	Recorded  *ledger.Membership // after the known opt-outs; nil: the ledger has nothing
	// Gone says that the contact itself is not in Owlat any more, and nothing else of the finding counts.
	Gone bool
}

// Read is how far a verification of memberships came.
type Read struct {
	Contacts int // that were read
	Unread   int // that were to be read, and could not
	// Why is the first reason for that, and Ended the one after which nothing was read any more; nil: there is none.
	Why, Ended error
	Departures int // topics that people have left, as recorded
	Due        int // removals of withdrawn consents that are due now
}

// Sync is a sync whose memberships are verified.
type Sync struct {
	Name   string
	Topics []policy.Topic
}

// Withdrawal is a membership in Owlat that a row has withdrawn.
type Withdrawal struct {
	Sync, Key, Topic string
	At               time.Time // of the recorded membership
}

// Ledger is what a verification needs of a ledger. It needs no lock.
type Ledger interface {
	ledger.Reader
	History(ctx context.Context, sync, key string) ([]ledger.HistoryLine, error)
}

// Needs are what a verification works with. Functions that are not said to be optional must be there.
type Needs struct {
	Links  *remote.Links
	Reads  *owlat.Client // reads memberships
	Finds  *owlat.Client // looks whether a contact is still there
	Ledger Ledger
	Syncs  []Sync
	// Take reports whether a contact is to be read, which it is once.
	Take func(contactID string) bool
	// Next returns what the next run does about a topic of a row, as was planned at Planned; empty: nothing.
	Next    func(sync, key, topic string) owlatsync.ChangeKind
	Planned time.Time
	// Told is called with the number of contacts that were read so far, in order.
	Told func(contacts int)
	Each func(Finding) error
	// Departed durably records a departure; nil: it is only told.
	Departed func(context.Context, consent.Departure) error
	// Withdraw makes the removals due and returns how many are; nil: they are only told.
	Withdraw func(context.Context, []Withdrawal) (int, error)
}

// batchSize is how many contacts are read before what was found is told.
const batchSize = 500

// Verifier compares memberships.
type Verifier struct {
	Needs
	read   Read
	topics map[string]bool    // of all syncs
	syncs  map[string]Sync    // by name
	gone   map[[2]string]bool // topics that were told as not in Owlat, by sync and id
}

// New returns a verifier.
func New(n Needs) *Verifier {
	v := &Verifier{Needs: n, topics: make(map[string]bool), syncs: make(map[string]Sync), gone: make(map[[2]string]bool)}
	for _, s := range n.Syncs {
		v.syncs[s.Name] = s
		for _, t := range s.Topics {
			v.topics[t.ID] = true
		}
	}
	return v
}

// Read reads the contacts of the syncs and tells what disagrees, in batches: in memory is one of them. Runs may go on beside it: what
// they have done meanwhile is seen before anything is concluded. It returns how far it came with an error too.
//
// A deployment that refuses the unsubscribe secret, or does not answer, is no error: the rest is counted as unread. Errors are those of
// the ledger, of Each, Departed and Withdraw, and the context's.
func (v *Verifier) Read(ctx context.Context) (Read, error) {
	for _, s := range v.Syncs {
		if len(s.Topics) == 0 {
			continue
		}
		if err := v.batches(ctx, v.Ledger.All(ctx, s.Name)); err != nil {
			return v.read, err
		}
	}
	v.read.Ended = v.Links.Refused()
	return v.read, nil
}

// Counts reports whether the contact of an entry is read for the topics of its sync.
func Counts(e *ledger.Entry) bool {
	return e.ContactID != "" && e.Departed == "" && e.Origin != ledger.OriginGone && e.Origin != ledger.OriginDeleting
}

func (v *Verifier) batches(ctx context.Context, entries iter.Seq2[*ledger.Entry, error]) error {
	batch := make([]string, 0, batchSize)
	for e, err := range entries {
		if err != nil {
			return readLedger(err)
		}
		if !Counts(e) || !v.Take(e.ContactID) {
			continue
		}
		if batch = append(batch, e.ContactID); len(batch) < batchSize {
			continue
		}
		if err := v.batch(ctx, batch); err != nil {
			return err
		}
		batch = batch[:0]
	}
	if len(batch) == 0 {
		return nil
	}
	return v.batch(ctx, batch)
}

// person is a contact, what the ledger has about it, and what was read.
type person struct {
	id      string
	holders []ledger.Holder // of all syncs
	optOuts []ledger.OptOut
	reading
	left []consent.DepartedTopic
	is   bool // it may be judged
}

func (v *Verifier) batch(ctx context.Context, contacts []string) error {
	if !v.Links.Able() {
		v.read.Unread += len(contacts)
		return nil
	}
	people, err := v.recall(ctx, contacts)
	if err != nil {
		return err
	}
	v.readAll(ctx, people)
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	for _, p := range people {
		if p.is = p.err == nil; p.is {
			v.read.Contacts++
			p.left = consent.Departed(p.holders, p.optOuts, p.members, p.at)
		} else if err := v.unread(p, p.err); err != nil {
			return err
		}
	}
	if err := v.confirm(ctx, people); err != nil {
		return err
	}
	var due []Withdrawal
	for _, p := range people {
		if !p.is {
			continue
		}
		still, err := judging{v}.judge(ctx, p)
		if err != nil {
			return err
		}
		due = append(due, still...)
	}
	if v.Withdraw == nil || len(due) == 0 {
		return nil
	}
	n, err := v.Withdraw(ctx, due)
	v.read.Due += n
	return err
}

// recall returns what the ledger has about contacts, in their order.
func (v *Verifier) recall(ctx context.Context, contacts []string) ([]*person, error) {
	holders, err := v.Ledger.Sharers(ctx, contacts)
	if err != nil {
		return nil, readLedger(err)
	}
	optOuts, err := v.Ledger.OptOuts(ctx, contacts)
	if err != nil {
		return nil, readLedger(err)
	}
	byID := make(map[string]*person, len(contacts))
	people := make([]*person, len(contacts))
	for i, id := range contacts {
		people[i] = &person{id: id}
		byID[id] = people[i]
	}
	for _, h := range holders {
		if p := byID[h.Entry.ContactID]; p != nil {
			p.holders = append(p.holders, h)
		}
	}
	for _, o := range optOuts {
		if p := byID[o.ContactID]; p != nil {
			p.optOuts = append(p.optOuts, o)
		}
	}
	return people, nil
}

// confirm leaves of the departures those that stand: the contact is still there, and no run has acted on the topic meanwhile. The
// ledger is read after the memberships, because a run marks a removal before it sends it.
func (v *Verifier) confirm(ctx context.Context, people []*person) error {
	var contacts []string
	var leaving []*person
	for _, p := range people {
		if !p.is || len(p.left) == 0 {
			continue
		}
		if p.nowhere {
			if _, err := remote.Find(ctx, v.Finds, p.id); err != nil {
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
				p.is = false
				v.read.Contacts--
				if err := v.unread(p, err); err != nil {
					return err
				}
				continue
			}
		}
		contacts, leaving = append(contacts, p.id), append(leaving, p)
	}
	if len(contacts) == 0 {
		return nil
	}
	now, err := v.recall(ctx, contacts)
	if err != nil {
		return err
	}
	for i, p := range leaving {
		p.left = both(p.left, consent.Departed(now[i].holders, now[i].optOuts, p.members, p.at))
		p.holders, p.optOuts = now[i].holders, now[i].optOuts
		if v.Departed == nil || len(p.left) == 0 {
			continue
		}
		if err := v.Departed(ctx, consent.Departure{ContactID: p.id, Email: p.email, Topics: p.left, At: p.at}); err != nil {
			return fmt.Errorf("record who has left a topic: %w", err)
		}
		v.read.Departures += len(p.left)
	}
	return nil
}

// both returns the topics that are in both.
func both(a, b []consent.DepartedTopic) (same []consent.DepartedTopic) {
	for _, t := range a {
		for _, other := range b {
			if t.ID == other.ID && t.Since.Equal(other.Since) {
				same = append(same, t)
			}
		}
	}
	return same
}

// unread counts a contact that could not be read, or tells that it is gone.
func (v *Verifier) unread(p *person, err error) error {
	if !remote.IsGone(err) {
		if v.read.Unread++; v.read.Why == nil {
			v.read.Why = err
		}
		return nil
	}
	v.read.Contacts++
	for _, h := range p.holders {
		if _, asked := v.syncs[h.Sync]; !asked || !Counts(h.Entry) {
			continue
		}
		if err := v.Each(Finding{Sync: h.Sync, Key: h.Entry.Key, ContactID: p.id, Address: h.Entry.Email, Gone: true}); err != nil {
			return err
		}
	}
	return nil
}

func readLedger(err error) error { return fmt.Errorf("read the ledger: %w", err) }
