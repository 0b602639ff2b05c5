// Package ledgers measures the ledger in PostgreSQL beside the one in a file: how fast its index is loaded, how long a run takes in which
// nothing changed, how fast contacts are applied and webhooks taken in, and how much memory and room that takes.
package ledgers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"owlatsync"
	"owlatsync/internal/bench/findings"
	"owlatsync/internal/bench/made"
	"owlatsync/ledger"
	"owlatsync/ledger/postgres"
	"owlatsync/ledger/sqlite"
	"owlatsync/reconcile"
)

const (
	known = 1_000_000 // entries of the ledgers, and rows of their source
	turns = 5         // how often each side is measured
)

// The goals.
const (
	indexWanted  = 2.0   // times a file's
	runWanted    = 1.3   // times a file's
	memoryWanted = 1.3   // times a file's
	applyWanted  = 5_000 // contacts a second
)

const intro = `A ledger of %s entries in PostgreSQL, on the same machine, beside one in a file; both have the same entries, and the sides take turns. The best of %d turns of
each counts. What is committed is on the disk before it counts (fsync and synchronous_commit are on).

The index is what a run loads before it reads its source. The run is the whole program, from its start to its end, over a table of PostgreSQL whose rows have not
changed. Contacts are applied as under [Applying](#applying): by the engine in this process, to an emulator without limits, with durable records before and after every
create. The engine, the emulator and PostgreSQL share the processors of the machine, which are all at work then, with either kind of ledger. So the same records are
also made without the engine and the emulator, with as many rows at once as the engine has: that is what the ledger can do, and what the goal is about. Webhooks are taken in by %d goroutines at once, each of which waits until its news are durable.`

// store is one kind of ledger.
type store struct {
	name   string
	config string // what the configuration says of it
	open   func(ctx context.Context, name string) (opened, error)
	size   func(ctx context.Context) (int64, error) // of all ledgers there, in bytes
	took   [numMeasures][]float64                   // seconds
	peak   int64                                    // memory of a run, in KB
	room   int64                                    // that the entries take, in bytes
}

// opened is a ledger that is to be closed.
type opened interface {
	ledger.Store
	io.Closer
}

// What is measured.
const (
	imported = iota
	indexed
	ran
	applied
	recorded
	told
	numMeasures
)

// big is the name of the ledger with all entries.
const big = "big"

// bench is one measurement of all kinds.
type bench struct {
	folder, server, program string
	log                     io.Writer
	stores                  []*store
}

// Measure is the part of the benchmarks.
func Measure(ctx context.Context, log io.Writer) (s findings.Section, err error) {
	b := &bench{log: log}
	if b.folder, err = os.MkdirTemp("", "owlat-sync-bench-"); err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.folder)) }()
	if b.program, _, err = made.Programs(ctx, b.folder); err != nil {
		return s, err
	}
	dsn, drop, err := made.Database(ctx, known)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, drop()) }()
	b.server = dsn
	undo, err := durable(ctx, dsn)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, undo()) }()
	db, err := b.prepare(ctx)
	if err != nil {
		return s, err
	}
	defer db.Close()
	for _, measure := range []func(context.Context) error{b.fill, b.index, b.runs, b.apply, alone{b}.record, b.takeIn} {
		if err := measure(ctx); err != nil {
			return s, err
		}
	}
	return b.section(ctx)
}

// durable makes the server of tests one that keeps what it commits and looks after its tables, and returns what undoes that.
func durable(ctx context.Context, dsn string) (undo func() error, err error) {
	settings := []string{"fsync", "full_page_writes", "autovacuum"}
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return nil, fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	undo = func() error {
		ctx := context.WithoutCancel(ctx)
		var errs []error
		for _, name := range settings {
			_, err := conn.Exec(ctx, "ALTER SYSTEM RESET "+name)
			errs = append(errs, err)
		}
		_, err := conn.Exec(ctx, "SELECT pg_reload_conf()")
		return errors.Join(append(errs, err, conn.Close(ctx))...)
	}
	for _, name := range settings {
		if _, err := conn.Exec(ctx, "ALTER SYSTEM SET "+name+" = on"); err != nil {
			return nil, errors.Join(err, undo())
		}
	}
	if _, err := conn.Exec(ctx, "SELECT pg_reload_conf()"); err != nil {
		return nil, errors.Join(err, undo())
	}
	for until := time.Now().Add(10 * time.Second); ; {
		var on string
		if err := conn.QueryRow(ctx, "SELECT current_setting('fsync')").Scan(&on); err != nil || time.Now().After(until) {
			return nil, errors.Join(errors.New("the server did not turn fsync on"), err, undo())
		}
		if on == "on" {
			return undo, nil
		}
	}
}

