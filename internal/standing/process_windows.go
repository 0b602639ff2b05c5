package standing

import (
	"errors"
	"os"
	"syscall"
)

// noSuchProcess is ERROR_INVALID_PARAMETER, with which Windows answers for a number that no process has.
const noSuchProcess = syscall.Errno(87)

// exists reports whether there is a process with the number; it may be another's.
func exists(pid int) bool {
	p, err := os.FindProcess(pid)
	if err != nil {
		return !errors.Is(err, noSuchProcess)
	}
	return p.Release() == nil
}
