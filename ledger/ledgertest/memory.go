package ledgertest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"owlatsync/ledger"
)

// Memory is a ledger that lives as long as the process and keeps the contracts of package reconcile otherwise: for tests
// that need thousands of ledgers, where a file would cost more than what is tested. NewMemory makes one; Reopen stands for
// opening the same ledger again. It is safe for concurrent use.
type Memory struct {
	store *store
	// closed, and the locks of this opening that nobody gave back yet; both under the store's mutex.
	closed bool
	held   map[*ledger.LockedError]struct{}
}

var (
	_ ledger.Store   = (*Memory)(nil)
	_ ledger.Archive = (*Memory)(nil)
)

// store is what all openings of one ledger share.
type store struct {
	mu         sync.Mutex
	deployment string
	syncs      map[string]*syncState
	runs       []*runState // by number, from 1
	forgotten  map[string]bool
	optOuts    map[[2]string]time.Time // contact and topic
	holder     *ledger.LockedError     // nil: nobody
}

type syncState struct {
	adopted  bool
	bookmark ledger.Bookmark
	entries  map[string]*ledger.Entry
	history  map[string][]ledger.HistoryLine // by key; it outlives the entries
}

type runState struct {
	ledger.Run
	pruned bool
	plan   []ledger.PlanItem // in the sequence of their spooling
}

var errClosed = errors.New("the ledger is closed")

// NewMemory returns an empty ledger.
func NewMemory() *Memory {
	return (&Memory{store: &store{syncs: make(map[string]*syncState), forgotten: make(map[string]bool), optOuts: make(map[[2]string]time.Time)}}).Reopen()
}

// Reopen returns another opening of the same ledger, as another process would have it.
func (m *Memory) Reopen() *Memory {
	return &Memory{store: m.store, held: make(map[*ledger.LockedError]struct{})}
}

// Close ends this opening: its lock is given back and every further call fails. What was recorded stays for Reopen.
func (m *Memory) Close() error {
	m.store.mu.Lock()
	defer m.store.mu.Unlock()
	m.closed = true
	for lock := range m.held {
		m.release(lock)
	}
	return nil
}

// use calls fn with the store locked, unless the ledger is closed or ctx ended.
func (m *Memory) use(ctx context.Context, fn func(*store) error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	m.store.mu.Lock()
	defer m.store.mu.Unlock()
	if m.closed {
		return errClosed
	}
	return fn(m.store)
}

// sync returns the state of the named sync and makes it if it is new.
func (s *store) sync(name string) (*syncState, error) {
	if name == "" {
		return nil, errors.New("the sync has no name")
	}
	if s.syncs[name] == nil {
		s.syncs[name] = &syncState{entries: make(map[string]*ledger.Entry), history: make(map[string][]ledger.HistoryLine)}
	}
	return s.syncs[name], nil
}

