package main

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
)

// TestServeLeaksNothing makes many runs in one process, and looks at its files, its threads and its memory.
func TestServeLeaksNothing(t *testing.T) {
	t.Parallel()
	s := newTended(t)
	runs := 0
	run := func(times int) (files, threads int, kilobytes int) {
		t.Helper()
		for range times {
			if runs++; runs%10 == 0 {
				s.write("users.csv", fmt.Sprintf("id,email\n1,ann@example.com\n2,bob%d@example.com\n", runs))
			}
			var r struct {
				Run    int64
				Done   bool
				Status string
			}
			s.api(http.MethodPost, "syncs/users/runs", &r)
			path := fmt.Sprintf("runs/%d", r.Run)
			s.until("the end of a run", func() bool { s.api(http.MethodGet, path, &r); return r.Done })
			if r.Status != "ok" {
				t.Fatalf("run %d ended as %q", r.Run, r.Status)
			}
		}
		process := fmt.Sprintf("/proc/%d/", s.process.cmd.Process.Pid)
		open, err := os.ReadDir(process + "fd")
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(process + "status")
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			_, _ = fmt.Sscanf(line, "Threads: %d", &threads)
			_, _ = fmt.Sscanf(line, "RssAnon: %d kB", &kilobytes)
		}
		return len(open), threads, kilobytes
	}
	files, threads, kilobytes := run(100)
	filesAfter, threadsAfter, kilobytesAfter := run(300)
	if threads == 0 || kilobytes == 0 {
		t.Fatalf("the process has %d threads and %d kB", threads, kilobytes)
	}
	if filesAfter > files+3 || threadsAfter > threads+8 || kilobytesAfter > 2*kilobytes+8<<10 {
		t.Errorf("after 300 more runs %d files, %d threads and %d kB have become %d, %d and %d", files, threads, kilobytes, filesAfter, threadsAfter, kilobytesAfter)
	}
}
