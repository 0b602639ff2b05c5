package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/go-sql-driver/mysql"
	_ "modernc.org/sqlite" // registers "sqlite", for the ledger and for sources

	"owlatsync/internal/config"
	"owlatsync/internal/sourcedsn"
	"owlatsync/ledger/sqlite"
	"owlatsync/source"
)

// sqliteDriver is a variable for the tests that put something between the program and its ledger.
var sqliteDriver = "sqlite"

// openLedger opens the ledger, or creates it.
func openLedger(ctx context.Context, path string) (*sqlite.Ledger, error) {
	return sqlite.Open(ctx, sqliteDriver, path)
}

// openSource returns the source of a sync and what closes it. It connects to nothing yet.
func openSource(s config.Sync) (*source.Table, func() error, error) {
	table, closeSource, err := openRows(s)
	if err != nil || s.Cursor.Column == "" {
		return table, closeSource, err
	}
	following, err := table.WithCursor(s.Cursor)
	if err != nil {
		return nil, nil, errors.Join(err, closeSource())
	}
	return following, closeSource, nil
}

// openRows is openSource without the cursor.
func openRows(s config.Sync) (table *source.Table, closeSource func() error, err error) {
	closeSource = func() error { return nil }
	switch d, m := s.Target, s.Mapping(); d.Kind() {
	case sourcedsn.KindPostgres:
		table, err = source.Postgres(d.ConnString(), s.Query, m)
	case sourcedsn.KindMySQL:
		return openSQL(openMySQL, source.MySQL, s)
	case sourcedsn.KindSQLite:
		return openSQL(openSQLite, source.SQLite, s)
	case sourcedsn.KindCSV:
		table, err = source.CSV(source.File(d.Path()), m, source.Delimiter(d.Delimiter()))
	case sourcedsn.KindNDJSON:
		table, err = source.NDJSON(source.File(d.Path()), m)
	default:
		err = fmt.Errorf("there is no reader for sources of kind %q", d.Kind())
	}
	return table, closeSource, err
}

// openSQL opens a database/sql source. The table does not own the database, so that closing it is the caller's.
func openSQL(open func(sourcedsn.DSN) (*sql.DB, error), d source.Dialect, s config.Sync) (*source.Table, func() error, error) {
	db, err := open(s.Target)
	if err != nil {
		return nil, nil, err
	}
	table, err := source.SQL(db, d, s.Query, s.Mapping())
	if err != nil {
		_ = db.Close()
		return nil, nil, err
	}
	return table, db.Close, nil
}

func openSQLite(d sourcedsn.DSN) (*sql.DB, error) {
	uri, err := d.SQLiteURI()
	if err != nil {
		return nil, err
	}
	return sql.Open(sqliteDriver, uri)
}

func openMySQL(d sourcedsn.DSN) (*sql.DB, error) {
	cfg, err := d.MySQL()
	if err != nil {
		return nil, err
	}
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, fmt.Errorf("open the MySQL source: %w", err)
	}
	return sql.OpenDB(connector), nil
}
