package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Claim is what somebody wants the lock for.
type Claim struct {
	// Purpose tells people what the lock is taken for, such as `run of sync "users"`.
	Purpose string
	// Deployment is the base URL of the deployment. It ties the ledger to it on first use; empty: whatever it is tied to.
	Deployment string
	// Wait makes Acquire wait for the lock, for as long as its context allows.
	Wait bool
}

// Lock is the right to change what the ledger says of rows and runs: one at a time has it, across goroutines, processes and
// machines. A store keeps it as it can: as a lock on a file that the operating system gives back when the process dies, or as a
// lease that must be renewed and may run out while its holder is frozen.
//
// Therefore each lock has an epoch, a number larger than that of every lock before it on the same ledger (a fencing token). Every
// write under the lock carries it, and fails with ErrLockLost, changing nothing, once a lock with a larger one was given out. So
// somebody who comes back after losing the lock cannot write any more. All methods are safe for concurrent use.
type Lock interface {
	Writer

	// Context ends when the lock is known to be lost, with ErrLockLost as its cause, when it is released, or with the context that
	// Acquire was given. Work under the lock runs under it.
	Context() context.Context
	// Epoch returns the lock's number, above 0.
	Epoch() int64
	// Release gives the lock back. Further calls do nothing. That the lock was lost before is no error.
	Release() error
}

// ErrLockLost says that the lock was lost, and nothing was written: another holder has taken over.
var ErrLockLost = errors.New("the lock on the ledger was lost to another run, and nothing more is recorded by this one; look at \"owlat-sync status\"")

// Owner is the process that holds a lock or makes a run.
type Owner struct {
	Host string `json:"host"`
	PID  int    `json:"pid"` // 0: not known
}

// LockedError says who holds the ledger.
type LockedError struct {
	Owner
	Since   time.Time
	Purpose string
}

// ErrLocked is matched by *LockedError.
var ErrLocked = errors.New("another run holds the ledger")

func (e *LockedError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("another program holds the ledger, without saying which, on %s since %s; wait for it to end, or stop it",
			e.Host, e.Since.Local().Format("2006-01-02 15:04:05"))
	}
	return fmt.Sprintf("another run holds the ledger: %s by process %d on %s since %s; wait for it to end, or stop it",
		e.Purpose, e.PID, e.Host, e.Since.Local().Format("2006-01-02 15:04:05"))
}

// Is matches ErrLocked.
func (e *LockedError) Is(target error) bool { return target == ErrLocked }

// DeploymentError says that the ledger belongs to another deployment than the configured one.
type DeploymentError struct{ Bound, Configured string }

func (e *DeploymentError) Error() string {
	return fmt.Sprintf("the ledger belongs to the deployment %s, the configuration says %s: give each deployment a ledger of its own",
		e.Bound, e.Configured)
}
