package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"owlatsync"
	"owlatsync/internal/bench/findings"
	"owlatsync/internal/testdb"
	"owlatsync/ledger/sqlite"
	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
	"owlatsync/reconcile/progress"
	"owlatsync/source"
)

const (
	cursorRows    = 1_000_000
	cursorChanged = 1_000
	cursorTimes   = 9 // each way of reading is measured so often, in turns; the median counts
	cursorShare   = 0.05
)

// cursorBench is a table, a ledger that is in step with it, and an emulator without limits in this process.
type cursorBench struct {
	conn   *pgx.Conn
	server *owlattest.Server
	client *owlat.Client
	dsn    string
	path   string // of the ledger
	sync   reconcile.Sync
	closes []func() error
}

func (b *cursorBench) close() error {
	var errs []error
	for _, f := range slices.Backward(b.closes) {
		errs = append(errs, f())
	}
	return errors.Join(errs...)
}

// measureCursor compares reading what changed with reading all rows of the same table.
func measureCursor(ctx context.Context, log io.Writer) (found findings.Section, err error) {
	b := &cursorBench{}
	defer func() { err = errors.Join(err, b.close()) }()
	if err := b.open(ctx, log); err != nil {
		return findings.Section{}, err
	}
	var full, bare, plan, whole, shares []float64
	for i := range cursorTimes {
		b.sync.FullEvery = time.Nanosecond
		took, _, err := b.run(ctx, owlatsync.ReadAll, 0)
		if err != nil {
			return findings.Section{}, err
		}
		full = append(full, took)
		b.sync.FullEvery = time.Hour
		if err := b.change(ctx, fmt.Sprint("Changed", i)); err != nil {
			return findings.Section{}, err
		}
		alone, err := b.bare(ctx)
		if err != nil {
			return findings.Section{}, err
		}
		bare = append(bare, alone)
		changed, planned, err := b.run(ctx, owlatsync.ReadChanges, cursorChanged)
		if err != nil {
			return findings.Section{}, err
		}
		whole, plan, shares = append(whole, changed), append(plan, planned), append(shares, planned/took)
		fmt.Fprintf(log, "  all rows read in %.3f s; changes read and planned in %.3f s, applied in %.3f s\n", took, planned, changed-planned)
	}
	all, alone, changes, applied := medianOfSeconds(full), medianOfSeconds(bare), medianOfSeconds(plan), medianOfSeconds(whole)
	share := medianOfSeconds(shares) // what disturbs the machine for a while meets both of a turn
	return findings.Section{
		Title: "Reading only what changed",
		Intro: fmt.Sprintf("A PostgreSQL table of %d rows with an index on the cursor, of which %d changed between two runs, and a ledger that knows all. "+
			"Both runs go through the same engine, from opening the ledger to closing it; the emulator is in the same process and has no limits. "+
			"Beside them stands what PostgreSQL alone takes: a new connection on which the bare driver reads the changed rows. "+
			"Median of %d turns; the goal is for the median of what the turns' own figures say of each other.", cursorRows, cursorChanged, cursorTimes),
		Tables: []findings.Table{{
			Columns: []string{"run", "rows read", "seconds", "of the full diff"},
			Rows: [][]string{
				{"all rows, nothing changed", fmt.Sprint(cursorRows), fmt.Sprintf("%.3f", all), "100 %"},
				{"what changed: the bare driver, connected and read", fmt.Sprint(cursorChanged), fmt.Sprintf("%.3f", alone), fmt.Sprintf("%.1f %%", 100*alone/all)},
				{"what changed: read and planned", fmt.Sprint(cursorChanged), fmt.Sprintf("%.3f", changes), fmt.Sprintf("%.1f %%", 100*share)},
				{"the same, applied", fmt.Sprint(cursorChanged), fmt.Sprintf("%.3f", applied), fmt.Sprintf("%.1f %%", 100*applied/all)},
			},
		}},
		Charts: []findings.Chart{{
			File: "cursor.svg", Title: fmt.Sprintf("A run over a table of %d rows", cursorRows), Unit: "s", Series: []string{"seconds"},
			Labels: []string{"all rows read", fmt.Sprintf("%d changed rows read", cursorChanged)}, Values: [][]float64{{all}, {changes}},
		}},
		Goals: []findings.Goal{{
			What:   fmt.Sprintf("%d changed rows of %d: time to read and plan beside a full diff's", cursorChanged, cursorRows),
			Want:   fmt.Sprintf("at most %.0f %%", 100*cursorShare),
			Got:    fmt.Sprintf("%.1f %%", 100*share),
			Missed: share > cursorShare,
		}},
	}, nil
}

