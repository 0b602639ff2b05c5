package main

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"owlatsync/internal/bench/findings"
	"owlatsync/internal/bench/made"
	"owlatsync/owlat/owlattest"
)

const startIntro = "What one waits for before anything is done: the binary is built as `make build` does and started again and again. `check`\n" +
	"tests the deployment, the key, its scopes and a topic, opens a ledger with an entry, and shows the first rows of a PostgreSQL table of\n" +
	"%s users, all over loopback. The emulator has no latency; the time in which it prepared its answers is taken off. An empty Go\n" +
	"program shows what the system itself takes to start one. `init` looks at an SQLite database of %s tables, reads included. The binary\n" +
	"has %s."

const (
	versionStarts = 60
	checkStarts   = 15
	checkRows     = 100_000
	initStarts    = 5
	initTables    = 3_000
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

func measureStart(ctx context.Context, log io.Writer) (_ findings.Section, err error) {
	folder, err := os.MkdirTemp("", "owlat-sync-bench-")
	if err != nil {
		return findings.Section{}, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	program, empty, err := made.Programs(ctx, folder)
	if err != nil {
		return findings.Section{}, err
	}
	info, err := os.Stat(program)
	if err != nil {
		return findings.Section{}, err
	}
	fmt.Fprintf(log, "built the program, %s\n", megabytes(info.Size()))

	bare, err := starts(ctx, versionStarts, folder, empty)
	if err != nil {
		return findings.Section{}, err
	}
	version, err := starts(ctx, versionStarts, folder, program, "version")
	if err != nil {
		return findings.Section{}, err
	}
	check, err := measureCheck(ctx, folder, program)
	if err != nil {
		return findings.Section{}, err
	}
	look, err := measureInit(ctx, folder, program)
	if err != nil {
		return findings.Section{}, err
	}
	return startSection(info.Size(), bare, version, check, look), nil
}

// startSection shows what was found; the times of check are without the API's answers.
func startSection(size int64, bare, version, check, look []started) findings.Section {
	t := findings.Table{Columns: []string{"", "starts", "shortest, ms", "median, ms", "processor time, median, ms"}}
	for _, line := range []struct {
		name string
		runs []started
	}{{"an empty Go program", bare}, {"`owlat-sync version`", version}, {"`owlat-sync check`, without the API's answers", check}, {"`owlat-sync init` on many tables", look}} {
		least := slices.MinFunc(line.runs, func(a, b started) int { return cmp.Compare(a.took, b.took) })
		t.Rows = append(t.Rows, []string{line.name, findings.Count(len(line.runs)), millis(least.took), millis(medianTook(line.runs)), millis(medianProcessor(line.runs))})
	}
	return findings.Section{
		Title:  "Start",
		Intro:  fmt.Sprintf(startIntro, findings.Count(checkRows), findings.Count(initTables), megabytes(size)),
		Tables: []findings.Table{t},
		Goals: []findings.Goal{
			{What: "`owlat-sync version`, median", Want: "under 30 ms", Got: millis(medianTook(version)) + " ms", Missed: medianTook(version) >= 30*time.Millisecond},
			{What: "`owlat-sync check` beyond the API's answers, median", Want: "under 300 ms", Got: millis(medianTook(check)) + " ms", Missed: medianTook(check) >= 300*time.Millisecond},
			{What: "`owlat-sync init` on " + findings.Count(initTables) + " tables, median", Want: "under 1 s", Got: millis(medianTook(look)) + " ms", Missed: medianTook(look) >= time.Second},
		},
	}
}

// started is what one start of a program took.
type started struct {
	took, processor time.Duration
}

// starts runs a program several times. A first run that warms the caches is left out.
func starts(ctx context.Context, n int, folder, program string, args ...string) ([]started, error) {
	runs := make([]started, 0, n)
	for i := range n + 1 {
		run, err := startOnce(ctx, folder, program, args...)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			runs = append(runs, run)
		}
	}
	return runs, nil
}

func startOnce(ctx context.Context, folder, program string, args ...string) (started, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = folder
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	begin := time.Now()
	err := cmd.Run()
	took := time.Since(begin)
	if err != nil {
		return started{}, fmt.Errorf("run %s %v: %w\n%s", filepath.Base(program), args, err, out.Bytes())
	}
	return started{took, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}, nil
}

// measureCheck starts check several times and leaves out of each time what the emulator took for its answers.
func measureCheck(ctx context.Context, folder, program string) (runs []started, err error) {
	database, drop, err := made.Database(ctx, checkRows)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, drop()) }()

	var clock answerClock
	server := &owlattest.Server{NoLimit: true, OnRequest: clock.begin, OnAnswer: clock.end}
	web := httptest.NewServer(server)
	defer web.Close()
	config := fmt.Sprintf(startConfig, web.URL, server.AddKey(), database, server.AddTopic("newsletter", false))
	if err := os.WriteFile(filepath.Join(folder, "owlat-sync.yaml"), []byte(config), 0o600); err != nil {
		return nil, err
	}
	if _, err := startOnce(ctx, folder, program, "run", "--yes", "--limit", "1"); err != nil {
		return nil, err
	}
	for i := range checkStarts + 1 {
		clock.reset()
		run, err := startOnce(ctx, folder, program, "check")
		if err != nil {
			return nil, err
		}
		if i > 0 { // the first warms the caches
			run.took -= clock.total
			runs = append(runs, run)
		}
	}
	return runs, nil
}

// measureInit starts init several times on a database of many tables, as an application with many modules has them.
func measureInit(ctx context.Context, folder, program string) (runs []started, err error) {
	db, err := sql.Open("sqlite", filepath.Join(folder, "wide.db"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	tables := []string{"BEGIN", "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT NOT NULL, name TEXT)", "INSERT INTO users VALUES (1, 'ada@example.com', 'Ada Lovelace')"}
	for i := range initTables - 1 {
		name := []string{"stock", "contact_notes", "order_mail", "customer_tag", "user_setting"}[i%5]
		tables = append(tables, fmt.Sprintf("CREATE TABLE %s_%d (id INTEGER PRIMARY KEY, user_id INTEGER REFERENCES users (id), email TEXT, status TEXT, name TEXT)", name, i))
	}
	if _, err := db.ExecContext(ctx, strings.Join(append(tables, "COMMIT"), ";\n")); err != nil {
		return nil, err
	}
	for i := range initStarts + 1 {
		run, err := startOnce(ctx, folder, program, "init", "sqlite:wide.db", "--config", fmt.Sprintf("wide%d.yaml", i))
		if err != nil {
			return nil, err
		}
		if i > 0 { // the first warms the caches
			runs = append(runs, run)
		}
	}
	return runs, nil
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

func medianTook(runs []started) time.Duration {
	return medianOf(runs, func(s started) time.Duration { return s.took })
}

func medianProcessor(runs []started) time.Duration {
	return medianOf(runs, func(s started) time.Duration { return s.processor })
}

func medianOf(runs []started, of func(started) time.Duration) time.Duration {
	times := make([]time.Duration, len(runs))
	for i, r := range runs {
		times[i] = of(r)
	}
	slices.Sort(times)
	return times[len(times)/2]
}

func millis(d time.Duration) string { return fmt.Sprintf("%.1f", float64(d)/float64(time.Millisecond)) }

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }
