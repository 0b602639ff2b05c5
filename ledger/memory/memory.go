// Package memory keeps a ledger in memory, for tests. It implements ledger.Store, decides nothing, and writes no file.
//
// The idea to know: a Ledger is one opening of a store. Other openings of the same store stand for other processes.
package memory

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"owlatsync/ledger"
)

// Ledger is a ledger that lives as long as the process. Otherwise it keeps the contracts of package ledger. It is for tests that
// need thousands of ledgers, where a file would cost more than the test itself. New makes one; Reopen opens the same ledger again.
// It is safe for concurrent use.
type Ledger struct {
	*opening
	reader
	journal
	queue
	inbox
	mailbox
	outbox
	auditor
	archive
	locker
}

var _ ledger.Store = (*Ledger)(nil)

// opening is one opening of a store.
type opening struct {
	store *store
	// closed and held are guarded by the store's mutex. held has the locks of this opening that are not released yet.
	closed bool
	held   map[*lock]struct{}
}

// New returns an empty ledger.
func New() *Ledger { return (&Ledger{opening: &opening{store: newStore()}}).Reopen() }

// Reopen returns another opening of the same ledger, as another process would have it.
func (m *Ledger) Reopen() *Ledger {
	o := &opening{store: m.store, held: make(map[*lock]struct{})}
	return &Ledger{
		opening: o, reader: reader{o}, journal: journal{o}, queue: queue{o}, inbox: inbox{o}, mailbox: mailbox{o}, outbox: outbox{o},
		auditor: auditor{o}, archive: archive{o}, locker: locker{o},
	}
}

// Close ends this opening: it releases its lock, and every further call fails. What was recorded stays for Reopen.
func (m *Ledger) Close() error {
	m.store.mu.Lock()
	defer m.store.mu.Unlock()
	m.closed = true
	for lock := range m.held {
		lock.release()
	}
	return nil
}

// LoseLock takes the lock from its holder without telling it, like a lease that runs out while its holder is frozen.
func (m *Ledger) LoseLock() error {
	m.store.mu.Lock()
	defer m.store.mu.Unlock()
	m.store.free()
	return nil
}

// Now implements ledger.Clock.
func (o *opening) Now() time.Time { return time.Now().Add(time.Duration(o.store.ahead.Load())) }

// SetClock makes the ledger's clock, of all openings, be ahead of the machine's, as that of a server may be; below zero: behind.
func (o *opening) SetClock(ahead time.Duration) { o.store.ahead.Store(int64(ahead)) }

// use calls fn with the store's mutex held, unless the ledger is closed or ctx has ended.
func (o *opening) use(ctx context.Context, doing string, fn func(*store) error) error {
	err := func() error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		o.store.mu.Lock()
		defer o.store.mu.Unlock()
		if o.closed {
			return ledger.ErrClosed
		}
		return fn(o.store)
	}()
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

// stream yields the values of snapshot, which must be copies, because the ledger may be used meanwhile.
func stream[T any](ctx context.Context, o *opening, snapshot func(*store) []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var all []T
		err := o.use(ctx, "read ledger", func(s *store) error { all = snapshot(s); return nil })
		for _, v := range all {
			if err = ctx.Err(); err != nil {
				break
			}
			if !yield(v, nil) {
				return
			}
		}
		if err != nil {
			yield(*new(T), fmt.Errorf("read ledger: %w", err))
		}
	}
}

// store is what all openings of one ledger share.
type store struct {
	mu         sync.Mutex
	deployment string
	syncs      map[string]*syncState
	runs       []*runState // by ascending number
	lastRun    int64       // the latest number
	lastLine   int64       // the number of the latest line of history
	lastEntry  int64       // the latest place in the order of first records
	secret     []byte      // nil: nobody was forgotten
	forgotten  map[string]bool
	optOuts    map[optOutPlace]ledger.OptOut
	heard      heard
	round      ledger.Round
	audit      []ledger.AuditLine // oldest first
	lastAudit  int64              // the number of the latest audit line
	epoch      int64
	setBack    time.Time // when the ledger was last noticed to be older than what was done
	holder     *lock     // nil: nobody
	waiting    []chan struct{}
	ahead      atomic.Int64 // of the machine's clock
}

type optOutPlace struct{ contact, topic string }

func newStore() *store {
	return &store{syncs: make(map[string]*syncState), forgotten: make(map[string]bool), optOuts: make(map[optOutPlace]ledger.OptOut), heard: newHeard()}
}

type syncState struct {
	name     string
	adopted  bool
	setBack  time.Time
	bookmark ledger.Bookmark
	entries  map[string]*ledger.Entry
	first    map[string]int64                // the place of the entry with the key in the order of first records
	history  map[string][]ledger.HistoryLine // by key; it outlives the entries
}

type runState struct {
	ledger.Run
	plan []ledger.PlanItem // in the order in which they were kept
}
