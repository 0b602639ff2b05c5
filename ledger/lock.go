package ledger

import (
	"errors"
	"fmt"
	"time"
)

// LockedError says which process holds the ledger.
type LockedError struct {
	PID     int
	Host    string
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