// prepare opens the database and names the kinds of ledgers.
func (b *bench) prepare(ctx context.Context) (*postgres.Database, error) {
	u, err := url.Parse(b.server)
	if err != nil {
		return nil, errors.New("the server's DSN is no URL")
	}
	query := u.Query()
	query.Set("schema", "bench")
	u.RawQuery = query.Encode()
	db, err := postgres.Open(ctx, postgres.Options{DSN: u.String()})
	if err != nil {
		return nil, err
	}
	file := func(name string) string {
		if name == "" {
			name = big
		}
		return filepath.Join(b.folder, name+".db")
	}
	b.stores = []*store{{
		name: "a file", config: file(""),
		open: func(ctx context.Context, name string) (opened, error) { return sqlite.Open(ctx, "sqlite", file(name)) },
		size: func(context.Context) (int64, error) {
			info, err := os.Stat(file(""))
			if err != nil {
				return 0, err
			}
			return info.Size(), nil
		},
	}, {
		name: "PostgreSQL", config: u.String(),
		open: func(ctx context.Context, name string) (opened, error) { return db.Ledger(ctx, name) },
		size: func(ctx context.Context) (size int64, err error) {
			err = db.Pool().QueryRow(ctx, `SELECT sum(pg_total_relation_size(oid))::bigint FROM pg_class WHERE relnamespace = 'bench'::regnamespace AND relkind = 'r'`).Scan(&size)
			return size, err
		},
	}}
	return db, nil
}

// turn calls measure for each kind, some times, and keeps how long it took.
func (b *bench) turn(what int, label string, times int, measure func(*store, int) (time.Duration, error)) error {
	for n := range times {
		for i := range b.stores {
			s := b.stores[(i+n)%len(b.stores)]
			took, err := measure(s, n)
			if err != nil {
				return fmt.Errorf("%s of %s: %w", label, s.name, err)
			}
			s.took[what] = append(s.took[what], took.Seconds())
			fmt.Fprintf(b.log, "%s, %s: %.3f s\n", label, s.name, took.Seconds())
		}
	}
	return nil
}

func (s *store) best(what int) float64 { return slices.Min(s.took[what]) }

// ratio is how much longer PostgreSQL takes.
func (b *bench) ratio(what int) float64 { return b.stores[1].best(what) / b.stores[0].best(what) }

// person is row n of the source.
func person(n int) owlatsync.Row {
	return owlatsync.Row{
		Key: fmt.Sprint(n), Email: owlatsync.Some(fmt.Sprintf("user%d@example.com", n)),
		Fields: owlatsync.Fields{owlatsync.FirstName: owlatsync.Some("First"), owlatsync.LastName: owlatsync.Some(fmt.Sprint("Last", n))},
	}
}

// users is the sync of all ledgers, as far as it decides what a row asks for.
var users = reconcile.Sync{Name: "users"}

// fill makes ledgers that are in step with the source.
func (b *bench) fill(ctx context.Context) error {
	return b.turn(imported, "importing", 1, func(s *store, _ int) (took time.Duration, err error) {
		l, err := s.open(ctx, "")
		if err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, l.Close()) }()
		now, start := time.Now(), time.Now()
		err = l.Load(ctx, "", func(into ledger.Loader) error {
			for n := 1; n <= known; n++ {
				p := person(n)
				print, err := users.Fingerprint(&p)
				if err != nil {
					return err
				}
				err = into.AddEntry(ledger.Holder{Sync: users.Name, Entry: &ledger.Entry{
					Key: p.Key, ContactID: fmt.Sprintf("k57%029d", n), Email: p.Email.Value, Identity: p.Email.Value,
					Fields: owlatsync.Texts{owlatsync.FirstName: "First", owlatsync.LastName: p.Fields[owlatsync.LastName].Value},
					Origin: ledger.OriginCreated, Fingerprint: print, FirstSeen: now, ChangedAt: now,
				}})
				if err != nil {
					return err
				}
			}
			return nil
		})
		took = time.Since(start)
		if err != nil {
			return 0, err
		}
		return took, endRun(ctx, l)
	})
}

