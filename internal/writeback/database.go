package writeback

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"time"

	"owlatsync/internal/sourcedsn"
	"owlatsync/internal/statement"
)

// MySQL is a database of MySQL or MariaDB. Its connection is in UTC, as that of a source is.
func MySQL(db *sql.DB) Database {
	return &viaSQL{db: db, words: statement.MySQL, layout: "2006-01-02 15:04:05.000", first: "SET time_zone = '+00:00'", said: mySQLSaid}
}

// SQLite is a database in a file. db must take the lock for writing when a transaction begins.
func SQLite(db *sql.DB) Database {
	return &viaSQL{db: db, words: statement.SQLite, layout: "2006-01-02T15:04:05.000Z", said: sqliteSaid}
}

// viaSQL is a database behind database/sql.
type viaSQL struct {
	db     *sql.DB
	words  statement.Lexicon
	layout string
	first  string // statement at the begin of each connection
	said   func(error) error
}

func (v *viaSQL) lexicon() statement.Lexicon { return v.words }
func (v *viaSQL) stamp(at time.Time) string  { return at.Format(v.layout) }

// connect makes a new connection: none is kept between batches, so none is found broken.
func (v *viaSQL) connect(ctx context.Context) (connection, error) {
	v.db.SetMaxIdleConns(-1)
	conn, err := v.db.Conn(ctx)
	if err != nil {
		return nil, v.said(err)
	}
	if v.first != "" {
		if _, err := conn.ExecContext(ctx, v.first); err != nil {
			_ = conn.Close()
			return nil, v.said(err)
		}
	}
	return &sqlConnection{conn, v.said}, nil
}

type sqlConnection struct {
	conn *sql.Conn
	said func(error) error
}

func (c *sqlConnection) close() { _ = c.conn.Close() }

func (c *sqlConnection) check(ctx context.Context, b statement.Bound) error {
	tx, err := c.conn.BeginTx(ctx, nil)
	if err != nil {
		return c.said(err)
	}
	defer func() { _ = tx.Rollback() }()
	prepared, err := tx.PrepareContext(ctx, b.SQL)
	if err != nil {
		return c.said(err)
	}
	return c.said(prepared.Close())
}

func (c *sqlConnection) run(ctx context.Context, b statement.Bound, values []*string) (int64, error) {
	args := make([]any, len(values))
	for i, v := range values {
		if v != nil {
			args[i] = *v
		}
	}
	tx, err := c.conn.BeginTx(ctx, nil)
	if err != nil {
		return 0, c.said(err)
	}
	defer func() { _ = tx.Rollback() }()
	result, err := tx.ExecContext(ctx, b.SQL, args...)
	if err != nil {
		return 0, c.said(err)
	}
	if err := tx.Commit(); err != nil {
		return 0, c.said(err)
	}
	rows, err := result.RowsAffected()
	if err != nil {
		rows = 0 // it is done all the same
	}
	return rows, nil
}

// mySQLSaid says whether the database is down for every notice: no connection, no right, no room, or a statement that does not fit the
// tables.
func mySQLSaid(err error) error {
	if err == nil {
		return nil
	}
	code, answered := sourcedsn.MySQLCode(err)
	if !answered {
		return down(err)
	}
	switch code {
	case 1142, 1143, 1227, 1370:
		return misfit(fmt.Errorf("%w; grant the user of the write-back what the statement does, or give the write-back a \"dsn\" of its own", err))
	case 1290, 1792, 1836:
		return misfit(fmt.Errorf("%w; name a database that can be written as \"dsn\" of the write-back", err))
	case 1064:
		return misfit(&SyntaxError{err})
	case 1054, 1146, 1305, 1318:
		return misfit(err)
	case 1020, 1021, 1037, 1040, 1041, 1044, 1045, 1049, 1053, 1114, 1129, 1130, 1203, 1226, 1317:
		return down(err)
	}
	return err
}

// sqliteSyntax finds what SQLite says of a statement that it cannot read: it has no code of its own for that.
var sqliteSyntax = regexp.MustCompile(`near ".*": syntax error|incomplete input|unrecognized token:`)

// sqliteSaid says whether the database is down for every notice.
func sqliteSaid(err error) error {
	if err == nil {
		return nil
	}
	var answer interface{ Code() int }
	if !errors.As(err, &answer) {
		return down(err)
	}
	const wrong, readOnly, tooBig, constraint, mismatch = 1, 8, 18, 19, 20
	switch answer.Code() & 0xff { // without the extension
	case constraint, mismatch, tooBig:
		return err
	case wrong:
		if sqliteSyntax.MatchString(err.Error()) {
			err = &SyntaxError{err}
		}
		return misfit(err)
	case readOnly:
		return misfit(fmt.Errorf("%w; let this user write the file and its folder", err))
	}
	return down(err)
}