// open makes the table, the emulator and the ledger.
func (b *cursorBench) open(ctx context.Context, log io.Writer) error {
	dsn := os.Getenv(testdb.PostgresVariable)
	if dsn == "" {
		return fmt.Errorf("%s is not set; `make bench` starts a server", testdb.PostgresVariable)
	}
	var err error
	if b.conn, err = pgx.Connect(ctx, dsn); err != nil {
		return err
	}
	last := context.WithoutCancel(ctx)
	b.closes = append(b.closes, func() error { return b.conn.Close(last) })
	// A schema of its own, which every connection by this DSN finds first.
	u, err := url.Parse(dsn)
	if err != nil {
		return fmt.Errorf("%s is no URL", testdb.PostgresVariable)
	}
	values := u.Query()
	values.Set("search_path", cursorSchema)
	u.RawQuery = values.Encode()
	fmt.Fprintf(log, "  making %d rows\n", cursorRows)
	drop := "DROP SCHEMA IF EXISTS " + cursorSchema + " CASCADE"
	b.closes = append(b.closes, func() error { _, err := b.conn.Exec(last, drop); return err })
	for _, statement := range []string{
		drop, "CREATE SCHEMA " + cursorSchema, "SET search_path = " + cursorSchema,
		fmt.Sprintf(`CREATE UNLOGGED TABLE users AS SELECT n::bigint AS id, 'user' || n || '@example.com' AS email, 'First' || n AS first_name,
			'Last' || n AS last_name, timestamptz '2026-01-01' + n * interval '1 second' AS updated_at FROM generate_series(1, %d) AS n`, cursorRows),
		"ALTER TABLE users ADD PRIMARY KEY (id)", "CREATE INDEX ON users (updated_at)", "VACUUM ANALYZE users",
	} {
		if _, err := b.conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("make the table of users: %w", err)
		}
	}
	folder, err := os.MkdirTemp("", "owlat-sync-bench-")
	if err != nil {
		return err
	}
	b.closes = append(b.closes, func() error { return os.RemoveAll(folder) })
	b.server = &owlattest.Server{NoLimit: true}
	b.client, err = owlat.NewClient("https://owlat.example", b.server.AddKey(), owlat.WithTransport(b.server.Transport()), owlat.WithoutLimiter())
	if err != nil {
		return err
	}
	path := filepath.Join(folder, "ledger.db")
	if err := makeCursorLedger(ctx, path, b.client, log, cursorRows, cursorChanged); err != nil {
		return err
	}
	b.path, b.dsn = path, u.String()
	table, err := source.Postgres(b.dsn, "SELECT id, email, first_name, last_name, updated_at FROM users",
		source.Mapping{Key: []string{"id"}, Email: "email", Fields: owlatsync.Texts{owlatsync.FirstName: "first_name", owlatsync.LastName: "last_name"}})
	if err == nil {
		table, err = table.WithCursor(source.Cursor{Column: "updated_at", Overlap: time.Minute})
	}
	b.sync = reconcile.Sync{Name: diffSync.Name, Source: table}
	return err
}

const (
	cursorSchema = "owlatsync_bench_cursor"
)

// change gives rows all over the table another name, as an application does, which notes the time.
func (b *cursorBench) change(ctx context.Context, name string) error {
	_, err := b.conn.Exec(ctx, "UPDATE users SET first_name = $1, updated_at = greatest(now(), (SELECT max(updated_at) FROM users) + interval '2 minutes') WHERE id % $2 = 0",
		name, cursorRows/cursorChanged)
	return err
}

// bare returns how long the driver alone takes to connect and to read the rows that changed last.
func (b *cursorBench) bare(ctx context.Context) (took float64, err error) {
	var since time.Time
	if err := b.conn.QueryRow(ctx, "SELECT max(updated_at) FROM users").Scan(&since); err != nil {
		return 0, err
	}
	start := time.Now()
	conn, err := pgx.Connect(ctx, b.dsn)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	rows, err := conn.Query(ctx, "SELECT id, email, first_name, last_name, updated_at FROM users WHERE updated_at >= $1", since)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	n := 0
	for rows.Next() {
		n++
	}
	took = time.Since(start).Seconds()
	if err := rows.Err(); err != nil {
		return 0, err
	}
	if n != cursorChanged {
		return 0, fmt.Errorf("the bare driver read %d changed rows, not %d", n, cursorChanged)
	}
	return took, nil
}

// run makes a run as a program does, which opens the ledger for it, and returns how long it took, and how long until it had
// its plan.
func (b *cursorBench) run(ctx context.Context, mode owlatsync.ReadingMode, updated int) (took, planned float64, err error) {
	runtime.GC() // a program has nothing to clear away that was left by an earlier run
	start := time.Now()
	book, err := sqlite.Open(ctx, "sqlite", b.path)
	if err != nil {
		return 0, 0, err
	}
	watch := progress.Observer{Complete: true, Each: func(v progress.Value) {
		if _, isPlan := v.(progress.Planned); isPlan {
			planned = time.Since(start).Seconds()
		}
	}}
	report, err := reconcile.New(b.client, book, reconcile.Options{}).Run(ctx, b.sync, reconcile.RunOptions{Observers: []progress.Observer{watch}})
	err = errors.Join(err, book.Close())
	took = time.Since(start).Seconds()
	switch {
	case err != nil:
		return 0, 0, err
	case report.Reading.Mode != mode, report.Outcomes[owlatsync.Updated] != updated, report.Outcomes[owlatsync.Unchanged] != report.Rows-updated:
		return 0, 0, fmt.Errorf("a run read %q, and of %d rows came %v", report.Reading.Mode, report.Rows, report.Outcomes)
	}
	return took, planned, nil
}

func medianOfSeconds(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}
