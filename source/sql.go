package source

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"owlatsync"
	"owlatsync/internal/statement"
	"owlatsync/source/internal/ahead"
	"owlatsync/source/internal/cell"
	"owlatsync/source/internal/dialects"
	"owlatsync/source/internal/sqlrows"
	"owlatsync/source/internal/wrap"
)

// Dialect says which database a *sql.DB connects to.
type Dialect uint8

const (
	// Generic is any database. The scan runs in a transaction that is rolled back, and is read-only if the driver supports that. A
	// time is the moment that the driver gives; a DATE at midnight is its day, whatever its zone.
	Generic Dialect = iota
	// MySQL is MySQL or MariaDB, by github.com/go-sql-driver/mysql. Dates and times are as the server holds them, TIMESTAMPs in
	// UTC, whatever the driver's options parseTime and loc say. But if loc is a zone with summer time, the driver moves a DATETIME
	// in the hour that the zone skips.
	MySQL
	// SQLite is SQLite. A time without a zone is UTC unless the driver is told another zone; a DATE is its day.
	SQLite
)

// dialect is what differs between databases behind database/sql.
type dialect struct {
	name     string
	castHint string // how a query turns a binary column into text
	lexicon  statement.Lexicon
	// begin prepares the connection for one consistent read-only scan. end undoes that, and may run after the scan's context has
	// ended; an error of end makes the connection unfit for further use.
	begin func(ctx context.Context, conn *sql.Conn, query string) (run dialects.QueryFunc, end func(context.Context) error, err error)
	// kindOf returns the kind of a column's values, if its type tells that.
	kindOf func(databaseType string) cell.Kind
	values sqlrows.Rules
	// direct says that the query of a scan goes to the driver itself. What begin sets up then belongs to the connection, not to
	// database/sql.
	direct bool
	// wrapping says how to ask for part of a query's rows; nil: that is not possible.
	wrapping *wrap.Dialect
	// hints say what to do about an error with a code.
	hints map[int]string
}

func (d Dialect) rules() (dialect, error) {
	switch d {
	case Generic:
		return generic, nil
	case MySQL:
		return mySQL, nil
	case SQLite:
		return sqlite, nil
	}
	return dialect{}, fmt.Errorf("choose a dialect: %d is none", d)
}

// SQL returns the rows of a query on db, which the caller keeps and closes. The query must be a single statement that returns rows
// and changes nothing; it may end in semicolons and comments. Each scan takes one connection from db, and gives it back or closes
// it at its end.
//
// SQL runs nothing. Its error comes from [Mapping.Validate], wraps [ErrNotQuery] if the text is no query, or says that the dialect
// is unknown or db is nil.
func SQL(db *sql.DB, d Dialect, query string, m Mapping) (*Table, error) {
	rules, err := d.rules()
	if err != nil {
		return nil, err
	}
	if db == nil {
		return nil, errors.New("choose a database: there is none")
	}
	if why := statement.Check(query, rules.lexicon); why != "" {
		return nil, fmt.Errorf("%s: %w", why, ErrNotQuery)
	}
	return newTable(m, &sqlBackend{db: db, dialect: rules, query: query})
}

// cleanUpTimeout limits the calls to the database at the end of a scan. A node whose source has gone silent hands its work on after them.
const cleanUpTimeout = 2 * time.Second

type sqlBackend struct {
	db      *sql.DB
	dialect dialect
	query   string
	keepers atomic.Int32 // above 0: connections whose session was changed stay in db
}

func (b *sqlBackend) keepConnection() (release func()) {
	b.keepers.Add(1)
	return sync.OnceFunc(func() { b.keepers.Add(-1) })
}

func (b *sqlBackend) noun() string     { return "the query" }
func (b *sqlBackend) castHint() string { return b.dialect.castHint }

func (b *sqlBackend) ping(ctx context.Context) error {
	if err := b.db.PingContext(ctx); err != nil {
		return b.connectError(err)
	}
	return nil
}

func (b *sqlBackend) connectError(err error) error {
	return fmt.Errorf("connect to %s, as the DSN says: %w", b.dialect.name, b.dialect.explain(err, ""))
}

func (b *sqlBackend) wrapping() *wrap.Dialect { return b.dialect.wrapping }
func (b *sqlBackend) text() string            { return b.query }

func (b *sqlBackend) open(ctx context.Context) (cursor, error) {
	return orNil(b.openQuery(ctx, b.query))
}

