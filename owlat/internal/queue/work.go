package queue

import (
	"context"
	"sync"
)

// Work counts pieces of work that are begun, and lets another one begin when that is worth it. [NewWork] makes one. It is safe for
// concurrent use, also the nil one, which counts nothing and is never shut.
type Work struct {
	most   int
	shut   chan struct{}
	change chan struct{} // told that there may be room

	mu    sync.Mutex
	begun int
	away  int // of begun: those that are admitted or await an answer
	cause error
}

// NewWork returns work of at most so many pieces at once.
func NewWork(most int) *Work {
	return &Work{most: most, shut: make(chan struct{}), change: make(chan struct{}, 1)}
}

// Begin waits until there is room for another piece and counts it. It waits no longer than ctx, which may be nil, and until the work
// is shut, and counts the piece then, too. spare is how many may be begun beyond those that await an answer.
func (w *Work) Begin(ctx context.Context, spare func() int) {
	var ended <-chan struct{}
	if ctx != nil {
		ended = ctx.Done()
	}
	for !w.begin(spare()) {
		select {
		case <-w.change:
			continue
		case <-ended:
		case <-w.shut:
		}
		w.mu.Lock()
		w.begun++
		w.mu.Unlock()
		return
	}
}

func (w *Work) begin(spare int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.begun >= w.most || w.begun-w.away >= spare {
		return false
	}
	w.begun++
	return true
}

// Count changes how many pieces are begun, and how many of them are away.
func (w *Work) Count(begun, away int) {
	if w == nil {
		return
	}
	w.mu.Lock()
	w.begun += begun
	w.away += away
	w.mu.Unlock()
	select {
	case w.change <- struct{}{}:
	default:
	}
}

// Shut ends the work for that cause, which is not nil. Only the first call counts.
func (w *Work) Shut(cause error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cause == nil {
		w.cause = cause
		close(w.shut)
	}
}

// Over is why nothing more is sent: the end of ctx, or what the work was shut for.
func (w *Work) Over(ctx context.Context) error {
	if err := ctx.Err(); err != nil || w == nil {
		return err
	}
	return w.Cause()
}

// Cause is why the work was shut, nil if it is not.
func (w *Work) Cause() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.cause
}

// Done is closed when the work is shut; it is nil for the nil one.
func (w *Work) Done() <-chan struct{} {
	if w == nil {
		return nil
	}
	return w.shut
}
