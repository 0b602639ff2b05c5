package dbfile

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
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

const (
	// HolderAt is where the lock file names its holder. Some systems lock the byte before it against reading.
	HolderAt = 1
	// holderAttempts is how often TakeLock looks for the name of a holder, with holderPause between the looks.
	holderAttempts = 20
	holderPause    = 10 * time.Millisecond
	// NamePatience is how long TakeLock looks for the name of a holder.
	NamePatience = holderAttempts * holderPause
	// WaitPause is the pause between two tries for the lock.
	WaitPause = 100 * time.Millisecond
)

// Lock is the lock on the file beside the ledger, whose name ends in ".lock". The operating system gives it back when the process
// dies, whatever the file says.
type Lock struct {
	// Fresh says that the file was missing: if it was removed under a holder, that one does not know yet.
	Fresh bool

	path string
	of   *File
	lock *flock.Flock
}

// TakeLock takes the lock of the ledger's file. If this or another process holds it, TakeLock waits if wait says so, and else fails
// with a *ledger.LockedError.
func (l *File) TakeLock(ctx context.Context, purpose string, wait bool) (*Lock, error) {
	f := &Lock{path: l.LockPath(), of: l}
	for attempt := 0; ; attempt++ {
		switch {
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case l.IsClosed():
			return nil, ledger.ErrClosed
		}
		taken, err := f.try()
		if err != nil {
			return nil, err
		}
		if taken {
			return f, f.name(purpose)
		}
		pause := WaitPause
		if !wait {
			h, err := readHolder(f.path)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
			// A holder without a name has not written it yet or is just leaving; the name may also be a dead one's while somebody looks
			// whether the lock is held. So look again.
			if h.PID != 0 && attempt > 0 || attempt == holderAttempts {
				return nil, &ledger.LockedError{Owner: ledger.Owner{PID: h.PID, Host: h.Host}, Since: h.Since, Purpose: h.Purpose}
			}
			pause = holderPause
		}
		select {
		case <-ctx.Done():
		case <-l.closed:
		case <-time.After(pause):
		}
	}
}

// lockHeld reports whether this or another process holds the lock. It creates no file, and needs no right to write.
func (l *File) lockHeld() (bool, error) {
	lock := flock.New(l.LockPath(), flock.SetFlag(os.O_RDONLY))
	free, err := lock.TryRLock()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	}
	return !free, lock.Unlock()
}

// Alive reports whether the lock that was given out with the epoch is held. It neither waits nor keeps anybody waiting.
func (l *File) Alive(ctx context.Context, epoch int64) (bool, error) {
	held, err := l.lockHeld()
	if err == nil && held {
		err = l.Readers.QueryRowContext(ctx, "SELECT epoch = ?1 FROM lock", epoch).Scan(&held)
	}
	return held, Explain(ctx, err)
}

// try takes the lock unless another has it.
func (f *Lock) try() (bool, error) {
	created, err := createLockFile(f.path)
	if err != nil {
		return false, err
	}
	f.Fresh = f.Fresh || created
	lock := flock.New(f.path)
	taken, err := lock.TryLock()
	if err != nil || !taken {
		return false, err
	}
	f.lock = lock
	if !f.InPlace() { // somebody removed the file meanwhile
		return false, lock.Unlock()
	}
	return true, nil
}

// name writes the holder into the file. If that fails, it gives the lock back.
func (f *Lock) name(purpose string) error {
	text, err := json.Marshal(holder{PID: os.Getpid(), Host: hostname(), Since: time.Now().UTC().Truncate(time.Millisecond), Purpose: purpose})
	if err == nil {
		err = WriteHolder(f.path, append(text, '\n'))
	}
	if err != nil {
		return errors.Join(err, f.lock.Unlock())
	}
	return nil
}

// InPlace reports whether the file under the lock's name is the locked one, and not another holder's.
func (f *Lock) InPlace() bool {
	locked, err := f.lock.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(f.path)
	return err == nil && os.SameFile(locked, there)
}

// Misplaced returns an error if the lock no longer keeps others away, because somebody removed or replaced its file or the ledger's.
func (f *Lock) Misplaced() error {
	switch {
	case !f.InPlace():
		return fmt.Errorf("%w (somebody removed or replaced %s)", ledger.ErrLockLost, f.path)
	case !f.of.inPlace():
		return fmt.Errorf("%w (somebody moved or replaced the file %s)", ledger.ErrLockLost, f.of.name)
	}
	return nil
}

// Release gives the lock back. If the lock was lost, it leaves the next holder's file as it is.
func (f *Lock) Release() error {
	var err error
	if f.InPlace() {
		err = WriteHolder(f.path, nil)
	}
	return errors.Join(err, f.lock.Unlock())
}

func hostname() string {
	host, err := os.Hostname()
	if err != nil {
		return "this machine"
	}
	return host
}

// createLockFile creates the file with a first byte that never changes.
func createLockFile(file string) (created bool, err error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	switch {
	case errors.Is(err, fs.ErrExist):
		return false, nil
	case err != nil:
		return false, err
	}
	_, err = f.WriteString("\n")
	return true, errors.Join(err, f.Close())
}

// WriteHolder writes the text that names the holder into the lock file.
func WriteHolder(file string, text []byte) error {
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(text, HolderAt)
	return errors.Join(err, f.Truncate(int64(HolderAt+len(text))), f.Close())
}

// readHolder returns the holder, without a PID if the file does not name one completely.
func readHolder(file string) (holder, error) {
	f, err := os.Open(file)
	if err != nil {
		return holder{}, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.NewSectionReader(f, HolderAt, 1<<16))
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
