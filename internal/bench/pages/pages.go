// Package pages measures the page that `owlat-sync serve` shows, over a large ledger in a file and one in PostgreSQL: how long every page
// takes, and how large it is.
package pages

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"owlatsync/internal/bench/findings"
	"owlatsync/internal/bench/made"
	"owlatsync/ledger/postgres"
	"owlatsync/ledger/sqlite"
	"owlatsync/owlat/owlattest"
)

// asked is how often every page is asked for, after the first time.
const asked = 9

// The goals.
const (
	longest = 100 * time.Millisecond
	largest = 100_000 // bytes
)

// shown are the addresses of pages.
var shown = []string{"/", "/syncs/" + syncName, "/syncs/" + syncName + "?window=7d", "/syncs/" + syncName + "?window=90d", "/audit"}

const intro = `A browser asks the service for every page, over loopback, with a ledger of %s entries, %s runs of one sync in the last 90 days and %s decisions, in a
file and in PostgreSQL. The service is the whole program. The first answer is also the one for which nothing was
read before. Of the %d after it the best counts, because other work keeps the machine busy.`

// took is how long a page took, and how large it was.
type took struct {
	First, Best time.Duration
	Size        int
}

// Measure is the part of the benchmarks.
func Measure(ctx context.Context, log io.Writer) (s findings.Section, err error) {
	folder, err := os.MkdirTemp("", "owlat-sync-bench-")
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	program, _, err := made.Programs(ctx, folder)
	if err != nil {
		return s, err
	}
	dsn, drop, err := made.Database(ctx, 1)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, drop()) }()
	file := filepath.Join(folder, "ledger.db")
	inFile, err := sqlite.Open(ctx, "sqlite", file)
	if err != nil {
		return s, err
	}
	fmt.Fprintln(log, "filling a file")
	if err := errors.Join(fill(ctx, inFile, Many), inFile.Close()); err != nil {
		return s, err
	}
	fmt.Fprintln(log, "filling PostgreSQL")
	if err := fillPostgres(ctx, dsn); err != nil {
		return s, err
	}
	t := findings.Table{Columns: []string{"page", "a file: first", "a file: best", "PostgreSQL: first", "PostgreSQL: best", "size"}}
	c := findings.Chart{File: "pages.svg", Title: "How long a page takes", Unit: "ms", Series: []string{"a file", "PostgreSQL"}}
	var all [2][]took
	for i, ledger := range []string{file, dsn} {
		if all[i], err = measure(ctx, log, program, folder, ledger); err != nil {
			return s, err
		}
	}
	var slowest time.Duration
	size := 0
	millis := func(d time.Duration) string { return fmt.Sprintf("%.0f ms", d.Seconds()*1000) }
	for n, address := range shown {
		file, server := all[0][n], all[1][n]
		t.Rows = append(t.Rows, []string{"`" + address + "`", millis(file.First), millis(file.Best), millis(server.First), millis(server.Best), fmt.Sprintf("%d KB", server.Size/1000)})
		c.Labels, c.Values = append(c.Labels, address), append(c.Values, []float64{file.Best.Seconds() * 1000, server.Best.Seconds() * 1000})
		for _, took := range []took{file, server} {
			slowest, size = max(slowest, took.Best), max(size, took.Size)
		}
	}
	return findings.Section{
		Title: "The page", Intro: fmt.Sprintf(intro, findings.Count(Many.Entries), findings.Count(Many.Runs), findings.Count(Many.Decisions), asked),
		Tables: []findings.Table{t}, Charts: []findings.Chart{c},
		Goals: []findings.Goal{
			{What: "The slowest page over a million rows, with either ledger", Want: "under " + millis(longest), Got: millis(slowest), Missed: slowest >= longest},
			{What: "The largest page over a million rows", Want: fmt.Sprintf("under %d KB", largest/1000), Got: fmt.Sprintf("%d KB", size/1000), Missed: size >= largest},
		},
	}, nil
}

func fillPostgres(ctx context.Context, dsn string) error {
	db, err := postgres.Open(ctx, postgres.Options{DSN: dsn})
	if err != nil {
		return err
	}
	defer db.Close()
	l, err := db.Ledger(ctx, "")
	if err != nil {
		return err
	}
	if err := errors.Join(fill(ctx, l, Many), l.Close()); err != nil {
		return err
	}
	_, err = db.Pool().Exec(ctx, "VACUUM (ANALYZE)") // as the server does by itself in time
	return err
}

const config = `owlat: {url: %q, api_key: %q}
ledger: %q
serve: {listen: "127.0.0.1:0"}
syncs:
  %s: {source: {dsn: "csv:people.csv"}, key: id, fields: {email: email}}
`

// measure serves a ledger with the program, and asks for every page.
func measure(ctx context.Context, log io.Writer, program, folder, ledger string) (all []took, err error) {
	emulator := &owlattest.Server{}
	listener := httptest.NewServer(emulator)
	defer listener.Close()
	path := filepath.Join(folder, "owlat-sync.yaml")
	if err := os.WriteFile(path, fmt.Appendf(nil, config, listener.URL, emulator.AddKey(), ledger, syncName), 0o600); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(folder, "people.csv"), []byte("id,email\n"), 0o600); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, program, "serve", "--json", "--log-level", "error", "--config", path)
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, cmd.Process.Signal(syscall.SIGTERM), cmd.Wait()) }()
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		return nil, fmt.Errorf("the service did not begin: %w", err)
	}
	var began struct {
		Listen string `json:"listen"`
	}
	if err := json.Unmarshal(line, &began); err != nil {
		return nil, fmt.Errorf("read where the service listens: %w", err)
	}
	for _, address := range shown {
		took, err := ask(ctx, "http://"+began.Listen+address)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(log, "%s: first %s, best %s, %d bytes\n", address, took.First, took.Best, took.Size)
		all = append(all, took)
	}
	return all, nil
}

// ask asks for a page again and again.
func ask(ctx context.Context, address string) (t took, err error) {
	var times []time.Duration
	for range 1 + asked {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return t, err
		}
		began := time.Now()
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			return t, err
		}
		body, err := io.ReadAll(answer.Body)
		times = append(times, time.Since(began))
		if err = errors.Join(err, answer.Body.Close()); err != nil {
			return t, err
		}
		if answer.StatusCode != http.StatusOK {
			return t, fmt.Errorf("%s was answered %s", address, answer.Status)
		}
		t.Size = len(body)
	}
	t.First = times[0]
	t.Best = slices.Min(times[1:])
	return t, nil
}
