package rounds

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile/consent"
	"owlatsync/reconcile/remote"
)

// needs is what a round works with.
type needs struct {
	Client  *owlat.Client // counts its requests in Counter
	Counter *remote.Counter
	Links   *remote.Links
	Ledger  ledger.Store
	Lock    ledger.Lock
	// Departed durably records that a person has left topics.
	Departed func(ctx context.Context, d consent.Departure) error
	Log      *slog.Logger
	Read     string // Moved or All
	// Between is called between two batches. It may give the lock back and take another one, which it returns. Its error ends the round.
	Between func(ctx context.Context) (ledger.Lock, error)
	// Tell is told how far the round is; nil: nobody is.
	Tell func(Progress)
}

// batchSize is how many contacts are looked at together: as many as a page of Owlat's list has.
const batchSize = remote.ListPage

// round is a round that goes on.
type round struct {
	needs
	kept  ledger.Round
	now   ledger.RoundCounts
	began time.Time // on the machine's steady clock
	total int
}

// makeRound makes a round, or goes on with one that broke off, and returns what is known of rounds then. Where the key has not the scope contacts:read,
// everybody is read. The returned round is not whole if there is an error; what was found until then is recorded all the same.
//
// Errors: what Between returns, ErrUntold of package remote, ledger.ErrLockLost, the cause of the context, and those of Owlat and the ledger.
func makeRound(ctx context.Context, n needs) (ledger.Round, error) {
	r := &round{needs: n, began: time.Now()}
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
		if err := (newcomers{r}).bar(ctx, page.Contacts); err != nil {
			return err
		}
		if err := r.next(ctx, seen); err != nil {
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
	for some := range slices.Chunk(rest, batchSize) {
		seen := make(map[string]time.Time, len(some))
		for _, c := range some {
			seen[c.contact] = time.Time{}
		}
		last := some[len(some)-1].hash
		if err := r.next(ctx, seen, func() { r.kept.Open.After = last }); err != nil {
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

// next looks at contacts with the updatedAt that Owlat listed, zero if it was not asked, and records what it finds, then done.
func (r *round) next(ctx context.Context, seen map[string]time.Time, done ...func()) error {
	if len(seen) > 0 {
		if err := (batch{r}).look(ctx, seen); err != nil {
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
