//go:build !linux

package postgres

import "time"

var started = time.Now()

// steady returns the time on a clock that nobody sets.
func steady() time.Duration { return time.Since(started) }
