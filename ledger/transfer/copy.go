package transfer

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"owlatsync/ledger"
)

// From is what Copy needs from the ledger that it copies.
type From interface {
	Snapshotter
	// Acquire takes the lock of the ledger, as in ledger.Store.
	Acquire(ctx context.Context, claim ledger.Claim) (ledger.Lock, error)
	// DeliveryCounts counts the deliveries of each target by their states, as in ledger.Store.
	DeliveryCounts(ctx context.Context) (map[string]map[ledger.DeliveryState]int, error)
}

// ErrUndelivered says that a ledger is not copied, because something waits in it to be written back.
var ErrUndelivered = errors.New("something waits to be written back, which a copy would leave behind: let \"owlat-sync serve\" deliver it first, or give it up")

// Copy copies a ledger into an empty one of any kind, all or nothing. It copies what an export has, and unlike an import it makes
// nothing safe: Copy holds the lock of both ledgers, so no run does anything meanwhile, and the copy goes on exactly where the other
// stopped, with every consent, event and doubt. A held run becomes superseded in the copy, a queued run cancelled, and a waiting
// run died. Plans, bookmarks and what Owlat told stay behind; opt-outs and suppressions come along, and so do audit lines. Copy fails with ErrUndelivered
// while deliveries wait, with a *ledger.LockedError while another holds one of the ledgers, and with ledger.ErrNotEmpty.
//
// From then on only one of the two may be used: what a run does with one, the other does not know. Feedback that one takes in after
// Copy has begun is not in the other, so no service may use the ledger meanwhile. Before a ledger is used again that stood still
// while its copy went on, it must be set back. Memory does not grow with the ledger if both stores stream.
func Copy(ctx context.Context, from From, into Store) (err error) {
	lock, err := from.Acquire(ctx, ledger.Claim{Purpose: "copying the ledger"})
	if err != nil {
		return fmt.Errorf("the ledger to copy: %w", err)
	}
	defer func() { err = errors.Join(err, lock.Release()) }()
	err = copyUnder(lock.Context(), from, into)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ledger.ErrLocked):
		return fmt.Errorf("the ledger to copy to: %w", err)
	}
	return fmt.Errorf("copy ledger: %w", err)
}

func copyUnder(ctx context.Context, from From, into Store) error {
	counts, err := from.DeliveryCounts(ctx)
	if err != nil {
		return err
	}
	for target, states := range counts {
		if n := states[ledger.DeliveryWaiting]; n > 0 {
			return fmt.Errorf("%w (%d to %q)", ErrUndelivered, n, target)
		}
	}
	return from.Snapshot(ctx, func(s ledger.Snapshot) error {
		return into.Load(ctx, s.Deployment(), func(l ledger.Loader) error {
			if err := copyAll(s, l); err != nil {
				return err
			}
			return context.Cause(ctx) // a copy that outlived the lock of the other ledger may lack what a run did meanwhile
		})
	})
}

// copyAll passes everything in a snapshot to a loader.
func copyAll(s ledger.Snapshot, l ledger.Loader) error {
	if secret := s.ForgetSecret(); secret != nil {
		if err := l.SetForgetSecret(secret); err != nil {
			return err
		}
	}
	for _, pass := range []func() error{
		func() error { return passAll(s.Syncs(), l.AddSync) },
		func() error { return passAll(s.Runs(), l.AddRun) },
		func() error { return passAll(s.Entries(), l.AddEntry) },
		func() error { return passAll(s.History(), l.AddHistory) },
		func() error { return passAll(s.OptOuts(), l.AddOptOut) },
		func() error { return passAll(s.Suppressions(), l.AddSuppression) },
		func() error { return passAll(s.Forgotten(), l.AddForgotten) },
		func() error { return passAll(s.Audit(), l.AddAudit) },
	} {
		if err := pass(); err != nil {
			return err
		}
	}
	return l.SetLastNumber(s.LastNumber())
}

func passAll[T any](values iter.Seq2[T, error], add func(T) error) error {
	for v, err := range values {
		if err == nil {
			err = add(v)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
