package sqlite

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"owlatsync/ledger"
)

// holder is what the lock file says about the process that holds it.
type holder struct {
	PID     int       `json:"pid"`
	Host    string    `json:"host"`
	Since   time.Time `json:"since"`
	Purpose string    `json:"purpose"`
}

// holderAt is where the holder stands in the lock file. The byte before is the one that some systems lock against reading.
const holderAt = 1

// holderAttempts is how often Acquire looks for the name of a holder, 10 ms apart.
const holderAttempts = 20

// heldLocks are the locks of this ledger that nobody gave back yet.
type heldLocks struct {
	mu   sync.Mutex
	held map[*flock.Flock]struct{}
}

// Acquire takes the lock file beside the ledger, whose name ends in ".lock", without waiting. The operating system gives it
// back when the process dies, whatever the file says. While it is held by this or another process the error is a
// *ledger.LockedError. The release may be called more than once.
func (l *Ledger) Acquire(ctx context.Context, purpose string) (release func() error, err error) {
	release, err = l.acquire(ctx, purpose)
	if err != nil && !errors.Is(err, ledger.ErrLocked) {
		return nil, fmt.Errorf("lock ledger %s: %w", l.path, explain(ctx, err))
	}
	return release, err
}

func (l *Ledger) acquire(ctx context.Context, purpose string) (func() error, error) {
	select {
	case <-l.closed:
		return nil, ErrClosed
	default:
	}
	file := l.file + ".lock"
	if err := createLockFile(file); err != nil {
		return nil, err
	}
	for attempt := 0; ; attempt++ {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		lock := flock.New(file)
		taken, err := lock.TryLock()
		if err != nil {
			return nil, err
		}
		if taken {
			return l.hold(lock, purpose)
		}
		h, err := readHolder(file)
		if err != nil {
			return nil, err
		}
		// A holder that has not said who it is yet, or one that was leaving: look again.
		if h.PID != 0 || attempt == holderAttempts {
			return nil, &ledger.LockedError{PID: h.PID, Host: h.Host, Since: h.Since, Purpose: h.Purpose}
		}
		select {
		case <-ctx.Done():
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// hold writes who holds the lock and returns what gives it back.
func (l *Ledger) hold(lock *flock.Flock, purpose string) (func() error, error) {
	text, err := json.Marshal(holder{PID: os.Getpid(), Host: hostname(), Since: time.Now().UTC().Truncate(time.Millisecond), Purpose: purpose})
	if err == nil {
		err = writeHolder(lock.Path(), append(text, '\n'))
	}
	if err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	l.locks.mu.Lock()
	defer l.locks.mu.Unlock()
	if l.locks.held == nil {
		l.locks.held = make(map[*flock.Flock]struct{})
	}
	l.locks.held[lock] = struct{}{}
	return func() error {
		if err := l.locks.release(lock); err != nil {
			return fmt.Errorf("unlock ledger %s: %w", l.path, err)
		}
		return nil
	}, nil
}

func (h *heldLocks) release(lock *flock.Flock) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, ok := h.held[lock]; !ok {
		return nil
	}
	delete(h.held, lock)
	return errors.Join(writeHolder(lock.Path(), nil), lock.Unlock())
}

func (h *heldLocks) releaseAll() error {
	h.mu.Lock()
	locks := make([]*flock.Flock, 0, len(h.held))
	for lock := range h.held {
		locks = append(locks, lock)
	}
	h.mu.Unlock()
	var errs []error
	for _, lock := range locks {
		errs = append(errs, h.release(lock))
	}
	return errors.Join(errs...)
}

func hostname() string {
	host, err := os.Hostname()
	if err != nil {
		return "this machine"
	}
	return host
}

// createLockFile makes the file with a first byte that stays as it is.
func createLockFile(file string) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil
	case err != nil:
		return err
	}
	_, err = f.WriteString("\n")
	return errors.Join(err, f.Close())
}

func writeHolder(file string, text []byte) error {
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(text, holderAt)
	return errors.Join(err, f.Truncate(int64(holderAt+len(text))), f.Close())
}

// readHolder returns a holder without PID when the file names none or only a part of one.
func readHolder(file string) (holder, error) {
	f, err := os.Open(file)
	if err != nil {
		return holder{}, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.NewSectionReader(f, holderAt, 1<<16))
	if err != nil {
		return holder{}, err
	}
	var h holder
	if json.Unmarshal(bytes.TrimSpace(text), &h) == nil && h.PID != 0 {
		return h, nil
	}
	info, err := f.Stat()
	if err != nil {
		return holder{}, err
	}
	return holder{Host: hostname(), Since: info.ModTime().UTC(), Purpose: "a run that has not said which"}, nil
}
