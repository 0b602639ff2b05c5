package lease

import (
	"time"

	"golang.org/x/sys/unix"
)

var started = time.Now()

// Steady returns the time on a clock that nobody sets and that goes on while the machine sleeps.
func Steady() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return time.Since(started)
	}
	return time.Duration(ts.Nano())
}
