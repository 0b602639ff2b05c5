//go:build !linux

package lease

import "time"

var started = time.Now()

// Steady returns the time on a clock that nobody sets.
func Steady() time.Duration { return time.Since(started) }
