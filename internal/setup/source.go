package setup

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	driver "go.mongodb.org/mongo-driver/v2/mongo"

	"owlatsync/internal/config"
	"owlatsync/internal/sourcedsn"
	"owlatsync/source"
	"owlatsync/source/mongo"
	"owlatsync/source/xlsx"
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
	case sourcedsn.KindMongo:
		return openMongo(s)
	case sourcedsn.KindCSV:
		table, err = source.CSV(o.File(d), m, d.CSVOptions()...)
	case sourcedsn.KindNDJSON:
		table, err = source.NDJSON(o.File(d), m)
	case sourcedsn.KindXLSX:
		table, err = xlsx.Sheet(d.Path(), d.Sheet(), m)
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

// openMongo opens a collection. The table does not own its client: the caller must close it.
func openMongo(s config.Sync) (*source.Table, func() error, error) {
	filter, err := mongo.ParseFilter(s.Filter)
	if err != nil {
		return nil, nil, err
	}
	db, closeClient, err := Mongo(s.Target)
	if err != nil {
		return nil, nil, err
	}
	table, err := mongo.Documents(db.Collection(s.Collection), filter, s.Mapping())
	if err != nil {
		return nil, nil, errors.Join(err, closeClient())
	}
	return table, closeClient, nil
}

// ErrNoMongoDatabase means that a DSN names no database of MongoDB.
var ErrNoMongoDatabase = errors.New("the DSN names no database: add it after the host, as in mongodb://host:27017/shop")

// closeTimeout limits how long a client of MongoDB may take to close its connections.
const closeTimeout = 2 * time.Second

// Mongo returns the database that a DSN names, and a function that closes its client. It waits for no server.
func Mongo(d sourcedsn.DSN) (*driver.Database, func() error, error) {
	name := d.Database()
	if name == "" {
		return nil, nil, ErrNoMongoDatabase
	}
	client, err := mongo.Connect(d.MongoURI())
	if err != nil {
		return nil, nil, err
	}
	return client.Database(name), func() error {
		ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
		defer cancel()
		return client.Disconnect(ctx)
	}, nil
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
