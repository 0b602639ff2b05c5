package setup

import (
	"database/sql"
	"errors"
	"fmt"

	"owlatsync/internal/config"
	"owlatsync/internal/sourcedsn"
	"owlatsync/source"
)

// Source returns the source of a sync and a function that closes it. It connects to nothing.
func (o Opener) Source(s config.Sync) (*source.Table, func() error, error) {
	table, closeSource, err := o.rows(s)
	if err != nil || s.Cursor.Column == "" {
		return table, closeSource, err
	}
	following, err := table.WithCursor(s.Cursor)
	if err != nil {
		return nil, nil, errors.Join(err, closeSource())
	}
	return following, closeSource, nil
}

// rows is Source without the cursor.
func (o Opener) rows(s config.Sync) (table *source.Table, closeSource func() error, err error) {
	closeSource = func() error { return nil }
	switch d, m := s.Target, s.Mapping(); d.Kind() {
	case sourcedsn.KindPostgres:
		table, err = source.Postgres(d.ConnString(), s.Query, m)
	case sourcedsn.KindMySQL:
		return openSQL(o.MySQL, source.MySQL, s)
	case sourcedsn.KindSQLite:
		return openSQL(o.SQLite, source.SQLite, s)
	case sourcedsn.KindCSV:
		table, err = source.CSV(o.File(d), m, d.CSVOptions()...)
	case sourcedsn.KindNDJSON:
		table, err = source.NDJSON(o.File(d), m)
	default:
		err = fmt.Errorf("there is no reader for sources of kind %q", d.Kind())
	}
	return table, closeSource, err
}

// File returns the opener of a file source, which may be standard input.
func (o Opener) File(d sourcedsn.DSN) source.Opener {
	if d.Path() == sourcedsn.Stdin {
		return o.Stdin.open
	}
	return source.File(d.Path())
}

// openSQL opens a database/sql source. The table does not own the database: the caller must close it.
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

// SQLite opens the database in a file that must exist. It connects to nothing.
func (o Opener) SQLite(d sourcedsn.DSN) (*sql.DB, error) {
	uri, err := d.SQLiteURI()
	if err != nil {
		return nil, err
	}
	return sql.Open(o.Drivers.SQLite, uri)
}

// MySQL opens a database of MySQL or MariaDB. It connects to nothing.
func (o Opener) MySQL(d sourcedsn.DSN) (*sql.DB, error) {
	if o.Drivers.MySQL == nil {
		return nil, errors.New("this program was built without a driver for MySQL and MariaDB")
	}
	return o.Drivers.MySQL(d)
}
