// Package pages measures the page that `owlat-sync serve` shows, over a large ledger in a file and one in PostgreSQL: how long every page
// takes, and how large it is.
package pages

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"owlatsync/internal/bench/findings"
	"owlatsync/internal/bench/made"
	"owlatsync/ledger"
	"owlatsync/ledger/postgres"
	"owlatsync/ledger/sqlite"
	"owlatsync/owlat"
)

// planned is how many rows the held plan has.
const planned = 40_000

// asked is how often every page is asked for, after the first time.
const asked = 9

// The goals.
const (
	longest = 100 * time.Millisecond
	largest = 100_000 // bytes
)

// visit is a page that is asked for. Its address is made when the service has begun.
type visit struct {
	name    string
	address func(ctx context.Context, b *browser) (string, error)
}

func at(name, address string) visit {
	return visit{"`" + name + "`", func(context.Context, *browser) (string, error) { return address, nil }}
}

// longRun is the run that made half of all decisions.
const longRun = "1"

// visits are all pages that grow with what the ledger holds.
var visits = []visit{
	at("/", "/"),
	{"`/runs/…`, a held plan", heldRun}, // after which the budget is known, and plotted
	at("/syncs/users", "/syncs/"+syncName),
	at("/syncs/users?window=7d", "/syncs/"+syncName+"?window=7d"),
	at("/syncs/users?window=90d", "/syncs/"+syncName+"?window=90d"),
	at("/syncs/users/runs", "/syncs/"+syncName+"/runs"),
	at("/syncs/users/runs?before=…", "/syncs/"+syncName+"/runs?before=5000"),
	at("/runs/1", "/runs/"+longRun),
	at("/runs/1?after=…", "/runs/"+longRun+"?after=49000"),
	at("/runs/1?what=failed", "/runs/"+longRun+"?what=failed"),
	at("/runs/1?category=…", "/runs/"+longRun+"?category="+string(owlat.CategoryInvalidInput)),
	at("/runs/1?key=…", "/runs/"+longRun+"?key=40000"),
	{"`/people/…`, by key", person("424000")},
	{"`/people/…`, by address", person("user424001@example.com")},
	at("/failures", "/failures"),
	at("/feedback", "/feedback"),
	at("/audit", "/audit"),
}

// heldRun has the plan of a sync made that nobody has run yet.
func heldRun(ctx context.Context, b *browser) (string, error) {
	address, err := b.post(ctx, "/syncs/"+fresh, "/syncs/"+fresh+"/plan", url.Values{})
	if err != nil {
		return "", err
	}
	r, err := b.wait(ctx, strings.TrimPrefix(address, "/runs/"))
	if err == nil && r.Status != string(ledger.StatusHeld) {
		err = fmt.Errorf("the plan is %s and not held", r.Status)
	}
	return address, err
}

func person(word string) func(ctx context.Context, b *browser) (string, error) {
	return func(ctx context.Context, b *browser) (string, error) {
		return b.post(ctx, "/people", "/people", url.Values{"word": {word}})
	}
}

const intro = `A browser asks the service for every page, over loopback, with a ledger of %s entries, %s runs of one sync in the last 90 days and %s decisions, half of them of
the first run, and a held plan of %s rows, in a file and in PostgreSQL. The service is the whole program, and began two seconds before. The first answer is also the one
for which nothing was read before but what the service reads by itself then. Of the %d after it the best counts, because other work keeps the machine busy.`

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
	for i, kept := range []string{file, dsn} {
		if all[i], err = measure(ctx, log, program, kept); err != nil {
			return s, err
		}
	}
	var slowest time.Duration
	size := 0
	millis := func(d time.Duration) string { return fmt.Sprintf("%.0f ms", d.Seconds()*1000) }
	for n, visit := range visits {
		file, server := all[0][n], all[1][n]
		t.Rows = append(t.Rows, []string{visit.name, millis(file.First), millis(file.Best), millis(server.First), millis(server.Best), fmt.Sprintf("%d KB", server.Size/1000)})
		c.Labels, c.Values = append(c.Labels, strings.ReplaceAll(visit.name, "`", "")), append(c.Values, []float64{file.Best.Seconds() * 1000, server.Best.Seconds() * 1000})
		for _, took := range []took{file, server} {
			slowest, size = max(slowest, took.Best), max(size, took.Size)
		}
	}
	return findings.Section{
		Title: "The page", Intro: fmt.Sprintf(intro, findings.Count(Many.Entries), findings.Count(Many.Runs), findings.Count(Many.Decisions), findings.Count(planned), asked),
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

// measure serves a ledger with the program, and asks for every page.
func measure(ctx context.Context, log io.Writer, program, ledger string) (all []took, err error) {
	s, err := serve(ctx, log, program, ledger, planned)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.end()) }()
	b := newBrowser(s.base)
	for _, visit := range visits {
		address, err := visit.address(ctx, b)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", visit.name, err)
		}
		took, err := b.ask(ctx, address)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(log, "%s: first %s, best %s, %d bytes\n", visit.name, took.First, took.Best, took.Size)
		all = append(all, took)
	}
	return all, nil
}

// ask asks for a page again and again.
func (b *browser) ask(ctx context.Context, address string) (t took, err error) {
	var times []time.Duration
	for range 1 + asked {
		text, lasted, err := b.get(ctx, address)
		if err != nil {
			return t, err
		}
		times, t.Size = append(times, lasted), len(text)
	}
	t.First, t.Best = times[0], slices.Min(times[1:])
	return t, nil
}
