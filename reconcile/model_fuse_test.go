package reconcile_test

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"sync"

	"owlatsync/ledger"
)

// breakKind is how a run is broken off.
type breakKind string

const (
	unbroken   breakKind = ""
	killed     breakKind = "kill"         // from then on nothing that the process does has an effect
	aborted    breakKind = "abort"        // the context is cancelled
	stopped    breakKind = "stop"         // the run is asked to take no more work
	ledgerFull breakKind = "ledger fails" // from then on the ledger cannot be written
	ledgerOnce breakKind = "ledger fails once"
)

// fuse breaks a run off at the at-th request or, with commit, at the at-th write to the ledger: before it takes effect, or
// after it did and before its answer is heard.
type fuse struct {
	kind   breakKind
	at     int
	commit bool
	after  bool
	cancel context.CancelFunc
	stop   chan struct{}

	mu       sync.Mutex
	requests int
	commits  int
	blown    bool
	refused  int  // writes to the ledger that failed while the process lived
	marked   bool // how far the source was read was recorded before the run was broken off, or as it was
}

var (
	errKilled = errors.New("the process is dead")
	errLedger = errors.New("the disk of the ledger is full")
)

// blow breaks the run off. The fuse is locked.
func (f *fuse) blow() {
	f.blown = true
	switch f.kind {
	case killed, aborted:
		f.cancel()
	case stopped:
		close(f.stop)
	}
}

// told returns how the run was broken off, if it was.
func (f *fuse) told() breakKind {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.blown {
		return f.kind
	}
	return unbroken
}

func (f *fuse) dead() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.blown && f.kind == killed
}

// request lets one request through.
func (f *fuse) request(send func() (*http.Response, error)) (*http.Response, error) {
	f.mu.Lock()
	f.requests++
	due := !f.commit && !f.blown && f.requests == f.at
	if due && !f.after {
		f.blow()
	}
	f.mu.Unlock()
	if f.dead() {
		return nil, errKilled
	}
	resp, err := send()
	f.mu.Lock()
	if due && f.after {
		f.blow()
	}
	f.mu.Unlock()
	if f.dead() {
		if err == nil {
			_ = resp.Body.Close()
		}
		return nil, errKilled
	}
	return resp, err
}

// write lets one write to the ledger through.
func (f *fuse) write(write func() error) error {
	f.mu.Lock()
	f.commits++
	due := f.commit && !f.blown && f.commits == f.at
	if due && !f.after {
		f.blow()
	}
	failing := f.blown && (f.kind == ledgerFull || f.kind == ledgerOnce && due)
	if failing {
		f.refused++
	}
	f.mu.Unlock()
	switch {
	case f.dead():
		return errKilled
	case failing:
		return errLedger
	}
	err := write()
	f.mu.Lock()
	if due && f.after {
		f.blow()
	}
	f.mu.Unlock()
	if f.dead() {
		return errKilled
	}
	return err
}

// fusedTransport is a transport that ends with the process.
type fusedTransport struct {
	*fuse
	http.RoundTripper
}

func (t fusedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	return t.request(func() (*http.Response, error) { return t.RoundTripper.RoundTrip(r) })
}

// fusedLedger is a ledger that ends with the process.
type fusedLedger struct {
	*fuse
	ledger.Store
}

func (l fusedLedger) Suppress(ctx context.Context, s ...ledger.Suppression) error {
	return l.write(func() error { return l.Store.Suppress(ctx, s...) })
}

func (l fusedLedger) NoteOptOuts(ctx context.Context, o ...ledger.OptOut) error {
	if l.dead() {
		return errKilled
	}
	return l.Store.NoteOptOuts(ctx, o...)
}

// Acquire gives a lock that goes with the process.
func (l fusedLedger) Acquire(ctx context.Context, claim ledger.Claim) (ledger.Lock, error) {
	if l.dead() {
		return nil, errKilled
	}
	lock, err := l.Store.Acquire(ctx, claim)
	if err != nil {
		return nil, err
	}
	return fusedLock{l.fuse, lock}, nil
}

func (l fusedLedger) Bookmark(ctx context.Context, sync string) (ledger.Bookmark, error) {
	if l.dead() {
		return ledger.Bookmark{}, errKilled
	}
	return l.Store.Bookmark(ctx, sync)
}

func (l fusedLedger) Index(ctx context.Context, sync string) iter.Seq2[ledger.IndexEntry, error] {
	return alive(l.fuse, l.Store.Index(ctx, sync))
}

func (l fusedLedger) All(ctx context.Context, sync string) iter.Seq2[*ledger.Entry, error] {
	return alive(l.fuse, l.Store.All(ctx, sync))
}

func (l fusedLedger) Open(ctx context.Context, sync string) iter.Seq2[*ledger.Entry, error] {
	return alive(l.fuse, l.Store.Open(ctx, sync))
}

func (l fusedLedger) Plan(ctx context.Context, run int64) iter.Seq2[ledger.PlanItem, error] {
	return alive(l.fuse, l.Store.Plan(ctx, run))
}

func (l fusedLedger) Entries(ctx context.Context, sync string, keys []string) (map[string]*ledger.Entry, error) {
	if l.dead() {
		return nil, errKilled
	}
	return l.Store.Entries(ctx, sync, keys)
}

// fusedLock is a lock whose writes end with the process.
type fusedLock struct {
	*fuse
	ledger.Lock
}

func (l fusedLock) Record(ctx context.Context, records ...ledger.Record) error {
	return l.write(func() error { return l.Lock.Record(ctx, records...) })
}

func (l fusedLock) Remove(ctx context.Context, sync string, keys []string) error {
	return l.write(func() error { return l.Lock.Remove(ctx, sync, keys) })
}

func (l fusedLock) BeginRun(ctx context.Context, run ledger.Run) (id int64, err error) {
	err = l.write(func() error { id, err = l.Lock.BeginRun(ctx, run); return err })
	return id, err
}

// Beat is no write that matters: how often it comes hangs on the clock.
func (l fusedLock) Beat(ctx context.Context, beat ledger.Beat) error {
	if l.dead() {
		return errKilled
	}
	return l.Lock.Beat(ctx, beat)
}

func (l fusedLock) KeepPlan(ctx context.Context, run int64, items []ledger.PlanItem) error {
	return l.write(func() error { return l.Lock.KeepPlan(ctx, run, items) })
}

func (l fusedLock) PauseRun(ctx context.Context, id int64) error {
	return l.write(func() error { return l.Lock.PauseRun(ctx, id) })
}

func (l fusedLock) ResumeRun(ctx context.Context, id int64) error {
	return l.write(func() error { return l.Lock.ResumeRun(ctx, id) })
}

func (l fusedLock) SetBookmark(ctx context.Context, sync string, b ledger.Bookmark) error {
	return l.write(func() error { return l.Lock.SetBookmark(ctx, sync, b) })
}

func (l fusedLock) EndRun(ctx context.Context, ending ledger.Ending) error {
	l.mu.Lock()
	whole := !l.blown
	l.mu.Unlock()
	return l.write(func() error {
		err := l.Lock.EndRun(ctx, ending)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.marked = err == nil && whole && ending.Bookmark != nil && ending.Bookmark.Mark != ""
		return err
	})
}

// alive ends a stream with the process.
func alive[T any](f *fuse, seq iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for v, err := range seq {
			if f.dead() {
				yield(*new(T), errKilled)
				return
			}
			if !yield(v, err) {
				return
			}
		}
	}
}
