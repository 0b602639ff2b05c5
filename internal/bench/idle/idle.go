//go:build linux

// Package idle measures what a service takes that has nothing to do: memory and processor, of the program as it is built.
package idle

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"owlatsync/internal/bench/findings"
	"owlatsync/internal/bench/made"
	"owlatsync/owlat/owlattest"
)

const (
	syncs    = 20
	rows     = 50
	settling = 70 * time.Second // the first runs, and each sync once more
	watched  = 2 * time.Minute
)

// The goals.
const (
	mostMemory = 40e6  // bytes
	mostShare  = 0.005 // of one core
)

const intro = "`owlat-sync serve`, built as `make build` does, with %d syncs that run every minute and of whose %d rows each none changes. After their first runs it is\n" +
	"watched for %.0f seconds: the memory that it has (RSS, with the parts of the program that are read), at the most of what is seen each second, and the time of\n" +
	"the processor that it uses."

// result is what one measurement found.
type result struct {
	Memory int64 // bytes, at most
	Own    int64 // bytes of it that are not the program's file
	Share  float64
	Asked  int // requests to Owlat meanwhile
}

// Measure is the part of the benchmarks.
func Measure(ctx context.Context, log io.Writer) (findings.Section, error) {
	r, err := measure(ctx, log, settling, watched)
	if err != nil {
		return findings.Section{}, err
	}
	megabytes := func(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }
	percent := func(share float64) string { return fmt.Sprintf("%.2f %%", 100*share) }
	return findings.Section{
		Title: "A service without work",
		Intro: fmt.Sprintf(intro, syncs, rows, watched.Seconds()),
		Tables: []findings.Table{{
			Columns: []string{"syncs", "memory", "without the program's file", "of one core", "requests to Owlat"},
			Rows:    [][]string{{findings.Count(syncs), megabytes(r.Memory), megabytes(r.Own), percent(r.Share), findings.Count(r.Asked)}},
		}},
		Goals: []findings.Goal{
			{What: "Memory of a service without work, with 20 syncs", Want: "under " + megabytes(mostMemory), Got: megabytes(r.Memory), Missed: r.Memory >= mostMemory},
			{What: "Its share of one core", Want: "under " + percent(mostShare), Got: percent(r.Share), Missed: r.Share >= mostShare},
			{What: "Its requests to Owlat", Want: "0", Got: findings.Count(r.Asked), Missed: r.Asked != 0},
		},
	}, nil
}

func measure(ctx context.Context, log io.Writer, settling, watched time.Duration) (r result, err error) {
	folder, err := os.MkdirTemp("", "owlat-sync-bench-")
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	program, _, err := made.Programs(ctx, folder)
	if err != nil {
		return r, err
	}
	server := &owlattest.Server{NoLimit: true}
	listener := httptest.NewServer(server)
	defer listener.Close()
	if err := configure(folder, listener.URL, server.AddKey()); err != nil {
		return r, err
	}
	cmd := exec.CommandContext(ctx, program, "serve", "--json", "--log-level", "error")
	cmd.Dir = folder
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		return r, err
	}
	if err := cmd.Start(); err != nil {
		return r, err
	}
	_, beginErr := bufio.NewReader(out).ReadString('\n')
	if beginErr == nil {
		r, err = watch(ctx, cmd.Process.Pid, server, settling, watched)
	}
	err = errors.Join(err, beginErr, cmd.Process.Signal(syscall.SIGTERM))
	return r, errors.Join(err, cmd.Wait())
}

func configure(folder, url, key string) error {
	var c, people strings.Builder
	fmt.Fprintf(&c, "owlat: {url: %s, api_key: %s, requests_per_second: 1000}\nserve: {listen: \"127.0.0.1:0\"}\nsyncs:\n", url, key)
	for n := range syncs {
		fmt.Fprintf(&c, "  sync%d: {source: {dsn: \"csv:people%d.csv\"}, key: id, fields: {email: email}, guards: {first_run: allow}, schedule: every 1m}\n", n, n)
		people.Reset()
		people.WriteString("id,email\n")
		for p := range rows {
			fmt.Fprintf(&people, "%d,person%d-%d@example.com\n", p, n, p)
		}
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("people%d.csv", n)), []byte(people.String()), 0o600); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(folder, "owlat-sync.yaml"), []byte(c.String()), 0o600)
}

// watch lets the process come to rest, and looks at it for a time.
func watch(ctx context.Context, pid int, server *owlattest.Server, settling, watched time.Duration) (r result, err error) {
	if err := sleep(ctx, settling); err != nil {
		return r, err
	}
	if want := syncs * rows; server.Len() != want {
		return r, fmt.Errorf("the first runs made %d contacts, not %d", server.Len(), want)
	}
	asked, began := server.Stats().Total, time.Now()
	before, err := processor(pid)
	if err != nil {
		return r, err
	}
	for time.Since(began) < watched {
		if err := sleep(ctx, time.Second); err != nil {
			return r, err
		}
		all, own, err := memory(pid)
		if err != nil {
			return r, err
		}
		r.Memory, r.Own = max(r.Memory, all), max(r.Own, own)
	}
	after, err := processor(pid)
	if err != nil {
		return r, err
	}
	r.Share = (after - before).Seconds() / time.Since(began).Seconds()
	r.Asked = server.Stats().Total - asked
	return r, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// memory returns the memory of a process, and the part of it that is not a file's.
func memory(pid int) (all, own int64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		n, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64) // 0 for what is no number
		switch name {
		case "VmRSS":
			all = n << 10
		case "RssAnon":
			own = n << 10
		}
	}
	if all == 0 {
		return 0, 0, fmt.Errorf("process %d has no memory", pid)
	}
	return all, own, nil
}

// tick is the unit of /proc/PID/stat; it is the same on every Linux that Go knows.
const tick = time.Second / 100

// processor returns the time of the processor that a process has used.
func processor(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), ") ") // the name before may have blanks
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, fmt.Errorf("the state of process %d is not understood", pid)
	}
	user, userErr := strconv.ParseInt(fields[11], 10, 64)
	system, systemErr := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * tick, errors.Join(userErr, systemErr)
}