// orNil returns a nil cursor with an error, and not a cursor that holds a nil pointer.
func orNil(c sqlScan, err error) (cursor, error) {
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (b *sqlBackend) openQuery(ctx context.Context, query string) (sqlScan, error) {
	query = statement.Bare(query, b.dialect.lexicon)
	c, err := b.transaction(ctx, query)
	if err != nil {
		return nil, err
	}
	if err := c.query(query); err != nil {
		c.close()
		return nil, fmt.Errorf("run the query: %w", b.dialect.explain(err, query))
	}
	if err := c.describe(); err != nil {
		c.close()
		return nil, err
	}
	c.feed = sqlrows.Read(c.ctx, c.rows, c.types)
	return c, nil
}

func (b *sqlBackend) look(ctx context.Context, do func(lookUp) error) error {
	c, err := b.transaction(ctx, "")
	if err != nil {
		return err
	}
	c.done = true
	defer c.close()
	return do(c.lookUp)
}

// transaction returns a scan that has not asked for anything yet.
func (b *sqlBackend) transaction(ctx context.Context, query string) (*sqlCursor, error) {
	conn, err := b.db.Conn(ctx)
	if err != nil {
		return nil, b.connectError(err)
	}
	c := &sqlCursor{conn: conn, dialect: &b.dialect, kept: b.keepers.Load() > 0}
	// The scan's own context ends a query that is not read to its end; otherwise all remaining rows would be fetched.
	ctx, c.cancel = context.WithCancel(ctx)
	c.ctx = ctx
	if c.run, c.end, err = b.dialect.begin(ctx, conn, query); err != nil {
		c.close()
		return nil, b.dialect.explain(err, query)
	}
	return c, nil
}

// sqlCursor is a scan through database/sql.
type sqlCursor struct {
	dialect *dialect
	conn    *sql.Conn
	ctx     context.Context // the scan's own: a cursor lives no longer
	cancel  context.CancelFunc
	run     dialects.QueryFunc
	end     func(context.Context) error
	rows    sqlrows.Typed
	cols    []column
	types   []sqlrows.Type
	feed    *ahead.Feed[sqlrows.Batch]
	batch   *sqlrows.Batch
	at      int // rows of the batch before the current one
	n       int
	done    bool
	kept    bool // the connection stays as it is set up
}

// query runs a query whose rows are to be read.
func (c *sqlCursor) query(query string, args ...any) (err error) {
	if c.dialect.direct && len(args) == 0 {
		if c.rows, err = sqlrows.Query(c.ctx, c.conn, query); err != nil || c.rows != nil {
			return err
		}
	}
	rows, err := c.run(c.ctx, query, args...)
	if err != nil {
		return err
	}
	c.rows, err = sqlrows.Scan(rows)
	return err
}

func (c *sqlCursor) describe() error {
	names := c.rows.Columns()
	if len(names) == 0 {
		return fmt.Errorf("the statement returns no columns: %w", ErrNotQuery)
	}
	for i, name := range names {
		databaseType := c.rows.ColumnTypeDatabaseTypeName(i)
		k := c.dialect.kindOf(databaseType)
		c.cols = append(c.cols, column{Column{name, databaseType}, k})
		c.types = append(c.types, sqlrows.Type{Declared: k, Rules: &c.dialect.values})
	}
	return nil
}

func (c *sqlCursor) columns() []column { return c.cols }
func (c *sqlCursor) position() owlatsync.Position {
	return owlatsync.Position{Unit: "row", Number: c.n}
}

func (c *sqlCursor) next() (bool, error) {
	if c.batch != nil && c.at+1 < c.batch.Rows {
		c.at++
		c.n++
		return true, nil
	}
	if c.batch != nil && c.batch.Err != nil {
		return c.ended(c.batch.Err)
	}
	if c.batch = c.feed.Next(c.batch); c.batch == nil {
		return false, c.ctx.Err()
	}
	if c.batch.Rows == 0 {
		return c.ended(c.batch.Err)
	}
	c.at = 0
	c.n++
	return true, nil
}

func (c *sqlCursor) ended(err error) (bool, error) {
	if err != io.EOF {
		return false, err
	}
	c.done = true
	return false, c.closeRows()
}

// closeRows frees the connection for the next query.
func (c *sqlCursor) closeRows() error {
	if c.feed != nil {
		c.feed.Wait()
	}
	rows := c.rows
	if c.rows = nil; rows == nil {
		return nil
	}
	return rows.Close()
}

func (c *sqlCursor) cell(i int) (cell.Cell, error) {
	v := &c.batch.Values[c.at*len(c.types)+i]
	if v.Binary {
		return cell.Cell{}, &ColumnError{c.cols[i].Name, fmt.Sprintf("row %d holds binary data, which cannot be mapped; make text of it in the query, such as %s",
			c.n, c.dialect.castHint)}
	}
	return c.batch.Cell(v), nil
}

func (c *sqlCursor) requery(_ context.Context, query string, args []any) error {
	if err := c.closeRows(); err != nil {
		return err
	}
	if err := c.query(query, args...); err != nil {
		return fmt.Errorf("run the query for single rows: %w", err)
	}
	c.feed, c.batch, c.done = sqlrows.Read(c.ctx, c.rows, c.types), nil, false
	return nil
}

func (c *sqlCursor) lookUp(_ context.Context, query string) (found [][]string, err error) {
	rows, err := c.run(c.ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		values, targets := make([]sql.NullString, len(columns)), make([]any, len(columns))
		for i := range values {
			targets[i] = &values[i]
		}
		if err := rows.Scan(targets...); err != nil {
			return nil, err
		}
		texts := make([]string, len(columns))
		for i, v := range values {
			texts[i] = v.String
		}
		found = append(found, texts)
	}
	return found, rows.Err()
}

func (c *sqlCursor) close() {
	if !c.done {
		c.cancel()
	}
	// Errors of the end no longer matter: the rows are read, or the scan has already failed.
	fit := c.closeRows() == nil
	if c.end != nil {
		ctx, cancel := context.WithTimeout(context.Background(), cleanUpTimeout)
		err := c.end(ctx)
		if c.kept && err == dialects.ErrSpent {
			_, err = c.conn.ExecContext(ctx, "ROLLBACK")
		}
		fit = err == nil && fit
		cancel()
	}
	if !fit {
		_ = c.conn.Raw(func(any) error { return driver.ErrBadConn })
	}
	_ = c.conn.Close()
	c.cancel()
}
