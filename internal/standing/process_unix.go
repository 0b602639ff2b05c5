//go:build unix

package standing

import (
	"errors"
	"syscall"
)

// exists reports whether there is a process with the number; it may be another's.
func exists(pid int) bool { return !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }
