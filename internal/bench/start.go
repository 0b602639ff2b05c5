package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"owlatsync/owlat/owlattest"
)

const startIntro = "What one waits for before anything is done: the binary is built as `make build` does and started again and again. `check`\n" +
	"tests the deployment, the key, its scopes and a topic, opens a ledger with an entry, and shows the first rows of a PostgreSQL table of\n" +
	"%s users, all over loopback. The emulator has no latency; the time in which it prepared its answers is taken off. An empty Go\n" +
	"program shows what the system itself takes to start one."

const (
	versionStarts = 60
	checkStarts   = 15
	checkRows     = 100_000
)

const startConfig = `owlat: {url: %s, api_key: %s}
ledger: ledger.db
syncs:
  users:
    source:
      dsn: %s
      query: SELECT id, email, first_name, last_name, newsletter FROM users
    key: id
    fields: {email: email, firstName: first_name, lastName: last_name}
    topics: [{id: %s, when: newsletter}]
`

func measureStart(ctx context.Context, log io.Writer) (_ section, err error) {
	folder, err := os.MkdirTemp("", "owlat-sync-bench-")
	if err != nil {
		return section{}, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	program, empty, err := buildPrograms(ctx, folder)
	if err != nil {
		return section{}, err
	}
	info, err := os.Stat(program)
	if err != nil {
		return section{}, err
	}
	fmt.Fprintf(log, "built the program, %s\n", megabytes(info.Size()))

	bare, err := starts(ctx, versionStarts, folder, empty)
	if err != nil {
		return section{}, err
	}
	version, err := starts(ctx, versionStarts, folder, program, "version")
	if err != nil {
		return section{}, err
	}
	check, api, err := measureCheck(ctx, folder, program)
	if err != nil {
		return section{}, err
	}
	own := make([]time.Duration, len(check))
	for i := range check {
		own[i] = check[i] - api[i]
	}
	slices.Sort(own)
	t := table{Columns: []string{"", "starts", "shortest, ms", "median, ms", "longest, ms"}}
	for _, line := range []struct {
		name  string
		times []time.Duration
	}{{"an empty Go program", bare}, {"`owlat-sync version`", version}, {"`owlat-sync check`, without the API's answers", own}} {
		t.Rows = append(t.Rows, []string{line.name, count(len(line.times)), millis(line.times[0]), millis(median(line.times)), millis(line.times[len(line.times)-1])})
	}
	return section{
		Title:  "Start",
		Intro:  fmt.Sprintf(startIntro, count(checkRows)) + fmt.Sprintf("\n\nThe binary has %s.", megabytes(info.Size())),
		Tables: []table{t},
		Goals: []goal{
			{"`owlat-sync version`, median", "under 30 ms", millis(median(version)) + " ms", median(version) >= 30*time.Millisecond},
			{"`owlat-sync check` beyond the API's answers, median", "under 300 ms", millis(median(own)) + " ms", median(own) >= 300*time.Millisecond},
		},
	}, nil
}

// buildPrograms builds owlat-sync as the Makefile does, and a program that does nothing.
func buildPrograms(ctx context.Context, folder string) (program, empty string, err error) {
	program, empty = filepath.Join(folder, "owlat-sync"), filepath.Join(folder, "empty")
	source := filepath.Join(folder, "empty.go")
	if err := os.WriteFile(source, []byte("package main\n\nfunc main() {}\n"), 0o644); err != nil {
		return "", "", err
	}
	for output, what := range map[string]string{program: "./cmd/owlat-sync", empty: source} {
		cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", output, what)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", "", fmt.Errorf("build %s: %w\n%s", what, err, out)
		}
	}
	return program, empty, nil
}

// starts runs a program several times and returns how long each took, sorted. A first run that warms the caches is left out.
func starts(ctx context.Context, n int, folder, program string, args ...string) ([]time.Duration, error) {
	times := make([]time.Duration, 0, n)
	for i := range n + 1 {
		took, err := startOnce(ctx, folder, program, args...)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			times = append(times, took)
		}
	}
	slices.Sort(times)
	return times, nil
}

func startOnce(ctx context.Context, folder, program string, args ...string) (time.Duration, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = folder
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	begin := time.Now()
	err := cmd.Run()
	took := time.Since(begin)
	if err != nil {
		return 0, fmt.Errorf("run %s %v: %w\n%s", filepath.Base(program), args, err, out.Bytes())
	}
	return took, nil
}

// measureCheck starts check several times and returns how long each took and how long the emulator of each took to answer.
func measureCheck(ctx context.Context, folder, program string) (took, answering []time.Duration, err error) {
	database, drop, err := peopleDatabase(ctx, checkRows)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, drop()) }()

	var clock answerClock
	server := &owlattest.Server{NoLimit: true, OnRequest: clock.begin, OnAnswer: clock.end}
	web := httptest.NewServer(server)
	defer web.Close()
	config := fmt.Sprintf(startConfig, web.URL, server.AddKey(), database, server.AddTopic("newsletter", false))
	if err := os.WriteFile(filepath.Join(folder, "owlat-sync.yaml"), []byte(config), 0o600); err != nil {
		return nil, nil, err
	}
	if _, err := startOnce(ctx, folder, program, "run", "--yes", "--limit", "1"); err != nil {
		return nil, nil, err
	}
	for i := range checkStarts + 1 {
		clock.reset()
		t, err := startOnce(ctx, folder, program, "check")
		if err != nil {
			return nil, nil, err
		}
		if i > 0 { // the first warms the caches
			took, answering = append(took, t), append(answering, clock.total)
		}
	}
	return took, answering, nil
}

// answerClock adds up how long the emulator takes for its answers.
type answerClock struct {
	mu    sync.Mutex
	began map[int]time.Time
	total time.Duration
}

func (c *answerClock) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.began, c.total = map[int]time.Time{}, 0
}

func (c *answerClock) begin(r owlattest.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.began != nil {
		c.began[r.Number] = time.Now()
	}
}

func (c *answerClock) end(r owlattest.Request, _ int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if begin, ok := c.began[r.Number]; ok {
		c.total += time.Since(begin)
	}
}

func median(sorted []time.Duration) time.Duration { return sorted[len(sorted)/2] }

func millis(d time.Duration) string { return fmt.Sprintf("%.1f", float64(d)/float64(time.Millisecond)) }

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }
