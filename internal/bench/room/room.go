// Package room measures the room on the disk that a first run takes, and what remains of it.
package room

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite"

	"owlatsync/internal/bench/findings"
	"owlatsync/internal/bench/made"
	"owlatsync/ledger/sqlite"
	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
)

const (
	// Rows is how many contacts the run creates, and LongRows how many in the long form.
	Rows     = 100_000
	LongRows = 1_000_000

	wantBytes = 400      // of the ledger, for each contact
	wantLog   = 64 << 20 // bytes of the write-ahead log
	wantPeak  = 2.0      // times what remains
)

const intro = `What a first run takes of the disk while it goes on, and what remains: %s contacts are created and put on one topic, with an emulator
without limits in the same process. The rows have a number as their key, an address and two names. The sizes of the ledger, of its write-ahead log
and of the run's temporary files are looked at every %d ms. What remains is the ledger's file when it is closed; a log that is no longer needed goes then.
The second table has what remains by the parts of the file. ` + "`go run ./internal/bench %s`" + ` measures the same with %s contacts and keeps no result.`

// LongName is the name of the long form.
const LongName = "room-long"

// Measure measures a run of n contacts.
func Measure(n int) func(ctx context.Context, log io.Writer) (findings.Section, error) {
	return func(ctx context.Context, log io.Writer) (s findings.Section, err error) {
		folder, err := os.MkdirTemp("", "owlat-sync-bench-")
		if err != nil {
			return s, err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
		if folder, err = filepath.EvalSymlinks(folder); err != nil {
			return s, err
		}
		file, scratch := filepath.Join(folder, "ledger.db"), filepath.Join(folder, "scratch")
		if err := os.Mkdir(scratch, 0o700); err != nil {
			return s, err
		}
		w, took, err := firstRun(ctx, file, scratch, n)
		if err != nil {
			return s, err
		}
		fmt.Fprintf(log, "%d contacts in %.1f s\n", n, took.Seconds())
		parts, err := partsOf(ctx, file, n)
		if err != nil {
			return s, err
		}
		return section(n, w, size(file), parts), nil
	}
}

// firstRun creates n contacts and closes the ledger.
func firstRun(ctx context.Context, file, scratch string, n int) (w *watch, took time.Duration, err error) {
	server := &owlattest.Server{NoLimit: true}
	topic := server.AddTopic("news", false)
	client, err := owlat.NewClient("https://owlat.example", server.AddKey(), owlat.WithTransport(server.Transport()), owlat.WithoutLimiter())
	if err != nil {
		return nil, 0, err
	}
	book, err := sqlite.Open(ctx, "sqlite", file)
	if err != nil {
		return nil, 0, err
	}
	sync := reconcile.Sync{
		Name: "users", Source: made.RowsOf(made.Users(n)), Guards: reconcile.Guards{FirstRun: true}, Topics: []reconcile.Topic{{ID: topic}},
	}
	w = begin(file, scratch)
	start := time.Now()
	_, err = reconcile.New(client, book, reconcile.Options{Scratch: scratch}).Run(ctx, sync, reconcile.RunOptions{})
	took = time.Since(start)
	if err := errors.Join(err, book.Close(), w.end()); err != nil {
		return nil, 0, err
	}
	if server.Len() != n {
		return nil, 0, fmt.Errorf("the emulator has %d contacts, not %d", server.Len(), n)
	}
	if w.log == 0 || w.most == 0 {
		return nil, 0, fmt.Errorf("no write-ahead log or no temporary file was seen: %d and %d bytes", w.log, w.most)
	}
	return w, took, nil
}

// part is a table or an index of the ledger's file.
type part struct {
	name  string
	bytes int64
}

// partsOf returns the parts of the file that have at least a byte for each contact, the largest first.
func partsOf(ctx context.Context, file string, n int) (parts []part, err error) {
	db, err := sql.Open("sqlite", file)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	rows, err := db.QueryContext(ctx, "SELECT name, sum(pgsize) AS size FROM dbstat GROUP BY name HAVING size >= ?1 ORDER BY size DESC, name", n)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var p part
		if err := rows.Scan(&p.name, &p.bytes); err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
	return parts, rows.Err()
}

func section(n int, w *watch, remains int64, parts []part) findings.Section {
	each := func(bytes int64) string { return findings.Count(int((bytes + int64(n) - 1) / int64(n))) }
	mega := func(bytes int64) string { return fmt.Sprintf("%.1f MB", float64(bytes)/(1<<20)) }
	whole := findings.Table{Columns: []string{"", "size", "bytes a contact"}}
	for _, row := range []struct {
		name  string
		bytes int64
	}{
		{"what remains: the ledger", remains},
		{"the run at its peak", w.peak.sum()},
		{"of it the ledger", w.peak.ledger}, {"of it the write-ahead log", w.peak.log}, {"of it temporary files", w.peak.temporary},
		{"the write-ahead log at its largest", w.log}, {"temporary files at their largest", w.most},
	} {
		whole.Rows = append(whole.Rows, []string{row.name, mega(row.bytes), each(row.bytes)})
	}
	inside := findings.Table{Columns: []string{"part of the ledger", "bytes a contact"}}
	for _, p := range parts {
		inside.Rows = append(inside.Rows, []string{"`" + p.name + "`", each(p.bytes)})
	}
	bytes, times := float64(remains)/float64(n), float64(w.peak.sum())/float64(remains)
	what := fmt.Sprintf("A first run of %s contacts with one topic: ", findings.Count(n))
	return findings.Section{
		Title: "Room on the disk", Intro: fmt.Sprintf(intro, findings.Count(n), look.Milliseconds(), LongName, findings.Count(LongRows)),
		Tables: []findings.Table{whole, inside},
		Goals: []findings.Goal{
			{What: what + "bytes of the ledger a contact", Want: fmt.Sprintf("at most %d", wantBytes), Got: each(remains), Missed: bytes > wantBytes},
			{What: what + "write-ahead log at its largest", Want: fmt.Sprintf("at most %d MB", wantLog>>20), Got: mega(w.log), Missed: w.log > wantLog},
			{What: what + "peak on the disk beside what remains", Want: fmt.Sprintf("at most %.1f times", wantPeak), Got: fmt.Sprintf("%.2f times", times), Missed: times > wantPeak},
		},
	}
}
