package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Claim says what the lock is wanted for.
type Claim struct {
	// Purpose tells people what the lock is for, such as `run of sync "users"`.
	Purpose string
	// Deployment is the base URL of the deployment. The first claim that names one ties the ledger to it. Empty means any
	// deployment.
	Deployment string
	// Wait makes Acquire wait for the lock until its context ends.
	Wait bool
}

// Lock is the right to change what the ledger says about rows and runs. Only one holder at a time has it, across goroutines,
// processes and machines. It may be a lock on a file, which the operating system gives back when the process dies, or a lease,
// which must be renewed and may run out while its holder is frozen.
//
// So each lock has an epoch, a number larger than that of every earlier lock on the same ledger (a fencing token). Every write
// under the lock carries its epoch. Once a lock with a larger epoch was given out, the write fails with ErrLockLost and changes
// nothing. So a holder that lost its lock can no longer write. All methods are safe for concurrent use.
type Lock interface {
	Writer

	// Context ends when the lock is known to be lost, with ErrLockLost as its cause, when the lock is released, or when the context
	// given to Acquire ends. Work under the lock runs under this context.
	Context() context.Context
	// Epoch returns the lock's number, above 0.
	Epoch() int64
	// Check returns nil while the holder can be sure to have the lock, and otherwise an error that matches ErrLockLost; it then also ends
	// Context. It is quick, as it comes before each request to Owlat: a lease compares its end with the machine's monotonic clock, so that
	// a holder that was frozen sends nothing, even before its timers have noticed. After Release it returns another error.
	Check() error
	// Release gives the lock back. Further calls do nothing. It is no error if the lock was lost before.
	Release() error
}

// ErrLockLost says that another holder has taken the lock over, and that nothing was written.
var ErrLockLost = errors.New("the lock on the ledger was lost to another run, and nothing more is recorded by this one; look at \"owlat-sync status\"")

// Owner is the process that holds a lock or makes a run.
type Owner struct {
	Host string `json:"host"`
	PID  int    `json:"pid"` // 0: not known
}

// LockedError says who holds the lock.
type LockedError struct {
	Owner
	Since   time.Time
	Purpose string
}

// ErrLocked is matched by *LockedError.
var ErrLocked = errors.New("another run holds the ledger")

// Error implements error.
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

// Error implements error.
func (e *DeploymentError) Error() string {
	return fmt.Sprintf("the ledger belongs to the deployment %s, the configuration says %s: give each deployment a ledger of its own",
		e.Bound, e.Configured)
}
