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
	"owlatsync/reconcile"
)

// diffSync is the sync of the runs, as far as it decides what a row asks for.
var diffSync = reconcile.Sync{Name: "users"}

// person is what every source has as its row n.
func person(n int64) owlatsync.Row {
	number := fmt.Sprint(n)
	return owlatsync.Row{
		Key: number, Email: owlatsync.Some("user" + number + "@example.com"),
		FirstName: owlatsync.Some("First" + number), LastName: owlatsync.Some("Last" + number),
	}
}

// makeLedger makes a ledger that knows people 1 to n as applied. The first is recorded as a run would; the others are put into
// its file beside it, because recording so many would take longer than all measurements.
func (b *diffBench) makeLedger(ctx context.Context, name string, n int) (path string, err error) {
	b.say("making a ledger of %d entries", n)
	path = filepath.Join(b.folder, name)
	l, err := ledger.OpenSQLite(ctx, "sqlite", path)
	if err != nil {
		return "", err
	}
	first := person(1)
	print, err := diffSync.Fingerprint(&first)
	if err == nil {
		now := time.Now()
		err = l.Record(ctx, reconcile.Record{Sync: diffSync.Name, Entry: &reconcile.Entry{
			Key: first.Key, ContactID: "k57" + fmt.Sprintf("%029d", 1), Email: first.Email.Value, Identity: first.Email.Value,
			FirstName: first.FirstName.Value, LastName: first.LastName.Value,
			Origin: reconcile.OriginCreated, Fingerprint: print, FirstSeen: now, ChangedAt: now,
		}})
	}
	if err == nil {
		err = l.SetAdopted(ctx, diffSync.Name)
	}
	if err := errors.Join(err, l.Close()); err != nil {
		return "", err
	}
	return path, multiplyEntry(ctx, path, n)
}

// multiplyEntry makes the one entry of a ledger into n.
func multiplyEntry(ctx context.Context, path string, n int) (err error) {
	const mark = "bench_diff_mark"
	err = sqlite.RegisterDeterministicScalarFunction(mark, 1, func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
		return markOf(args[0].(int64))
	})
	if err != nil && !strings.Contains(err.Error(), "already registered") {
		return err
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
		fmt.Sprintf("INSERT INTO marks (sync, entry, mark) "+rest+"SELECT template.sync, n, %s(n) FROM seq, template", n, mark),
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
		"first_name": "'First' || n", "last_name": "'Last' || n",
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

// markOf is the mark of person n, as the ledger writes it.
func markOf(n int64) ([]byte, error) {
	p := person(n)
	print, err := diffSync.Fingerprint(&p)
	if err != nil {
		return nil, err
	}
	var b []byte
	for _, part := range []uint64{reconcile.HashText(p.Key), reconcile.HashText(p.Email.Value), print.Hi, print.Lo} {
		b = binary.LittleEndian.AppendUint64(b, part)
	}
	return b, nil
}
