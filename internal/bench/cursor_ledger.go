package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"modernc.org/sqlite"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile"
)

// cursorPerson is what the table has as its row n.
func cursorPerson(n int64) owlatsync.Row {
	return owlatsync.Row{
		Key: fmt.Sprint(n), Email: owlatsync.Some(fmt.Sprintf("user%d@example.com", n)),
		FirstName: owlatsync.Some(fmt.Sprint("First", n)), LastName: owlatsync.Some(fmt.Sprint("Last", n)),
	}
}

func cursorEntry(n int64, contact string) (*reconcile.Entry, error) {
	p := cursorPerson(n)
	print, err := (&reconcile.Sync{Name: cursorSync}).Fingerprint(&p)
	return &reconcile.Entry{
		Key: p.Key, ContactID: contact, Email: p.Email.Value, Identity: p.Email.Value, FirstName: p.FirstName.Value, LastName: p.LastName.Value,
		Origin: reconcile.OriginCreated, Fingerprint: print, FirstSeen: time.Now(), ChangedAt: time.Now(),
	}, err
}

// makeCursorLedger makes a ledger in step with people 1 to n. Those that are to change have contacts; the others are put
// into its file beside it, because to record so many takes longer than what is measured.
func makeCursorLedger(ctx context.Context, path string, client *owlat.Client, n, changed int64) error {
	l, err := ledger.OpenSQLite(ctx, "sqlite", path)
	if err != nil {
		return err
	}
	first, err := cursorEntry(1, "k57"+strings.Repeat("0", 29))
	if err == nil {
		err = l.Record(ctx, reconcile.Record{Sync: cursorSync, Entry: first})
	}
	if err == nil {
		err = l.SetAdopted(ctx, cursorSync)
	}
	if err := errors.Join(err, l.Close()); err != nil {
		return err
	}
	if err := multiplyCursorEntry(ctx, path, n); err != nil {
		return fmt.Errorf("multiply the entry: %w", err)
	}
	if l, err = ledger.OpenSQLite(ctx, "sqlite", path); err != nil {
		return err
	}
	var records []reconcile.Record
	for id := n / changed; id <= n && err == nil; id += n / changed {
		var c *owlat.Contact
		var e *reconcile.Entry
		p := cursorPerson(id)
		c, err = client.Contacts.Create(ctx, owlat.ContactCreate{Email: p.Email.Value, FirstName: &p.FirstName.Value, LastName: &p.LastName.Value})
		if err == nil {
			e, err = cursorEntry(id, c.ID)
			records = append(records, reconcile.Record{Sync: cursorSync, Entry: e})
		}
	}
	if err == nil {
		err = l.Record(ctx, records...)
	}
	return errors.Join(err, l.Close())
}

// multiplyCursorEntry makes the one entry of a ledger into n.
func multiplyCursorEntry(ctx context.Context, path string, n int64) (err error) {
	const mark = "bench_cursor_mark"
	err = sqlite.RegisterDeterministicScalarFunction(mark, 1, func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
		e, err := cursorEntry(args[0].(int64), "")
		if err != nil {
			return nil, err
		}
		var b []byte
		for _, part := range []uint64{reconcile.HashText(e.Key), reconcile.HashText(e.Email), e.Fingerprint.Hi, e.Fingerprint.Lo} {
			b = binary.LittleEndian.AppendUint64(b, part)
		}
		return b, nil
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
	rest := fmt.Sprintf("WITH RECURSIVE seq(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM seq WHERE n < %d) ", n)
	columns, values, err := multipliedColumns(ctx, db)
	if err != nil {
		return err
	}
	for _, statement := range []string{
		// A file that is thrown away needs no protection while it is made.
		"PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF", "PRAGMA cache_size = -131072",
		"CREATE TEMP TABLE template AS SELECT * FROM entries", "BEGIN",
		"INSERT INTO entries (" + columns + ") " + rest + "SELECT " + values + " FROM seq, template",
		"INSERT INTO marks (sync, entry, mark) " + rest + "SELECT template.sync, n, " + mark + "(n) FROM seq, template",
		"COMMIT", "PRAGMA journal_mode = WAL",
	} {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// multipliedColumns returns the columns of an entry and their values for person n: what differs from person to person, and
// the first one's for the rest.
func multipliedColumns(ctx context.Context, db *sql.DB) (columns, values string, err error) {
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
