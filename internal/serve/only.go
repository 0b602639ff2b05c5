package serve

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/gofrs/flock"
)

// lookForEnd is how often a service that waits for another one looks whether that has ended.
const lookForEnd = time.Second

// only makes this service the only one of the ledger: two would write everything back twice. It waits for another one to end, until
// stop is closed or ctx ends; then it fails. The lock is beside the one that runs take, so that other commands go on beside a service.
// A folder in which no lock can be made is left to the ledger, which says what is wrong with it.
func only(ctx context.Context, ledger string, stop <-chan struct{}, log *slog.Logger) (release func() error, err error) {
	lock := flock.New(ledger+".serve.lock", flock.SetPermissions(0o600))
	for waited := false; ; waited = true {
		held, err := lock.TryLock()
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
			return func() error { return nil }, nil
		case err != nil:
			return nil, fmt.Errorf("make this service the only one of the ledger: %w", err)
		case held:
			return lock.Close, nil
		case !waited:
			log.Warn("another service has this ledger; this one waits for its end and answers nobody until then", "ledger", ledger)
		}
		timer := time.NewTimer(lookForEnd)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil, context.Cause(ctx)
		case <-stop:
			timer.Stop()
			return nil, errStopped
		case <-timer.C:
		}
	}
}

// errTaken says that another service has the ledger of a deployment.
var errTaken = errors.New("another service has the ledger of this deployment; end it, and let this one read its configuration again")

// alsoOnly is only for the ledger of one of several deployments. It does not wait: the others go on.
func alsoOnly(ledger string) (release func() error, err error) {
	lock := flock.New(ledger+".serve.lock", flock.SetPermissions(0o600))
	held, err := lock.TryLock()
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		return func() error { return nil }, nil
	case err != nil:
		return nil, fmt.Errorf("make this service the only one of the ledger: %w", err)
	case !held:
		return nil, errTaken
	}
	return lock.Close, nil
}

// errStopped ends a service that was stopped before it began.
var errStopped = errors.New("stopped while it waited for another service of the ledger to end")
