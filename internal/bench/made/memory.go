package made

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// WatchMemory looks at the memory of a process again and again until the function that it returns is called, which tells the
// most that was resident, in KB. The kernel's own account of an ended process would not do: it counts what its parent had when
// it was started.
func WatchMemory(pid int) func() int64 {
	done, result := make(chan struct{}), make(chan int64, 1)
	go func() {
		var peak int64
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				peak = max(peak, HighWater(pid))
			case <-done:
				result <- peak
				return
			}
		}
	}()
	return func() int64 {
		close(done)
		return <-result
	}
}

// HighWater returns the most memory of a process that has been resident so far, in KB; 0 where it cannot be read.
func HighWater(pid int) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if value, found := strings.CutPrefix(line, "VmHWM:"); found {
			kb, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			return kb
		}
	}
	return 0
}
