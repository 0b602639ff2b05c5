package made

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of processor times in /proc.
const tick = 10 * time.Millisecond

// ProcessorTime returns how long a process has had a processor, 0 where it cannot be read.
func ProcessorTime(pid int) time.Duration {
	_, own, _ := processor(pid)
	return own
}

// FamilyTime returns how long the parent of a process and all its children have had a processor, also those that have ended. It is 0
// where it cannot be read.
func FamilyTime(child int) time.Duration {
	parent, _, _ := processor(child)
	if parent == 0 {
		return 0
	}
	_, own, ended := processor(parent)
	all := own + ended
	processes, err := os.ReadDir("/proc")
	if err != nil {
		return all
	}
	for _, p := range processes {
		if pid, err := strconv.Atoi(p.Name()); err == nil {
			if of, own, _ := processor(pid); of == parent {
				all += own
			}
		}
	}
	return all
}

// processor returns the parent of a process, how long it has had a processor, and how long its children had one that have ended.
func processor(pid int) (parent int, own, ended time.Duration) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, 0
	}
	// The second field is the name of the program in parentheses, which may hold anything.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 15 {
		return 0, 0, 0
	}
	var times [4]time.Duration // of its own as a program and in the system, and the same of children that have ended
	for i := range times {
		n, _ := strconv.Atoi(fields[11+i])
		times[i] = time.Duration(n) * tick
	}
	parent, _ = strconv.Atoi(fields[1])
	return parent, times[0] + times[1], times[2] + times[3]
}