// stream yields what snapshot returns, which holds copies, so that the ledger can be used meanwhile.
func stream[T any](ctx context.Context, m *Memory, snapshot func(*store) []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var all []T
		err := m.use(ctx, func(s *store) error { all = snapshot(s); return nil })
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

// sorted returns the entries in the order of their keys, not copied.
func (s *syncState) sorted() []*ledger.Entry {
	if s == nil {
		return nil
	}
	all := make([]*ledger.Entry, 0, len(s.entries))
	for _, key := range slices.Sorted(maps.Keys(s.entries)) {
		all = append(all, s.entries[key])
	}
	return all
}

// Index implements ledger.Store.
func (m *Memory) Index(ctx context.Context, sync string) iter.Seq2[ledger.IndexEntry, error] {
	return stream(ctx, m, func(s *store) (all []ledger.IndexEntry) {
		for _, e := range s.syncs[sync].sorted() {
			all = append(all, ledger.IndexEntry{
				KeyHash: ledger.HashText(e.Key), Print: e.Fingerprint.Lo, Blank: e.Email == "",
			})
		}
		return all
	})
}

// All implements ledger.Store.
func (m *Memory) All(ctx context.Context, sync string) iter.Seq2[*ledger.Entry, error] {
	return stream(ctx, m, func(s *store) (all []*ledger.Entry) {
		for _, e := range s.syncs[sync].sorted() {
			all = append(all, copyOf(e))
		}
		return all
	})
}

// Open implements ledger.Store.
func (m *Memory) Open(ctx context.Context, sync string) iter.Seq2[*ledger.Entry, error] {
	return stream(ctx, m, func(s *store) (open []*ledger.Entry) {
		for _, e := range s.syncs[sync].sorted() {
			if e.Fingerprint.IsZero() || e.Failure != nil {
				open = append(open, copyOf(e))
			}
		}
		return open
	})
}

// Entries implements ledger.Store.
func (m *Memory) Entries(ctx context.Context, sync string, keys []string) (map[string]*ledger.Entry, error) {
	found := make(map[string]*ledger.Entry)
	err := m.use(ctx, func(s *store) error {
		if state := s.syncs[sync]; state != nil {
			for _, key := range keys {
				if e := state.entries[key]; e != nil {
					found[key] = copyOf(e)
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read entries of the ledger: %w", err)
	}
	return found, nil
}

// Holders implements ledger.Store.
func (m *Memory) Holders(ctx context.Context, addresses []string) ([]ledger.Holder, error) {
	return m.holders(ctx, func(e *ledger.Entry) bool {
		return e.Email != "" && slices.Contains(addresses, e.Email) || e.Identity != "" && slices.Contains(addresses, e.Identity)
	})
}

// Sharers implements ledger.Store.
func (m *Memory) Sharers(ctx context.Context, contactIDs []string) ([]ledger.Holder, error) {
	return m.holders(ctx, func(e *ledger.Entry) bool { return e.ContactID != "" && slices.Contains(contactIDs, e.ContactID) })
}

// holders returns the entries of all syncs that are wanted, in the order of syncs and keys.
func (m *Memory) holders(ctx context.Context, wanted func(*ledger.Entry) bool) ([]ledger.Holder, error) {
	var found []ledger.Holder
	err := m.use(ctx, func(s *store) error {
		for _, name := range slices.Sorted(maps.Keys(s.syncs)) {
			for _, e := range s.syncs[name].sorted() {
				if wanted(e) {
					found = append(found, ledger.Holder{Sync: name, Entry: copyOf(e)})
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look up holders in the ledger: %w", err)
	}
	return found, nil
}

// Record implements ledger.Store. An entry needs a sync and a key; a zero ChangedAt becomes the present.
func (m *Memory) Record(ctx context.Context, records ...ledger.Record) error {
	err := m.use(ctx, func(s *store) error {
		for _, r := range records {
			if r.Entry == nil || r.Sync == "" || r.Entry.Key == "" {
				return errors.New("a record names no entry, no sync or no key")
			}
			if r.Replaces == r.Entry.Key {
				return errors.New("a record replaces itself")
			}
		}
		now := moment(time.Now())
		for _, r := range records {
			state, err := s.sync(r.Sync)
			if err != nil {
				return err
			}
			e := copyOf(r.Entry)
			if e.ChangedAt.IsZero() {
				e.ChangedAt = now
			}
			state.entries[e.Key] = e
			delete(state.entries, r.Replaces) // no entry has an empty key
			if r.Event != "" {
				state.history[e.Key] = append(state.history[e.Key], ledger.HistoryLine{At: now, Run: r.Run, Event: r.Event, Note: r.Note})
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("record in ledger: %w", err)
	}
	return nil
}

// Forget implements ledger.Store.
func (m *Memory) Forget(ctx context.Context, sync string, keys []string) error {
	err := m.use(ctx, func(s *store) error {
		state, err := s.sync(sync)
		if err != nil {
			return err
		}
		for _, key := range keys {
			delete(state.entries, key)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("forget in ledger: %w", err)
	}
	return nil
}

// Acquire implements ledger.Journal within the process.
func (m *Memory) Acquire(ctx context.Context, purpose string) (release func() error, err error) {
	host, _ := os.Hostname() // as empty as any other name, where there is none
	lock := &ledger.LockedError{PID: os.Getpid(), Host: host, Since: moment(time.Now()), Purpose: purpose}
	err = m.use(ctx, func(s *store) error {
		if s.holder != nil {
			return new(*s.holder)
		}
		s.holder = lock
		m.held[lock] = struct{}{}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return func() error {
		m.store.mu.Lock()
		defer m.store.mu.Unlock()
		m.release(lock)
		return nil
	}, nil
}

// release gives the lock back, once. The store is locked.
func (m *Memory) release(lock *ledger.LockedError) {
	delete(m.held, lock)
	if m.store.holder == lock {
		m.store.holder = nil
	}
}

// copyOf returns an entry that shares nothing with e, with its times as a ledger gives them back.
func copyOf(e *ledger.Entry) *ledger.Entry {
	c := *e
	c.Intent.Create, c.FirstSeen, c.ChangedAt = moment(e.Intent.Create), moment(e.FirstSeen), moment(e.ChangedAt)
	c.Memberships, c.Events = nil, nil
	for _, membership := range e.Memberships {
		membership.At = moment(membership.At)
		c.Memberships = append(c.Memberships, membership)
	}
	for _, mark := range e.Events {
		mark.At = moment(mark.At)
		c.Events = append(c.Events, mark)
	}
	if e.Failure != nil {
		f := *e.Failure
		f.First, f.Last, f.NextTry = moment(f.First), moment(f.Last), moment(f.NextTry)
		c.Failure = &f
	}
	return &c
}

// moment is a time as a ledger gives it back: in UTC, with microseconds, and zero if it was.
func moment(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Microsecond)
}

// byOrder sorts plan items by Order and leaves equal ones in their sequence.
func byOrder(items []ledger.PlanItem) {
	slices.SortStableFunc(items, func(a, b ledger.PlanItem) int { return cmp.Compare(a.Order, b.Order) })
}
