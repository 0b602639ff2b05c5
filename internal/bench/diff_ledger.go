package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"modernc.org/sqlite"

	"owlatsync"
	"owlatsync/ledger"
	ledgersqlite "owlatsync/ledger/sqlite"
	"owlatsync/reconcile"
)

// diffSync is the sync of the runs, as far as it decides what a row asks for.
var diffSync = reconcile.Sync{Name: "users"}

// person is what every source has as its row n.
func person(n int64) owlatsync.Row {
	number := fmt.Sprint(n)
	return owlatsync.Row{
		Key: number, Email: owlatsync.Some("user" + number + "@example.com"),
		Fields: owlatsync.Fields{owlatsync.FirstName: owlatsync.Some("First" + number), owlatsync.LastName: owlatsync.Some("Last" + number)},
	}
}

// makeLedger makes a ledger that knows people 1 to n as applied. The first is recorded as a run would; the others are put into
// its file beside it, because recording so many would take longer than all measurements.
func (b *diffData) makeLedger(ctx context.Context, name string, n int) (path string, err error) {
	b.say("making a ledger of %d entries", n)
	path = filepath.Join(b.folder, name)
	l, err := ledgersqlite.Open(ctx, "sqlite", path)
	if err != nil {
		return "", err
	}
	first := person(1)
	print, err := diffSync.Fingerprint(&first)
	if err == nil {
		now := time.Now()
		err = record(ctx, l, ledger.Record{Sync: diffSync.Name, Entry: &ledger.Entry{
			Key: first.Key, ContactID: "k57" + fmt.Sprintf("%029d", 1), Email: first.Email.Value, Identity: first.Email.Value,
			Fields: owlatsync.Texts{owlatsync.FirstName: first.Fields[owlatsync.FirstName].Value, owlatsync.LastName: first.Fields[owlatsync.LastName].Value},
			Origin: ledger.OriginCreated, Fingerprint: print, FirstSeen: now, ChangedAt: now,
		}})
	}
	if err := errors.Join(err, l.Close()); err != nil {
		return "", err
	}
	return path, multiplyEntry(ctx, path, n)
}

// record records as a first run does that comes to its end.
func record(ctx context.Context, l ledger.Store, records ...ledger.Record) error {
	lock, err := l.Acquire(ctx, ledger.Claim{Purpose: "bench"})
	if err != nil {
		return err
	}
	run := ledger.Run{Sync: diffSync.Name, Mode: ledger.ModeRun, Started: time.Now(), Status: ledger.StatusOK}
	if run.ID, err = lock.BeginRun(ctx, run); err == nil {
		err = lock.Record(ctx, records...)
	}
	if err == nil {
		err = lock.EndRun(ctx, ledger.Ending{Run: run, Adopted: true})
	}
	return errors.Join(err, lock.Release())
}

// multiplyEntry makes the one entry of a ledger into n.
func multiplyEntry(ctx context.Context, path string, n int) (err error) {
	for name, of := range map[string]func(int64) ([]byte, error){
		"bench_print": printOf,
		"bench_pack":  packOf,
	} {
		err := sqlite.RegisterDeterministicScalarFunction(name, 1, func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
			return of(args[0].(int64))
		})
		if err != nil && !strings.Contains(err.Error(), "already registered") {
			return err
		}
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	rest := "WITH RECURSIVE seq(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM seq WHERE n < %d) "
	columns, values, err := multiplied(ctx, db)
	if err != nil {
		return err
	}
	for _, statement := range []string{
		// A file that is thrown away needs no protection while it is made.
		"PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF", "PRAGMA cache_size = -131072",
		"CREATE TEMP TABLE template AS SELECT * FROM entries",
		"BEGIN",
		fmt.Sprintf("INSERT INTO entries (%s) "+rest+"SELECT %s FROM seq, template", columns, n, values),
		// The last pack is cut off after the last entry.
		fmt.Sprintf("REPLACE INTO packs (id, marks) WITH RECURSIVE seq(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM seq WHERE n < %d) "+
			"SELECT template.sync << 32 | n, substr(bench_pack(n), 1, %d * (1 + %d - n * %d)) FROM seq, template", n/packSlots, markSize, n, packSlots),
		"COMMIT",
		"PRAGMA journal_mode = WAL",
	} {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("multiply the entry: %w", err)
		}
	}
	return nil
}

// multiplied returns the columns of an entry and their values for person n: what differs from person to person, and the first
// one's for the rest.
func multiplied(ctx context.Context, db *sql.DB) (columns, values string, err error) {
	own := map[string]string{
		"id": "n", "key": "n", "contact_id": "printf('k57%029d', n)", "email": "'user' || n || '@example.com'",
		"first_name": "'First' || n", "last_name": "'Last' || n", "fingerprint": "bench_print(n)",
	}
	rows, err := db.QueryContext(ctx, "SELECT name FROM pragma_table_info('entries')")
	if err != nil {
		return "", "", err
	}
	defer rows.Close()
	var names, expressions []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return "", "", err
		}
		expression, differs := own[name]
		if !differs {
			expression = "template." + name
		}
		names, expressions = append(names, name), append(expressions, expression)
	}
	return strings.Join(names, ", "), strings.Join(expressions, ", "), rows.Err()
}

// What the ledger's table of packs is made of.
const (
	packSlots = 238
	markSize  = 17
)

// printOf is the fingerprint of person n, as the ledger writes it.
func printOf(n int64) ([]byte, error) {
	p := person(n)
	print, err := diffSync.Fingerprint(&p)
	return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, print.Hi), print.Lo), err
}

// packOf is the nth pack where there is a person for each id in it but 0.
func packOf(n int64) ([]byte, error) {
	var b []byte
	for id := n * packSlots; id < (n+1)*packSlots; id++ {
		if id == 0 {
			b = append(b, make([]byte, markSize)...)
			continue
		}
		print, err := printOf(id)
		if err != nil {
			return nil, err
		}
		b = append(binary.LittleEndian.AppendUint64(append(b, 1), ledger.HashText(fmt.Sprint(id))), print[8:]...)
	}
	return b, nil
}