// endRun records a run that came to its end.
func endRun(ctx context.Context, l ledger.Store) error {
	k, err := l.Acquire(ctx, ledger.Claim{Purpose: "bench"})
	if err != nil {
		return err
	}
	run := ledger.Run{Sync: users.Name, Mode: ledger.ModeRun, Started: time.Now(), Status: ledger.StatusOK}
	if run.ID, err = k.BeginRun(ctx, run); err == nil {
		err = k.EndRun(ctx, ledger.Ending{Run: run, Adopted: true})
	}
	return errors.Join(err, k.Release())
}

// index loads the index as a run does.
func (b *bench) index(ctx context.Context) error {
	return b.turn(indexed, "loading the index", turns, func(s *store, n int) (took time.Duration, err error) {
		if n == 0 { // before other ledgers of the same database add theirs
			if s.room, err = s.size(ctx); err != nil {
				return 0, err
			}
		}
		l, err := s.open(ctx, "")
		if err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, l.Close()) }()
		start, found := time.Now(), 0
		for _, err := range l.Index(ctx, users.Name) {
			if err != nil {
				return 0, err
			}
			found++
		}
		if found != known {
			return 0, fmt.Errorf("the index has %d entries, not %d", found, known)
		}
		return time.Since(start), nil
	})
}

func (b *bench) section(ctx context.Context) (findings.Section, error) {
	file, server := b.stores[0], b.stores[1]
	t := findings.Table{Columns: []string{"", file.name, server.name, "times"}}
	c := findings.Chart{File: "ledgers.svg", Title: "A ledger in PostgreSQL, beside one in a file", Unit: "s", Series: []string{file.name, server.name}}
	for _, m := range []struct {
		what  int
		label string
		count int // a second; 0: the seconds are told
	}{
		{indexed, fmt.Sprintf("the index of %s entries is loaded", findings.Count(known)), 0},
		{ran, fmt.Sprintf("a run over %s rows that have not changed", findings.Count(known)), 0},
		{applied, fmt.Sprintf("%s contacts are created", findings.Count(applyRows)), applyRows},
		{recorded, fmt.Sprintf("the records of %s creates are made", findings.Count(applyRows)), applyRows},
		{told, fmt.Sprintf("%s webhooks are taken in", findings.Count(news)), news},
		{imported, fmt.Sprintf("%s entries are imported", findings.Count(known)), known},
	} {
		row := []string{m.label}
		for _, s := range b.stores {
			cell := fmt.Sprintf("%.2f s", s.best(m.what))
			if m.count > 0 {
				cell += fmt.Sprintf(", %s a second", findings.Count(int(float64(m.count)/s.best(m.what))))
			}
			row = append(row, cell)
		}
		t.Rows = append(t.Rows, append(row, fmt.Sprintf("%.2f", b.ratio(m.what))))
		c.Labels, c.Values = append(c.Labels, m.label), append(c.Values, []float64{file.best(m.what), server.best(m.what)})
	}
	memory := float64(server.peak) / float64(file.peak)
	t.Rows = append(t.Rows, []string{"peak memory of that run", fmt.Sprintf("%d MB", file.peak>>10), fmt.Sprintf("%d MB", server.peak>>10), fmt.Sprintf("%.2f", memory)},
		[]string{"room on the disk for an entry", fmt.Sprintf("%d bytes", file.room/known), fmt.Sprintf("%d bytes", server.room/known), fmt.Sprintf("%.2f", float64(server.room)/float64(file.room))})
	records := int(applyRows / server.best(recorded))
	goal := func(what string, want string, got string, missed bool) findings.Goal {
		return findings.Goal{What: "Ledger in PostgreSQL: " + what, Want: want, Got: got, Missed: missed}
	}
	times := func(what string, most, is float64) findings.Goal {
		return goal(what+", beside a file", fmt.Sprintf("at most %.1f times", most), fmt.Sprintf("%.2f times", is), is > most)
	}
	return findings.Section{
		Title: "The ledger in PostgreSQL", Intro: fmt.Sprintf(intro, findings.Count(known), turns, tellers),
		Tables: []findings.Table{t}, Charts: []findings.Chart{c},
		Goals: []findings.Goal{
			times("time to load the index", indexWanted, b.ratio(indexed)), times("time of a run in which nothing changed", runWanted, b.ratio(ran)),
			times("peak memory of that run", memoryWanted, memory),
			goal("contacts applied a second, with a durable record before and after each", "at least "+findings.Count(applyWanted), findings.Count(records), records < applyWanted),
		},
	}, nil
}
