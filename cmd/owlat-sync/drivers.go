package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	_ "modernc.org/sqlite" // registers "sqlite", for the ledger and for sources

	"owlatsync/internal/config"
	"owlatsync/ledger/sqlite"
	"owlatsync/source"
)

// sqliteDriver is a variable for the tests that put something between the program and its ledger.
var sqliteDriver = "sqlite"

// connectTimeout is how long a database may take to answer at first, where the DSN says nothing else.
const connectTimeout = 15 * time.Second

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
	case source.KindPostgres:
		table, err = source.Postgres(d.ConnString(), s.Query, m)
	case source.KindMySQL:
		return openSQL(openMySQL, source.MySQL, s)
	case source.KindSQLite:
		return openSQL(openSQLite, source.SQLite, s)
	case source.KindCSV:
		table, err = source.CSV(source.File(d.Path()), m, source.Delimiter(d.Delimiter()))
	case source.KindNDJSON:
		table, err = source.NDJSON(source.File(d.Path()), m)
	default:
		err = fmt.Errorf("there is no reader for sources of kind %q", d.Kind())
	}
	return table, closeSource, err
}

// openSQL opens a database/sql source. The table does not own the database, so that closing it is the caller's.
func openSQL(open func(source.DSN) (*sql.DB, error), d source.Dialect, s config.Sync) (*source.Table, func() error, error) {
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

func openSQLite(d source.DSN) (*sql.DB, error) {
	uri, err := d.SQLiteURI()
	if err != nil {
		return nil, err
	}
	return sql.Open(sqliteDriver, uri)
}

func openMySQL(d source.DSN) (*sql.DB, error) {
	cfg, err := mysqlConfig(d.MySQL())
	if err != nil {
		return nil, err
	}
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, fmt.Errorf("open the MySQL source: %w", err)
	}
	return sql.OpenDB(connector), nil
}

// mysqlConfig has the driver read its own options, and puts the rest in afterwards: so no character of a password has a
// meaning.
func mysqlConfig(p source.MySQLParts) (*mysql.Config, error) {
	options := make([]string, 0, len(p.Params))
	for name, value := range p.Params {
		options = append(options, name+"="+strings.NewReplacer("%", "%25", "&", "%26", "+", "%2B").Replace(value))
	}
	cfg, err := mysql.ParseDSN("/?" + strings.Join(options, "&"))
	if err != nil {
		return nil, fmt.Errorf("read the options of the MySQL source: %w", err)
	}
	cfg.Net, cfg.Addr = "tcp", p.Address()
	if p.Socket != "" {
		cfg.Net = "unix"
	}
	cfg.User, cfg.Passwd, cfg.DBName = p.User, p.Password, p.Database
	cfg.MultiStatements, cfg.ParseTime = false, false // a source is one query, and its values are read as text
	if cfg.Timeout == 0 {
		cfg.Timeout = connectTimeout
	}
	cfg.Logger = &mysql.NopLogger{} // what it would print comes back as an error as well
	return cfg, nil
}
