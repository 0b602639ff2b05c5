package reconcile_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile"
)

// lapsing is a ledger whose lock runs out at a certain look at it. Its holder is told by nothing else: no context ends, and what is
// recorded later is lost with the lock.
type lapsing struct {
	ledger.Store
	left   atomic.Int64
	lapsed func() // called at the look that finds the lock gone
}

type lapsingLock struct {
	ledger.Lock
	of *lapsing
}

func (l *lapsing) Acquire(ctx context.Context, claim ledger.Claim) (ledger.Lock, error) {
	lock, err := l.Store.Acquire(ctx, claim)
	return &lapsingLock{lock, l}, err
}

func (k *lapsingLock) Check() error {
	switch left := k.of.left.Add(-1); {
	case left == -1:
		k.of.lapsed()
		fallthrough
	case left < 0:
		return ledger.ErrLockLost
	}
	return k.Lock.Check()
}

func (k *lapsingLock) Record(ctx context.Context, records ...ledger.Record) error {
	if k.of.left.Load() < 0 {
		return ledger.ErrLockLost
	}
	return k.Lock.Record(ctx, records...)
}

// TestNothingIsSentWithoutTheLock lets the lock run out at every look at it, in runs with every kind of request and in a
// verification. From that look on nothing reaches Owlat.
func TestNothingIsSentWithoutTheLock(t *testing.T) {
	t.Parallel()
	before := []owlatsync.Row{user("1", "1@example.com", "Ada", true), user("2", "2@example.com", "Bo", true), user("3", "3@example.com", "Cy", false), user("4", "4@example.com", "Di", true)}
	after := []owlatsync.Row{user("1", "1@example.com", "Ann", true), user("2", "two@example.com", "Bo", false), user("3", "3@example.com", "Cy", true), user("5", "5@example.com", "Ed", true)}
	run := func(o reconcile.RunOptions, list []owlatsync.Row) func(context.Context, *world, *reconcile.Engine) error {
		return func(ctx context.Context, w *world, e *reconcile.Engine) error {
			s := w.sync
			s.Source = rows{list: list}
			_, err := e.Run(ctx, s, o)
			return err
		}
	}
	for name, c := range map[string]struct {
		first bool
		do    func(context.Context, *world, *reconcile.Engine) error
		sends int // at least
	}{
		"first run":  {true, run(reconcile.RunOptions{}, before), 7},
		"changes":    {false, run(reconcile.RunOptions{}, after), 6},
		"a full run": {false, run(reconcile.RunOptions{Full: true}, after), 7},
		"verify": {false, func(ctx context.Context, w *world, e *reconcile.Engine) error {
			s := w.sync
			s.Source = rows{list: before}
			_, err := e.Verify(ctx, []reconcile.Sync{s}, reconcile.VerifyOptions{Repair: true})
			return err
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				sent := 0
				for looks := int64(0); ; looks++ {
					w := newWorld(t, reconcile.Topic{ID: "news"})
					w.sync.OnMissing, w.workers = reconcile.MissingDelete, 1 // with more, a request may be on its way when another one looks
					if !c.first {
						w.run(before...)
					}
					start, atLapse := w.server.Stats().Total, 0
					l := &lapsing{Store: w.ledger, lapsed: func() { atLapse = w.server.Stats().Total }}
					l.left.Store(looks)
					w.through = l
					e, client := w.engine()
					err := c.do(t.Context(), w, e)
					client.CloseIdleConnections()
					if err == nil {
						if l.left.Load() < 0 {
							t.Fatalf("without the lock after %d looks it came to a good end", looks)
						}
						if sent = w.server.Stats().Total - start; looks < int64(sent) {
							t.Errorf("%d looks for %d requests", looks, sent)
						}
						break
					}
					if !errors.Is(err, ledger.ErrLockLost) {
						t.Errorf("the lock lapsed at look %d: %v", looks+1, err)
					}
					if now := w.server.Stats().Total; now != atLapse {
						t.Errorf("%d requests were sent after the lock had lapsed at look %d", now-atLapse, looks+1)
					}
				}
				if sent < c.sends {
					t.Errorf("only %d requests: the case shows too little", sent)
				}
			})
		})
	}
}
